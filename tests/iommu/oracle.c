/* SPDX-License-Identifier: MIT */
/*
 * One request, and all the answers to it that old values still allow. VT-d 6.2 "Address Translation Caches" for what
 * may be cached, 7.1.3 for the faults that software may have disabled.
 */
#include "oracle_parts.h"

#include <string.h>

bool oracle_may_fault(const struct oracle_answer *answer, uint8_t reason)
{
    return oracle_bit(answer->faults[reason >> 6], reason & 63);
}

/* Until when something could be filled by what this look-up has found. */
static uint64_t path_end(const struct oracle_lookup *l)
{
    const struct oracle *o = l->o;
    uint16_t source = l->request->source;
    if (!l->t->scalable) {
        return l->until == ORACLE_NEVER ? ORACLE_NEVER : oracle_context_end(o, l->until, source, l->t->domain, false);
    }
    uint64_t dead = l->until;
    if (l->context_until != ORACLE_NEVER) {
        uint64_t end = oracle_context_end(o, l->context_until, source, 0, true);
        dead = end < dead ? end : dead;
    }
    /* The PASID cache may still have the entry; a fault it never had. */
    return dead == ORACLE_NEVER || !l->usable ? dead : oracle_pasid_end(o, dead, l->t->domain, l->t->pasid);
}

/* "Fault-processing disable" is for faults that are met once the context entry was read. */
static bool is_qualified(const struct oracle_answer *a)
{
    static const uint8_t never[] = {0x01, 0x08, 0x09, 0x0a, 0x30, 0x31, 0x33, 0x34, 0x38, 0x39, 0x3a, 0x40, 0x50, 0x58};
    for (size_t i = 0; i < HV_ARRAY_LEN(never); i++) {
        if (oracle_may_fault(a, never[i])) {
            return false;
        }
    }
    return true;
}

/* The tables of one that could share a cached translation: the same domain, and the same PASID where that counts. */
static void other_tables(struct oracle *o, unsigned which, struct oracle_tables *own)
{
    struct oracle_answer ignored = {0};
    struct oracle_tables t = {0};
    struct iommu_request r = {.source = o->sources[which / (1 + o->pasid_count)], .access = IOMMU_READ};
    r.has_pasid = which % (1 + o->pasid_count) != 0;
    r.pasid = r.has_pasid ? o->pasids[which % (1 + o->pasid_count) - 1] : 0;
    struct oracle_lookup l = {
        .o = o, .request = &r, .answer = &ignored, .t = &t, .until = ORACLE_NEVER, .context_until = ORACLE_NEVER};
    if (o->registers.table_mode == 0 && r.has_pasid) {
        o->impossible = true;
        return;
    }
    if (!oracle_look_up(&l) || t.pass_through || o->impossible || t.domain != own->domain || t.first != own->first ||
        t.second != own->second || (t.first && t.pasid != own->pasid)) {
        o->impossible = true;
        return;
    }
    own->until = path_end(&l);
    own->first_root = t.first_root;
    own->second_root = t.second_root;
    own->first_levels = t.first_levels;
    own->second_levels = t.second_levels;
}

/* Whether what those tables filled into a cache may still be there. */
static void check_survival(struct oracle *o, const struct oracle_tables *t, uint64_t address)
{
    struct oracle_place place = {t->domain, t->pasid, address, t->first, t->first && t->second, true};
    if (t->until != ORACLE_NEVER && oracle_paging_end(o, t->until, &place) != ORACLE_NEVER) {
        o->impossible = true;
    }
}

static void run(struct oracle *o, const struct iommu_request *request, struct oracle_answer *answer)
{
    struct oracle_tables tables = {0};
    struct oracle_lookup l = {.o = o,
                              .request = request,
                              .answer = answer,
                              .t = &tables,
                              .until = ORACLE_NEVER,
                              .context_until = ORACLE_NEVER};
    memset(answer, 0, sizeof(*answer));
    if (!o->registers.translation) {
        answer->ok = request->type == IOMMU_UNTRANSLATED; /* others are unsupported requests, without a fault */
        answer->address = request->address;
        answer->size_shift = 63;
        return;
    }
    if (request->type == IOMMU_TRANSLATED && request->has_pasid && !oracle_has(&o->caps, ORACLE_PTRS)) {
        return; /* 4.2.1: an unsupported request, without a fault */
    }
    bool found = oracle_look_up(&l);
    if (!o->impossible && path_end(&l) != ORACLE_NEVER) {
        o->impossible = true;
    }
    if (found && !tables.pass_through && !o->impossible) {
        unsigned others = (unsigned)(o->source_count * (1 + o->pasid_count));
        unsigned which = o->old_count == 0 ? 0 : oracle_choose(o, 1 + others);
        tables.until = ORACLE_NEVER;
        if (which != 0) {
            other_tables(o, which - 1, &tables);
        }
        if (!o->impossible) {
            check_survival(o, &tables, request->address);
            oracle_walk(o, &tables, request, answer);
        }
    }
    answer->recorded = !answer->ok && !(l.fpd && is_qualified(answer));
}

void oracle_translate(struct oracle *o, const struct iommu_request *request, struct oracle_answer *answer)
{
    o->exact = true;
    oracle_first_run(o);
    run(o, request, answer);
    o->exact = false;
}

bool oracle_any_translation(struct oracle *o, const struct iommu_request *request,
                            bool (*match)(void *ctx, const struct oracle_answer *answer), void *ctx)
{
    struct oracle_answer answer;
    oracle_first_run(o);
    do {
        run(o, request, &answer);
        if (!o->impossible && match(ctx, &answer)) {
            return true;
        }
    } while (oracle_next_run(o));
    return false;
}
