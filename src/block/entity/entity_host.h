/* entity_host.h - what the parts of the entity block's driver share: entity.c
 * (the host and its table), entity_item.c and entity_judge.c (requests),
 * entity_keep.c (kept programs, start and reload), entity_open.c (an entity
 * read from the engine), entity_keys.c (idempotency keys), entity_step.c
 * (requests decided), entity_commit.c (batches sent, and what became of them),
 * entity_past.c (states of before), entity_look.c (pages), entity_follow.c,
 * entity_erase.c. */

#ifndef BLOCK_ENTITY_ENTITY_HOST_H
#define BLOCK_ENTITY_ENTITY_HOST_H

#include "base/map.h"
#include "block/entity/entity_book.h"
#include "block/entity/entity_core.h"

enum
{
    ENTITY_HOST_MAGIC = 0xe7717e,
    ENTITY_DEADLINE_MS = 30 * 1000, /* of a request that names none */
    ENTITY_ITEMS_MAX = 1024,        /* requests in one batch */
    ENTITY_PUTS_MAX = 1024,         /* writes in one commit */
    ENTITY_STEP_PUTS = 2 + 2,       /* of one step: its event, a snapshot, the
                                       * head; and the guards */
    ENTITY_IMAGES_MAX = 1 << 20,    /* bytes of states in one batch */
    ENTITY_OPEN_PAGE = 1000,        /* events */
    ENTITY_KEYS_PAGE = 128,         /* events of keys, in one get */
    ENTITY_SPARE_ITEMS = 1024,      /* kept to be used again, */
    ENTITY_SPARE_BATCHES = 64,
    ENTITY_SPARE_BYTES = 16 << 10, /* with buffers no larger than this */
    ENTITY_EXTRA_MAX = 16,         /* guards, and writes, of an extra */
    ENTITY_NONE = -1
};

enum entity_item_kind
{
    ENTITY_ITEM_CALL,
    ENTITY_ITEM_CHANGE,
    ENTITY_ITEM_READ
};

enum entity_item_at
{
    ENTITY_AT_QUEUE, /* of its entity */
    ENTITY_AT_DRAFT,
    ENTITY_AT_SENT,
    ENTITY_AT_PAST,  /* a state of before is being read for it */
    ENTITY_AT_ERASE, /* the tombstone is there, the rest is being deleted */
    ENTITY_AT_DONE   /* to be answered */
};

/* A request under way. */
struct entity_item
{
    struct list link;
    enum entity_item_kind kind;
    enum entity_item_at at;
    /* The one of its kind; NULL once it was answered. */
    struct entity_call *call;
    struct entity_change *change;
    struct entity_read *read;
    struct entity_one *one;

    /* as asked: CALL */
    uint32_t step;   /* of the newest version */
    uint32_t caller; /* place of the version that the caller speaks */
    struct buffer arguments;
    struct entity_hash hash; /* with a key */
    struct entity_extra *bring;

    /* as decided */
    enum entity_outcome outcome;
    enum kan_err err;
    bool replayed;
    uint32_t events;
    uint64_t n;
    size_t image_at; /* in the batch's images; SIZE_MAX: none */
    uint32_t place;
    size_t shown_at; /* the state as the caller's version has it */
    uint32_t shown;
    uint32_t unfit; /* the version that an upgrade refused; else 0 */
    struct program_refusal refusal;
    struct buffer text;
    struct buffer values;
};

/* Where an entity stands behind a decision. */
struct entity_tip
{
    uint64_t n;
    uint32_t place;
    bool live;
    bool known; /* its head is there */
    struct entity_head head;
};

/* A write, its key and value in the batch's bytes. */
struct entity_put
{
    size_t key;
    size_t key_size;
    size_t value;
    size_t value_size;
    bool gone; /* delete it */
};

/* An event of a batch, for whoever listens. */
struct entity_told
{
    enum entity_event_kind kind;
    uint64_t n;
    uint32_t place;
    uint32_t step;
    const struct entity_item *item;
    struct program_input input;
    size_t image_at;
};

/* Requests of one entity that were decided together, in order. */
struct entity_batch
{
    struct list link; /* spare */
    struct entity_one *one;
    struct list items;
    uint32_t item_count;
    uint32_t events;
    struct entity_tip tip;
    size_t image_at; /* of the tip; SIZE_MAX: nothing changed */
    struct buffer bytes;
    struct buffer images;
    struct entity_put *puts;
    uint32_t put_count;
    uint32_t put_capacity;
    struct entity_told *told;
    uint32_t told_count;
    uint32_t told_capacity;
    bool headed;        /* the head is to be written */
    bool alone;         /* nothing may join it */
    uint32_t extra_ops; /* guards and writes that were brought along */
    size_t extra_bytes;
    struct engine_commit commit;
};

/* An entity in memory. */
struct entity_one
{
    struct entity_host *host;
    const struct entity_type *type;
    struct entity_core core;
    struct entity_image image; /* behind event core.n */
    uint64_t revision;         /* of that event's commit */
    bool known;
    struct entity_head head;
    struct entity_keyed keyed; /* those of the batches too */
    struct entity_window *window;
    struct list queue;
    uint32_t queued;
    struct entity_batch *sent;
    struct entity_batch *draft;
    struct list link; /* ready, or idle */
    bool ready;
    bool running; /* its effects are being carried out */
    bool late;    /* there was no memory for its timer */
    bool unsent;  /* the engine did not take the request: err */
    bool loading; /* the window of keys */
    enum kan_err err;
    uint32_t failed_guard;
    uint64_t idle_ns;
    size_t counted; /* of the host's bytes */
    struct env_timer timer;
    struct engine_get get;
    struct engine_scan scan;
    struct entity_image spare; /* while it is opened */
    uint32_t page;             /* of the window */
    size_t id_size;
    char id[]; /* then zeros, and the image */
};

struct entity_past;

struct entity_host
{
    unsigned magic;
    struct env *env;
    struct engine *engine;
    struct entity_options options;
    struct kan_slice prefix; /* yours */
    struct entity_book *book;
    bool exclusive; /* nobody else can write */
    bool open;      /* the gate: false before it is ready, and in a reload */
    bool ready;
    enum kan_err broken;
    uint32_t ops_max;
    size_t bytes_max;
    struct hash_seed seed;
    uint64_t drawn;
    struct map ones; /* name of the type, 0, id -> struct entity_one */
    uint64_t ones_bytes;
    struct list ready_ones;
    struct list idle_ones; /* the longest first */
    struct env_task task;
    struct list done; /* items to be answered */
    struct env_task done_task;
    struct env_timer tick;
    struct list spare_items;
    uint32_t spare_item_count;
    struct list spare_batches;
    uint32_t spare_batch_count;
    struct list pasts;
    struct list looks; /* pages under way */
    struct list follows;
    struct list erasers;
    uint32_t asked;   /* requests that the engine has, but watches */
    uint32_t watches; /* that have not ended */
    uint32_t waiting; /* items whose cb has not run */
    size_t waiting_bytes;
    struct engine_guard *guards; /* room for one commit */
    struct engine_write *writes;
    struct buffer key;
    struct buffer other_key;
    struct buffer head;
    struct buffer head_key;
    struct buffer columns; /* of the event that is being written down */
    struct buffer text;
    void *spare_arguments; /* of the largest type */
    void *spare_image;
    void *spare_image_2;
    struct entity_stats stats;
    struct entity_keeper *keeper; /* while it starts or reloads */

    bool closing;
    bool closed; /* the close task has begun to wait */
    struct env_task close_task;
    void *close_data;
    env_close_cb *close_cb;
};

/* --- entity.c ------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) void entity_trouble(
    struct entity_host *host, const char *format, ...);
/* A request of the engine has ended. */
void entity_ebb(struct entity_host *host);
/* Deadlines of requests to the engine that nobody's own deadline is for. */
static inline uint64_t entity_deadline(struct entity_host *host,
                                       uint64_t deadline_ns)
{
    return deadline_ns
               ? deadline_ns
               : env_now(host->env) + (uint64_t)ENTITY_DEADLINE_MS * ENV_MS;
}
/* Look at the host at that time, at the latest. */
void entity_tick_at(struct entity_host *host, uint64_t due_ns);
void entity_one_ready(struct entity_one *one);
/* Among those that may leave, when nothing is under way with it. */
void entity_one_rest(struct entity_one *one);
/* Everybody who waits for it gets err; it is as if it had not been read. */
void entity_one_fail(struct entity_one *one, enum kan_err err);
struct entity_one *entity_one_free(struct entity_one *one);
/* In memory, or made. KAN_BUSY: there is no room. */
KAN_MUST_USE enum kan_err entity_one_get(struct entity_host *host,
                                         const struct entity_type *type,
                                         struct kan_slice id,
                                         struct entity_one **ret_one);

/* --- entity_judge.c ------------------------------------------------------- */

/* Whether an entity must say more; else the item has its outcome. */
bool entity_item_judge(struct entity_host *host, struct entity_item *item,
                       const struct entity_type *type, struct kan_slice id);

/* --- entity_item.c -------------------------------------------------------- */

void entity_items_fini(struct entity_host *host);
/* Judge and admit a request again, after the book has changed. */
void entity_item_admit(struct entity_host *host, struct entity_item *item);
/* Answer it: its cb runs now. batch may be NULL. Frees the item. */
void entity_item_answer(struct entity_item *item,
                        const struct entity_batch *batch, uint64_t revision,
                        uint64_t revision_before, uint64_t n_before);
/* The same, later, with what was decided of it. */
void entity_item_done(struct entity_item *item);
/* Forget one that was answered. */
void entity_item_release(struct entity_host *host, struct entity_item *item);
void entity_item_fail(struct entity_item *item, enum kan_err err);
/* With a state that was read. */
void entity_item_show(struct entity_item *item,
                      const struct entity_state *state);
static inline bool entity_item_wanted(const struct entity_item *item)
{
    return item->call || item->change || item->read;
}
struct program_input entity_draw(struct entity_host *host);

/* --- keys (entity.c) ------------------------------------------------------ */

/* Set out to a key of an entity: 'i', 'x'; or with a number 'e', 's'. */
struct kan_slice entity_key_plain(struct entity_host *host, struct buffer *out,
                                  struct kan_slice type, char letter,
                                  struct kan_slice id);
struct kan_slice entity_key_event(struct entity_host *host, struct buffer *out,
                                  struct kan_slice type, char letter,
                                  struct kan_slice id, uint64_t n);
/* What all keys of that letter and id begin with. */
struct kan_slice entity_key_stream(struct entity_host *host, struct buffer *out,
                                   struct kan_slice type, char letter,
                                   struct kan_slice id);
static inline struct kan_slice entity_one_id(const struct entity_one *one)
{
    return kan_slice(one->id, one->id_size);
}

/* --- entity_keep.c -------------------------------------------------------- */

KAN_MUST_USE enum kan_err entity_keep_begin(struct entity_host *host,
                                            struct contract *contract,
                                            entity_ready_cb *cb);
/* What it waited for may have ended. */
void entity_keep_stir(struct entity_host *host);
void entity_keep_end(struct entity_host *host);

/* --- entity_open.c -------------------------------------------------------- */

void entity_open(struct entity_one *one);

/* --- entity_keys.c -------------------------------------------------------- */

enum entity_key_state
{
    ENTITY_KEY_NEW,
    ENTITY_KEY_SAME,
    ENTITY_KEY_OTHER
};

/* Ask the engine for the window; one is made ready when it is there. */
void entity_keys_load(struct entity_one *one);
enum entity_key_state entity_keys_find(const struct entity_one *one,
                                       struct kan_slice key,
                                       const struct entity_hash *hash,
                                       int64_t now_ms, uint64_t *ret_n);
KAN_MUST_USE enum kan_err entity_keys_add(struct entity_one *one,
                                          struct kan_slice key,
                                          const struct entity_hash *hash,
                                          uint64_t n, int64_t now_ms);
void entity_keys_cut(struct entity_one *one, uint64_t n);
void entity_keys_trim(struct entity_one *one);
void entity_keys_free(struct entity_one *one);

/* --- entity_step.c -------------------------------------------------------- */

enum entity_decision
{
    ENTITY_DECIDED,
    ENTITY_FULL,    /* it does not fit into the batch */
    ENTITY_WAITS,   /* for the batch that is sent */
    ENTITY_UNKEYED, /* the window of keys must be read first */
    ENTITY_REPLAYS, /* a state of before answers it */
    ENTITY_NOROOM   /* out of memory: nothing has happened */
};

enum entity_decision entity_decide(struct entity_one *one,
                                   struct entity_batch *batch,
                                   struct entity_item *item);
struct entity_tip entity_tip(const struct entity_one *one);
/* The bytes of the state at the tip. Good until the draft grows. */
unsigned char *entity_tip_bytes(const struct entity_one *one);
/* Carry an image to a version, through those between. bytes of the result are
 * in spare_image or spare_image_2 of the host, or the image's own. */
KAN_MUST_USE enum kan_err entity_carry(struct entity_host *host,
                                       const struct entity_type *type,
                                       struct entity_image *image, uint32_t to,
                                       const struct program_input *input,
                                       struct program_refusal *refusal);
/* How a refused upgrade is told. */
void entity_refusal_text(const struct program *program,
                         const struct program_refusal *refusal,
                         uint32_t version, struct buffer *out);

/* --- entity_commit.c ------------------------------------------------------ */

void entity_one_input(struct entity_one *one, enum entity_input_kind kind,
                      uint64_t n, uint32_t events);
/* Give up what is not certain, as the host closes. */
void entity_one_abandon(struct entity_one *one, enum kan_err err);
/* Take a request out of the draft, which is decided again. */
void entity_one_undraft(struct entity_one *one);
struct entity_batch *entity_batch_new(struct entity_one *one);
struct entity_batch *entity_batch_free(struct entity_batch *batch);

/* --- entity_past.c -------------------------------------------------------- */

/* Read the state behind event `at` for the item, and answer it. */
void entity_past_begin(struct entity_host *host, struct entity_item *item,
                       const struct entity_type *type, struct kan_slice id,
                       uint64_t at);
/* Waiting ones go on, or end. */
void entity_past_stir(struct entity_host *host);

/* --- entity_look.c, entity_follow.c, entity_erase.c ----------------------- */

void entity_look_stir(struct entity_host *host);
void entity_follow_stir(struct entity_host *host);
/* The host closes. */
void entity_follow_end(struct entity_host *host);
/* Delete what is before the tombstone n; item (may be NULL) is answered at the
 * end. */
void entity_erase_begin(struct entity_host *host,
                        const struct entity_type *type, struct kan_slice id,
                        uint64_t n, struct entity_item *item);
/* Look for erasures that were under way. */
void entity_erase_resume(struct entity_host *host);
void entity_erase_stir(struct entity_host *host);

#endif /* BLOCK_ENTITY_ENTITY_HOST_H */
