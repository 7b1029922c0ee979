/* SPDX-License-Identifier: MIT */
/* Fault records of the world's IOMMU. VT-d 7.3 "Primary Fault Logging" and "Fault Recording Registers". */
#include "world.h"

enum { FSTS = 0x34 };

static uint32_t record_offset(const struct world *w, unsigned index)
{
    return (uint32_t)(w->oracle.caps.cap >> 24 & 0x3ff) * 16 + 16 * index;
}

void world_expect_no_fault(struct world *w)
{
    uint64_t status = iommu_read(w->iommu, FSTS, 4, w->now);
    if ((status & 0xff) != 0) {
        world_fail(w, "FSTS is %#llx without a fault to record", (unsigned long long)status);
    }
}

bool world_has_fault(struct world *w)
{
    return (iommu_read(w->iommu, FSTS, 4, w->now) & 2) != 0;
}

/* Takes the one record that there should be. */
void world_take_fault(struct world *w, uint64_t *low, uint64_t *high)
{
    uint64_t status = iommu_read(w->iommu, FSTS, 4, w->now);
    if ((status & 3) != 2) {
        world_fail(w, "FSTS is %#llx with a fault recorded", (unsigned long long)status);
    }
    uint32_t at = record_offset(w, (unsigned)(status >> 8 & 0xff));
    *low = iommu_read(w->iommu, at, 8, w->now);
    *high = iommu_read(w->iommu, at + 8, 8, w->now);
    if (world_chance(w, 50)) {
        iommu_write(w->iommu, at + 8, 8, UINT64_C(1) << 63, w->now);
    } else {
        iommu_write(w->iommu, at + 12, 4, UINT32_C(1) << 31, w->now);
    }
    if (*high >> 63 == 0) {
        world_fail(w, "the fault record has no F");
    }
    world_expect_no_fault(w);
}

/*
 * More faults than fault records: the first ones are recorded, the rest is an overflow, and as long as software has not
 * cleared that, nothing is recorded any more. VT-d 7.3 "Primary Fault Logging".
 */
void world_fault_storm(struct world *w)
{
    unsigned records = (unsigned)(w->oracle.caps.cap >> 40 & 0xff) + 1, found = 0;
    struct iommu_request r = {.address = 0x1000, .bytes = 64, .access = IOMMU_WRITE};
    for (unsigned n = 0; n < records + 2; n++) {
        r.source = (uint16_t)(0x7700 + n); /* of a bus where nobody is */
        (void)iommu_translate(w->iommu, &r, w->now);
        bool overflow = (iommu_read(w->iommu, FSTS, 4, w->now) & 1) != 0;
        if (overflow != (n >= records)) {
            world_fail(w, "%u faults, %u records, overflow %d", n + 1, records, overflow);
        }
    }
    for (unsigned n = 0; n < records; n++) {
        uint64_t high = iommu_read(w->iommu, record_offset(w, n) + 8, 8, w->now);
        found |= 1u << (high & 31);
        if (high >> 63 == 0 || (high & 0xffff) < 0x7700 || (high & 0xffff) >= 0x7700 + records) {
            world_fail(w, "record %u has %#llx", n, (unsigned long long)high);
        }
        iommu_write(w->iommu, record_offset(w, n) + 8, 8, UINT64_C(1) << 63, w->now);
    }
    (void)iommu_translate(w->iommu, &r, w->now);
    if (found + 1 != 1u << records || (iommu_read(w->iommu, FSTS, 4, w->now) & 3) != 1) {
        world_fail(w, "after an overflow: sources %#x, FSTS %#llx", found,
                   (unsigned long long)iommu_read(w->iommu, FSTS, 4, w->now));
    }
    iommu_write(w->iommu, FSTS, 4, 1, w->now);
    world_expect_no_fault(w);
}
