/* SPDX-License-Identifier: MIT */
/*
 * Breadth-first search from random vertices of a Kronecker graph, as in the Graph500 benchmark: a real search of a
 * real graph, of which the stream is the accesses to the searcher's arrays.
 *
 *     first      8 bytes a vertex    where its row of neighbours begins
 *     neighbour  4 bytes an entry    the rows, 32 entries a vertex on average
 *     parent     4 bytes a vertex    by whom it was reached
 *     queue      4 bytes a vertex    the vertices in the order in which they were reached
 *
 * The arrays follow each other, each on pages of its own. The graph is the largest whose arrays fit the footprint, so
 * between half of the footprint and all of it is touched. Before each search but the first, parent is wiped.
 *
 * The host holds the graph as well: this is the one synthetic workload that takes memory in proportion to its
 * footprint.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bigmem.h"
#include "base/number.h"
#include "workload/kronecker.h"
#include "workload/piecewise.h"

#define HOST_LIMIT_BYTES HV_GIB(8)

enum { FIRST_BYTES = 8, ID_BYTES = 4, EDGES_PER_PIECE = 8, SCALE_MIN = 5 };

/* What the search does: each is an element of its own. */
enum graph_access {
    POP, ROW_BEGIN, ROW_END, NEIGHBOUR_FIRST, NEIGHBOUR, PARENT_CHECK, PARENT_SET, PUSH, WIPE, GRAPH_ACCESSES
};

static const struct hv_access shapes[GRAPH_ACCESSES] = {
    [POP] = { .kind = HV_LOAD, .bytes = ID_BYTES },
    [ROW_BEGIN] = { .kind = HV_LOAD, .bytes = FIRST_BYTES, .flags = HV_ACCESS_DEPENDENT },
    [ROW_END] = { .kind = HV_LOAD, .bytes = FIRST_BYTES },
    [NEIGHBOUR_FIRST] = { .kind = HV_LOAD, .bytes = ID_BYTES, .flags = HV_ACCESS_DEPENDENT },
    [NEIGHBOUR] = { .kind = HV_LOAD, .bytes = ID_BYTES },
    [PARENT_CHECK] = { .kind = HV_LOAD, .bytes = ID_BYTES, .flags = HV_ACCESS_DEPENDENT },
    [PARENT_SET] = { .kind = HV_STORE, .bytes = ID_BYTES },
    [PUSH] = { .kind = HV_STORE, .bytes = ID_BYTES },
    [WIPE] = { .kind = HV_STORE, .bytes = SYNTH_LINE_BYTES },
};

/* Where the arrays begin in the simulated memory. */
struct graph_layout {
    uint64_t first, neighbour, parent, queue, end;
};

struct graph {
    struct piecewise stream;
    struct graph_layout at;
    struct csr csr;
    struct hv_rng roots;
    uint64_t *reached; /* a bit a vertex: what parent says in the simulated memory */
    uint32_t *queue;
    uint32_t head, tail;                /* of the queue */
    uint32_t entry, row_begin, row_end; /* of the row that is being read */
    uint64_t wiped, wipe_end;           /* addresses of parent, while it is being wiped */
    bool searched;                      /* a search has been made, so parent holds something */
};

static inline bool reach(struct graph *g, uint32_t vertex)
{
    uint64_t bit = UINT64_C(1) << vertex % 64, *word = &g->reached[vertex / 64];
    bool first_time = (*word & bit) == 0;
    *word |= bit;
    return first_time;
}

static size_t wipe(struct graph *g, struct hv_access *out)
{
    size_t n = 0;
    while (n < PIECE_ELEMENTS && g->wiped < g->wipe_end) {
        piece_put(&g->stream, &out[n++], &shapes[WIPE], g->wiped);
        g->wiped += SYNTH_LINE_BYTES;
    }
    return n;
}

/* The root's own parent is itself; it is the first in the queue. */
static size_t begin_search(struct graph *g, struct hv_access *out)
{
    uint32_t root;
    do {
        root = (uint32_t)rng_below(&g->roots, g->csr.vertices);
    } while (g->csr.first[root] == g->csr.first[root + 1]);
    reach(g, root);
    g->queue[0] = root;
    g->head = 0;
    g->tail = 1;
    g->searched = true;
    piece_put(&g->stream, &out[0], &shapes[PARENT_SET], g->at.parent + (uint64_t)root * ID_BYTES);
    piece_put(&g->stream, &out[1], &shapes[PUSH], g->at.queue);
    return 2;
}

/* The queue is empty: parent is forgotten, then a search begins. */
static size_t next_search(struct graph *g, struct hv_access *out)
{
    if (g->searched) {
        memset(g->reached, 0, (g->csr.vertices + 63) / 64 * sizeof(*g->reached));
        g->searched = false;
        g->wiped = g->at.parent;
        g->wipe_end = g->at.parent + (uint64_t)g->csr.vertices * ID_BYTES;
        return wipe(g, out);
    }
    return begin_search(g, out);
}

static size_t pop(struct graph *g, struct hv_access *out)
{
    uint32_t vertex = g->queue[g->head];
    uint64_t first = g->at.first + (uint64_t)vertex * FIRST_BYTES;
    g->entry = g->row_begin = g->csr.first[vertex];
    g->row_end = g->csr.first[vertex + 1];
    piece_put(&g->stream, &out[0], &shapes[POP], g->at.queue + (uint64_t)g->head * ID_BYTES);
    piece_put(&g->stream, &out[1], &shapes[ROW_BEGIN], first);
    piece_put(&g->stream, &out[2], &shapes[ROW_END], first + FIRST_BYTES);
    g->head++;
    return 3;
}

/* Some edges of the row: is the neighbour new? Then it is reached from here, and waits in the queue. */
static size_t search_edges(struct graph *g, struct hv_access *out)
{
    size_t n = 0;
    uint32_t end = g->row_end - g->entry < EDGES_PER_PIECE ? g->row_end : g->entry + EDGES_PER_PIECE;
    for (uint32_t entry = g->entry; entry < end; entry++) {
        uint32_t vertex = g->csr.neighbour[entry];
        uint64_t parent = g->at.parent + (uint64_t)vertex * ID_BYTES;
        /* The address of a row's first neighbour was itself just loaded. */
        const struct hv_access *shape = &shapes[entry == g->row_begin ? NEIGHBOUR_FIRST : NEIGHBOUR];
        piece_put(&g->stream, &out[n++], shape, g->at.neighbour + (uint64_t)entry * ID_BYTES);
        piece_put(&g->stream, &out[n++], &shapes[PARENT_CHECK], parent);
        if (reach(g, vertex)) {
            piece_put(&g->stream, &out[n++], &shapes[PARENT_SET], parent);
            piece_put(&g->stream, &out[n++], &shapes[PUSH], g->at.queue + (uint64_t)g->tail * ID_BYTES);
            g->queue[g->tail++] = vertex;
        }
    }
    g->entry = end;
    return n;
}

static inline size_t make_piece(struct workload *w, struct hv_access *out)
{
    struct graph *g = (struct graph *)w;
    if (g->entry < g->row_end) {
        return search_edges(g, out);
    }
    if (g->wiped < g->wipe_end) {
        return wipe(g, out);
    }
    return g->head < g->tail ? pop(g, out) : next_search(g, out);
}

static size_t next_graph(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    (void)err;
    return piecewise_next(w, batch, capacity, make_piece);
}

static void close_graph(struct workload *w)
{
    struct graph *g = (struct graph *)w;
    csr_fini(&g->csr);
    free(g->reached);
    free(g->queue);
    free(g);
}

static const struct workload_ops graph_ops = { .next = next_graph, .close = close_graph };

static struct graph_layout lay_out(unsigned scale)
{
    uint64_t vertices = UINT64_C(1) << scale;
    struct graph_layout at = { .first = SYNTH_BASE };
    at.neighbour = at.first + stream_round_to_pages((vertices + 1) * FIRST_BYTES);
    at.parent = at.neighbour + stream_round_to_pages(vertices * 2 * KRONECKER_EDGES_PER_VERTEX * ID_BYTES);
    at.queue = at.parent + stream_round_to_pages(vertices * ID_BYTES);
    at.end = at.queue + stream_round_to_pages(vertices * ID_BYTES);
    return at;
}

static uint64_t host_bytes(unsigned scale)
{
    uint64_t vertices = UINT64_C(1) << scale;
    return csr_host_bytes(scale) + vertices * sizeof(uint32_t) + vertices / 8;
}

static uint64_t footprint_of(unsigned scale)
{
    return lay_out(scale).end - SYNTH_BASE;
}

/* The largest scale whose arrays fit; false when none does or the host's share would be too large. */
static bool choose_scale(uint64_t footprint, unsigned *scale, struct hv_err *err)
{
    unsigned largest = KRONECKER_SCALE_MAX;
    while (host_bytes(largest) > HOST_LIMIT_BYTES) {
        largest--;
    }
    if (footprint < footprint_of(SCALE_MIN) || footprint >= footprint_of(largest + 1)) {
        char given[NUMBER_BYTES], least[NUMBER_BYTES];
        number_format_size(footprint, given);
        number_format_size(footprint_of(SCALE_MIN), least);
        return hv_fail(err, "workload.footprint of %s is out of range for kind graph, which takes from %s to less "
                       "than %.1fGiB because this computer's memory has to hold the graph too", given, least,
                       (double)footprint_of(largest + 1) / (double)HV_GIB(1));
    }
    *scale = SCALE_MIN;
    while (footprint_of(*scale + 1) <= footprint) {
        ++*scale;
    }
    return true;
}

static bool take_memory(struct graph *g, unsigned scale, uint64_t seed)
{
    uint64_t vertices = UINT64_C(1) << scale;
    g->reached = bigmem_take((vertices + 63) / 64, sizeof(*g->reached));
    g->queue = bigmem_take(vertices, sizeof(*g->queue));
    return g->reached != NULL && g->queue != NULL && csr_init(&g->csr, scale, seed);
}

struct workload *graph_open(const struct workload_params *params, struct hv_err *err)
{
    unsigned scale = SCALE_MIN;
    if (!choose_scale(stream_round_to_pages(params->footprint), &scale, err)) {
        return NULL;
    }
    struct graph *g = calloc(1, sizeof(*g));
    HV_ASSERT(g != NULL, "out of memory");
    if (!take_memory(g, scale, params->seed)) {
        close_graph(&g->stream.base);
        hv_fail(err, "out of memory for a graph of %" PRIu64 " MiB; lower workload.footprint",
                host_bytes(scale) >> 20);
        return NULL;
    }
    g->at = lay_out(scale);
    piecewise_init(&g->stream, &graph_ops, params, g->at.end - SYNTH_BASE);
    rng_init(&g->roots, rng_mix(~params->seed));
    return &g->stream.base;
}
