/* SPDX-License-Identifier: MIT */
/*
 * check.stale for the IOMMU: hardware never tells software that it forgot an invalidation; this does.
 *
 * Each use of something cached is compared with what the tables in memory would give now. It is stale when they give
 * another answer, or fewer rights; more rights are no fault, as an invalidation may be delayed until they are needed.
 */
#include <stdlib.h>
#include <string.h>

#include "iommu/iommu_parts.h"

enum { STALE_KEPT = 16 };

struct stale_finding {
    hv_cycles now;
    const char *what;    /* which cache held it */
    const char *missing; /* the invalidation that was forgotten */
    uint64_t address;    /* of the device, or its source id */
    uint64_t cached, memory; /* UINT64_MAX: nothing */
};

struct iommu_stale {
    struct stale_finding kept[STALE_KEPT];
    size_t count;
};

void iommu_check_stale(struct iommu *u, bool on)
{
    free(u->stale);
    u->stale = NULL;
    if (on) {
        u->stale = calloc(1, sizeof(*u->stale));
        HV_ASSERT(u->stale != NULL, "out of memory");
    }
}

static void found(struct iommu *u, const struct stale_finding *finding)
{
    u->stats.stale_found++;
    if (u->stale->count < STALE_KEPT) {
        u->stale->kept[u->stale->count++] = *finding;
    }
}

/* Whether two mappings say the same; the numbers of their spaces follow from the rest. */
static bool same_mapping(const struct iommu_mapping *a, const struct iommu_mapping *b)
{
    return a->fault == b->fault && a->stages == b->stages && a->first_levels == b->first_levels &&
           a->second_levels == b->second_levels && a->domain == b->domain && a->scalable == b->scalable &&
           a->disabled == b->disabled && a->snooped == b->snooped && a->flags == b->flags &&
           a->execute_requests == b->execute_requests && a->supervisor_requests == b->supervisor_requests &&
           a->write_protect == b->write_protect && a->no_execute == b->no_execute &&
           a->supervisor_no_execute == b->supervisor_no_execute && a->extended_accessed == b->extended_accessed &&
           a->host_permissions == b->host_permissions && a->host_permission_size == b->host_permission_size &&
           a->first_root == b->first_root && a->second_root == b->second_root;
}

static uint64_t root_of(const struct iommu_mapping *m)
{
    if (m->fault != IOMMU_FAULT_NONE) {
        return UINT64_MAX;
    }
    return m->stages == IOMMU_FIRST ? m->first_root : m->second_root;
}

void iommu_stale_context(struct iommu *u, uint16_t source, const struct iommu_context *cached, hv_cycles now)
{
    struct iommu_reader r = {.u = u, .now = now, .untimed = true};
    struct iommu_context memory;
    iommu_read_context(&r, source, &memory);
    if (same_mapping(&cached->mapping, &memory.mapping) && cached->device_tlb == memory.device_tlb &&
        cached->pasids == memory.pasids && cached->page_requests == memory.page_requests &&
        cached->translated_pasids == memory.translated_pasids &&
        cached->host_permissions == memory.host_permissions &&
        cached->rid_privileged == memory.rid_privileged && cached->rid_pasid == memory.rid_pasid &&
        cached->directory_pasids == memory.directory_pasids && cached->directory == memory.directory) {
        return;
    }
    bool scalable = cached->mapping.scalable;
    struct stale_finding finding = {
        now, "context-cache entry", "a context-cache invalidation", source,
        scalable && cached->mapping.fault == IOMMU_FAULT_NONE ? cached->directory : root_of(&cached->mapping),
        scalable && memory.mapping.fault == IOMMU_FAULT_NONE ? memory.directory : root_of(&memory.mapping),
    };
    found(u, &finding);
}

void iommu_stale_pasid(struct iommu *u, const struct iommu_context *context, uint32_t pasid,
                       const struct iommu_mapping *cached, hv_cycles now)
{
    struct iommu_reader r = {.u = u, .now = now, .untimed = true};
    struct iommu_mapping memory;
    iommu_read_pasid(&r, context, pasid, &memory);
    if (!same_mapping(cached, &memory)) {
        struct stale_finding finding = {now, "PASID-cache entry", "a PASID-cache invalidation", pasid,
                                        root_of(cached), root_of(&memory)};
        found(u, &finding);
    }
}

/* An untimed walk of memory alone. */
static struct iommu_walk probe_of(struct iommu *u, const struct iommu_mapping *m, bool privileged, hv_cycles now)
{
    return (struct iommu_walk){
        .reader = {.u = u, .now = now, .untimed = true}, .mapping = m, .privileged = privileged,
        .cacheless = true,
    };
}

static uint64_t rights_of(uint64_t payload)
{
    return payload & (TLB_GUEST_W | TLB_GUEST_U | TLB_GUEST_X | TLB_HOST_ALL);
}

/* The invalidation that takes a page translation of this mapping out. */
static const char *page_invalidation(const struct iommu_mapping *m)
{
    switch ((enum iommu_stages)m->stages) {
    case IOMMU_FIRST:
        return "a PASID-based IOTLB invalidation";
    case IOMMU_NESTED:
        return "a PASID-based IOTLB invalidation (if the first stage changed) or an IOTLB invalidation (if the second "
               "did)";
    case IOMMU_PASS:
    case IOMMU_SECOND:
    case IOMMU_STAGES:
        break;
    }
    return "an IOTLB invalidation";
}

void iommu_stale_page(struct iommu *u, const struct iommu_mapping *mapping, bool privileged, uint64_t address,
                      uint64_t payload, unsigned size, hv_cycles now)
{
    struct iommu_walk t = probe_of(u, mapping, privileged, now);
    bool error = (payload & IOMMU_IOTLB_FAULT) != 0;
    enum hv_access_kind kind = (payload & TLB_HOST_R) == 0 && !error ? HV_STORE : HV_LOAD;
    bool mapped = iommu_walk(&t, address, kind);
    uint64_t cached = UINT64_MAX, memory = UINT64_MAX;
    if (!error) {
        cached = tlb_entry_address(payload, address, hv_page_shift((enum hv_page_size)size)).v;
    }
    if (mapped) {
        memory = tlb_entry_address(t.w.result, address, hv_page_shift((enum hv_page_size)t.w.size)).v;
    }
    bool fewer = mapped && !error && (rights_of(payload) & ~rights_of(t.w.result)) != 0;
    if (cached != memory || fewer) {
        struct stale_finding finding = {now, "IOTLB entry", page_invalidation(mapping), address, cached, memory};
        found(u, &finding);
    }
}

void iommu_stale_table(struct iommu_walk *used, enum hv_dimension d, uint64_t address,
                       const struct pwc_table *cached)
{
    struct iommu *u = used->reader.u;
    struct iommu_walk t = probe_of(u, used->mapping, used->privileged, used->reader.now);
    struct pwc_table memory;
    bool there = iommu_walk_to_table(&t, d, address, cached->level, &memory);
    if (there && memory.table.v == cached->table.v && (cached->permission & ~memory.permission) == 0 &&
        (memory.writable || !cached->writable)) {
        return;
    }
    struct stale_finding finding = {
        used->reader.now, "paging-structure-cache entry",
        d == HV_HOST ? "an IOTLB invalidation" : page_invalidation(used->mapping), used->w.gva.v, cached->table.v,
        there ? memory.table.v : UINT64_MAX,
    };
    found(u, &finding);
}

/* Of an interrupt-remapping entry any change counts; the word that differs is shown. */
void iommu_stale_interrupt(struct iommu *u, uint32_t index, const struct iommu_irte *cached,
                           const struct iommu_irte *memory, hv_cycles now)
{
    if (cached->low == memory->low && cached->high == memory->high) {
        return;
    }
    bool low = cached->low != memory->low, absent = (memory->low & IOMMU_IRTE_P) == 0;
    struct stale_finding finding = {
        now, "interrupt-remapping entry", "an interrupt-entry-cache invalidation", index,
        low ? cached->low : cached->high, absent ? UINT64_MAX : low ? memory->low : memory->high,
    };
    found(u, &finding);
}

size_t iommu_stale_report(const struct iommu *u, FILE *out)
{
    if (u->stale == NULL) {
        return 0;
    }
    for (size_t i = 0; i < u->stale->count; i++) {
        const struct stale_finding *f = &u->stale->kept[i];
        fprintf(out, "stale %s used at cycle %llu for %#llx: it says ", f->what, (unsigned long long)f->now,
                (unsigned long long)f->address);
        const uint64_t said[] = {f->cached, f->memory};
        for (size_t s = 0; s < HV_ARRAY_LEN(said); s++) {
            if (said[s] == UINT64_MAX) {
                fputs("nothing is mapped", out);
            } else {
                fprintf(out, "%#llx", (unsigned long long)said[s]);
            }
            fputs(s == 0 ? ", memory says " : "", out);
        }
        fprintf(out, "; %s is missing after the change\n", f->missing);
    }
    return u->stale->count;
}
