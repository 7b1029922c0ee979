/* SPDX-License-Identifier: MIT */
#include "mmu/plain_run.h"

void plain_init(struct plain *p, struct cache *cache)
{
    p->cache = cache;
    for (unsigned part = 0; part < PLAIN_PARTS; part++) {
        for (unsigned i = 0; i < PLAIN_RUNS; i++) {
            p->runs[part][i].slot = p->slots[part][i];
        }
    }
}

void plain_run_begin(struct plain_run *run)
{
    run->generation = 0;
    run->entries = run->refs = run->host_refs = 0;
}

/* Which of the run's entries lies there; a new one if none does. */
static uint32_t entry_at(const struct plain *p, struct plain_run *run, const uint64_t *bytes, uint64_t line)
{
    uint32_t i = 0;
    while (i < run->entries && run->entry[i].bytes != bytes) {
        i++;
    }
    if (i == run->entries && i < PLAIN_RUN_ENTRIES) {
        run->slot[i] = *assoc_hint(&p->cache->lines, line);
        run->entry[run->entries++] = (struct plain_entry){
            .bytes = bytes, .value = *bytes, .tag = cache_tag(line) | CACHE_TAG_DIRTY,
        };
    }
    return i;
}

void plain_run_add(const struct plain *p, struct plain_run *run, struct plain_ref cell, const uint64_t *bytes,
                   hv_hpa address)
{
    uint64_t line = cache_line(address);
    uint32_t entry = bytes != NULL ? entry_at(p, run, bytes, line) : PLAIN_RUN_ENTRIES; /* NULL: beyond memory */
    if (entry == PLAIN_RUN_ENTRIES || run->refs >= PLAIN_RUN_REFS) {
        run->refs = PLAIN_RUN_REFS + 1; /* too long, for good */
        return;
    }
    cell.entry = (uint8_t)entry;
    run->ref[run->refs++] = cell;
    run->host_refs += cell.host_level != 0;
    for (uint32_t i = 0; i < run->entries; i++) {
        if (run->entry[i].tag == run->entry[entry].tag) {
            run->entry[i].last = run->refs;
        }
    }
}

void plain_run_find_lines(const struct plain *p, struct plain_run *run)
{
    for (uint32_t i = 0; i < run->entries; i++) {
        run->slot[i] = *assoc_hint(&p->cache->lines, run->entry[i].tag >> CACHE_TAG_SHIFT);
    }
}

bool plain_run_hits_elsewhere(const struct plain *p, struct plain_run *run)
{
    plain_run_find_lines(p, run);
    return plain_run_in_place(p, run);
}

bool plain_run_end(const struct plain *p, struct plain_run *run, uint64_t key)
{
    if (run->refs > PLAIN_RUN_REFS) {
        return false;
    }
    run->generation = p->generation;
    run->key = key;
    return true;
}
