/* What `kan fmt` makes of a text: its look, and that comments, blank lines and
 * long lines find their place. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "contract/tree/tree.h"

static struct buffer out;

static int clean(void **state)
{
    (void)state;
    mem_fault(0, false);
    buffer_fini(&out);
    return mem_live() == 0 ? 0 : -1;
}

static enum kan_err format(struct kan_slice text)
{
    struct source source;
    enum kan_err err = source_init(&source, SLICE("a.kan"), text);

    buffer_clear(&out);
    if (err == KAN_OK) {
        err = tree_format(&source, &out);
        source_fini(&source);
    }
    return err;
}

/* text becomes expected, which stays as it is. */
static void becomes(const char *text, const char *expected)
{
    assert_int_equal(format(kan_text(text)), KAN_OK);
    assert_string_equal(buffer_text(&out), expected);
    assert_int_equal(format(kan_text(expected)), KAN_OK);
    assert_string_equal(buffer_text(&out), expected);
}

static void stays(const char *text)
{
    becomes(text, text);
}

static void test_empty(void **state)
{
    (void)state;
    becomes("", "");
    becomes("\n\n\n", "");
    becomes("# a \t\r", "# a\n");
    becomes("type a {\n;; }", "type a { }\n");
    becomes("\n\n# a\n\n\n# b", "# a\n\n# b\n");
    becomes("\xef\xbb\xbftype a { }\r\n\r\n", "type a { }\n");
}

static void test_spaces(void **state)
{
    (void)state;
    becomes(
        "type a{x:int( 0..9 )=-1\ny :set(text(3) ,4)\n"
        "step s( a :int,b:text( 2 ) )when not(x==1)and a  in y"
        "{y-=b;x=- -size( y )+y [ 1 ] . z}}",
        "type a {\n"
        "    x: int(0 .. 9) = -1\n"
        "    y: set(text(3), 4)\n"
        "    step s(a: int, b: text(2)) when not (x == 1) and a in y "
        "{ y -= b; x = - -size(y) + y[1].z }\n"
        "}\n");
}

static void test_neighbours_are_aligned(void **state)
{
    (void)state;
    becomes(
        "type a {\n"
        "x: int\nlonger: bool\n\ny: int\n"
        "step a { x = 1\n longer += 2\n\n y = 1 }\n"
        "step bb when x == 1 { }\n"
        "step c when longer { x = 1 }\n"
        "step c(a: int) when longer { x = 1 }\n"
        "law a ~ nothing\nlaw bb; a == a; bb\n\nlaw a ~ a\n"
        "}\n"
        "upgrade a 1 -> 2 {\nup { x = 1 }\ndown { x = 2 }\n}\n"
        "saga s(a: a) {\na.b() undo a.c()\na.longer(1) undo a.d()\n}",
        "type a {\n"
        "    x:      int\n"
        "    longer: bool\n"
        "\n"
        "    y: int\n"
        "    step a {\n"
        "        x       = 1\n"
        "        longer += 2\n"
        "\n"
        "        y = 1\n"
        "    }\n"
        "    step bb when x == 1 { }\n"
        "    step c  when longer { x = 1 }\n"
        "    step c(a: int) when longer { x = 1 }\n"
        "    law a      ~   nothing\n"
        "    law bb; a  ==  a; bb\n"
        "\n"
        "    law a ~ a\n"
        "}\n"
        "upgrade a 1 -> 2 {\n"
        "    up   { x = 1 }\n"
        "    down { x = 2 }\n"
        "}\n"
        "saga s(a: a) {\n"
        "    a.b()          undo a.c()\n"
        "    a.longer(1)    undo a.d()\n"
        "}\n");
}

/* Names that differ too much are better not aligned at all. */
static void test_far_neighbours_are_not(void **state)
{
    (void)state;
    stays(
        "type a {\n"
        "    x: int\n"
        "    a_very_long_name_of_a_field: bool\n"
        "}\n");
}

static void test_one_line_stays_one_when_it_fits(void **state)
{
    (void)state;
    stays("type a { x: int; step s when x == 1 { x = 2; x = 3 } }\n");
    becomes("type a { x: int; step s when x == 1 {\n x = 2; x = 3 } }\n",
            "type a {\n"
            "    x: int\n"
            "    step s when x == 1 {\n"
            "        x = 2\n"
            "        x = 3\n"
            "    }\n"
            "}\n");
    becomes(
        "type a {\n"
        "step s when x == 1111111111111 { if x == 1 { y = 1111111111 } "
        "else if x == 2 { z = 1111111111111111 + 2 } else { w = 1 "
        "} }\n}",
        "type a {\n"
        "    step s when x == 1111111111111 {\n"
        "        if x == 1 { y = 1111111111 } else if x == 2 { z = "
        "1111111111111111 + 2 } else { w = 1 }\n"
        "    }\n"
        "}\n");
    becomes("type a { step s {\n}\nstep t { }\nstep u { # why\n}\n}",
            "type a {\n"
            "    step s { }\n"
            "    step t { }\n"
            "    step u {  # why\n"
            "    }\n"
            "}\n");
}

static void test_branches(void **state)
{
    (void)state;
    stays(
        "type a {\n"
        "    step s {\n"
        "        if x {\n"
        "            y = 1\n"
        "        } else  # why\n"
        "        if z {\n"
        "            y = 2\n"
        "        } else {\n"
        "            y = 3\n"
        "        }\n"
        "    }\n"
        "}\n");
    becomes("type a { step s { if x {\n y = 1\n} else\nif z { y = 2 }\n} }",
            "type a {\n"
            "    step s {\n"
            "        if x {\n"
            "            y = 1\n"
            "        } else if z {\n"
            "            y = 2\n"
            "        }\n"
            "    }\n"
            "}\n");
    becomes(
        "type a { step s {\nif x { y = 1\n}\nelse if z { y = 2 }\nelse\n{ "
        "y = 3 }\nif x { y = 1 } else { y = 2 } } }",
        "type a {\n"
        "    step s {\n"
        "        if x {\n"
        "            y = 1\n"
        "        } else if z {\n"
        "            y = 2\n"
        "        } else {\n"
        "            y = 3\n"
        "        }\n"
        "        if x { y = 1 } else { y = 2 }\n"
        "    }\n"
        "}\n");
}

static void test_comments_stay(void **state)
{
    (void)state;
    becomes(
        "# top\n"
        "type a { # of a\n"
        "   # inside\n\n"
        "x: int # of x\n"
        "yyyyy: int    # of y\n"
        "z: int\n"
        "# before s\n"
        "step s # odd\n"
        "{\n"
        "x = 1; # one\n"
        "if x { y = 1 } # c\n"
        "else { y = 2 }\n"
        "x = f(1, # first\n"
        "# alone\n"
        "2)\n"
        "# last\n"
        "} # of s\n"
        "}\n"
        "# end",
        "# top\n"
        "type a {  # of a\n"
        "    # inside\n"
        "\n"
        "    x:     int  # of x\n"
        "    yyyyy: int  # of y\n"
        "    z:     int\n"
        "    # before s\n"
        "    step s  # odd\n"
        "    {\n"
        "        x = 1  # one\n"
        "        if x {\n"
        "            y = 1\n"
        "        }  # c\n"
        "        else {\n"
        "            y = 2\n"
        "        }\n"
        "        x = f(1,  # first\n"
        "            # alone\n"
        "            2)\n"
        "        # last\n"
        "    }  # of s\n"
        "}\n"
        "# end\n");
}

static void test_comments_keep_their_column(void **state)
{
    (void)state;
    stays(
        "type a {\n"
        "    x: int             # one\n"
        "    y: bool            # two\n"
        "\n"
        "    z: int  # three\n"
        "}\n");
    becomes(
        "type a {\n"
        "    x: int          # one\n"
        "    y: int(0 .. 9) = 1          # two\n"
        "    z: int(0 .. 9) = 1   # three\n"
        "}\n",
        "type a {\n"
        "    x: int              # one\n"
        "    y: int(0 .. 9) = 1  # two\n"
        "    z: int(0 .. 9) = 1  # three\n"
        "}\n");
}

static void test_lines_go_on(void **state)
{
    (void)state;
    becomes(
        "type a {\n"
        "x: one |\n two\n"
        "step s(a: int,\nb: int\n) when\nx == 1 and\ny\n{ r = q {\na: 1,\n"
        "b: 2\n} }\n}",
        "type a {\n"
        "    x: one |\n"
        "        two\n"
        "    step s(a: int,\n"
        "        b: int\n"
        "    ) when\n"
        "        x == 1 and\n"
        "        y {\n"
        "        r = q {\n"
        "            a: 1,\n"
        "            b: 2\n"
        "        }\n"
        "    }\n"
        "}\n");
}

static void test_long_lines_are_broken(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    struct kan_slice rest;
    struct kan_slice line;
    int lines;

    buffer_append_text(&text, "type a { step s when a_first_name == 1");
    for (int i = 0; i < 30; i++)
        buffer_print(&text, " and a_name_of_a_field_%d == %d", i, i);
    buffer_append_text(&text, " { x = 1 } }");
    assert_int_equal(format(buffer_slice(&text)), KAN_OK);
    buffer_clear(&text);
    buffer_append(&text, buffer_slice(&out));
    rest = buffer_slice(&text);
    for (lines = 0; slice_cut(&rest, '\n', &line); lines++)
        assert_true(line.size <= 120);
    assert_int_equal(lines, 14);
    stays(buffer_text(&text));
    buffer_fini(&text);
}

static void test_faults_leave_out_alone(void **state)
{
    (void)state;
    buffer_append_text(&out, "kept");
    struct source source;

    assert_int_equal(
        source_init(&source, SLICE("a.kan"), SLICE("type a { x = 1 }")),
        KAN_OK);
    assert_int_equal(tree_format(&source, &out), KAN_INVALID);
    assert_int_equal(source.fault_count, 1);
    assert_string_equal(buffer_text(&out), "kept");
    source_fini(&source);
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char text[] =
        "type a {\n x: int # c\n step s { x = 1; x = 2\n }\n}\n";
    struct source source;
    enum kan_err err = KAN_NOMEM;

    assert_int_equal(source_init(&source, SLICE("a.kan"), kan_text(text)),
                     KAN_OK);
    for (uint64_t n = 1; err == KAN_NOMEM; n++) {
        mem_fault(n, false);
        err = tree_format(&source, &out);
        assert_int_equal(err == KAN_OK, out.size > 0);
        if (err == KAN_OK)
            assert_true(n > 4);
    }
    mem_fault(0, false);
    assert_int_equal(err, KAN_OK);
    source_fini(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_empty, clean),
        cmocka_unit_test_teardown(test_spaces, clean),
        cmocka_unit_test_teardown(test_neighbours_are_aligned, clean),
        cmocka_unit_test_teardown(test_far_neighbours_are_not, clean),
        cmocka_unit_test_teardown(test_one_line_stays_one_when_it_fits, clean),
        cmocka_unit_test_teardown(test_branches, clean),
        cmocka_unit_test_teardown(test_comments_stay, clean),
        cmocka_unit_test_teardown(test_comments_keep_their_column, clean),
        cmocka_unit_test_teardown(test_lines_go_on, clean),
        cmocka_unit_test_teardown(test_long_lines_are_broken, clean),
        cmocka_unit_test_teardown(test_faults_leave_out_alone, clean),
        cmocka_unit_test_teardown(test_no_memory, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
