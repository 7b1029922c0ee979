/* SPDX-License-Identifier: MIT */
/*
 * Trace points of the MMU, as an observer: a run without them pays nothing.
 */
#include "mmu/mmu_trace.h"

#include <stdio.h>

enum { CELL_BYTES = 8 };

/* The grid cell of an event: "g4.h3", "g1.g", "data.h1". */
static const char *cell(const struct mmu_event *e, char text[2 * CELL_BYTES])
{
    char row[CELL_BYTES] = "data", column[CELL_BYTES] = "g";
    if (e->guest_step != 0) {
        snprintf(row, sizeof(row), "g%u", e->guest_step & 7u);
    }
    if (e->host_level != 0) {
        snprintf(column, sizeof(column), "h%u", e->host_level & 7u);
    }
    snprintf(text, 2 * CELL_BYTES, "%s.%s", row, column);
    return text;
}

static void trace_tlb(const struct trace_points *trace, const struct mmu_event *e)
{
    HV_TRACE(trace, TLB, e->start, "%s level=%s cycles=%llu entry=%#llx",
             e->kind == MMU_EVENT_TLB_HIT ? "hit" : "miss", tlb_level_names[e->tlb_level],
             (unsigned long long)e->cycles, (unsigned long long)e->value);
}

/* One reference: which cell read what, and who answered. */
static void trace_read(const struct trace_points *trace, const struct mmu_event *e)
{
    char text[2 * CELL_BYTES];
    const char *source = e->from_pwc ? "PWC" : mem_level_names[e->level];
    HV_TRACE(trace, WALK, e->start, "ref cell=%s address=%#llx entry=%#llx cycles=%llu", cell(e, text),
             (unsigned long long)e->address, (unsigned long long)e->value, (unsigned long long)e->cycles);
    if (e->from_pwc) {
        HV_TRACE(trace, PWC, e->start, "entry cell=%s address=%#llx", cell(e, text), (unsigned long long)e->address);
    } else {
        HV_TRACE(trace, CACHE, e->start, "%s cell=%s address=%#llx", source, cell(e, text),
                 (unsigned long long)e->address);
    }
}

static void trace_event(void *ctx, const struct mmu_event *e)
{
    const struct trace_points *trace = ctx;
    char text[2 * CELL_BYTES];
    switch (e->kind) {
    case MMU_EVENT_TLB_HIT:
    case MMU_EVENT_TLB_MISS:
        trace_tlb(trace, e);
        break;
    case MMU_EVENT_PWC_HIT:
        HV_TRACE(trace, PWC, e->start, "table cell=%s address=%#llx", cell(e, text), (unsigned long long)e->address);
        break;
    case MMU_EVENT_NESTED_HIT:
    case MMU_EVENT_NESTED_MISS:
        HV_TRACE(trace, NTLB, e->start, "%s cell=%s gpa=%#llx entry=%#llx",
                 e->kind == MMU_EVENT_NESTED_HIT ? "hit" : "miss", cell(e, text), (unsigned long long)e->address,
                 (unsigned long long)e->value);
        break;
    case MMU_EVENT_READ:
        trace_read(trace, e);
        break;
    case MMU_EVENT_UPDATE:
        HV_TRACE(trace, WALK, e->start, "set cell=%s address=%#llx bits=%#llx cycles=%llu", cell(e, text),
                 (unsigned long long)e->address, (unsigned long long)e->value, (unsigned long long)e->cycles);
        break;
    case MMU_EVENT_DONE:
    case MMU_EVENT_FAULT:
        break; /* mmu.c tells them with the address */
    }
}

struct mmu_observer mmu_trace_observer(struct trace_points *trace)
{
    uint32_t seen = 1u << TRACE_TLB | 1u << TRACE_PWC | 1u << TRACE_NTLB | 1u << TRACE_WALK | 1u << TRACE_CACHE;
    return (struct mmu_observer){(trace->enabled & seen) != 0 ? trace_event : NULL, trace};
}
