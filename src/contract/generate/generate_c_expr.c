/* generate_c_expr.c - expressions of a contract as expressions of C. Numbers
 * carry the range in which they lie, so that only those checks are written
 * that may fail. */

#include "contract/generate/generate_c.h"

static const struct kan_slice nothing;

/* --- values --------------------------------------------------------------- */

bool gen_is_number(enum tree_type_kind kind)
{
    return kind == TREE_BOOL || kind == TREE_INT || kind == TREE_ENUM;
}

static struct gen_value value_number(const struct tree_type *type,
                                     enum tree_type_kind kind, const char *code,
                                     enum gen_bind bind)
{
    struct gen_value value = {.kind = kind,
                              .type = type,
                              .code = code,
                              .bind = bind,
                              .min = INT64_MIN,
                              .max = INT64_MAX};

    return value;
}

struct gen_value gen_constant_value(struct gen *g, const struct tree_type *type,
                                    enum tree_type_kind kind, int64_t number)
{
    struct gen_value value = {.kind = kind,
                              .type = type,
                              .bind = GEN_ATOM,
                              .constant = true,
                              .settled = true,
                              .min = number,
                              .max = number};

    if (kind == TREE_BOOL)
        value.code = number ? "true" : "false";
    else
        value.code = gen_number(g, number);
    if (kind == TREE_INT && number < 0)
        value.bind = GEN_UNARY;
    return value;
}

struct gen_value gen_truth(const char *code, enum gen_bind bind)
{
    return value_number(NULL, TREE_BOOL, code, bind);
}

struct gen_value gen_not(struct gen *g, struct gen_value value)
{
    if (value.inverse)
        return gen_truth(value.inverse, value.inverse_bind);
    if (value.constant)
        return gen_constant_value(g, NULL, TREE_BOOL, !value.min);
    return gen_truth(gen_words(g, "!%s", gen_code(g, value, GEN_UNARY)),
                     GEN_UNARY);
}

/* The value, that is the opposite of another. */
struct gen_value gen_inverted(struct gen *g, struct gen_value of)
{
    struct gen_value value = gen_not(g, of);

    value.inverse = of.code;
    value.inverse_bind = of.bind;
    return value;
}

const char *gen_code(struct gen *g, struct gen_value value, enum gen_bind bind)
{
    if (value.bind >= bind)
        return value.code;
    return gen_words(g, "(%s)", value.code);
}

struct gen_value gen_at(struct gen *g, const struct tree_type *type,
                        const char *place)
{
    struct gen_value value = {.kind = type->kind,
                              .type = type,
                              .code = place,
                              .place = place,
                              .bind = GEN_ATOM,
                              .min = INT64_MIN,
                              .max = INT64_MAX};

    if (type->kind == TREE_INT) {
        value.min = type->min;
        value.max = type->max;
    }
    if (type->kind == TREE_TEXT) {
        value.code = gen_words(g, "%s_text_of(%s.bytes, %s.size)", g->name,
                               place, place);
    }
    return value;
}

const char *gen_temp(struct gen *g, const struct tree_type *type, bool zeroed)
{
    const char *name = gen_words(g, "t%u", ++g->temps);

    gen_line(g, "%s %s;", gen_type(g, type, ""), name);
    if (zeroed)
        gen_line(g, "memset(&%s, 0, sizeof %s);", name, name);
    return name;
}

struct gen_value gen_settle(struct gen *g, struct gen_value value)
{
    const char *name;

    if (value.settled || g->failed)
        return value;
    name = gen_words(g, "t%u", ++g->temps);
    switch (value.kind) {
    case TREE_BOOL:
        gen_line(g, "bool %s = %s;", name, value.code);
        break;
    case TREE_INT:
        gen_line(g, "int64_t %s = %s;", name, value.code);
        break;
    case TREE_ENUM:
        gen_line(g, "uint16_t %s = (uint16_t)(%s);", name, value.code);
        break;
    case TREE_TEXT:
        gen_line(g, "struct %s_slice %s = %s;", g->name, name, value.code);
        value.place = NULL;
        break;
    default:
        gen_line(g, "%s %s;", gen_type(g, value.type, ""), name);
        gen_line(g, "memcpy(&%s, &%s, sizeof %s);", name, value.code, name);
        value.place = name;
        break;
    }
    value.code = name;
    value.inverse = NULL;
    value.bind = GEN_ATOM;
    value.settled = true;
    return value;
}

const char *gen_key(struct gen *g, struct gen_value value)
{
    if (value.kind == TREE_ENUM && !value.constant)
        return gen_words(g, "(uint16_t)%s", gen_code(g, value, GEN_UNARY));
    return value.code;
}

/* --- names ---------------------------------------------------------------- */

/* A record's field has a name of its own in the header. */
const char *gen_member_place(struct gen *g, const struct tree_type *type,
                             const char *place, uint32_t number)
{
    return gen_words(g, "%s.%s", place,
                     gen_member(g, type->record->fields[number].name.text));
}

static struct gen_value expr_parameter(struct gen *g,
                                       const struct tree_expr *expr)
{
    const struct tree_field *field = &g->step->parameters[expr->place];
    const char *name = g->parameters[expr->place];
    struct gen_value value;

    g->reads_parameters |= UINT64_C(1) << expr->place;
    switch (field->type->kind) {
    case TREE_BOOL:
    case TREE_INT:
    case TREE_ENUM:
        value = gen_at(g, field->type, name);
        break;
    case TREE_TEXT:
        value = gen_at(g, field->type, name);
        value.code = name;
        value.place = NULL;
        break;
    default:
        /* It was copied to a variable when it was checked. */
        value = gen_at(g, field->type, name);
        break;
    }
    value.settled = true;
    return value;
}

static struct gen_value expr_name(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value value;

    switch (expr->meaning) {
    case TREE_MEANS_FIELD:
        return gen_at(g, g->entity->fields[expr->place].type,
                      g->fields[expr->place]);
    case TREE_MEANS_PARAMETER:
        return expr_parameter(g, expr);
    case TREE_MEANS_CONSTANT:
        value = gen_constant_value(g, expr->type, TREE_ENUM, expr->place);
        value.type =
            expr->type->kind == TREE_OPTIONAL ? expr->type->of : expr->type;
        value.code = gen_constant(g, value.type, expr->place);
        return value;
    case TREE_MEANS_NOW:
        g->reads_now = true;
        value = value_number(expr->type, TREE_INT, "now_ms", GEN_ATOM);
        value.settled = true;
        return value;
    case TREE_MEANS_ID:
        g->reads_id = true;
        value = value_number(
            expr->type, TREE_TEXT,
            gen_words(g, "%s_text_of(id, %d)", g->name, (int)PROGRAM_ID_SIZE),
            GEN_ATOM);
        value.settled = true;
        return value;
    case TREE_MEANS_OLD:
    case TREE_MEANS_NOTHING:
        break;
    }
    return gen_truth("false", GEN_ATOM);
}

/* --- sets and maps -------------------------------------------------------- */

/* `at` is set to the number of the element; the code says whether it is
 * there. */
static const char *find_code(struct gen *g, struct gen_value whole,
                             struct gen_value key, const char *at)
{
    return gen_words(g, "%s_find(&%s, %s, %s%s)", gen_tag(g, whole.type),
                     whole.code, gen_key(g, key), at ? "&" : "",
                     at ? at : "NULL");
}

static struct gen_value expr_index(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value whole = gen_expr(g, expr->left);
    struct gen_value key = gen_expr(g, expr->right);
    bool named =
        expr->left->kind == TREE_NAMED || expr->left->kind == TREE_MEMBER;
    const char *name =
        named ? gen_words(g, "%.*s", SLICE_ARG(expr->left->name.text)) : "";
    const char *at = gen_words(g, "t%u", ++g->temps);
    uint32_t reason =
        gen_reason(g, PROGRAM_MISSING, name, nothing, expr->span, 0, 0);

    gen_line(g, "uint16_t %s = 0;", at);
    gen_refuse(g, gen_words(g, "!%s", find_code(g, whole, key, at)), reason,
               NULL);
    return gen_at(g, whole.type->of,
                  gen_words(g, "%s.elements[%s].value", whole.code, at));
}

static struct gen_value expr_in(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value key = gen_expr(g, expr->left);
    struct gen_value whole = gen_expr(g, expr->right);

    return gen_truth(find_code(g, whole, key, NULL), GEN_ATOM);
}

/* Numbers and texts chosen by a condition that is an expression. */
static struct gen_value value_choice(struct gen *g, const char *condition,
                                     struct gen_value yes, struct gen_value no)
{
    struct gen_value value = yes;

    if (yes.kind == TREE_ENUM) {
        value.code =
            gen_words(g, "%s ? (uint16_t)%s : (uint16_t)%s", condition,
                      gen_code(g, yes, GEN_UNARY), gen_code(g, no, GEN_UNARY));
    } else {
        value.code =
            gen_words(g, "%s ? %s : %s", condition, gen_code(g, yes, GEN_OR),
                      gen_code(g, no, GEN_OR));
    }
    value.bind = GEN_CHOICE;
    value.constant = false;
    value.settled = false;
    value.place = NULL;
    value.inverse = NULL;
    value.min = no.min < yes.min ? no.min : yes.min;
    value.max = no.max > yes.max ? no.max : yes.max;
    return value;
}

/* What is otherwise, laid out as what was looked for, and that over it. */
static struct gen_value get_whole(struct gen *g, const struct tree_expr *expr,
                                  const struct tree_expr *otherwise,
                                  struct gen_value found, const char *there)
{
    const char *temp = gen_temp(g, found.type, true);
    struct gen_goal goal = {
        .type = found.type, .place = temp, .name = "", .span = expr->span};
    struct gen_value value;

    gen_into(g, otherwise, goal);
    gen_line(g, "if (%s)", there);
    gen_line(g, "    memcpy(&%s, &%s, sizeof %s);", temp, found.code, temp);
    value = gen_at(g, found.type, temp);
    value.settled = true;
    return value;
}

static struct gen_value expr_get(struct gen *g, const struct tree_expr *expr)
{
    bool map = expr->argument_count == 3;
    const struct tree_expr *otherwise = expr->arguments[map ? 2 : 1];
    struct gen_value whole = gen_expr(g, expr->arguments[0]);
    struct gen_value found;
    const char *there;

    if (g->failed)
        return whole;
    if (map) {
        struct gen_value key = gen_expr(g, expr->arguments[1]);
        const char *at = gen_words(g, "t%u", ++g->temps);

        gen_line(g, "uint16_t %s = 0;", at);
        there = gen_words(g, "t%u", ++g->temps);
        gen_line(g, "bool %s = %s;", there, find_code(g, whole, key, at));
        found = gen_at(g, whole.type->of,
                       gen_words(g, "%s.elements[%s].value", whole.code, at));
    } else {
        there = gen_words(g, "%s.there", whole.code);
        found = gen_at(g, whole.type->of, gen_words(g, "%s.value", whole.code));
    }
    if (found.kind == TREE_OPTIONAL || found.kind == TREE_RECORD)
        return get_whole(g, expr, otherwise, found, there);
    return value_choice(g, there, found, gen_expr(g, otherwise));
}

/* --- computing ------------------------------------------------------------ */

static __int128 least(__int128 a, __int128 b)
{
    return a < b ? a : b;
}

static __int128 most(__int128 a, __int128 b)
{
    return a > b ? a : b;
}

/* The range of a sum, difference or product. */
static void range_of(enum tree_operator op, struct gen_value a,
                     struct gen_value b, __int128 *ret_min, __int128 *ret_max)
{
    __int128 a_min = a.min;
    __int128 a_max = a.max;
    __int128 b_min = b.min;
    __int128 b_max = b.max;

    if (op == TREE_ADD) {
        *ret_min = a_min + b_min;
        *ret_max = a_max + b_max;
    } else if (op == TREE_SUBTRACT) {
        *ret_min = a_min - b_max;
        *ret_max = a_max - b_min;
    } else {
        *ret_min = least(least(a_min * b_min, a_min * b_max),
                         least(a_max * b_min, a_max * b_max));
        *ret_max = most(most(a_min * b_min, a_min * b_max),
                        most(a_max * b_min, a_max * b_max));
    }
}

static struct gen_value computed(struct gen *g, enum tree_operator op,
                                 struct gen_value a, struct gen_value b,
                                 struct source_span span)
{
    static const char *const signs[] = {
        [TREE_ADD] = "+", [TREE_SUBTRACT] = "-", [TREE_MULTIPLY] = "*"};
    static const char *const functions[] = {[TREE_ADD] = "add",
                                            [TREE_SUBTRACT] = "subtract",
                                            [TREE_MULTIPLY] = "multiply"};
    enum gen_bind bind = op == TREE_MULTIPLY ? GEN_PRODUCT : GEN_SUM;
    struct gen_value value =
        value_number(NULL, TREE_INT, "0", op == TREE_MULTIPLY ? bind : GEN_SUM);
    __int128 min;
    __int128 max;
    const char *temp;

    range_of(op, a, b, &min, &max);
    if (min >= INT64_MIN && max <= INT64_MAX) {
        if (a.constant && b.constant)
            return gen_constant_value(g, NULL, TREE_INT, (int64_t)min);
        value.min = (int64_t)min;
        value.max = (int64_t)max;
        value.code = gen_words(g, "%s %s %s", gen_code(g, a, bind), signs[op],
                               gen_code(g, b, bind + 1));
        return value;
    }
    temp = gen_words(g, "t%u", ++g->temps);
    gen_line(g, "int64_t %s = 0;", temp);
    gen_refuse(
        g,
        gen_words(g, "!%s_int_%s(%s, %s, &%s)", g->name, functions[op], a.code,
                  b.code, temp),
        gen_reason(g, PROGRAM_OVERFLOW, g->assigned, nothing, span, 0, 0),
        NULL);
    value.code = temp;
    value.bind = GEN_ATOM;
    value.settled = true;
    return value;
}

static struct gen_value divided(struct gen *g, const struct tree_expr *expr,
                                struct gen_value a, struct gen_value b)
{
    bool rest = expr->op == TREE_REMAINDER;
    struct gen_value value = value_number(NULL, TREE_INT, "0", GEN_PRODUCT);

    if (b.min <= 0 && b.max >= 0) {
        b = gen_settle(g, b);
        gen_refuse(g, gen_words(g, "%s == 0", gen_code(g, b, GEN_EQUAL)),
                   gen_reason(g, PROGRAM_DIVIDE, g->assigned, nothing,
                              expr->span, 0, 0),
                   NULL);
    }
    if (b.min <= -1 && b.max >= -1 && rest) {
        b = gen_settle(g, b);
        value.code =
            gen_words(g, "%s == -1 ? 0 : %s %% %s", gen_code(g, b, GEN_EQUAL),
                      gen_code(g, a, GEN_PRODUCT), gen_code(g, b, GEN_UNARY));
        value.bind = GEN_CHOICE;
        return value;
    }
    if (b.min <= -1 && b.max >= -1 && a.min == INT64_MIN) {
        a = gen_settle(g, a);
        b = gen_settle(g, b);
        gen_refuse(g,
                   gen_words(g, "%s == INT64_MIN && %s == -1",
                             gen_code(g, a, GEN_EQUAL + 1),
                             gen_code(g, b, GEN_EQUAL + 1)),
                   gen_reason(g, PROGRAM_OVERFLOW, g->assigned, nothing,
                              expr->span, 0, 0),
                   NULL);
    }
    value.code = gen_words(g, "%s %c %s", gen_code(g, a, GEN_PRODUCT),
                           rest ? '%' : '/', gen_code(g, b, GEN_UNARY));
    if (a.min >= 0 && b.min > 0) {
        value.min = 0;
        value.max = rest ? b.max - 1 : a.max;
    }
    return value;
}

static struct gen_value expr_arithmetic(struct gen *g,
                                        const struct tree_expr *expr)
{
    struct gen_value a = gen_expr(g, expr->left);
    struct gen_value b = gen_expr(g, expr->right);

    if (expr->op == TREE_DIVIDE || expr->op == TREE_REMAINDER)
        return divided(g, expr, a, b);
    return computed(g, expr->op, a, b, expr->span);
}

static struct gen_value expr_unary(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value a = gen_expr(g, expr->left);
    struct gen_value zero = gen_constant_value(g, NULL, TREE_INT, 0);

    if (expr->op == TREE_MINUS)
        return computed(g, TREE_SUBTRACT, zero, a, expr->span);
    return gen_inverted(g, a);
}

static struct gen_value expr_call(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value a;
    struct gen_value b;
    struct gen_value value;
    bool is_least = expr->function == TREE_MIN;

    if (expr->function == TREE_GET)
        return expr_get(g, expr);
    a = gen_expr(g, expr->arguments[0]);
    if (expr->function == TREE_SIZE) {
        value = value_number(NULL, TREE_INT, NULL, GEN_UNARY);
        if (a.kind != TREE_TEXT)
            value.code = gen_words(g, "(int64_t)%s.count", a.code);
        else
            value.code =
                gen_words(g, "(int64_t)%s.size",
                          a.place ? a.place : gen_code(g, a, GEN_ATOM));
        value.min = 0;
        value.max = UINT16_MAX;
        return value;
    }
    b = gen_expr(g, expr->arguments[1]);
    value = value_number(NULL, TREE_INT,
                         gen_words(g, "%s_int_%s(%s, %s)", g->name,
                                   is_least ? "least" : "most", a.code, b.code),
                         GEN_ATOM);
    value.min =
        is_least ? (int64_t)least(a.min, b.min) : (int64_t)most(a.min, b.min);
    value.max =
        is_least ? (int64_t)least(a.max, b.max) : (int64_t)most(a.max, b.max);
    return value;
}

/* --- what is judged only when needed -------------------------------------- */

/* The expression, with what must be done before it in *before instead. */
static struct gen_value expr_apart(struct gen *g, const struct tree_expr *expr,
                                   struct buffer *before)
{
    struct buffer *out = g->out;
    struct gen_value value;

    g->out = before;
    g->depth++;
    value = gen_expr(g, expr);
    g->depth--;
    g->out = out;
    return value;
}

static void lines_take(struct gen *g, struct buffer *before)
{
    if (buffer_failed(before))
        g->failed = true;
    if (before->size > 0)
        buffer_append(g->out, buffer_slice(before));
    buffer_fini(before);
}

/* As it may stand beside ||: the compilers want && in brackets there. */
static const char *beside_or(struct gen *g, struct gen_value value)
{
    return gen_code(g, value, value.bind == GEN_OR ? GEN_OR : GEN_EQUAL);
}

/* a or b; a => b, which is not refused when a holds and b does not. */
static struct gen_value value_either(struct gen *g, struct gen_value a,
                                     struct gen_value b, bool either)
{
    struct gen_value first = either ? a : gen_not(g, a);
    struct gen_value value = gen_truth(
        gen_words(g, "%s || %s", beside_or(g, first), beside_or(g, b)), GEN_OR);

    if (!either) {
        value.inverse = gen_words(g, "%s && %s", gen_code(g, a, GEN_AND),
                                  gen_code(g, gen_not(g, b), GEN_AND));
        value.inverse_bind = GEN_AND;
    }
    return value;
}

/* and, or, =>: the left side settles it when it is `stop`. */
static struct gen_value expr_logic(struct gen *g, const struct tree_expr *expr)
{
    bool stop = expr->op == TREE_OR;
    struct buffer before = BUFFER_INIT;
    struct gen_value a = gen_expr(g, expr->left);
    struct gen_value b = expr_apart(g, expr->right, &before);
    const char *temp;

    if (before.size == 0) {
        if (expr->op == TREE_AND)
            return gen_truth(gen_words(g, "%s && %s", gen_code(g, a, GEN_AND),
                                       gen_code(g, b, GEN_AND)),
                             GEN_AND);
        return value_either(g, a, b, stop);
    }
    temp = gen_words(g, "t%u", ++g->temps);
    if (expr->op == TREE_IMPLIES)
        a = gen_not(g, a);
    gen_line(g, "bool %s = %s;", temp, a.code);
    gen_line(g, "if (%s%s) {", expr->op == TREE_AND ? "" : "!", temp);
    lines_take(g, &before);
    gen_line(g, "    %s = %s;", temp, b.code);
    gen_line(g, "}");
    a = gen_truth(temp, GEN_ATOM);
    a.settled = true;
    return a;
}

/* A number or a text by a condition, when a branch must look something up. */
static struct gen_value choice_apart(struct gen *g, struct gen_value condition,
                                     struct gen_value yes, struct gen_value no,
                                     struct buffer *yes_before,
                                     struct buffer *no_before)
{
    struct gen_value value = value_choice(g, "", yes, no);
    const char *temp = gen_words(g, "t%u", ++g->temps);

    if (value.kind == TREE_TEXT)
        gen_line(g, "struct %s_slice %s = %s_text_of(NULL, 0);", g->name, temp,
                 g->name);
    else
        gen_line(g, "%s %s = 0;",
                 value.kind == TREE_BOOL  ? "bool"
                 : value.kind == TREE_INT ? "int64_t"
                                          : "uint16_t",
                 temp);
    gen_line(g, "if (%s) {", condition.code);
    lines_take(g, yes_before);
    gen_line(g, "    %s = %s;", temp, gen_key(g, yes));
    gen_line(g, "} else {");
    lines_take(g, no_before);
    gen_line(g, "    %s = %s;", temp, gen_key(g, no));
    gen_line(g, "}");
    value.code = temp;
    value.bind = GEN_ATOM;
    value.settled = true;
    return value;
}

static struct gen_value expr_if(struct gen *g, const struct tree_expr *expr)
{
    struct buffer yes_before = BUFFER_INIT;
    struct buffer no_before = BUFFER_INIT;
    struct gen_value condition;
    struct gen_value yes;
    struct gen_value no;

    if (expr->type->kind != TREE_BOOL && expr->type->kind != TREE_INT &&
        expr->type->kind != TREE_TEXT && expr->type->kind != TREE_ENUM) {
        struct gen_goal goal = {
            .type = expr->type, .name = "", .span = expr->span};

        goal.place = gen_temp(g, expr->type, true);
        gen_into(g, expr, goal);
        yes = gen_at(g, expr->type, goal.place);
        yes.settled = true;
        return yes;
    }
    condition = gen_expr(g, expr->left);
    yes = expr_apart(g, expr->right, &yes_before);
    no = expr_apart(g, expr->third, &no_before);
    if (yes_before.size > 0 || no_before.size > 0)
        return choice_apart(g, condition, yes, no, &yes_before, &no_before);
    return value_choice(g, gen_code(g, condition, GEN_OR), yes, no);
}

/* --- all of them ---------------------------------------------------------- */

/* A value that is laid out before it can be looked at. */
static struct gen_value expr_in_temp(struct gen *g,
                                     const struct tree_expr *expr)
{
    struct gen_goal goal = {.type = expr->type, .name = "", .span = expr->span};
    struct gen_value value;

    goal.place = gen_temp(g, expr->type, true);
    gen_into(g, expr, goal);
    value = gen_at(g, expr->type, goal.place);
    value.settled = true;
    return value;
}

static struct gen_value expr_string(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value value =
        value_number(expr->type, TREE_TEXT,
                     gen_words(g, "%s_text_of(%s, %zu)", g->name,
                               gen_literal(g, expr->text), expr->text.size),
                     GEN_ATOM);

    value.settled = true;
    return value;
}

struct gen_value gen_expr(struct gen *g, const struct tree_expr *expr)
{
    struct gen_value value;

    if (g->failed)
        return gen_truth("", GEN_ATOM);
    switch (expr->kind) {
    case TREE_NUMBER:
        return gen_constant_value(g, expr->type, TREE_INT, expr->number);
    case TREE_TRUTH:
        return gen_constant_value(g, expr->type, TREE_BOOL, expr->number);
    case TREE_STRING:
        return expr_string(g, expr);
    case TREE_NAMED:
        return expr_name(g, expr);
    case TREE_MEMBER:
        value = gen_expr(g, expr->left);
        if (g->failed)
            return value;
        return gen_at(g, value.type->record->fields[expr->place].type,
                      gen_member_place(g, value.type, value.code, expr->place));
    case TREE_INDEX:
        return expr_index(g, expr);
    case TREE_UNARY:
        return expr_unary(g, expr);
    case TREE_BINARY:
        if (expr->op >= TREE_ADD)
            return expr_arithmetic(g, expr);
        if (expr->op == TREE_IN)
            return expr_in(g, expr);
        if (expr->op >= TREE_EQUAL)
            return gen_compare(g, expr);
        return expr_logic(g, expr);
    case TREE_IF:
        return expr_if(g, expr);
    case TREE_CALL:
        return expr_call(g, expr);
    case TREE_NONE:
    case TREE_LITERAL:
        return expr_in_temp(g, expr);
    }
    return gen_truth("false", GEN_ATOM);
}

struct gen_value gen_compute(struct gen *g, enum tree_operator op,
                             struct gen_value a, struct gen_value b,
                             struct source_span span)
{
    return computed(g, op, a, b, span);
}
