/* differential_test.c - the interpreter, the plain evaluator and generated C
 * over the same random paths: they agree in what is refused, why, and in every
 * state, to the byte.
 *
 * usage: differential_test EXAMPLES HERE. Each type walks the same paths in
 * every run: draws come from a fixed seed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "contract/plain/plain.h"
#include "subject.h"

enum
{
    STEPS = 20000, /* of a type */
    RESTART = 40   /* of these in a row, then from the start again */
};

static const char *folders[2];
static uint64_t drawn;

static uint64_t draw(void *data, uint64_t n)
{
    (void)data;
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return drawn % n;
}

/* --- contracts ------------------------------------------------------------ */

static struct contract *load(const char *file)
{
    static char text[1 << 20];
    struct contract *contract = NULL;
    struct buffer faults = BUFFER_INIT;
    char path[4096];
    FILE *found = NULL;

    for (size_t i = 0; i < 2 && !found; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folders[i], file);
        found = fopen(path, "rb");
    }
    assert_non_null(found);
    size_t size = fread(text, 1, sizeof text, found);
    (void)fclose(found);
    enum kan_err err = contract_load(kan_text(file), kan_slice(text, size),
                                     &contract, &faults);
    if (err != KAN_OK)
        print_error("%s\n", buffer_text(&faults));
    assert_int_equal(err, KAN_OK);
    buffer_fini(&faults);
    return contract;
}

/* --- one type ------------------------------------------------------------- */

struct walk
{
    const struct subject *subject;
    const struct contract *contract;
    const struct program *program;
    const struct tree_entity *entity;
    char *before;
    char *after; /* the interpreter's */
    char *made;  /* generated C's */
    char *arguments;
    struct program_input input;
    uint32_t step;
    uint32_t taken;
    uint32_t refused[PROGRAM_LENGTH + 1];
};

/* Boundaries often, so that keys meet again; anything else at times. */
static void draw_arguments(struct walk *w)
{
    uint32_t type = program_step(w->program, w->step).arguments;
    uint32_t count = program_type(w->program, type)->member_count;

    memset(w->arguments, 0, program_type(w->program, type)->size);
    program_arguments(w->program, w->step, w->arguments);
    for (uint32_t i = 0; i < count; i++) {
        struct program_member member = program_member(w->program, type, i);
        void *at = w->arguments + member.offset;
        bool done = false;

        if (draw(NULL, 4) > 0)
            done = program_boundary(w->program, member.type,
                                    (uint32_t)draw(NULL, PROGRAM_BOUNDARY_MAX),
                                    at);
        if (!done)
            program_any(w->program, member.type, draw, NULL, at);
    }
}

static void draw_input(struct walk *w)
{
    static const char digits[] = "0123456789abcdef";

    w->input.now_ms =
        draw(NULL, 3) ? (int64_t)draw(NULL, 1 << 20) : w->input.now_ms + 1;
    for (size_t i = 0; i < PROGRAM_ID_SIZE; i++)
        w->input.id[i] = digits[draw(NULL, 16)];
}

static void print_where(const struct walk *w, const char *who)
{
    struct buffer out = BUFFER_INIT;
    struct program_step step = program_step(w->program, w->step);

    buffer_print(&out, "%s, %s version %u: %s differs at %.*s ",
                 w->subject->file, w->subject->type, w->subject->version, who,
                 SLICE_ARG(step.name));
    program_json(w->program, step.arguments, w->arguments, &out);
    buffer_append_text(&out, "\n    in ");
    program_json(w->program, 0, w->before, &out);
    print_error("%s\n", buffer_text(&out));
    buffer_fini(&out);
}

#define AGREE(w, who, condition)    \
    do {                            \
        if (!(condition)) {         \
            print_where(w, who);    \
            assert_true(condition); \
        }                           \
    } while (0)

/* --- the plain evaluator -------------------------------------------------- */

/* The value as the plain evaluator holds it. */
static const struct plain_value *plain_of(struct walk *w, uint32_t type,
                                          const void *value,
                                          const struct tree_field *fields,
                                          uint32_t count, struct arena *arena)
{
    struct buffer out = BUFFER_INIT;
    struct json_tree json = {0};
    struct tree_record record = {.fields = (struct tree_field *)fields,
                                 .field_count = count};
    struct tree_type whole = {.kind = TREE_RECORD, .record = &record};

    program_json(w->program, type, value, &out);
    assert_int_equal(json_parse(buffer_slice(&out), NULL, &json), KAN_OK);
    const struct plain_value *made =
        plain_read(&whole, &json, &json.nodes[0], arena);
    assert_non_null(made);
    json_fini(&json);
    buffer_fini(&out);
    return made;
}

static void compare_plain(struct walk *w, enum kan_err err,
                          const struct program_refusal *refusal)
{
    const struct tree_step *step = &w->entity->steps[w->step];
    struct arena arena = {0};
    const struct plain_value *state = plain_of(
        w, 0, w->before, w->entity->fields, w->entity->field_count, &arena);
    const struct plain_value *arguments =
        plain_of(w, program_step(w->program, w->step).arguments, w->arguments,
                 step->parameters, step->parameter_count, &arena);
    struct plain_result result = plain_take(
        w->entity, step, state, arguments->values, &w->input, &arena);

    AGREE(w, "the plain evaluator", !result.failed);
    AGREE(w, "the plain evaluator",
          (result.refused == PROGRAM_OK) == (err == KAN_OK));
    AGREE(w, "the plain evaluator", result.refused == refusal->kind);
    if (refusal->kind == PROGRAM_REQUIRE)
        AGREE(w, "the plain evaluator",
              slice_equal(result.text, refusal->text));
    if (refusal->kind == PROGRAM_INVARIANT)
        AGREE(w, "the plain evaluator",
              slice_equal(result.text, refusal->name));
    if (refusal->kind == PROGRAM_OVERFLOW || refusal->kind == PROGRAM_DIVIDE)
        AGREE(w, "the plain evaluator's field",
              plain_target_named(result.target, refusal->name));
    if (err == KAN_OK) {
        struct buffer one = BUFFER_INIT;
        struct buffer other = BUFFER_INIT;

        program_json(w->program, 0, w->after, &one);
        plain_print_fields(w->entity->fields, w->entity->field_count,
                           result.state, &other);
        if (!slice_equal(buffer_slice(&one), buffer_slice(&other)))
            print_error("%s\n%s\n", buffer_text(&one), buffer_text(&other));
        AGREE(w, "the plain evaluator",
              slice_equal(buffer_slice(&one), buffer_slice(&other)));
        buffer_fini(&one);
        buffer_fini(&other);
    }
    arena_fini(&arena);
}

/* --- generated C ---------------------------------------------------------- */

static void compare_generated(struct walk *w, enum kan_err err,
                              const struct program_refusal *refusal)
{
    size_t size = w->subject->size;
    struct said said;

    memcpy(w->made, w->before, size);
    said = w->subject->take(w->made, w->step, w->arguments, w->input.now_ms,
                            w->input.id);
    if (said.kind != (int)refusal->kind)
        print_error("%d, not %d\n", said.kind, (int)refusal->kind);
    AGREE(w, "generated C", said.kind == (int)refusal->kind);
    if (err == KAN_OK) {
        AGREE(w, "generated C", memcmp(w->made, w->after, size) == 0);
        return;
    }
    AGREE(w, "generated C, refused", memcmp(w->made, w->before, size) == 0);
    AGREE(w, "generated C's name",
          slice_equal(kan_text(said.name), refusal->name));
    AGREE(w, "generated C's text",
          slice_equal(kan_text(said.text), refusal->text));
    AGREE(w, "generated C's source",
          slice_equal(kan_text(said.source), refusal->source));
    AGREE(w, "generated C's value",
          refusal->kind != PROGRAM_BOUND || said.value == refusal->value);
    AGREE(w, "generated C's range",
          refusal->kind != PROGRAM_BOUND ||
              (said.min == refusal->min && said.max == refusal->max));
}

/* --- paths ---------------------------------------------------------------- */

static void walk_step(struct walk *w)
{
    struct program_refusal refusal = {0};
    enum kan_err err;

    w->step = (uint32_t)draw(NULL, program_step_count(w->program));
    draw_arguments(w);
    draw_input(w);
    err = program_take(w->program, w->step, w->before, w->arguments, &w->input,
                       w->after, &refusal);
    compare_plain(w, err, &refusal);
    compare_generated(w, err, &refusal);
    w->refused[refusal.kind]++;
    if (err == KAN_OK) {
        memcpy(w->before, w->after, w->subject->size);
        w->taken++;
    }
}

static void walk_subject(const struct subject *subject, uint32_t *refused)
{
    struct contract *contract = load(subject->file);
    int32_t type = contract_type_find(contract, kan_text(subject->type));
    struct walk w = {.subject = subject, .contract = contract};

    assert_true(type >= 0);
    w.program = contract_program(contract, (uint32_t)type, subject->version);
    assert_non_null(w.program);
    w.entity = tree_entity(contract_tree(contract), kan_text(subject->type),
                           subject->version);
    assert_int_equal(program_state_size(w.program), subject->size);
    w.before = calloc(1, subject->size);
    w.after = calloc(1, subject->size);
    w.made = malloc(subject->size);
    w.arguments = calloc(1, TREE_STATE_BYTES_MAX);
    assert_true(w.before && w.after && w.made && w.arguments);
    for (uint32_t i = 0; i < STEPS; i++) {
        if (i % RESTART == 0) {
            program_start(w.program, w.before);
            memset(w.made, 0xee, subject->size);
            subject->start(w.made);
            w.step = 0;
            AGREE(&w, "generated C's start",
                  memcmp(w.made, w.before, subject->size) == 0);
        }
        walk_step(&w);
    }
    /* A path that never moves shows nothing. */
    assert_true(w.taken > STEPS / 20);
    for (uint32_t i = 0; i <= PROGRAM_LENGTH; i++)
        refused[i] += w.refused[i];
    free(w.before);
    free(w.after);
    free(w.made);
    free(w.arguments);
    contract_unref(contract);
}

static void all_agree(void **state)
{
    uint32_t refused[PROGRAM_LENGTH + 1] = {0};

    (void)state;
    for (size_t i = 0; i < subject_count; i++) {
        drawn = 0x9e3779b97f4a7c15 + i;
        walk_subject(&subjects[i], refused);
    }
    /* Every kind of refusal was met. */
    for (uint32_t i = 0; i <= PROGRAM_LENGTH; i++) {
        if (refused[i] == 0)
            print_error("no step was refused with kind %u\n", i);
        assert_true(refused[i] > 0);
    }
}

/* Every version of every type in those files is a subject. */
static void none_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < subject_count; i++) {
        struct contract *contract = load(subjects[i].file);
        uint32_t versions = 0;
        uint32_t rows = 0;

        for (uint32_t k = 0; k < contract_type_count(contract); k++)
            versions +=
                contract_newest(contract, k) - contract_oldest(contract, k) + 1;
        for (size_t k = 0; k < subject_count; k++)
            rows += strcmp(subjects[k].file, subjects[i].file) == 0;
        assert_int_equal(rows, versions);
        contract_unref(contract);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_is_left_out),
        cmocka_unit_test(all_agree),
    };

    if (argc != 3) {
        (void)fputs("usage: differential_test EXAMPLES HERE\n", stderr);
        return 2;
    }
    folders[0] = argv[1];
    folders[1] = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
