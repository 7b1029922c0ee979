/* SPDX-License-Identifier: MIT */
/*
 * From a request to the tables that translate it: root, context, PASID-directory and PASID-table entries. VT-d 3.4
 * "Mapping Devices to Domains", 9.1 to 9.6 for the entries, 7.1.3 for the fault conditions, 4 for device TLBs.
 */
#include "oracle_parts.h"

#include <string.h>

static bool any_fault(const struct oracle_answer *a)
{
    return (a->faults[0] | a->faults[1] | a->faults[2] | a->faults[3]) != 0;
}

static bool reject(struct oracle_lookup *l, uint8_t reason)
{
    oracle_fault(l->answer->faults, reason);
    return false;
}

/* Reads a structure, and remembers how old the oldest is. */
static bool read_entry(struct oracle_lookup *l, uint64_t address, unsigned words, struct oracle_value *v)
{
    if (!oracle_read(l->o, address, words, v)) {
        return false;
    }
    l->until = v->until < l->until ? v->until : l->until;
    return true;
}

/* A fault that an entry itself is the reason of. */
static bool bad_entry(struct oracle_lookup *l, const struct oracle_value *v, uint8_t reason)
{
    oracle_not_cached(l->o, v);
    return reject(l, reason);
}

static uint64_t beyond_host(const struct oracle *o)
{
    return ~(UINT64_MAX >> (64 - o->caps.haw));
}

static uint64_t pointer(uint64_t word)
{
    return word & ~UINT64_C(0xfff);
}

/* An address that is used as it is. */
static bool untranslated(struct oracle_lookup *l, uint8_t beyond, uint8_t interrupt)
{
    uint64_t address = l->request->address;
    l->t->pass_through = true;
    if ((address & beyond_host(l->o)) != 0) {
        return reject(l, beyond);
    }
    if (oracle_is_interrupt_address(address)) {
        return reject(l, interrupt);
    }
    l->answer->ok = true;
    l->answer->address = address;
    l->answer->size_shift = 63;
    return true;
}

/* --- Legacy mode ------------------------------------------------------------------------------------------------- */

static bool legacy_context(struct oracle_lookup *l, const struct oracle_value *context)
{
    uint64_t low = context->word[0], high = context->word[1];
    l->fpd = oracle_bit(low, 1);
    if (!oracle_bit(low, 0)) {
        return bad_entry(l, context, 0x02);
    }
    unsigned type = (unsigned)oracle_field(low, 3, 2), width = (unsigned)oracle_field(high, 2, 0);
    if ((low & 0xff0) != 0 || (low & beyond_host(l->o)) != 0 || oracle_bit(high, 7) || high >> 24 != 0) {
        (void)bad_entry(l, context, 0x0b);
    }
    if (type == 3 || (type == 1 && !oracle_has(&l->o->caps, ORACLE_DT)) ||
        (type == 2 && !oracle_has(&l->o->caps, ORACLE_PT)) || !oracle_has_levels(&l->o->caps, width + 2)) {
        (void)bad_entry(l, context, 0x03);
    }
    if (l->request->type != IOMMU_UNTRANSLATED && type != 1) {
        (void)reject(l, 0x0d);
    }
    if (any_fault(l->answer)) {
        return false;
    }
    *l->t = (struct oracle_tables){.second = type != 2,
                                   .second_root = pointer(low),
                                   .second_levels = width + 2,
                                   .domain = (uint16_t)oracle_field(high, 23, 8)};
    if (type == 2 || l->request->type == IOMMU_TRANSLATED) {
        l->t->second = false;
        return untranslated(l, 0x04, 0x0e);
    }
    return true;
}

static bool legacy(struct oracle_lookup *l)
{
    struct oracle_value root, context;
    if (l->request->has_pasid) {
        return reject(l, 0x31);
    }
    if (!read_entry(l, l->o->registers.root_table + 16 * (uint64_t)(l->request->source >> 8), 2, &root)) {
        return reject(l, 0x08);
    }
    if (!oracle_bit(root.word[0], 0)) {
        return bad_entry(l, &root, 0x01);
    }
    if ((root.word[0] & (0xffe | beyond_host(l->o))) != 0 || root.word[1] != 0) {
        return bad_entry(l, &root, 0x0a);
    }
    if (!read_entry(l, pointer(root.word[0]) + 16 * (uint64_t)(l->request->source & 255), 2, &context)) {
        return reject(l, 0x09);
    }
    return legacy_context(l, &context);
}

/* --- Scalable mode ----------------------------------------------------------------------------------------------- */

static bool pasid_programming_fits(const struct oracle *o, const uint64_t *word, struct oracle_tables *t)
{
    unsigned type = (unsigned)oracle_field(word[0], 8, 6), width = (unsigned)oracle_field(word[0], 4, 2);
    unsigned mode = (unsigned)oracle_field(word[2], 3, 2);
    static const unsigned needs[] = {0, ORACLE_FSTS, ORACLE_SSTS, ORACLE_NEST, ORACLE_PT};
    if (type == 0 || type > 4 || !oracle_has(&o->caps, needs[type])) {
        return false;
    }
    t->first = type == 1 || type == 3;
    t->second = type == 2 || type == 3;
    t->pass_through = type == 4;
    if (t->second && !oracle_has_levels(&o->caps, width + 2)) {
        return false;
    }
    if (type == 3 && pointer(word[2]) >> (12 + 9 * (width + 2)) != 0) {
        return false; /* SPT.4.4 */
    }
    t->first_levels = 4 + mode;
    t->second_levels = width + 2;
    return !t->first || mode == 0 || (mode == 1 && oracle_has(&o->caps, ORACLE_FS5LP));
}

static bool pasid_reserved(const struct oracle *o, const uint64_t *word)
{
    uint64_t high = beyond_host(o);
    bool rest = (word[3] | word[4] | word[5] | word[6] | word[7]) != 0;
    return (word[0] & (0xc00 | high)) != 0 || (word[1] & 0x7f0000) != 0 || (word[2] & (0xf00 | high)) != 0 || rest;
}

static bool pasid_entry(struct oracle_lookup *l, const struct oracle_value *v, bool privileged)
{
    const uint64_t *word = v->word;
    struct oracle_tables *t = l->t;
    l->fpd = l->fpd || oracle_bit(word[0], 1);
    if (!oracle_bit(word[0], 0)) {
        return bad_entry(l, v, 0x59);
    }
    if (pasid_reserved(l->o, word)) {
        (void)bad_entry(l, v, 0x5a);
    }
    if (!pasid_programming_fits(l->o, word, t)) {
        (void)bad_entry(l, v, 0x5b);
    }
    l->usable = !any_fault(l->answer);
    t->domain = (uint16_t)word[1];
    if (l->request->access == IOMMU_EXECUTE && !oracle_bit(word[2], 1)) {
        (void)reject(l, 0x5c);
    }
    if (privileged && !oracle_bit(word[2], 0)) {
        (void)reject(l, 0x5d);
    }
    if (any_fault(l->answer)) {
        return false;
    }
    t->user = !privileged;
    t->second_root = pointer(word[0]);
    t->first_root = pointer(word[2]);
    t->ssade = oracle_bit(word[0], 9);
    t->wpe = oracle_bit(word[2], 4);
    t->nxe = oracle_bit(word[2], 5);
    t->eafe = oracle_bit(word[2], 7);
    t->snoop = oracle_bit(word[1], 23);
    return t->pass_through ? untranslated(l, 0x83, 0x87) : true;
}

static bool pasid_tables(struct oracle_lookup *l, const struct oracle_value *context, uint32_t pasid, bool privileged)
{
    struct oracle_value directory, entry;
    if (!read_entry(l, pointer(context->word[0]) + 8 * (uint64_t)(pasid >> 6), 1, &directory)) {
        return reject(l, 0x50);
    }
    l->fpd = l->fpd || oracle_bit(directory.word[0], 1);
    if (!oracle_bit(directory.word[0], 0)) {
        return bad_entry(l, &directory, 0x51);
    }
    if ((directory.word[0] & (0xffc | beyond_host(l->o))) != 0) {
        return bad_entry(l, &directory, 0x52);
    }
    if (!read_entry(l, pointer(directory.word[0]) + 64 * (uint64_t)(pasid & 63), 8, &entry)) {
        return reject(l, 0x58);
    }
    l->t->pasid = pasid;
    return pasid_entry(l, &entry, privileged);
}

/*
 * What the PASID cache holds may have been found by another value of the context entry than the one that is used now:
 * the directory is that one's, and fault-processing disable may be either's.
 */
static bool cached_pasid_tables(struct oracle_lookup *l, const struct oracle_value *context, uint64_t at,
                                uint32_t pasid, bool privileged)
{
    struct oracle_value filler;
    uint16_t source = l->request->source;
    if (l->context_until != ORACLE_NEVER &&
        oracle_context_end(l->o, l->context_until, source, 0, true) != ORACLE_NEVER) {
        l->o->impossible = true;
    }
    if (!oracle_read(l->o, at, 4, &filler) || filler.until == context->until) {
        return pasid_tables(l, context, pasid, privileged);
    }
    l->context_until = filler.until;
    if (!oracle_bit(filler.word[0], 0)) {
        l->o->impossible = true;
    }
    bool fillers_fpd = oracle_bit(filler.word[0], 1);
    l->fpd = oracle_choose(l->o, 2) == 0 ? fillers_fpd : l->fpd || fillers_fpd;
    return pasid_tables(l, &filler, pasid, privileged);
}

/* What is wrong with the PASID of a request. */
static void check_pasid(struct oracle_lookup *l, uint64_t low, uint64_t pasids, uint32_t rid_pasid)
{
    const struct iommu_request *r = l->request;
    if (!r->has_pasid) {
        return;
    }
    if (r->type != IOMMU_TRANSLATED && !oracle_bit(low, 3)) {
        (void)reject(l, 0x45);
    }
    if (r->pasid >= pasids) {
        (void)reject(l, 0x46);
    }
    if (r->pasid == rid_pasid) {
        (void)reject(l, 0x48);
    }
    if (r->type == IOMMU_TRANSLATED && !oracle_bit(low, 6)) {
        (void)reject(l, 0x49);
    }
    if (r->pasid >> oracle_pasid_bits(&l->o->caps) != 0) {
        (void)reject(l, 0x89);
    }
}

static bool scalable_context(struct oracle_lookup *l, const struct oracle_value *context, uint64_t at)
{
    const struct iommu_request *r = l->request;
    uint64_t low = context->word[0], high = context->word[1];
    l->fpd = oracle_bit(low, 1);
    if (!oracle_bit(low, 0)) {
        return bad_entry(l, context, 0x41);
    }
    uint64_t reserved = oracle_has(&l->o->caps, ORACLE_PTRS) ? 0x1a0 : 0x1e0;
    if ((low & (reserved | beyond_host(l->o))) != 0 || high >> 21 != 0 || context->word[2] != 0 || context->word[3] != 0) {
        (void)bad_entry(l, context, 0x42);
    }
    uint64_t pasids = UINT64_C(1) << (7 + 6 + oracle_field(low, 11, 9));
    uint32_t rid_pasid = (uint32_t)oracle_field(high, 19, 0);
    if (rid_pasid >= pasids || (oracle_bit(low, 4) && !oracle_bit(low, 2)) ||
        (oracle_bit(low, 6) && !oracle_bit(low, 3))) {
        (void)bad_entry(l, context, 0x43); /* SCT.4.1 to 4.3 */
    }
    if (r->type != IOMMU_UNTRANSLATED && !oracle_bit(low, 2)) {
        (void)reject(l, 0x44);
    }
    check_pasid(l, low, pasids, rid_pasid);
    if (any_fault(l->answer)) {
        return false;
    }
    if (r->type == IOMMU_TRANSLATED) {
        return untranslated(l, 0x83, 0x87);
    }
    bool privileged = r->has_pasid ? r->privileged : oracle_bit(high, 20);
    return cached_pasid_tables(l, context, at, r->has_pasid ? r->pasid : rid_pasid, privileged);
}

static bool scalable(struct oracle_lookup *l)
{
    struct oracle_value root, context;
    uint64_t source = l->request->source;
    l->t->scalable = true;
    uint64_t half = l->o->registers.root_table + 16 * (source >> 8) + (oracle_bit(source, 7) ? 8 : 0);
    if (!read_entry(l, half, 1, &root)) {
        return reject(l, 0x38);
    }
    if (!oracle_bit(root.word[0], 0)) {
        return bad_entry(l, &root, 0x39);
    }
    if ((root.word[0] & (0xffe | beyond_host(l->o))) != 0) {
        return bad_entry(l, &root, 0x3a);
    }
    uint64_t at = pointer(root.word[0]) + 32 * (source & 127);
    if (!read_entry(l, at, 4, &context)) {
        return reject(l, 0x40);
    }
    l->context_until = l->until;
    l->until = ORACLE_NEVER;
    return scalable_context(l, &context, at);
}

bool oracle_look_up(struct oracle_lookup *l)
{
    switch (l->o->registers.table_mode) {
    case 0: return legacy(l);
    case 1: return scalable(l);
    default: return reject(l, l->o->registers.table_mode == 3 ? 0x33 : 0x30);
    }
}
