/* Flags of `kan run`: what is taken, what is refused, and in which words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/settings.h"

static const char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

static const char *token_variable(const char *name)
{
    return strcmp(name, "DAPR_API_TOKEN") == 0 ? "secret" : NULL;
}

enum
{
    WORDS_MAX = 24
};

/* Split a line at spaces and parse it. */
static enum kan_err parse_line(struct settings *settings, char *line,
                               const char **words, struct buffer *why)
{
    int count = 0;
    for (char *at = line; *at;) {
        words[count++] = at;
        while (*at && *at != ' ')
            at++;
        if (*at)
            *at++ = 0;
    }
    words[count] = NULL;
    return settings_parse(settings, count, words, no_variable, why);
}

static void defaults_are_those_of_dapr(void **state)
{
    (void)state;
    struct settings s;
    struct buffer why = BUFFER_INIT;
    assert_int_equal(settings_parse(&s, 0, NULL, token_variable, &why), KAN_OK);
    assert_string_equal(s.app_id, "kan");
    assert_int_equal(s.http_port, 3500);
    assert_int_equal(s.app_port, -1);
    assert_int_equal(s.body_max, 4 << 20);
    assert_int_equal(s.head_max, 4 << 10);
    assert_int_equal(s.grace_ms, 5000);
    assert_int_equal(s.header_timeout_ms, 10000);
    assert_string_equal(s.data_dir, ".kan");
    assert_string_equal(s.api_token, "secret");
    assert_false(s.reuse_port);
    assert_null(s.command);
    buffer_fini(&why);
}

static void flags_come_with_one_dash_or_two(void **state)
{
    (void)state;
    struct settings s;
    struct buffer why = BUFFER_INIT;
    const char *words[WORDS_MAX];
    char line[] =
        "--app-id orders -app-port=3000 -H 0 --log-as-json "
        "--enable-metrics=false --resources-path a "
        "--resources-path b -- node app.js --port 1";
    assert_int_equal(parse_line(&s, line, words, &why), KAN_OK);
    assert_string_equal(s.app_id, "orders");
    assert_int_equal(s.app_port, 3000);
    assert_int_equal(s.http_port, 0);
    assert_true(s.log_json);
    assert_false(s.enable_metrics);
    assert_int_equal(s.resources_path.count, 2);
    assert_string_equal(s.resources_path.values[1], "b");
    assert_string_equal(s.command[0], "node");
    assert_string_equal(s.command[3], "1");
    assert_null(s.command[4]);
    buffer_fini(&why);
}

static void words_are_modules_and_contracts(void **state)
{
    (void)state;
    struct settings s;
    struct buffer why = BUFFER_INIT;
    const char *words[WORDS_MAX];
    char line[] = "./a.so -H 0 a.kan b.so x/b.kan -- c.so";
    assert_int_equal(parse_line(&s, line, words, &why), KAN_OK);
    assert_int_equal(s.modules.count, 2);
    assert_string_equal(s.modules.values[0], "./a.so");
    assert_string_equal(s.modules.values[1], "b.so");
    assert_int_equal(s.contracts.count, 2);
    assert_string_equal(s.contracts.values[0], "a.kan");
    assert_string_equal(s.contracts.values[1], "x/b.kan");
    assert_string_equal(s.command[0], "c.so");
    assert_null(s.record);
    char recorded[] = "--record run.path a.so";
    assert_int_equal(parse_line(&s, recorded, words, &why), KAN_OK);
    assert_string_equal(s.record, "run.path");
    buffer_fini(&why);
}

static void a_letter_may_be_joined_to_its_value(void **state)
{
    (void)state;
    struct settings s;
    struct buffer why = BUFFER_INIT;
    const char *words[WORDS_MAX];
    char line[] = "-H=0 -a=orders --max-body-size 32Mi";
    assert_int_equal(parse_line(&s, line, words, &why), KAN_OK);
    assert_int_equal(s.http_port, 0);
    assert_string_equal(s.app_id, "orders");
    /* One body always fits into what all may have. */
    assert_int_equal(s.bodies_max, 32 << 20);
    buffer_fini(&why);
}

static void flags_without_effect_are_noted(void **state)
{
    (void)state;
    struct settings s;
    struct buffer why = BUFFER_INIT;
    const char *words[WORDS_MAX];
    char line[] =
        "--placement-host-address localhost:50005 --enable-mtls "
        "--app-id a";
    assert_int_equal(parse_line(&s, line, words, &why), KAN_OK);
    assert_int_equal(s.unused.count, 2);
    assert_string_equal(s.unused.values[0], "placement-host-address");
    assert_string_equal(s.unused.values[1], "enable-mtls");
    assert_string_equal(s.app_id, "a");
    buffer_fini(&why);
}

static void a_wrong_line_is_refused_in_one_line(void **state)
{
    (void)state;
    static const struct
    {
        const char *line;
        const char *why;
    } cases[] = {
        {"--app-prot 1", "unknown flag --app-prot; did you mean --app-port?"},
        {"--zzzzzzzz", "unknown flag --zzzzzzzz; 'kan run --help' lists them"},
        {"--app-port 65536",
         "--app-port is '65536'; expected a port from 0 to 65535, or -1"},
        {"--app-port 3x",
         "--app-port is '3x'; expected a port from 0 to 65535, or -1"},
        {"--app-port", "--app-port needs a value"},
        {"--app-id=", "--app-id is ''; expected a text"},
        {"--max-body-size 4Q",
         "--max-body-size is '4Q'; expected a size such as 512Ki or 4Mi, at "
         "most 1Gi"},
        {"--max-body-size 2Gi",
         "--max-body-size is '2Gi'; expected a size such as 512Ki or 4Mi, at "
         "most 1Gi"},
        {"--idle-timeout 3",
         "--idle-timeout is '3'; expected a duration such as 500ms or 10s, 1ms "
         "to 24h"},
        {"--idle-timeout 0s",
         "--idle-timeout is '0s'; expected a duration such as 500ms or 10s, "
         "1ms to 24h"},
        {"--dapr-block-shutdown-duration 25h",
         "--dapr-block-shutdown-duration is '25h'; expected a duration such as "
         "500ms, 10s or 1m30s, at most 24h"},
        {"--app-protocol gprc",
         "--app-protocol is 'gprc'; expected http, https, h2c, grpc or grpcs"},
        {"--read-buffer-size 2Mi",
         "--read-buffer-size is 2097152 bytes; expected 64 to 1024Ki"},
        {"--log-as-json=maybe",
         "--log-as-json is 'maybe'; expected true or false"},
        {"--log-level loud",
         "--log-level is 'loud'; expected debug, info, warn, error or fatal"},
        {".kan",
         "unexpected '.kan'; a module with actors ends in .so, a contract in "
         ".kan, and the app's command stands behind --"},
        {".so",
         "unexpected '.so'; a module with actors ends in .so, a contract in "
         ".kan, and the "
         "app's command stands behind --"},
        {"--record r.path", "--record writes down one module, and 0 are given"},
        {"--record r.path a.so b.so",
         "--record writes down one module, and 2 are given"},
        {"node app.js",
         "unexpected 'node'; a module with actors ends in .so, a contract in "
         ".kan, and the app's "
         "command stands behind --"},
        {"--app-port 3500",
         "--app-port and --dapr-http-port are both 3500; give the app a port "
         "of its own"},
        {"--app-id a||b", "--app-id is 'a||b'; it must not contain || or /"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct settings s;
        struct buffer why = BUFFER_INIT;
        const char *words[WORDS_MAX];
        char line[256];
        memcpy(line, cases[i].line, strlen(cases[i].line) + 1);
        assert_int_equal(parse_line(&s, line, words, &why), KAN_INVALID);
        assert_string_equal(buffer_text(&why), cases[i].why);
        buffer_fini(&why);
    }
}

static void a_repeated_flag_has_a_limit(void **state)
{
    (void)state;
    struct settings s;
    struct buffer why = BUFFER_INIT;
    const char *words[2 * (SETTINGS_LIST_MAX + 1)];
    for (int i = 0; i <= SETTINGS_LIST_MAX; i++) {
        words[2 * i] = "--resources-path";
        words[2 * i + 1] = "x";
    }
    assert_int_equal(
        settings_parse(&s, 2 * SETTINGS_LIST_MAX, words, no_variable, &why),
        KAN_OK);
    assert_int_equal(settings_parse(&s, 2 * (SETTINGS_LIST_MAX + 1), words,
                                    no_variable, &why),
                     KAN_INVALID);
    buffer_fini(&why);
}

static void help_names_every_group(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    struct buffer roff = BUFFER_INIT;
    settings_help(&text, false);
    settings_help(&roff, true);
    assert_non_null(strstr(buffer_text(&text), "--data-dir (.kan)"));
    assert_non_null(strstr(buffer_text(&text), "-p, --app-port\n"));
    assert_non_null(strstr(buffer_text(&roff), "\\-\\-data\\-dir (.kan)"));
    buffer_fini(&text);
    buffer_fini(&roff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_dapr),
        cmocka_unit_test(flags_come_with_one_dash_or_two),
        cmocka_unit_test(words_are_modules_and_contracts),
        cmocka_unit_test(a_letter_may_be_joined_to_its_value),
        cmocka_unit_test(flags_without_effect_are_noted),
        cmocka_unit_test(a_wrong_line_is_refused_in_one_line),
        cmocka_unit_test(a_repeated_flag_has_a_limit),
        cmocka_unit_test(help_names_every_group),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
