/* SPDX-License-Identifier: MIT */
/*
 * Trace points: what a block did and when, one line each, for people who want to watch.
 *
 *     HV_TRACE(trace, TLB, now, "fill gva=%#" PRIx64 " size=%s", gva.v, "4k");
 *
 *     1234 tlb fill gva=0x7000 size=4k
 *
 * A line is cycle, category, event and key=value pairs. Off, a trace point costs one branch.
 */
#ifndef HV_BASE_TRACEPOINT_H
#define HV_BASE_TRACEPOINT_H

#include <stdio.h>

#include "base/err.h"
#include "base/types.h"

/* X(ENUMERATOR, name, help) */
#define TRACE_CATEGORIES(X)                                         \
    X(TLB, "tlb", "lookups of the TLBs, by level")                  \
    X(PWC, "pwc", "paging-structure caches")                        \
    X(NTLB, "ntlb", "the nested TLB")                               \
    X(WALK, "walk", "page walks and each of their references")      \
    X(CACHE, "cache", "which data cache answered a walk")            \
    X(FAULT, "fault", "page faults, EPT violations, misconfigurations") \
    X(INVAL, "inval", "stale translations that check.stale finds") \
    X(SHARED, "shared", "lines that cores read from and write to the last-level cache and memory")

enum trace_category {
#define X(category, name, help) TRACE_##category,
    TRACE_CATEGORIES(X)
#undef X
    TRACE_CATEGORY_COUNT
};

struct trace_points {
    uint32_t enabled; /* a bit per category; 0: all off */
    FILE *out;        /* may be NULL while all are off */
};

#define HV_TRACE(trace, CATEGORY, now, ...)                                               \
    do {                                                                                  \
        if (__builtin_expect(((trace)->enabled >> TRACE_##CATEGORY & 1u) != 0, 0)) {      \
            trace_points_print((trace), TRACE_##CATEGORY, (now), __VA_ARGS__);            \
        }                                                                                 \
    } while (0)

void trace_points_print(const struct trace_points *trace, enum trace_category category, hv_cycles now,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Enables a list such as "tlb,walk", or "all"; an unknown name fails, with the nearest known one. */
bool trace_points_parse(struct trace_points *trace, const char *list, struct hv_err *err);

#endif
