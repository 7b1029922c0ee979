/* SPDX-License-Identifier: MIT */
/*
 * A world for the random tests: an IOMMU, memory full of its tables, and the software that changes them.
 *
 * The software is random but knows the rules: after each change it invalidates what the specification asks for, in one
 * of the ways that suffice. A careless world (`lazy`) leaves invalidations out.
 */
#ifndef HV_TESTS_IOMMU_WORLD_H
#define HV_TESTS_IOMMU_WORLD_H

#include "base/rng.h"
#include "oracle.h"

enum world_kind { WORLD_FIRST, WORLD_SECOND, WORLD_NESTED, WORLD_PASS_THROUGH };

enum {
    WORLD_SOURCES = 8,
    WORLD_SPACES = 8,
    WORLD_PASIDS = 5,
    WORLD_TABLES = 96,
    WORLD_ENTRIES = 256,
};

#define WORLD_BYTES HV_MIB(64)
#define WORLD_ARENA HV_MIB(1) /* tables */
#define WORLD_ARENA_BYTES HV_MIB(8)
#define WORLD_GUEST_TABLES HV_GIB(2) /* guest-physical address of the arena, where first-stage tables are nested */
#define WORLD_QUEUE 0x80000
#define WORLD_STATUS 0x70000
#define WORLD_INTERRUPTS 0x60000
#define WORLD_DESCRIPTORS HV_MIB(48)

/* One table of a space: of a stage, of a level, for the addresses that begin with `prefix`. */
struct world_table {
    bool first;
    unsigned level;
    uint64_t prefix, at; /* at: guest-physical for the first stage of a nested space */
};

/* An address space: what a context or PASID entry leads to. */
struct world_space {
    enum world_kind kind;
    uint16_t domain;
    uint32_t pasid; /* of a first stage */
    unsigned first_levels, second_levels;
    bool ssade, eafe, wpe;
    struct world_table tables[WORLD_TABLES];
    size_t table_count;
};

struct world_options {
    uint64_t seed;
    bool scalable, lazy;
    unsigned interrupts_percent;
};

struct world {
    struct world_options options;
    struct iommu *iommu;
    struct physmem memory;
    struct oracle oracle;
    struct hv_rng rng;
    hv_cycles now;
    uint64_t *shadow; /* what the arena should hold */
    uint64_t next_table;
    bool running; /* translation was turned on */
    bool caching_mode;
    bool queue, wide; /* queued invalidation; descriptors of 256 bits */
    uint64_t tail, status;
    uint64_t root, context[256][2], directory[WORLD_SOURCES];
    uint64_t pasid_table[WORLD_SOURCES][8];
    struct world_space spaces[WORLD_SPACES];
    int attached[WORLD_SOURCES][WORLD_PASIDS]; /* a space; in legacy mode that of PASID 0 */
    struct {
        uint64_t descriptor;
        uint8_t vector, notify_vector;
        uint32_t ndst;
        bool urgent, notify;
        unsigned count;
    } posted; /* what the wire has seen */
    uint64_t dmas, blocked, stale, interrupts, step, reasons[256];
    char what[512]; /* of the present step, for the message of a failure */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *w);

/* One random step: a change with its invalidations, DMAs, interrupts. */
void world_step(struct world *w);

/* What the memory of tables should hold, flags included. */
void world_check_tables(struct world *w);

/* --- For the parts of a world ------------------------------------------------------------------------------------ */

extern const uint16_t world_sources[WORLD_SOURCES];
extern const uint32_t world_pasids[WORLD_PASIDS];

bool world_chance(struct world *w, unsigned percent);
uint64_t world_below(struct world *w, uint64_t bound);

void world_put(struct world *w, uint64_t address, const uint64_t *words, unsigned count);
uint64_t world_get(const struct world *w, uint64_t address);
uint64_t world_table_page(struct world *w);

/* Invalidations, by the queue or by registers. In a careless world, world_invalidate() may forget. */
void world_start_hardware(struct world *w);
void world_invalidate(struct world *w, const struct oracle_invalidation *what);
void world_invalidate_all(struct world *w);
void world_change_registers(struct world *w);

/* Tables. */
void world_build(struct world *w);
void world_fill_space(struct world *w, struct world_space *s);
void world_new_root(struct world *w);
uint64_t world_slot(struct world *w, const struct world_space *s, bool first);
void world_change_page(struct world *w);
void world_change_structure(struct world *w);

/* Requests, and the comparison with the oracle. */
void world_dma(struct world *w, const struct iommu_request *request);
void world_random_dma(struct world *w);
void world_probe(struct world *w, unsigned source, unsigned p, uint64_t address);
void world_probe_space(struct world *w, const struct world_space *s, uint64_t address);

/* Fault records: none, whether there is one, the one that there has to be (and that is cleared), too many. */
void world_expect_no_fault(struct world *w);
bool world_has_fault(struct world *w);
void world_take_fault(struct world *w, uint64_t *low, uint64_t *high);
void world_fault_storm(struct world *w);

void world_random_interrupt(struct world *w);
void world_change_interrupt(struct world *w);
void world_build_interrupts(struct world *w);

_Noreturn void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
