/* SPDX-License-Identifier: MIT */
/*
 * A key-value cache in memory, as memcached is built: a hash table of items, and a list of them by their last use.
 *
 * A request looks its key up in the bucket and down its chain, header by header; a GET then reads the value line by
 * line, a PUT writes it. Either moves the item to the head of the list: a store to its header, to that of the item
 * that was the head until now, and to the head. Keys are drawn by their popularity, rank to the power of -theta.
 *
 *     list      1 page               the head of the list
 *     buckets   8 bytes a bucket     the first item of the chain; about one bucket an item
 *     items    64 bytes of header (chain, list, key) and the value, each in whole lines; scattered over the slots
 *
 * MODEL: items are never created or evicted, and taking an item out of its old place in the list is left out: the two
 * neighbours that it would store to are as cold as the item, so a request makes up to two more random accesses in
 * programs that relink at each use.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/number.h"
#include "workload/hash_table.h"
#include "workload/piecewise.h"
#include "workload/zipf.h"

enum { BUCKET_BYTES = 8, HEADER_BYTES = 64, LINK_BYTES = 8, KEY_BYTES = 32 };
enum { ARRAYS = 3, RELINKS = 3 };
enum { VALUE_LINES_PER_PIECE = PIECE_ELEMENTS - 1 - HASH_GROUP - RELINKS };

enum kvstore_access {
    READ_BUCKET, READ_HEADER, READ_VALUE, WRITE_VALUE, LINK_ITEM, LINK_PREVIOUS, LINK_HEAD, KVSTORE_ACCESSES
};

static const struct hv_access shapes[KVSTORE_ACCESSES] = {
    [READ_BUCKET] = { .kind = HV_LOAD, .bytes = BUCKET_BYTES },
    [READ_HEADER] = { .kind = HV_LOAD, .bytes = KEY_BYTES, .flags = HV_ACCESS_DEPENDENT },
    [READ_VALUE] = { .kind = HV_LOAD, .bytes = SYNTH_LINE_BYTES },
    [WRITE_VALUE] = { .kind = HV_STORE, .bytes = SYNTH_LINE_BYTES },
    [LINK_ITEM] = { .kind = HV_STORE, .bytes = 2 * LINK_BYTES },
    [LINK_PREVIOUS] = { .kind = HV_STORE, .bytes = LINK_BYTES },
    [LINK_HEAD] = { .kind = HV_STORE, .bytes = LINK_BYTES },
};

struct kvstore {
    struct piecewise stream;
    struct hash_table table;  /* an item's number is its rank of popularity */
    struct scatter slots;     /* from places of the table to slots of memory, so that chains are no neighbours */
    struct hv_rng rng;
    uint64_t items, slot_bytes, value_bytes;
    uint64_t buckets_at, items_at;
    uint64_t put_below;       /* 32 random bits below this make a PUT */
    uint64_t item, previous;  /* addresses of the headers of this request's item and of the one before */
    uint64_t value_left;      /* bytes that this request has still to read or write */
    bool put, in_value;
    struct zipf zipf;
};

static uint64_t item_address(const struct kvstore *s, uint64_t place)
{
    return s->items_at + scatter_map(&s->slots, place) * s->slot_bytes;
}

/* The bucket, then the headers of its chain up to the item that is wanted; a chain is in the order of places. */
static size_t look_up(struct kvstore *s, uint64_t place, struct hv_access *out)
{
    size_t n = 0;
    uint64_t group = place / HASH_GROUP * HASH_GROUP, bucket = hash_bucket_of_place(&s->table, place);
    piece_put(&s->stream, &out[n++], &shapes[READ_BUCKET], s->buckets_at + bucket * BUCKET_BYTES);
    uint64_t mask = hash_same_bucket(&s->table, place) & ((UINT64_C(1) << place % HASH_GROUP * 8) - 1);
    for (; mask != 0; mask &= mask - 1) {
        uint64_t before = group + (unsigned)__builtin_ctzll(mask) / 8;
        piece_put(&s->stream, &out[n++], &shapes[READ_HEADER], item_address(s, before));
    }
    s->item = item_address(s, place);
    piece_put(&s->stream, &out[n++], &shapes[READ_HEADER], s->item);
    return n;
}

static size_t begin_request(struct kvstore *s, struct hv_access *out)
{
    struct zipf_draw draw = zipf_draw(&s->zipf, &s->rng);
    s->put = draw.fresh_bits < s->put_below;
    s->value_left = s->value_bytes;
    s->in_value = true;
    return look_up(s, scatter_map(&s->table.places, draw.rank - 1), out);
}

/* Some lines of the value, the last of which may be less than a line. */
static size_t pass_value(struct kvstore *s, struct hv_access *out)
{
    const struct hv_access *shape = &shapes[s->put ? WRITE_VALUE : READ_VALUE];
    uint64_t address = s->item + HEADER_BYTES + s->value_bytes - s->value_left;
    size_t n = 0;
    while (n < VALUE_LINES_PER_PIECE && s->value_left > 0) {
        uint64_t bytes = s->value_left < SYNTH_LINE_BYTES ? s->value_left : SYNTH_LINE_BYTES;
        piece_put(&s->stream, &out[n], shape, address);
        out[n++].bytes = (uint8_t)bytes;
        address += bytes;
        s->value_left -= bytes;
    }
    return n;
}

static size_t relink(struct kvstore *s, struct hv_access *out)
{
    piece_put(&s->stream, &out[0], &shapes[LINK_ITEM], s->item);
    piece_put(&s->stream, &out[1], &shapes[LINK_PREVIOUS], s->previous);
    piece_put(&s->stream, &out[2], &shapes[LINK_HEAD], SYNTH_BASE);
    s->previous = s->item;
    return RELINKS;
}

static inline size_t make_piece(struct workload *w, struct hv_access *out)
{
    struct kvstore *s = (struct kvstore *)w;
    size_t n = s->in_value ? 0 : begin_request(s, out);
    n += pass_value(s, out + n);
    if (s->value_left == 0) {
        s->in_value = false;
        n += relink(s, out + n);
    }
    return n;
}

static size_t next_kvstore(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    return piecewise_next(w, batch, capacity, make_piece);
}

static void close_kvstore(struct workload *w)
{
    free(w);
}

static const struct workload_ops kvstore_ops = { .next = next_kvstore, .close = close_kvstore };

/* As many items as fit when each array may lose most of a page to rounding, and the buckets are whole groups. */
static bool choose_items(struct kvstore *s, const struct workload_params *params, struct hv_err *err)
{
    uint64_t footprint = stream_round_to_pages(params->footprint);
    uint64_t lost = ARRAYS * HV_PAGE_BYTES + HASH_GROUP * BUCKET_BYTES;
    s->value_bytes = params->kvstore.value_bytes;
    s->slot_bytes = HEADER_BYTES + (s->value_bytes + SYNTH_LINE_BYTES - 1) / SYNTH_LINE_BYTES * SYNTH_LINE_BYTES;
    s->items = footprint > lost ? (footprint - lost) / (BUCKET_BYTES + s->slot_bytes) : 0;
    if (s->items == 0 || s->items > UINT64_C(1) << ZIPF_RANK_BITS_MAX) {
        char given[NUMBER_BYTES], value[NUMBER_BYTES];
        number_format_size(footprint, given);
        number_format_size(s->value_bytes, value);
        return hv_fail(err, "workload.footprint of %s has room for %" PRIu64 " items with values of %s, and kind "
                       "kvstore takes 1 to 2^%u; change the footprint or workload.kvstore.value_bytes", given,
                       s->items, value, ZIPF_RANK_BITS_MAX);
    }
    return true;
}

struct workload *kvstore_open(const struct workload_params *params, struct hv_err *err)
{
    struct kvstore *s = calloc(1, sizeof(*s));
    HV_ASSERT(s != NULL, "out of memory");
    if (!choose_items(s, params, err)) {
        free(s);
        return NULL;
    }
    s->buckets_at = SYNTH_BASE + HV_PAGE_BYTES;
    s->items_at = s->buckets_at + stream_round_to_pages(hash_table_buckets(s->items) * BUCKET_BYTES);
    s->previous = s->items_at;
    s->put_below = (uint64_t)(params->write_fraction * 0x1p32);
    rng_init(&s->rng, rng_mix(params->seed));
    hash_table_init(&s->table, s->items, ~params->seed);
    scatter_init(&s->slots, s->items, rng_mix(~params->seed));
    zipf_init(&s->zipf, s->items, params->theta);
    piecewise_init(&s->stream, &kvstore_ops, params, s->items_at + s->items * s->slot_bytes - SYNTH_BASE);
    return &s->stream.base;
}
