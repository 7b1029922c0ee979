/* SPDX-License-Identifier: MIT */
/*
 * A workload is a stream of memory accesses and, before it starts, the list of virtual regions it will touch.
 *
 * Synthetic generators and trace readers look the same from outside: open, ask for batches, close. A batch is an
 * array so that the core can look ahead in it; the stream is a pure function of parameters and seed.
 *
 * Between accesses a stream may hold events (base/event.h): a mix of processes switches between them, workload.events
 * changes page tables, a trace may have recorded either. Events come on top: `accesses`, the warm-up and all counts
 * of this interface but that of workload_next() are of accesses alone.
 */
#ifndef HV_WORKLOAD_WORKLOAD_H
#define HV_WORKLOAD_WORKLOAD_H

#include "base/access.h"
#include "base/err.h"
#include "base/param.h"

enum workload_kind {
    WORKLOAD_SEQUENTIAL, WORKLOAD_STRIDE, WORKLOAD_UNIFORM, WORKLOAD_ZIPF, WORKLOAD_CHASE, WORKLOAD_GRAPH,
    WORKLOAD_JOIN, WORKLOAD_KVSTORE, WORKLOAD_MIX, WORKLOAD_TRACE, WORKLOAD_KINDS
};

enum mix_as { MIX_PROCESSES, MIX_PHASES };
enum join_phases { JOIN_ALL, JOIN_BUILD, JOIN_PROBE };

/* NULL-terminated, in the order of the enums. */
extern const char *const workload_kind_names[], *const mix_as_names[], *const join_phase_names[];

struct join_params {
#define P PARAM_MEMBER
#include "workload/join_params.def"
#undef P
};

struct kvstore_params {
#define P PARAM_MEMBER
#include "workload/kvstore_params.def"
#undef P
};

struct events_params {
#define P PARAM_MEMBER
#include "workload/events_params.def"
#undef P
};

struct workload_params {
#define P PARAM_MEMBER
#include "workload/workload_params.def"
#undef P
    struct join_params join;
    struct kvstore_params kvstore;
    struct events_params events;
};

extern const struct param_row workload_param_rows[], join_param_rows[], kvstore_param_rows[], events_param_rows[];
extern const size_t workload_param_count, join_param_count, kvstore_param_count, events_param_count;

/* A run of 4 KiB pages that the stream will touch. */
struct workload_region {
    hv_gva start;     /* page-aligned */
    uint64_t pages;   /* at least 1 */
    uint32_t process; /* in whose address space */
};

struct workload; /* opaque */

/*
 * Opens the stream; checks what single-parameter ranges cannot (stride within footprint, trace readable...).
 *
 * A synthetic stream is `accesses` long; its data stays within the footprint, rounded up to whole 4 KiB pages, from
 * 1 TiB on. A trace yields its first `accesses` accesses, or all when it has fewer; of the other parameters only kind,
 * trace, events and those of sampling matter to it. Of a sample (sample.h), `accesses` counts what is kept. A mix is opened by its parts: workload/mix.h.
 */
struct workload *workload_open(const struct workload_params *params, struct hv_err *err);
void workload_close(struct workload *w);

/*
 * The regions in ascending order of process and address, not overlapping; for a trace they are those of
 * the whole trace and may lie anywhere in the 64-bit address space.
 */
const struct workload_region *workload_regions(const struct workload *w, size_t *count);

/* How many accesses the stream will yield in all. */
uint64_t workload_total(const struct workload *w);

/*
 * The next up to `capacity` elements, accesses and events. Returns how many, perhaps fewer than there are; 0 at the
 * end, which comes with the last access. A damaged trace returns the elements before the damage, then (size_t)-1 with
 * the sentence in err.
 */
size_t workload_next(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err);

#endif
