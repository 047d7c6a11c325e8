/* generate_c_name.c - names of a contract as names of C and C++. */

#include "contract/generate/generate_c.h"

#include <string.h>

/* What the two languages, and the headers that generated code includes, keep
 * for themselves; "linux" and "unix" are macros of GNU C. */
static const char *const taken[] = {
    "alignas",     "alignof",      "and",       "and_eq",
    "asm",         "auto",         "bitand",    "bitor",
    "bool",        "break",        "case",      "catch",
    "char",        "char16_t",     "char32_t",  "char8_t",
    "class",       "co_await",     "co_return", "co_yield",
    "compl",       "concept",      "const",     "const_cast",
    "consteval",   "constexpr",    "constinit", "continue",
    "decltype",    "default",      "delete",    "do",
    "double",      "dynamic_cast", "else",      "enum",
    "explicit",    "export",       "extern",    "false",
    "float",       "for",          "friend",    "goto",
    "if",          "inline",       "int",       "linux",
    "long",        "mutable",      "namespace", "new",
    "noexcept",    "not",          "not_eq",    "nullptr",
    "operator",    "or",           "or_eq",     "private",
    "protected",   "public",       "register",  "reinterpret_cast",
    "requires",    "restrict",     "return",    "short",
    "signed",      "sizeof",       "static",    "static_assert",
    "static_cast", "struct",       "switch",    "template",
    "this",        "thread_local", "throw",     "true",
    "try",         "typedef",      "typeid",    "typename",
    "typeof",      "union",        "unix",      "unsigned",
    "using",       "virtual",      "void",      "volatile",
    "wchar_t",     "while",        "xor",       "xor_eq",
};

/* Names of the C library that a parameter would hide, or a macro replace. */
static const char *const library[] = {
    "memcpy", "memmove", "memset",   "memcmp",    "strlen",
    "size_t", "int64_t", "uint16_t", "uint32_t",  "uint64_t",
    "NULL",   "main",    "why",      "now_ms",    "id",
    "from",   "to",      "refused",  "arguments",
};

static bool listed(const char *const *list, size_t count, struct kan_slice name)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (slice_equal(kan_text(list[i]), name))
            return true;
    }
    return false;
}

/* Names with capitals may be macros, INT64_MAX say; those with two underscores
 * or one before a capital belong to the implementation. */
bool gen_word_is_taken(struct kan_slice name)
{
    size_t i;

    for (i = 0; i < name.size; i++) {
        unsigned char c = slice_at(name, i);

        if (c >= 'A' && c <= 'Z')
            return true;
        if (c == '_' && (i == 0 || slice_at(name, i - 1) == '_'))
            return true;
    }
    return listed(taken, sizeof taken / sizeof *taken, name);
}

const char *gen_member(struct gen *g, struct kan_slice name)
{
    return gen_words(g, "%.*s%s", SLICE_ARG(name),
                     gen_word_is_taken(name) ? "_" : "");
}

static char as_tag;
static char as_other;

static const char *global(struct gen *g, const char *wanted, void *as,
                          const void *beside)
{
    const char *name = wanted;

    for (;;) {
        const void *there = map_get(&g->names, kan_text(name));

        if (g->failed || !there || there == beside)
            break;
        name = gen_words(g, "%s_", name);
    }
    if (!g->failed && map_put(&g->names, kan_text(name), as, NULL) != KAN_OK)
        g->failed = true;
    return name;
}

const char *gen_global(struct gen *g, const char *wanted)
{
    return global(g, wanted, &as_other, NULL);
}

const char *gen_global_tag(struct gen *g, const char *wanted)
{
    return global(g, wanted, &as_tag, NULL);
}

const char *gen_global_macro(struct gen *g, const char *wanted)
{
    return global(g, wanted, &as_other, &as_tag);
}

/* t1, t2: variables that hold what is in between. */
static bool is_temp(struct kan_slice name)
{
    size_t i;

    if (name.size < 2 || slice_at(name, 0) != 't')
        return false;
    for (i = 1; i < name.size; i++) {
        if (slice_at(name, i) < '0' || slice_at(name, i) > '9')
            return false;
    }
    return true;
}

static bool local_is_taken(const struct gen *g, const char *name)
{
    const struct gen_local *local;

    for (local = g->locals; local; local = local->next) {
        if (strcmp(local->name, name) == 0)
            return true;
    }
    /* A tag is no name of what a variable could hide. */
    return map_get(&g->names, kan_text(name)) == &as_other;
}

const char *gen_local(struct gen *g, struct kan_slice wanted)
{
    struct gen_local *local = arena_give(&g->arena, sizeof *local);
    const char *name = gen_member(g, wanted);

    if (listed(library, sizeof library / sizeof *library, wanted) ||
        is_temp(wanted))
        name = gen_words(g, "%s_", name);
    while (!g->failed && local_is_taken(g, name))
        name = gen_words(g, "%s_", name);
    if (!local) {
        g->failed = true;
        return name;
    }
    local->name = name;
    local->next = g->locals;
    g->locals = local;
    return name;
}

void gen_locals_clear(struct gen *g)
{
    g->locals = NULL;
    g->temps = 0;
}

const char *gen_upper(struct gen *g, const char *name)
{
    char *copy = arena_copy(&g->arena, kan_text(name));
    size_t i;

    if (!copy) {
        g->failed = true;
        return "";
    }
    for (i = 0; copy[i]; i++) {
        if (copy[i] >= 'a' && copy[i] <= 'z')
            copy[i] = (char)(copy[i] - 'a' + 'A');
    }
    return copy;
}
