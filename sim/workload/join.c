/* SPDX-License-Identifier: MIT */
/*
 * A hash join of two relations in memory, without partitioning: R JOIN S on a key of R.
 *
 * Building reads R in order and chains a node for each tuple into a hash table of about as many buckets as tuples.
 * Probing reads S in order, walks the chain of the bucket until the tuple of R with the same key, and appends to the
 * output. Each tuple of S meets exactly one of R, all of them equally likely.
 *
 *     R       16 bytes a tuple
 *     heads    8 bytes a bucket    its newest node
 *     nodes   32 bytes a tuple     key, payload, next node; in the order of R
 *     S       16 bytes a tuple
 *     output  16 bytes a tuple of S
 *
 * The arrays follow each other, each on pages of its own. After the last tuple of S all begins anew, and the heads
 * are wiped when there is something to build.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/number.h"
#include "workload/hash_table.h"
#include "workload/piecewise.h"

enum { TUPLE_BYTES = 16, HEAD_BYTES = 8, NODE_BYTES = 32 };
enum { BUILD_TUPLE = TUPLE_BYTES + HEAD_BYTES + NODE_BYTES, PROBE_TUPLE = 2 * TUPLE_BYTES };
enum { ARRAYS = 5 };
enum { BUILDS_PER_PIECE = PIECE_ELEMENTS / 4, PROBES_PER_PIECE = PIECE_ELEMENTS / (3 + HASH_GROUP) };

enum join_access { READ_R, READ_HEAD, WRITE_NODE, WRITE_HEAD, READ_S, READ_NODE, WRITE_OUTPUT, WIPE, JOIN_ACCESSES };

static const struct hv_access shapes[JOIN_ACCESSES] = {
    [READ_R] = { .kind = HV_LOAD, .bytes = TUPLE_BYTES },
    [READ_HEAD] = { .kind = HV_LOAD, .bytes = HEAD_BYTES, .flags = HV_ACCESS_DEPENDENT }, /* hash of a key just read */
    [WRITE_NODE] = { .kind = HV_STORE, .bytes = NODE_BYTES },
    [WRITE_HEAD] = { .kind = HV_STORE, .bytes = HEAD_BYTES },
    [READ_S] = { .kind = HV_LOAD, .bytes = TUPLE_BYTES },
    [READ_NODE] = { .kind = HV_LOAD, .bytes = NODE_BYTES, .flags = HV_ACCESS_DEPENDENT },
    [WRITE_OUTPUT] = { .kind = HV_STORE, .bytes = TUPLE_BYTES },
    [WIPE] = { .kind = HV_STORE, .bytes = SYNTH_LINE_BYTES },
};

/* Where the arrays begin in the simulated memory. */
struct join_layout {
    uint64_t r, heads, nodes, s, output, end;
};

struct join {
    struct piecewise stream;
    struct join_layout at;
    struct hash_table table;
    uint64_t seed;
    uint64_t r_tuples, s_tuples;
    uint64_t r_begin, s_end;    /* of a pass, by the phases that it has: all tuples or none */
    uint64_t r_next, s_next;    /* tuples that this pass has read */
    uint64_t wiped, wipe_end;   /* addresses of heads, while they are being wiped */
};

static size_t wipe(struct join *j, struct hv_access *out)
{
    size_t n = 0;
    while (n < PIECE_ELEMENTS && j->wiped < j->wipe_end) {
        piece_put(&j->stream, &out[n++], &shapes[WIPE], j->wiped);
        j->wiped += SYNTH_LINE_BYTES;
    }
    return n;
}

/* The new node points to what the head did, and the head to the new node. */
static size_t build(struct join *j, struct hv_access *out)
{
    const struct piecewise *stream = &j->stream;
    size_t n = 0;
    for (unsigned i = 0; i < BUILDS_PER_PIECE && j->r_next < j->r_tuples; i++, j->r_next++) {
        uint64_t place = scatter_map(&j->table.places, j->r_next);
        uint64_t head = j->at.heads + hash_bucket_of_place(&j->table, place) * HEAD_BYTES;
        piece_put(stream, &out[n++], &shapes[READ_R], j->at.r + j->r_next * TUPLE_BYTES);
        piece_put(stream, &out[n++], &shapes[READ_HEAD], head);
        piece_put(stream, &out[n++], &shapes[WRITE_NODE], j->at.nodes + j->r_next * NODE_BYTES);
        piece_put(stream, &out[n++], &shapes[WRITE_HEAD], head);
    }
    return n;
}

/* The nodes that are read until the one of this place is found: the newest, with the greatest number, is the first. */
static size_t walk_chain(const struct join *j, uint64_t place, struct hv_access *out)
{
    uint64_t node[HASH_GROUP], wanted = scatter_unmap(&j->table.places, place);
    size_t nodes = 0;
    for (uint64_t mask = hash_same_bucket(&j->table, place); mask != 0; mask &= mask - 1) {
        uint64_t other = place / HASH_GROUP * HASH_GROUP + (unsigned)__builtin_ctzll(mask) / 8;
        uint64_t number = other == place ? wanted : scatter_unmap(&j->table.places, other);
        if (number < wanted) {
            continue;
        }
        size_t at = nodes++;
        for (; at > 0 && node[at - 1] < number; at--) {
            node[at] = node[at - 1];
        }
        node[at] = number;
    }
    for (size_t i = 0; i < nodes; i++) {
        piece_put(&j->stream, &out[i], &shapes[READ_NODE], j->at.nodes + node[i] * NODE_BYTES);
    }
    return nodes;
}

static size_t probe(struct join *j, struct hv_access *out)
{
    const struct piecewise *stream = &j->stream;
    size_t n = 0;
    for (unsigned i = 0; i < PROBES_PER_PIECE && j->s_next < j->s_end; i++, j->s_next++) {
        /* The key of a tuple of S never changes, so it is a hash of the tuple's number. */
        uint64_t draw = rng_mix(j->s_next * UINT64_C(0x9e3779b97f4a7c15) + j->seed);
        uint64_t place = (uint64_t)(((unsigned __int128)draw * j->r_tuples) >> 64);
        uint64_t bucket = hash_bucket_of_place(&j->table, place);
        piece_put(stream, &out[n++], &shapes[READ_S], j->at.s + j->s_next * TUPLE_BYTES);
        piece_put(stream, &out[n++], &shapes[READ_HEAD], j->at.heads + bucket * HEAD_BYTES);
        n += walk_chain(j, place, out + n);
        piece_put(stream, &out[n++], &shapes[WRITE_OUTPUT], j->at.output + j->s_next * TUPLE_BYTES);
    }
    return n;
}

static inline size_t make_piece(struct workload *w, struct hv_access *out)
{
    struct join *j = (struct join *)w;
    if (j->wiped < j->wipe_end) {
        return wipe(j, out);
    }
    if (j->r_next < j->r_tuples) {
        return build(j, out);
    }
    size_t n = probe(j, out);
    if (j->s_next == j->s_end) {
        bool builds = j->r_begin < j->r_tuples;
        j->r_next = j->r_begin;
        j->s_next = 0;
        j->wiped = j->at.heads;
        j->wipe_end = builds ? j->at.heads + hash_table_buckets(j->r_tuples) * HEAD_BYTES : j->wiped;
    }
    return n;
}

static size_t next_join(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    return piecewise_next(w, batch, capacity, make_piece);
}

static void close_join(struct workload *w)
{
    free(w);
}

static const struct workload_ops join_ops = { .next = next_join, .close = close_join };

static struct join_layout lay_out(uint64_t r_tuples, uint64_t s_tuples)
{
    struct join_layout at = { .r = SYNTH_BASE };
    at.heads = at.r + stream_round_to_pages(r_tuples * TUPLE_BYTES);
    at.nodes = at.heads + stream_round_to_pages(hash_table_buckets(r_tuples) * HEAD_BYTES);
    at.s = at.nodes + stream_round_to_pages(r_tuples * NODE_BYTES);
    at.output = at.s + stream_round_to_pages(s_tuples * TUPLE_BYTES);
    at.end = at.output + stream_round_to_pages(s_tuples * TUPLE_BYTES);
    return at;
}

/* As many tuples as fit when each array may lose most of a page to rounding, and the heads are whole groups. */
static bool choose_tuples(struct join *j, const struct workload_params *params, struct hv_err *err)
{
    uint64_t footprint = stream_round_to_pages(params->footprint);
    uint64_t lost = ARRAYS * HV_PAGE_BYTES + HASH_GROUP * HEAD_BYTES;
    uint64_t usable = footprint > lost ? footprint - lost : 0;
    uint64_t build_bytes = (uint64_t)((double)usable * params->join.build_fraction);
    j->r_tuples = build_bytes / BUILD_TUPLE;
    j->s_tuples = (usable - build_bytes) / PROBE_TUPLE;
    if (j->r_tuples == 0 || j->s_tuples == 0) {
        char given[NUMBER_BYTES];
        number_format_size(footprint, given);
        return hv_fail(err, "workload.footprint of %s has no room for both relations of a join; raise it, or move "
                       "workload.join.build_fraction towards 0.5", given);
    }
    return true;
}

struct workload *join_open(const struct workload_params *params, struct hv_err *err)
{
    struct join *j = calloc(1, sizeof(*j));
    HV_ASSERT(j != NULL, "out of memory");
    if (!choose_tuples(j, params, err)) {
        free(j);
        return NULL;
    }
    j->at = lay_out(j->r_tuples, j->s_tuples);
    j->seed = rng_mix(params->seed);
    hash_table_init(&j->table, j->r_tuples, ~params->seed);
    j->r_begin = params->join.phases == JOIN_PROBE ? j->r_tuples : 0;
    j->s_end = params->join.phases == JOIN_BUILD ? 0 : j->s_tuples;
    j->r_next = j->r_begin;
    piecewise_init(&j->stream, &join_ops, params, j->at.end - SYNTH_BASE);
    return &j->stream.base;
}
