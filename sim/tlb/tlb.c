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
    t->special = 0;
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
    bool global = (payload & TLB_GLOBAL) != 0;
    t->live[key_size(key)]--;
    t->live_global -= global;
    t->special -= global || key_size(key) != 0;
}

enum tlb_insertion tlb_insert(struct tlb *t, uint64_t address, unsigned size, tlb_space_id space, uint64_t payload)
{
    struct assoc *entries = &t->entries;
    uint64_t page = tlb_page_number(address, t->shifts[size]);
    uint64_t key = tlb_key(page, size, space);
    enum tlb_insertion outcome = TLB_FILLED;
    ptrdiff_t found = assoc_find(entries, page, key, 0);
    size_t slot = found == ASSOC_NONE ? assoc_victim(entries, page) : (size_t)found;
    if (entries->tags[slot] != 0) {
        outcome = found == ASSOC_NONE ? TLB_FILLED_EVICTING : TLB_REPLACED;
        forget(t, entries->tags[slot], entries->payload[slot]);
    }
    assoc_place(entries, page, slot, key);
    entries->payload[slot] = payload;
    bool global = (payload & TLB_GLOBAL) != 0;
    t->live[size]++;
    t->live_global += global;
    t->special += global || size != 0;
    return outcome;
}

/*
 * Whether an entry was made from a guest page that holds the address. A splintered guest page has several entries
 * and one INVLPG takes them all (SDM Vol. 3A "Details of TLB Use", 4.10.2.3, and 4.10.4.1), so the guest page's
 * size decides where it is larger than the entry's. A paging-structure cache leaves that field 0. The address stands
 * for the 2^bytes_log2 bytes around it.
 */
static bool covers(const struct tlb *t, uint64_t key, uint64_t payload, uint64_t address, unsigned bytes_log2)
{
    unsigned shift = t->shifts[key_size(key)];
    unsigned guest = hv_page_shift((enum hv_page_size)(payload >> TLB_GUEST_SIZE_SHIFT & 3));
    unsigned widest = guest > bytes_log2 ? guest : bytes_log2;
    unsigned reach = widest > shift ? widest - shift : 0;
    return key >> TLB_KEY_PAGE_SHIFT >> reach == tlb_page_number(address, shift) >> reach;
}

/* Drops every entry for which the space is named and, with an address, the page covers any of the bytes there. */
static uint64_t drop_matching(struct tlb *t, const struct tlb_spaces *spaces, const uint64_t *address,
                              unsigned bytes_log2)
{
    if (!tlb_present(t)) {
        return 0;
    }
    struct assoc *entries = &t->entries;
    uint64_t dropped = 0;
    for (size_t slot = 0; slot < assoc_slots(entries); slot++) {
        uint64_t key = entries->tags[slot];
        if (key == 0 || (spaces != NULL && !spaces->named[key_space(key)]) ||
            (address != NULL && !covers(t, key, entries->payload[slot], *address, bytes_log2))) {
            continue;
        }
        forget(t, key, entries->payload[slot]);
        assoc_drop(entries, slot);
        dropped++;
    }
    return dropped;
}

uint64_t tlb_invalidate(struct tlb *t, const struct tlb_spaces *spaces)
{
    return drop_matching(t, spaces, NULL, 0);
}

uint64_t tlb_invalidate_address(struct tlb *t, const struct tlb_spaces *spaces, uint64_t address)
{
    return drop_matching(t, spaces, &address, 0);
}

uint64_t tlb_invalidate_range(struct tlb *t, const struct tlb_spaces *spaces, uint64_t address, unsigned bytes_log2)
{
    return bytes_log2 < TLB_ADDRESS_BITS ? drop_matching(t, spaces, &address, bytes_log2)
                                         : drop_matching(t, spaces, NULL, 0);
}

uint64_t tlb_drop(struct tlb *t, uint64_t address, unsigned size, tlb_space_id space)
{
    if (!tlb_present(t) || t->live[size] == 0) {
        return 0;
    }
    uint64_t page = tlb_page_number(address, t->shifts[size]);
    ptrdiff_t slot = assoc_find(&t->entries, page, tlb_key(page, size, space), 0);
    if (slot == ASSOC_NONE) {
        return 0;
    }
    forget(t, t->entries.tags[slot], t->entries.payload[slot]);
    assoc_drop(&t->entries, (size_t)slot);
    return 1;
}

uint64_t tlb_flush(struct tlb *t)
{
    return drop_matching(t, NULL, NULL, 0);
}
