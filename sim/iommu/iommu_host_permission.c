/* SPDX-License-Identifier: MIT */
/*
 * The host permission table: which host addresses a device may use in translated requests, those whose address its own
 * TLB has translated. VT-d "Host Permission Table" (4.2.4), "Host Permission Table Entries" (9.12).
 *
 * Four levels of tables with 16-byte entries, from HPTL4E to HPTL1E. An entry leads to the table below; from HPTL3E on
 * it also has 4 bits of permissions for each page that it stands for: 8 of 1 GiB, 16 of 2 MiB, 32 of 4 KiB.
 *
 * MODEL: entries are not cached, so an invalidation of that cache has nothing to do, and a walk takes no walker.
 */
#include "iommu/iommu_parts.h"
#include "iommu/iommu_tables.h"

enum { LEVELS = 4, ENTRY_BYTES = 16, PERMISSION_BITS = 4, READ = 1, WRITE = 2, SMALLEST_ADDRESS_BITS = 49 };

#define ADDRESS_VALID UINT64_C(1)
#define TABLE_RESERVED UINT64_C(0xffe)   /* bits 75:65 */
#define TABLE_IGNORED UINT64_C(0xfff0000000000000) /* bits 127:116 */
#define PERMISSION_RESERVED UINT64_C(0xcccccccccccccccc)

/* The entry that an address leads to at each level, and the permissions in it. */
static const struct level {
    unsigned entry_shift;
    unsigned page_shift;
    uint64_t pages;          /* permissions in an entry; 0: none */
    uint64_t reserved_words; /* of its lower half, bits beside permissions */
} levels[LEVELS + 1] = {
    [4] = {41, 0, 0, UINT64_MAX}, [3] = {33, 30, 8, UINT64_C(0xffffffff00000000)}, [2] = {25, 21, 16, 0},
    [1] = {17, 12, 32, 0},
};

static bool has_reserved(const struct iommu *u, unsigned level, const uint64_t *word)
{
    if (level == 1) {
        return ((word[0] | word[1]) & PERMISSION_RESERVED) != 0;
    }
    uint64_t beyond = iommu_beyond(u) & ~TABLE_IGNORED;
    return (word[0] & (levels[level].reserved_words | PERMISSION_RESERVED)) != 0 ||
           (word[1] & (TABLE_RESERVED | beyond)) != 0;
}

/* What an entry allows for the page of an address; 0: it does not say. */
static unsigned permissions_of(unsigned level, const uint64_t *word, uint64_t address)
{
    if (levels[level].pages == 0) {
        return 0;
    }
    unsigned bit = (unsigned)(address >> levels[level].page_shift & (levels[level].pages - 1)) * PERMISSION_BITS;
    return word[bit / 64] >> bit % 64 & (READ | WRITE);
}

/* The walk: from the top as far as an entry says what is allowed, or leads nowhere. */
static enum iommu_reason find_permissions(struct iommu_lookup *l, uint64_t address, unsigned *permissions)
{
    const struct iommu_mapping *m = l->mapping;
    uint64_t table = m->host_permissions, index = address >> levels[LEVELS].entry_shift;
    *permissions = 0;
    for (unsigned level = LEVELS;; level--) {
        uint64_t word[2];
        l->u->stats.permission_refs++;
        if (!iommu_read_entry(&l->reader, table + index * ENTRY_BYTES, word, HV_ARRAY_LEN(word))) {
            return level == LEVELS ? IOMMU_FAULT_HPT_3 : IOMMU_FAULT_HPT_1;
        }
        if (has_reserved(l->u, level, word)) {
            return IOMMU_FAULT_HPT_2;
        }
        *permissions = permissions_of(level, word, address);
        if (*permissions != 0 || level == 1 || (word[1] & ADDRESS_VALID) == 0) {
            return IOMMU_FAULT_NONE;
        }
        table = word[1] & IOMMU_POINTER & ~TABLE_IGNORED;
        index = address >> levels[level - 1].entry_shift & 255;
    }
}

enum iommu_reason iommu_check_host_permission(struct iommu_lookup *l)
{
    const struct iommu_request *r = l->request;
    unsigned permissions;
    if (r->address >> (SMALLEST_ADDRESS_BITS + l->mapping->host_permission_size) != 0) {
        return IOMMU_FAULT_SPT_9;
    }
    l->reader.snooped = l->mapping->snooped;
    l->u->stats.permission_walks++;
    enum iommu_reason reason = find_permissions(l, r->address, &permissions);
    if (reason != IOMMU_FAULT_NONE) {
        return reason;
    }
    if (iommu_is_zero_length_read(l->u, r)) {
        return permissions == 0 ? IOMMU_FAULT_HPT_4 : IOMMU_FAULT_NONE;
    }
    if (r->access == IOMMU_WRITE) {
        return (permissions & WRITE) == 0 ? IOMMU_FAULT_HPT_5 : IOMMU_FAULT_NONE;
    }
    return (permissions & READ) == 0 ? IOMMU_FAULT_HPT_6 : IOMMU_FAULT_NONE;
}
