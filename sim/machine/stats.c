/* SPDX-License-Identifier: MIT */
/*
 * Every statistic of a machine under its dotted name, in the order in which it is printed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "machine/io.h"

enum { PREFIX_BYTES = 32 };

/* lookups = hits + misses */
static void add_lookups(struct stat_registry *r, const char *prefix, uint64_t *hits, const uint64_t *misses)
{
    char name[PREFIX_BYTES + sizeof(".lookups")];
    snprintf(name, sizeof(name), "%s.lookups", prefix);
    stats_add_sum(r, name, "lookups", "lookups made: hits + misses", hits, misses);
}

static void add_ratio(struct stat_registry *r, const char *prefix, const char *name, const char *help,
                      const char *numerator, const char *denominator)
{
    char full[3][STAT_NAME_BYTES];
    snprintf(full[0], STAT_NAME_BYTES, "%s.%s", prefix, name);
    snprintf(full[1], STAT_NAME_BYTES, "%s.%s", prefix, numerator);
    snprintf(full[2], STAT_NAME_BYTES, "%s.%s", prefix, denominator);
    stats_add_ratio(r, full[0], help, full[1], full[2]);
}

static void add_core(struct stat_registry *r, struct core *c)
{
    stats_add(r, "core", core_stat_rows, core_stat_count, &c->stats);
    add_ratio(r, "core", "cpi", "cycles per instruction", "cycles", "instructions");
    add_ratio(r, "core", "cycles_per_access", "cycles per memory access", "cycles", "accesses");
    add_ratio(r, "core", "mlp", "memory-level parallelism: first-level data misses under way in an average cycle "
              "(model window)", "mshr_cycles", "cycles");
}

static void add_tlbs(struct stat_registry *r, struct tlb_levels *t)
{
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        char prefix[PREFIX_BYTES];
        struct tlb_level_stats *s = &t->level[level].stats;
        snprintf(prefix, sizeof(prefix), "tlb.%s", tlb_level_names[level]);
        add_lookups(r, prefix, &s->hits, &s->misses);
        stats_add(r, prefix, tlb_level_stat_rows, tlb_level_stat_count, s);
        add_ratio(r, prefix, "miss_ratio", "misses per lookup", "misses", "lookups");
    }
}

/* The walks of all cores together, as their distribution has to be known for a percentile. */
static uint64_t walk_percentile(const void *ctx, uint64_t per_mille)
{
    const struct machine *m = ctx;
    if (m->params.machine.cores == 1) {
        return histogram_percentile(&m->cores[0].mmu.walk_cycles, per_mille);
    }
    struct histogram *all = calloc(1, sizeof(*all));
    HV_ASSERT(all != NULL, "out of memory");
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        histogram_merge(all, &m->cores[i].mmu.walk_cycles);
    }
    uint64_t value = histogram_percentile(all, per_mille);
    free(all);
    return value;
}

static void add_percentiles(struct stat_registry *r, const struct machine *m)
{
    static const struct { const char *name; uint64_t per_mille; } percentiles[] = {
        {"mmu.walk_cycles_p50", 500}, {"mmu.walk_cycles_p95", 950}, {"mmu.walk_cycles_p99", 990},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(percentiles); i++) {
        stats_add_value(r, percentiles[i].name, "cycles", "so many per cent of the walks took at most this long",
                        walk_percentile, m, percentiles[i].per_mille);
    }
}

static void add_walks(struct stat_registry *r, struct mmu *m)
{
    stats_add_value(r, "mmu.walk_cycles_max", "cycles", "the longest walk", histogram_stat_max, &m->walk_cycles, 0);
    add_ratio(r, "mmu", "walk_refs_mean", "references per walk", "walk_refs", "walks");
    add_ratio(r, "mmu", "walk_cycles_mean", "cycles per walk", "walk_cycles", "walks");
    stats_add_ratio(r, "mmu.walkers_busy_mean", "walkers taken, on average over time", "mmu.walkers_busy_cycles",
                    "machine.cycles");
}

static void add_pwc(struct stat_registry *r, struct mmu *m)
{
    for (unsigned d = HV_GUEST; d <= HV_HOST; d++) {
        for (unsigned level = RADIX_MAX_LEVELS; level >= PWC_LOWEST_LEVEL; level--) {
            char prefix[PREFIX_BYTES];
            snprintf(prefix, sizeof(prefix), "mmu.pwc.%s.l%u", d == HV_GUEST ? "guest" : "host", level);
            stats_add(r, prefix, pwc_level_stat_rows, pwc_level_stat_count, &m->pwc.stats[d][level]);
        }
    }
    stats_add(r, "mmu.nested_tlb", nested_tlb_stat_rows, nested_tlb_stat_count, &m->nested_tlb_stats);
}

/* The grid of a walk: rows g5..g1 and data, columns h5..h1 and g. The data row has no guest entry. */
static void add_grid(struct stat_registry *r, struct mmu *m)
{
    for (unsigned row = 0; row < MMU_GRID; row++) {
        unsigned step = RADIX_MAX_LEVELS - row; /* 5..1, then 0: data */
        for (unsigned column = 0; column < MMU_GRID; column++) {
            unsigned level = RADIX_MAX_LEVELS - column; /* 5..1, then 0: the guest entry */
            char cell[2 * PREFIX_BYTES], guest[16] = "data", host[16] = "g", name[STAT_NAME_BYTES];
            if (step == 0 && level == 0) {
                continue;
            }
            if (step != 0) {
                snprintf(guest, sizeof(guest), "g%u", step);
            }
            if (level != 0) {
                snprintf(host, sizeof(host), "h%u", level);
            }
            snprintf(cell, sizeof(cell), "mmu.grid.%s.%s", guest, host);
            snprintf(name, sizeof(name), "%s.refs", cell);
            stats_add_counter(r, name, "references", "references in this cell of the walk",
                              &m->grid[step][level].refs);
            snprintf(name, sizeof(name), "%s.cycles", cell);
            stats_add_counter(r, name, "cycles", "time in this cell of the walk", &m->grid[step][level].cycles);
        }
    }
}

static void add_cache(struct stat_registry *r, const char *name, struct cache *c)
{
    char prefix[PREFIX_BYTES];
    snprintf(prefix, sizeof(prefix), "cache.%s", name);
    stats_add(r, prefix, cache_stat_rows, cache_stat_count, &c->stats);
}

static void add_dram(struct stat_registry *r, struct dram *d)
{
    stats_add(r, "dram", dram_stat_rows, dram_stat_count, &d->stats);
    add_ratio(r, "dram", "read_cycles_mean", "cycles per read", "read_cycles", "reads");
    stats_add_sum(r, "dram.row_lookups", "lines", "lines that met a row: row_hits + row_misses", &d->stats.row_hits,
                  &d->stats.row_misses);
    add_ratio(r, "dram", "row_miss_ratio", "row misses per line", "row_misses", "row_lookups");
    stats_add_ratio(r, "dram.occupancy_mean", "reads under way, on average over time", "dram.read_cycles",
                    "machine.cycles");
    stats_add_ratio(r, "dram.busy_mean", "channels busy, on average over time", "dram.busy_cycles", "machine.cycles");
}

/* How long the measured part took: until the last core was done. */
static uint64_t elapsed(const void *ctx, uint64_t unused)
{
    const struct machine *m = ctx;
    uint64_t longest = 0;
    (void)unused;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        uint64_t cycles = m->cores[i].core.stats.cycles;
        longest = cycles > longest ? cycles : longest;
    }
    return longest;
}

/* With several cores, each one's rows beside the sums. */
static void add_each_core(struct stat_registry *r, struct machine_core *cores, uint64_t count)
{
    for (uint64_t i = 0; count > 1 && i < count; i++) {
        char prefix[PREFIX_BYTES];
        snprintf(prefix, sizeof(prefix), "core%llu", (unsigned long long)i);
        stats_add(r, prefix, core_stat_rows, core_stat_count, &cores[i].core.stats);
        add_ratio(r, prefix, "cpi", "cycles per instruction", "cycles", "instructions");
    }
}

static void register_all(struct machine *m, struct machine_core *cores, struct vm *vms, struct stat_registry *r)
{
    struct machine_core *c = &cores[0];
    uint64_t count = m->params.machine.cores;
    stats_add_value(r, "machine.cycles", "cycles", "time until the last core was done", elapsed, m, 0);
    size_t first = r->count;
    add_core(r, &c->core);
    add_tlbs(r, &c->mmu.tlb);
    stats_add(r, "mmu", mmu_stat_rows, mmu_stat_count, &c->mmu.stats);
    stats_repeat(r, first, count, sizeof(*c));
    add_percentiles(r, m);
    first = r->count;
    add_walks(r, &c->mmu);
    add_pwc(r, &c->mmu);
    add_grid(r, &c->mmu);
    add_cache(r, "l1d", &c->path.l1d);
    add_cache(r, "l1i", &c->path.l1i);
    add_cache(r, "l2", &c->path.l2);
    vmx_stats_register(&c->vmx_stats, r);
    stats_add(r, "apic", apic_stat_rows, apic_stat_count, &c->apic_stats);
    stats_add(r, "apic.virtual", vapic_stat_rows, vapic_stat_count, &c->vapic_stats);
    stats_repeat(r, first, count, sizeof(*c));
    add_each_core(r, cores, count);
    add_cache(r, "llc", &m->shared.llc);
    add_dram(r, &m->shared.dram);
    first = r->count;
    stats_add(r, "vmm", vm_stat_rows, vm_stat_count, &vms[0].stats);
    stats_repeat(r, first, m->params.vm.count, sizeof(*vms));
    if (m->io != NULL) {
        io_register_stats(m->io, r);
    }
}

void machine_register_stats(struct machine *m, struct stat_registry *registry)
{
    if (m != NULL) {
        register_all(m, m->cores, m->vms, registry);
        return;
    }
    /* For the reference nobody reads values, but the rows want addresses. */
    struct machine *empty = calloc(1, sizeof(*empty));
    struct machine_core *core = calloc(1, sizeof(*core));
    struct vm *vm = calloc(1, sizeof(*vm));
    HV_ASSERT(empty != NULL && core != NULL && vm != NULL, "out of memory");
    empty->params.machine.cores = empty->params.vm.count = 1;
    register_all(empty, core, vm, registry);
    io_register_reference(registry);
    free(core);
    free(vm);
    free(empty);
}
