/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gtest.h"

/* Of both halves of a root entry, and of a bus that has one function only. */
const uint16_t world_sources[WORLD_SOURCES] = {0x0008, 0x0010, 0x00f8, 0x0180, 0x0109, 0xff7f, 0x0201, 0x0206};

/* Several tables of a directory, first and last entries of one. */
const uint32_t world_pasids[WORLD_PASIDS] = {0, 1, 63, 64, 130};

bool world_chance(struct world *w, unsigned percent)
{
    return rng_below(&w->rng, 100) < percent;
}

uint64_t world_below(struct world *w, uint64_t bound)
{
    return rng_below(&w->rng, bound);
}

_Noreturn void world_fail(struct world *w, const char *format, ...)
{
    va_list arguments;
    char text[1024];
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "seed %llu %s %s%s step %llu: %s\n  %s\n", (unsigned long long)w->options.seed,
            w->options.scalable ? "scalable" : "legacy", w->options.lazy ? "careless" : "careful",
            w->caching_mode ? " caching mode" : "", (unsigned long long)w->step, text, w->what);
    fail();
    abort();
}

/* --- Memory ------------------------------------------------------------------------------------------------------ */

static bool in_arena(uint64_t address)
{
    return address >= WORLD_ARENA && address < WORLD_ARENA + WORLD_ARENA_BYTES;
}

void world_put(struct world *w, uint64_t address, const uint64_t *words, unsigned count)
{
    if (w->options.lazy) {
        oracle_before_change(&w->oracle, address, count);
    }
    memcpy(w->memory.bytes + address, words, count * sizeof(*words));
    if (in_arena(address)) {
        memcpy(&w->shadow[(address - WORLD_ARENA) / 8], words, count * sizeof(*words));
    }
}

uint64_t world_get(const struct world *w, uint64_t address)
{
    return physmem_read64(&w->memory, (hv_hpa){address});
}

uint64_t world_table_page(struct world *w)
{
    uint64_t page = w->next_table;
    w->next_table += HV_PAGE_BYTES;
    HV_ASSERT(in_arena(page), "the arena is large enough");
    return page;
}

void world_check_tables(struct world *w)
{
    for (uint64_t at = WORLD_ARENA; at < w->next_table && !w->options.lazy; at += 8) {
        uint64_t expected = w->shadow[(at - WORLD_ARENA) / 8];
        if (world_get(w, at) != expected) {
            world_fail(w, "table entry at %#llx is %#llx, not %#llx", (unsigned long long)at,
                       (unsigned long long)world_get(w, at), (unsigned long long)expected);
        }
    }
}

/* --- The IOMMU --------------------------------------------------------------------------------------------------- */

static bool post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    struct world *w = ctx;
    w->posted.descriptor = descriptor;
    w->posted.vector = vector;
    w->posted.urgent = urgent;
    w->posted.count++;
    *notify_vector = w->posted.notify_vector;
    *ndst = w->posted.ndst;
    return w->posted.notify;
}

/* Small caches, so that entries are evicted too, or the usual ones. */
static void random_parameters(struct world *w, struct iommu_params *p)
{
    struct iommu_cache_params *const caches[] = {&p->iotlb, &p->context_cache, &p->pasid_cache, &p->interrupt_cache};
    for (size_t c = 0; c < HV_ARRAY_LEN(caches); c++) {
        static const uint64_t entries[] = {0, 1, 4, 16, 64};
        caches[c]->entries = entries[world_below(w, HV_ARRAY_LEN(entries))];
        caches[c]->ways = world_chance(w, 50) && caches[c]->entries >= 4 ? 2 : PARAM_WAYS_FULL;
    }
    for (unsigned level = 2; level < PWC_LEVELS && world_chance(w, 30); level++) {
        p->pwc[level].entries = world_below(w, 3);
    }
    p->physical_bits = world_chance(w, 50) ? 46 : 39 + world_below(w, 14);
    p->snoop_control = world_chance(w, 70);
    p->first_stage_1g = world_chance(w, 80);
    p->large_pages = world_chance(w, 80) ? 3 : (uint32_t)world_below(w, 4);
    p->pasid_bits = world_chance(w, 80) ? 20 : 7; /* one of the PASIDs needs 8 */
    p->translated_pasid = world_chance(w, 70);
    p->x2apic_required = world_chance(w, 20);
    p->remapping_required = world_chance(w, 20);
    if (world_chance(w, 30)) {
        p->rom_base = WORLD_ARENA + HV_KIB(64) * world_below(w, 48);
        p->rom_bytes = HV_KIB(64);
    }
    p->fault_records = 1 + world_below(w, 8);
    p->caching_mode = w->caching_mode = !w->options.lazy && world_chance(w, 20);
}

static void set_up_oracle(struct world *w, const struct iommu_params *p)
{
    struct oracle_caps caps = {iommu_read(w->iommu, 0x08, 8, 0), iommu_read(w->iommu, 0x10, 8, 0),
                               (unsigned)p->physical_bits, p->rom_base, p->rom_bytes};
    oracle_init(&w->oracle, &caps, &w->memory);
    w->oracle.sources = world_sources;
    w->oracle.pasids = world_pasids;
    w->oracle.source_count = WORLD_SOURCES;
    w->oracle.pasid_count = w->options.scalable ? WORLD_PASIDS : 0;
}

struct world *world_new(const struct world_options *options)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->options = *options;
    w->iommu = calloc(1, sizeof(*w->iommu));
    w->shadow = calloc(WORLD_ARENA_BYTES / 8, sizeof(*w->shadow));
    assert_true(w->iommu != NULL && w->shadow != NULL);
    rng_init(&w->rng, options->seed);
    struct hv_err err = {{0}};
    struct iommu_params params;
    params_defaults(&iommu_schema, &params);
    random_parameters(w, &params);
    struct iommu_wires wires = {.post = post, .ctx = w};
    assert_true(physmem_init(&w->memory, WORLD_BYTES, &err));
    assert_true(iommu_init(w->iommu, &params, &w->memory, &wires, &err));
    set_up_oracle(w, &params);
    w->next_table = WORLD_ARENA;
    world_build(w);
    world_build_interrupts(w);
    world_start_hardware(w);
    return w;
}

void world_free(struct world *w)
{
    iommu_fini(w->iommu);
    physmem_fini(&w->memory);
    free(w->iommu);
    free(w->shadow);
    free(w);
}

void world_step(struct world *w)
{
    w->step++;
    w->now += 1 + world_below(w, 1000);
    w->what[0] = '\0';
    if (w->options.lazy && (oracle_full(&w->oracle) || world_chance(w, 3))) {
        world_invalidate_all(w);
    }
    if (world_chance(w, w->oracle.registers.translation ? 1 : 20)) {
        world_change_registers(w);
    } else if (world_chance(w, 20)) {
        world_change_page(w);
    } else if (world_chance(w, 8)) {
        world_change_structure(w);
    } else if (world_chance(w, w->options.interrupts_percent / 4)) {
        world_change_interrupt(w);
    }
    for (unsigned d = 0; d < 4; d++) {
        if (world_chance(w, w->options.interrupts_percent)) {
            world_random_interrupt(w);
        } else {
            world_random_dma(w);
        }
    }
}
