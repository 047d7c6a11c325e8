/* entity_book.h - the programs of all versions of all types that events may
 * name, how one version becomes the next, and how events fold into states.
 *
 * A book is made of a contract and of what was kept of older texts: a version
 * that the text lacks any more comes from the text that it was kept with. It
 * does not change. */

#ifndef BLOCK_ENTITY_ENTITY_BOOK_H
#define BLOCK_ENTITY_ENTITY_BOOK_H

#include "block/entity/entity_record.h"

/* A step of another version that is meant by the same name. */
struct entity_bend
{
    int32_t step; /* or PROGRAM_STEP_NONE */
    bool same;    /* the arguments are laid out alike */
};

struct entity_version
{
    uint32_t version;
    const struct program *program;
    const struct contract *bridge; /* says how version - 1 becomes this one, and
                                    * back; or NULL */
    uint32_t bridge_type;          /* of the type, there */
    uint32_t tally_at;             /* in the tallies of an image */
    uint32_t tally_size;
    struct entity_bend **bends; /* [place of another version][step]; NULL where
                                 * nobody asks */
};

/* What is known of a type. Its versions are in order; not all that ever were
 * need be there. */
struct entity_type
{
    struct kan_slice name; /* borrowed from the contract */
    uint32_t place;        /* in the contract */
    struct entity_version *versions;
    uint32_t version_count;
    uint32_t newest; /* place of the version that new steps are taken by */
    uint32_t state_room;
    uint32_t image_size;     /* of states and tallies */
    uint32_t arguments_room; /* of the largest */
};

struct entity_book
{
    struct contract *contract;
    struct contract **archives; /* kept texts that are needed */
    uint32_t archive_count;
    struct entity_type *types; /* as in the contract */
    uint32_t type_count;
};

/* What was kept of a version. */
struct entity_page
{
    uint32_t type; /* in the contract */
    uint32_t version;
    uint64_t revision; /* of its key */
    struct entity_kept kept;
};

/* What a version means in this text. upgrade is zero when the text does not say
 * how the version before becomes it. */
void entity_book_means(const struct contract *contract, uint32_t type,
                       uint32_t version, struct program_hash *ret_program,
                       struct program_hash *ret_upgrade);

/* Whether page agrees with the contract: KAN_OK; KAN_NOTFOUND: it does, and
 * lacks the upgrade, which is new; KAN_INVALID with one line in why. */
KAN_MUST_USE enum kan_err entity_book_agrees(const struct contract *contract,
                                             const struct entity_page *page,
                                             struct buffer *why);

/* contract is referenced. pages agree with it; their texts are only read by
 * the call. KAN_NOMEM, KAN_CORRUPT with one line in why. Yours:
 * entity_book_free(). */
KAN_MUST_USE enum kan_err entity_book_new(struct contract *contract,
                                          const struct entity_page *pages,
                                          uint32_t page_count,
                                          struct entity_book **ret_book,
                                          struct buffer *why);
struct entity_book *entity_book_free(struct entity_book *book);

const struct entity_type *entity_book_type(const struct entity_book *book,
                                           struct kan_slice name);
/* The place of a version, or -1. */
int32_t entity_type_find(const struct entity_type *type, uint32_t version);

static inline const struct program *entity_type_program(
    const struct entity_type *type, uint32_t place)
{
    return type->versions[place].program;
}

/* --- images --------------------------------------------------------------- */

/* An entity behind an event: its state in the layout of its version, and the
 * tallies of all versions, in one block of image_size bytes. */
struct entity_image
{
    unsigned char *bytes;
    uint64_t n;
    uint32_t place; /* of its version */
    bool live;      /* there is an entity: begun, not deleted since */
};

static inline const void *entity_image_tally(const struct entity_type *type,
                                             const struct entity_image *image,
                                             uint32_t place)
{
    return image->bytes + type->state_room + type->versions[place].tally_at;
}

/* An entity before its first event. bytes stay where they are. */
void entity_image_start(const struct entity_type *type,
                        struct entity_image *image);

/* From one version to the one beside it. before and after do not overlap.
 * KAN_NOTFOUND: nobody says how; KAN_CONFLICT with *refusal. */
KAN_MUST_USE enum kan_err entity_image_up(const struct entity_type *type,
                                          const struct entity_image *before,
                                          const struct program_input *input,
                                          struct entity_image *after,
                                          struct program_refusal *refusal);
KAN_MUST_USE enum kan_err entity_image_down(const struct entity_type *type,
                                            const struct entity_image *before,
                                            const struct program_input *input,
                                            struct entity_image *after,
                                            struct program_refusal *refusal);

/* Whether a state could be carried from a version to another one, as far as the
 * texts say. */
bool entity_type_leads(const struct entity_type *type, uint32_t from,
                       uint32_t to);

/* Count a step into the tallies of all versions. spare has arguments_room. */
void entity_image_count(const struct entity_type *type,
                        struct entity_image *image, uint32_t step,
                        const void *arguments, void *spare);

/* The arguments of a step as the version `to` has them. why may be NULL.
 * KAN_NOTFOUND: it has no such step; KAN_INVALID, KAN_NOMEM. */
KAN_MUST_USE enum kan_err entity_arguments_bend(const struct entity_type *type,
                                                uint32_t from, uint32_t step,
                                                const void *arguments,
                                                uint32_t to, uint32_t *ret_step,
                                                void *ret_arguments,
                                                struct buffer *why);

/* Fold one event: after is what before becomes. arguments and spare have
 * arguments_room; of a STEP arguments receives them. KAN_CORRUPT when it cannot
 * be; then *ret_why says it. */
KAN_MUST_USE enum kan_err entity_image_fold(
    const struct entity_type *type, const struct entity_image *before,
    const struct entity_record *event, uint64_t n, void *arguments, void *spare,
    struct entity_image *after, const char **ret_why);

/* --- snapshots ------------------------------------------------------------ */

/* Numbers of the events that have an idempotency key, the oldest first. */
struct entity_keyed
{
    uint64_t *numbers;
    uint32_t count;
    uint32_t capacity;
};

/* Add one. */
KAN_MUST_USE enum kan_err entity_keyed_add(struct entity_keyed *keyed,
                                           uint64_t n);
/* The oldest leave beyond ENTITY_KEYS_MAX. */
void entity_keyed_trim(struct entity_keyed *keyed);
/* Forget those beyond n. */
void entity_keyed_cut(struct entity_keyed *keyed, uint64_t n);
void entity_keyed_fini(struct entity_keyed *keyed);

void entity_snapshot_write(const struct entity_type *type,
                           const struct entity_image *image,
                           const struct entity_keyed *keyed,
                           struct buffer *out);

/* KAN_OK; KAN_NOTFOUND when a program or a view means something else now, or
 * the value is none: then it is as if it were not there. image->n is the
 * caller's to set. */
KAN_MUST_USE enum kan_err entity_snapshot_read(const struct entity_type *type,
                                               struct kan_slice value,
                                               struct entity_image *image,
                                               struct entity_keyed *keyed);

#endif /* BLOCK_ENTITY_ENTITY_BOOK_H */
