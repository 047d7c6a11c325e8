/* The change feed's bytes. Whatever a body holds, reading it stays inside. */

#include "engine/sqlite/feed.h"

#include "base/number.h"

enum
{
    COUNT_SIZE = 4,
    HEAD_SIZE = 1 + 4 + 4 + 8
};

static void pack_u32(unsigned char out[4], uint32_t number)
{
    out[0] = (unsigned char)(number >> 24);
    out[1] = (unsigned char)(number >> 16);
    out[2] = (unsigned char)(number >> 8);
    out[3] = (unsigned char)number;
}

static uint32_t unpack_u32(const unsigned char in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 |
           (uint32_t)in[2] << 8 | in[3];
}

size_t sqlite_feed_begin(struct buffer *body)
{
    static const unsigned char none[COUNT_SIZE];
    size_t mark = body->size;

    buffer_append(body, kan_slice(none, sizeof none));
    return mark;
}

void sqlite_feed_add(struct buffer *body, const struct engine_change *change,
                     struct kan_slice tail)
{
    unsigned char head[HEAD_SIZE];

    head[0] = (unsigned char)change->kind;
    pack_u32(head + 1, (uint32_t)(change->key.size + tail.size));
    pack_u32(head + 5, (uint32_t)change->value.size);
    number_pack(change->created, head + 9);
    buffer_append(body, kan_slice(head, sizeof head));
    buffer_append(body, change->key);
    buffer_append(body, tail);
    buffer_append(body, change->value);
}

void sqlite_feed_finish(struct buffer *body, size_t mark, uint32_t count)
{
    if (count == 0)
        body->size = mark;
    else if (!buffer_failed(body))
        pack_u32((unsigned char *)body->bytes + mark, count);
}

void sqlite_feed_open(struct sqlite_feed_reader *reader, struct kan_slice body,
                      uint64_t first)
{
    reader->rest = body;
    reader->revision = first - 1;
    reader->left = 0;
}

enum kan_err sqlite_feed_record(struct sqlite_feed_reader *reader,
                                uint32_t *ret_count)
{
    if (reader->left)
        return KAN_CORRUPT;
    if (reader->rest.size == 0)
        return KAN_END;
    if (reader->rest.size < COUNT_SIZE)
        return KAN_CORRUPT;
    reader->left = unpack_u32(reader->rest.bytes);
    reader->rest = slice_skip(reader->rest, COUNT_SIZE);
    reader->revision++;
    if (reader->left == 0 || reader->left > reader->rest.size / HEAD_SIZE)
        return KAN_CORRUPT;
    *ret_count = reader->left;
    return KAN_OK;
}

enum kan_err sqlite_feed_change(struct sqlite_feed_reader *reader,
                                struct engine_change *ret_change)
{
    const unsigned char *head = reader->rest.bytes;
    uint64_t key, value;

    if (reader->left == 0)
        return KAN_END;
    if (reader->rest.size < HEAD_SIZE || head[0] > ENGINE_CHANGE_EXPIRE)
        return KAN_CORRUPT;
    key = unpack_u32(head + 1);
    value = unpack_u32(head + 5);
    if (key + value > reader->rest.size - HEAD_SIZE)
        return KAN_CORRUPT;
    ret_change->kind = (enum engine_change_kind)head[0];
    ret_change->created = number_unpack(head + 9);
    ret_change->version = reader->revision;
    ret_change->key = kan_slice(head + HEAD_SIZE, key);
    ret_change->value = kan_slice(head + HEAD_SIZE + key, value);
    reader->rest = slice_skip(reader->rest, HEAD_SIZE + key + value);
    reader->left--;
    return KAN_OK;
}
