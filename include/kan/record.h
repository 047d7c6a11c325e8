/* kan/record.h - what a plain struct holds, said once in a table.
 *
 * The table of a struct drives everything that Kan does with it: keeping it on
 * disk field by field, comparing and hashing it without its padding, showing it
 * and reading it as JSON, saying what changed, and trying the ends of its
 * ranges. A struct holds numbers, truth values, times, references, texts,
 * arrays of a fixed bound, and other such structs; no pointers.
 *
 *     struct counter
 *     {
 *         int64_t value;
 *         uint32_t history[8];
 *     };
 *     KAN_RECORD(counter, 1, KAN_INT(counter, value, 0, 1000000),
 *                KAN_INTS(counter, history, 0, 100));
 *
 * Nothing here allocates, blocks or keeps state. */

#ifndef KAN_RECORD_H
#define KAN_RECORD_H

#include <kan/base.h>

KAN_BEGIN_DECLS

enum
{
    KAN_RECORD_SIZE_MAX = 65536, /* bytes of a struct */
    KAN_RECORD_FIELDS_MAX = 256, /* fields of one table */
    KAN_RECORD_DEPTH_MAX = 4     /* structs within structs */
};

/* Who is meant: "type/id", as "account/alice", with zeros behind its end. The
 * empty one means nobody; "client/..." is whoever asks from outside. */
struct kan_ref
{
    char text[64];
};

enum kan_field_kind
{
    KAN_FIELD_BOOL,  /* bool */
    KAN_FIELD_INT,   /* signed, of 1, 2, 4 or 8 bytes */
    KAN_FIELD_UINT,  /* unsigned, of 1, 2, 4 or 8 bytes; an enum */
    KAN_FIELD_TIME,  /* int64_t: milliseconds on the actor's clock; 0: never */
    KAN_FIELD_REF,   /* struct kan_ref */
    KAN_FIELD_TEXT,  /* char[n]: UTF-8, ended by a zero */
    KAN_FIELD_RECORD /* a struct with a table of its own */
};

enum kan_field_flags
{
    KAN_FIELD_ARRAY = 1 << 0,   /* count elements, shown as a list */
    KAN_FIELD_VOLATILE = 1 << 1 /* zero again after a crash: never on disk */
};

struct kan_record;

/* One member. Made by the macros below. */
struct kan_field
{
    const char *name;
    enum kan_field_kind kind;
    unsigned flags;     /* enum kan_field_flags */
    uint32_t offset;    /* bytes from the start of the struct */
    uint32_t size;      /* bytes of one element */
    uint32_t count;     /* elements; 1 when it is no array */
    const char *length; /* of an array: the field, before it in the table,
                           * that says how many elements count; the others are
                           * kept zero. NULL: all */
    int64_t min;        /* INT, UINT: the range, both ends included */
    int64_t max;        /* TIME: how far behind (min) and ahead (max) of now
                           * it matters, in ms; both 0: without end */
    const struct kan_record *record; /* RECORD */
};

struct kan_upgrade;

/* The table of one struct, which is also the kind of a message. */
struct kan_record
{
    const char *name;
    uint32_t size;    /* bytes of the struct; 0: it carries nothing */
    uint32_t version; /* 1 or more; of what is kept on disk */
    const struct kan_field *fields;
    uint32_t field_count;
    const struct kan_upgrade *upgrades; /* from older versions; or NULL */
    uint32_t upgrade_count;
};

/* How a struct of an older version becomes one of the next that is known.
 * new_ is zeroed before; false refuses, and nothing is loaded. */
struct kan_upgrade
{
    const struct kan_record *from;
    bool (*upgrade)(const void *old, void *new_);
};

/* --- tables --------------------------------------------------------------- */

/* Define struct tag's table as tag_record. The struct comes before it. */
#define KAN_RECORD(tag, number, ...)                              \
    static const struct kan_field tag##_fields[] = {__VA_ARGS__}; \
    static const struct kan_record tag##_record = {               \
        #tag,                                                     \
        sizeof(struct tag),                                       \
        (number),                                                 \
        tag##_fields,                                             \
        sizeof(tag##_fields) / sizeof(tag##_fields[0]),           \
        NULL,                                                     \
        0}

/* The same, with upgrades from older versions: an array of kan_upgrade. */
#define KAN_RECORD_UPGRADED(tag, number, from, ...)               \
    static const struct kan_field tag##_fields[] = {__VA_ARGS__}; \
    static const struct kan_record tag##_record = {               \
        #tag,                                                     \
        sizeof(struct tag),                                       \
        (number),                                                 \
        tag##_fields,                                             \
        sizeof(tag##_fields) / sizeof(tag##_fields[0]),           \
        from,                                                     \
        sizeof(from) / sizeof((from)[0])}

/* A message that carries nothing. */
#define KAN_RECORD_EMPTY(tag) \
    static const struct kan_record tag##_record = {#tag, 0, 1, NULL, 0, NULL, 0}

#define KAN_MEMBER(tag, member) (((struct tag *)0)->member)
#define KAN_PLACE(tag, member)  ((uint32_t)offsetof(struct tag, member))

/* Whether the type of an expression is signed. */
#define KAN_NUMBER_KIND(x) \
    ((__typeof__(x))-1 < (__typeof__(x))1 ? KAN_FIELD_INT : KAN_FIELD_UINT)

/* A number in [low, high]. Zero is in the range, or the actor's start sets
 * the field. */
#define KAN_INT(tag, member, low, high)                                       \
    {                                                                         \
#member, KAN_NUMBER_KIND(KAN_MEMBER(tag, member)), 0,                 \
            KAN_PLACE(tag, member), sizeof(KAN_MEMBER(tag, member)), 1, NULL, \
            (low), (high), NULL                                               \
    }

/* An array of them. */
#define KAN_INTS(tag, member, low, high) \
    KAN_INTS_UPTO(tag, member, NULL, low, high)

/* An array of which the field named by length says how many count. */
#define KAN_INTS_UPTO(tag, member, length_name, low, high)                     \
    {                                                                          \
#member, KAN_NUMBER_KIND(KAN_MEMBER(tag, member)[0]), KAN_FIELD_ARRAY, \
            KAN_PLACE(tag, member), sizeof(KAN_MEMBER(tag, member)[0]),        \
            sizeof(KAN_MEMBER(tag, member)) /                                  \
                sizeof(KAN_MEMBER(tag, member)[0]),                            \
            length_name, (low), (high), NULL                                   \
    }

/* A number that is zero again after a crash. */
#define KAN_INT_VOLATILE(tag, member, low, high)                               \
    {                                                                          \
#member, KAN_NUMBER_KIND(KAN_MEMBER(tag, member)), KAN_FIELD_VOLATILE, \
            KAN_PLACE(tag, member), sizeof(KAN_MEMBER(tag, member)), 1, NULL,  \
            (low), (high), NULL                                                \
    }

#define KAN_FIELD_OF(tag, member, kind, flags, low, high)             \
    {                                                                 \
#member, kind, flags, KAN_PLACE(tag, member),                 \
            sizeof(KAN_MEMBER(tag, member)), 1, NULL, low, high, NULL \
    }

#define KAN_BOOL(tag, member) KAN_FIELD_OF(tag, member, KAN_FIELD_BOOL, 0, 0, 1)
#define KAN_BOOL_VOLATILE(tag, member) \
    KAN_FIELD_OF(tag, member, KAN_FIELD_BOOL, KAN_FIELD_VOLATILE, 0, 1)

/* A time that never ceases to matter, and one that is the same to everybody
 * once it is more than behind ms past. */
#define KAN_TIME(tag, member) KAN_FIELD_OF(tag, member, KAN_FIELD_TIME, 0, 0, 0)
#define KAN_TIME_WITHIN(tag, member, behind, ahead) \
    KAN_FIELD_OF(tag, member, KAN_FIELD_TIME, 0, -(behind), ahead)

#define KAN_REF(tag, member)  KAN_FIELD_OF(tag, member, KAN_FIELD_REF, 0, 0, 0)
#define KAN_TEXT(tag, member) KAN_FIELD_OF(tag, member, KAN_FIELD_TEXT, 0, 0, 0)

/* Arrays of any kind but INT and UINT; kind is BOOL, TIME, REF or TEXT. */
#define KAN_ARRAY_UPTO(tag, member, kind, length_name)          \
    {                                                           \
#member, kind, KAN_FIELD_ARRAY, KAN_PLACE(tag, member), \
            sizeof(KAN_MEMBER(tag, member)[0]),                 \
            sizeof(KAN_MEMBER(tag, member)) /                   \
                sizeof(KAN_MEMBER(tag, member)[0]),             \
            length_name, 0, 0, NULL                             \
    }
#define KAN_ARRAY(tag, member, kind) KAN_ARRAY_UPTO(tag, member, kind, NULL)

/* A struct within, and an array of structs; table is its kan_record. */
#define KAN_STRUCT(tag, member, table)                               \
    {                                                                \
#member, KAN_FIELD_RECORD, 0, KAN_PLACE(tag, member),        \
            sizeof(KAN_MEMBER(tag, member)), 1, NULL, 0, 0, &(table) \
    }
#define KAN_STRUCTS_UPTO(tag, member, length_name, table)                   \
    {                                                                       \
#member, KAN_FIELD_RECORD, KAN_FIELD_ARRAY, KAN_PLACE(tag, member), \
            sizeof(KAN_MEMBER(tag, member)[0]),                             \
            sizeof(KAN_MEMBER(tag, member)) /                               \
                sizeof(KAN_MEMBER(tag, member)[0]),                         \
            length_name, 0, 0, &(table)                                     \
    }
#define KAN_STRUCTS(tag, member, table) \
    KAN_STRUCTS_UPTO(tag, member, NULL, table)

KAN_END_DECLS

#endif /* KAN_RECORD_H */
