/* SPDX-License-Identifier: MIT */
/*
 * The instruction side of a synthetic workload: the same accesses, and between them the fetches of a program.
 *
 * The program is functions of 128 instructions of 4 bytes. A call runs a function from its start for 1 to 128
 * instructions, all equally likely, in order; then comes the next call, of a function drawn by popularity, rank to the
 * power of -code_theta. Popular functions are scattered over the code. One fetch element stands for each line of 64
 * bytes that execution enters; the instructions that follow it in the line are counted by the gaps after it, so that
 * the stream has exactly the instructions that it has without code, and each access is made by the same one.
 *
 * MODEL: loops are not there as such; they would repeat fetches of lines that the first-level cache just had, which
 * hit and cost nothing. The share of lines that are new is what matters, and code_footprint and code_theta set it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "workload/scatter.h"
#include "workload/stream.h"
#include "workload/zipf.h"

enum { INSTRUCTION_BYTES = 4, LINE_INSTRUCTIONS = 64 / INSTRUCTION_BYTES };
enum { FUNCTION_INSTRUCTIONS = 128, FUNCTION_BYTES = FUNCTION_INSTRUCTIONS * INSTRUCTION_BYTES };
enum { INNER_BATCH = 512 };

_Static_assert(HV_PAGE_BYTES % FUNCTION_BYTES == 0, "a whole page of code is whole functions");

struct code {
    struct workload base;
    struct workload *inner;
    struct workload_region *regions; /* those of the inner stream, then the code */
    struct hv_rng rng;
    struct scatter functions; /* from popularity to place */
    uint64_t counter;         /* address of the next line */
    uint32_t call_left;       /* instructions of this call after those of this line */
    uint32_t line_left;       /* instructions of this line */
    uint64_t until;           /* instructions up to the inner element `at` and its own */
    bool begun;               /* `until` is set */
    size_t at, end;           /* in batch */
    struct hv_access batch[INNER_BATCH];
    struct zipf popularity;
};

static void call_function(struct code *c)
{
    struct zipf_draw draw = zipf_draw(&c->popularity, &c->rng);
    c->counter = SYNTH_CODE_BASE + scatter_map(&c->functions, draw.rank - 1) * FUNCTION_BYTES;
    c->call_left = 1 + draw.fresh_bits % FUNCTION_INSTRUCTIONS;
}

/* Runs the rest of the line and enters the next. The instruction that does so is counted by the fetch itself. */
static struct hv_access fetch(struct code *c)
{
    if (c->call_left == 0) {
        call_function(c);
    }
    struct hv_access element = {
        .gva = { c->counter }, .gap = c->line_left, .kind = HV_FETCH, .bytes = SYNTH_LINE_BYTES,
    };
    uint32_t here = c->call_left < LINE_INSTRUCTIONS ? c->call_left : LINE_INSTRUCTIONS;
    c->until -= c->line_left + 1;
    c->counter += SYNTH_LINE_BYTES;
    c->call_left -= here;
    c->line_left = here - 1;
    return element;
}

static bool starts_instruction(const struct hv_access *element)
{
    return element->kind != HV_EVENT && (element->flags & HV_ACCESS_SAME_INSTRUCTION) == 0;
}

/* Runs up to the inner element, all within the line. Its own instruction may be the one that entered the line. */
static struct hv_access pass(struct code *c)
{
    struct hv_access element = c->batch[c->at++];
    bool starts_one = starts_instruction(&element);
    c->begun = false;
    c->line_left -= (uint32_t)c->until;
    if (starts_one && c->until == 0) {
        element.gap = 0;
        element.flags |= HV_ACCESS_SAME_INSTRUCTION;
    } else {
        element.gap = (uint32_t)c->until - starts_one;
    }
    return element;
}

/* Makes inner element `at` the next; false at the end of the inner stream. */
static bool begin_element(struct code *c, struct hv_err *err)
{
    if (c->at == c->end) {
        size_t got = workload_next(c->inner, c->batch, INNER_BATCH, err);
        HV_ASSERT(got != (size_t)-1, "a synthetic stream fails: %s", err->text);
        c->at = 0;
        c->end = got;
    }
    c->begun = c->at < c->end;
    if (c->begun) {
        c->until = c->batch[c->at].gap + (uint64_t)starts_instruction(&c->batch[c->at]);
    }
    return c->begun;
}

static size_t next_code(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct code *c = (struct code *)w;
    size_t done = 0;
    while (done < capacity && (c->begun || begin_element(c, err))) {
        batch[done++] = c->until > c->line_left ? fetch(c) : pass(c);
    }
    return done;
}

static void close_code(struct workload *w)
{
    struct code *c = (struct code *)w;
    workload_close(c->inner);
    free(c->regions);
    free(c);
}

static const struct workload_ops code_ops = { .next = next_code, .close = close_code };

struct workload *code_open(struct workload *inner, const struct workload_params *params)
{
    struct code *c = calloc(1, sizeof(*c));
    HV_ASSERT(c != NULL, "out of memory");
    size_t count = inner->region_count;
    uint64_t bytes = stream_round_to_pages(params->code_footprint);
    c->inner = inner;
    c->regions = calloc(count + 1, sizeof(*c->regions));
    HV_ASSERT(c->regions != NULL, "out of memory");
    memcpy(c->regions, inner->regions, count * sizeof(*c->regions));
    c->regions[count] = (struct workload_region){ { SYNTH_CODE_BASE }, bytes / HV_PAGE_BYTES, 0 };
    c->base = (struct workload){
        .ops = &code_ops, .regions = c->regions, .region_count = count + 1, .total = inner->total,
        .no_events = inner->no_events,
    };
    rng_init(&c->rng, rng_mix(params->seed ^ SYNTH_CODE_BASE));
    scatter_init(&c->functions, bytes / FUNCTION_BYTES, rng_mix(~params->seed));
    zipf_init(&c->popularity, bytes / FUNCTION_BYTES, params->code_theta);
    return &c->base;
}
