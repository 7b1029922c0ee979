/* SPDX-License-Identifier: MIT */
#include "tlb/tlb.h"

#include <string.h>

const char *const hv_page_size_names[] = {"4k", "2m", "1g", NULL};

const struct param_row tlb_param_rows[] = {
#define P(...) PARAM_ROW(struct tlb_params, __VA_ARGS__)
#include "tlb/tlb_params.def"
#undef P
};
const size_t tlb_param_count = HV_ARRAY_LEN(tlb_param_rows);

bool tlb_init(struct tlb *t, const char *name, const struct tlb_geometry *geometry, struct hv_err *err)
{
    memset(t, 0, sizeof(*t));
    memcpy(t->shifts, geometry->shifts, sizeof(t->shifts));
    if (geometry->entries == 0) {
        return true;
    }
    uint64_t ways = geometry->ways == PARAM_WAYS_FULL ? geometry->entries : geometry->ways;
    if (ways > geometry->entries || geometry->entries % ways != 0) {
        return hv_fail(err, "%s: %llu entries cannot be divided into sets of %llu ways; choose ways that divide "
                       "entries, or `full`", name, (unsigned long long)geometry->entries, (unsigned long long)ways);
    }
    return assoc_init(&t->entries, geometry->entries, ways, geometry->policy, true, err);
}

void tlb_fini(struct tlb *t)
{
    assoc_fini(&t->entries);
}

void tlb_reset(struct tlb *t)
{
    if (tlb_present(t)) {
        assoc_reset(&t->entries);
    }
    memset(t->live, 0, sizeof(t->live));
    t->live_global = 0;
}

static unsigned key_size(uint64_t key)
{
    return (unsigned)(key >> TLB_KEY_SIZE_SHIFT) & 3;
}

static tlb_space_id key_space(uint64_t key)
{
    return (tlb_space_id)key;
}

/* Takes an entry that is about to go out of the counts of live entries. */
static void forget(struct tlb *t, uint64_t key, uint64_t payload)
{
    t->live[key_size(key)]--;
    t->live_global -= (payload & TLB_GLOBAL) != 0;
}

enum tlb_insertion tlb_insert(struct tlb *t, uint64_t address, unsigned size, tlb_space_id space, uint64_t payload)
{
    uint64_t page = tlb_page_number(address, t->shifts[size]);
    uint64_t key = tlb_key(page, size, space);
    uint64_t *set = assoc_set(&t->entries, page);
    uint64_t *payloads = assoc_payload(&t->entries, set);
    enum tlb_insertion outcome = TLB_FILLED;
    int found = assoc_find(&t->entries, set, key, 0);
    unsigned way = found == ASSOC_NO_WAY ? assoc_victim(&t->entries, set) : (unsigned)found;
    if (set[way] != 0) {
        outcome = found == ASSOC_NO_WAY ? TLB_FILLED_EVICTING : TLB_REPLACED;
        forget(t, set[way], payloads[way]);
    }
    assoc_place(&t->entries, set, way, key);
    payloads[way] = payload;
    t->live[size]++;
    t->live_global += (payload & TLB_GLOBAL) != 0;
    return outcome;
}

/*
 * Whether an entry was made from a guest page that holds the address. A splintered guest page has several entries
 * and one INVLPG takes them all (SDM Vol. 3A "Details of TLB Use", 4.10.2.3, and 4.10.4.1), so the guest page's
 * size decides where it is larger than the entry's. A paging-structure cache leaves that field 0.
 */
static bool covers(const struct tlb *t, uint64_t key, uint64_t payload, uint64_t address)
{
    unsigned shift = t->shifts[key_size(key)];
    unsigned guest = hv_page_shift((enum hv_page_size)(payload >> TLB_GUEST_SIZE_SHIFT & 3));
    unsigned reach = guest > shift ? guest - shift : 0;
    return key >> TLB_KEY_PAGE_SHIFT >> reach == tlb_page_number(address, shift) >> reach;
}

/* Drops every entry for which the space is named and, with an address, the page covers it. */
static uint64_t drop_matching(struct tlb *t, const struct tlb_spaces *spaces, const uint64_t *address)
{
    if (!tlb_present(t)) {
        return 0;
    }
    uint64_t dropped = 0;
    for (uint32_t s = 0; s < t->entries.sets; s++) {
        uint64_t *set = t->entries.words + (size_t)s * t->entries.set_words;
        const uint64_t *payloads = assoc_payload(&t->entries, set);
        for (unsigned way = 0; way < t->entries.ways; way++) {
            uint64_t key = set[way];
            if (key == 0 || (spaces != NULL && !spaces->named[key_space(key)]) ||
                (address != NULL && !covers(t, key, payloads[way], *address))) {
                continue;
            }
            forget(t, key, payloads[way]);
            assoc_drop(&t->entries, set, way);
            dropped++;
        }
    }
    return dropped;
}

uint64_t tlb_invalidate(struct tlb *t, const struct tlb_spaces *spaces)
{
    return drop_matching(t, spaces, NULL);
}

uint64_t tlb_invalidate_address(struct tlb *t, const struct tlb_spaces *spaces, uint64_t address)
{
    return drop_matching(t, spaces, &address);
}

uint64_t tlb_drop(struct tlb *t, uint64_t address, unsigned size, tlb_space_id space)
{
    if (!tlb_present(t) || t->live[size] == 0) {
        return 0;
    }
    uint64_t page = tlb_page_number(address, t->shifts[size]);
    uint64_t *set = assoc_set(&t->entries, page);
    int way = assoc_find(&t->entries, set, tlb_key(page, size, space), 0);
    if (way == ASSOC_NO_WAY) {
        return 0;
    }
    forget(t, set[way], assoc_payload(&t->entries, set)[way]);
    assoc_drop(&t->entries, set, (unsigned)way);
    return 1;
}

uint64_t tlb_flush(struct tlb *t)
{
    return drop_matching(t, NULL, NULL);
}
