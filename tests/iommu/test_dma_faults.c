/* SPDX-License-Identifier: MIT */
/* Each reason for which a DMA is blocked: what brings it about, and that it is recorded and goes away with FPD. */
#include "iommu/dma_scene.h"

#include <string.h>

#define RESERVED_HIGH (UINT64_C(1) << 50) /* above 46 bits of physical address */

struct fault_row {
    const char *name;
    uint8_t reason;
    enum scene_kind kind;
    void (*spoil)(struct scene *s);
    enum iommu_access access;
};

static void set_bits(struct scene *s, uint64_t address, uint64_t bits)
{
    dma_poke(s->lab, address, dma_peek(s->lab, address) | bits);
}

static void set_word(struct scene *s, uint64_t address, uint64_t value)
{
    dma_poke(s->lab, address, value);
}

/* Root table, context, PASID structures. */
static void root_beyond(struct scene *s)
{
    s->lab->root = DMA_BEYOND;
    dma_program(s->lab, s->lab->scalable ? IOMMU_SCALABLE : IOMMU_LEGACY, true);
}
static void root_absent(struct scene *s) { set_word(s, dma_root_entry(s->lab, SCENE_SOURCE), 0); }
static void root_reserved(struct scene *s) { set_bits(s, dma_root_entry(s->lab, SCENE_SOURCE), 2); }
static void root_high(struct scene *s) { set_bits(s, dma_root_entry(s->lab, SCENE_SOURCE), RESERVED_HIGH); }
static void root_second_word(struct scene *s) { set_word(s, dma_root_entry(s->lab, SCENE_SOURCE) + 8, 1); }
static void context_beyond(struct scene *s) { set_word(s, dma_root_entry(s->lab, SCENE_SOURCE), DMA_BEYOND | 1); }
static void context_absent(struct scene *s) { set_word(s, s->context, dma_peek(s->lab, s->context) & ~UINT64_C(1)); }
static void context_reserved(struct scene *s) { set_bits(s, s->context, 1 << 8); }
static void context_high(struct scene *s) { set_bits(s, s->context, RESERVED_HIGH); }
static void context_word1(struct scene *s) { set_bits(s, s->context + 8, UINT64_C(1) << 30); }
static void context_type(struct scene *s) { set_bits(s, s->context, 3 << 2); }
static void context_width(struct scene *s) { set_word(s, s->context + 8, 4); }
static void translated(struct scene *s) { s->request.type = IOMMU_TRANSLATED; }
static void no_device_tlb(struct scene *s)
{
    set_word(s, s->context, dma_peek(s->lab, s->context) & ~(IOMMU_SCALABLE_DTE | IOMMU_SCALABLE_PRE));
    translated(s);
}
static void context_word3(struct scene *s) { set_bits(s, s->context + 24, 1); }
static void context_pasids(struct scene *s)
{
    set_word(s, s->context, dma_peek(s->lab, s->context) & ~IOMMU_SCALABLE_PASIDE);
}
static void pasid_large(struct scene *s) { s->request.pasid = 8192; }
static void pasid_beyond_size(struct scene *s)
{
    s->lab->u->params.pasid_bits = 6; /* of PASID 45H bit 6 is set */
}
static void pasid_of_rid(struct scene *s) { set_word(s, s->context + 8, SCENE_PASID); }
static void rid_large(struct scene *s) { set_word(s, s->context + 8, 8192); }
static void page_requests_alone(struct scene *s)
{
    set_word(s, s->context, dma_peek(s->lab, s->context) & ~IOMMU_SCALABLE_DTE);
}
static void translated_pasid_alone(struct scene *s)
{
    set_word(s, s->context,
             (dma_peek(s->lab, s->context) & ~IOMMU_SCALABLE_PASIDE) | IOMMU_SCALABLE_EPTR);
}
static void rid_privileged(struct scene *s)
{
    s->lab->u->params.supervisor_requests = false;
    set_bits(s, s->context + 8, IOMMU_SCALABLE_RID_PRIV);
}
static void directory_beyond(struct scene *s) { set_word(s, s->context, DMA_BEYOND | IOMMU_SCALABLE_PASIDE | 1); }
static uint64_t directory(struct scene *s) { return dma_directory_entry(s->lab, SCENE_SOURCE, SCENE_PASID); }
static void directory_absent(struct scene *s) { set_word(s, directory(s), 0); }
static void directory_reserved(struct scene *s) { set_bits(s, directory(s), 4); }
static void table_beyond(struct scene *s) { set_word(s, directory(s), DMA_BEYOND | 1); }
static void pasid_absent(struct scene *s) { set_word(s, s->pasid, 0); }
static void pasid_reserved(struct scene *s) { set_bits(s, s->pasid, 1 << 10); }
static void pasid_last_word(struct scene *s) { set_bits(s, s->pasid + 56, UINT64_C(1) << 63); }
static void pasid_type(struct scene *s) { set_bits(s, s->pasid, 7 << 6); }
static void pasid_width(struct scene *s) { set_bits(s, s->pasid, 7 << 2); }
static void pasid_mode(struct scene *s) { set_bits(s, s->pasid + 16, 2 << 2); }
static void privileged(struct scene *s) { s->request.privileged = true; }
static void nothing(struct scene *s) { (void)s; }
static void version_8(struct scene *s)
{
    set_bits(s, s->pasid + 16, IOMMU_PASID_ERE); /* that is not the reason */
    s->lab->u->params.version = 8;
}

/* The root-table address register. */
static void mode_reserved(struct scene *s) { dma_program(s->lab, IOMMU_TABLE_RESERVED, true); }
static void mode_abort(struct scene *s) { dma_program(s->lab, IOMMU_ABORT_DMA, true); }
static void with_pasid(struct scene *s) { s->request.has_pasid = true; }

/* Paging structures. */
static uint64_t first(struct scene *s, unsigned level) { return dma_entry(&s->first, SCENE_IOVA, level); }
static uint64_t second(struct scene *s, unsigned level)
{
    return dma_entry(&s->second, s->first.lab != NULL ? SCENE_PAGE : SCENE_IOVA, level);
}
static void second_table_beyond(struct scene *s) { set_word(s, second(s, 3), DMA_BEYOND | 3); }
static void second_root_beyond(struct scene *s)
{
    uint64_t entry = s->lab->scalable ? s->pasid : s->context;
    set_word(s, entry, (dma_peek(s->lab, entry) & 0xfff) | DMA_BEYOND);
}
static void second_reserved(struct scene *s) { set_bits(s, second(s, 2), UINT64_C(1) << 62); }
static void second_absent(struct scene *s) { set_word(s, second(s, 1), SCENE_PAGE); }
static void second_read_only(struct scene *s) { set_word(s, second(s, 1), SCENE_PAGE | 1); }
static void second_write_only(struct scene *s) { set_word(s, second(s, 1), SCENE_PAGE | 2); }
static void second_interrupts(struct scene *s) { set_word(s, second(s, 1), UINT64_C(0xfee01000) | 3); }
static void address_wide(struct scene *s) { s->request.address |= UINT64_C(1) << 48; }
static void second_flags(struct scene *s)
{
    set_bits(s, s->pasid, IOMMU_PASID_SSADE);
    set_word(s, s->pasid + 8, SCENE_DOMAIN); /* PWSNP clear */
}
static void address_not_canonical(struct scene *s) { s->request.address |= UINT64_C(1) << 47; }
static void address_beyond_memory(struct scene *s) { s->request.address = UINT64_C(1) << 46; }
static void first_table_beyond(struct scene *s) { set_word(s, first(s, 3), DMA_BEYOND | 0x27); }
static void first_root_beyond(struct scene *s) { set_word(s, s->pasid + 16, DMA_BEYOND); }
static void first_absent(struct scene *s) { set_word(s, first(s, 1), 0); }
static void first_reserved(struct scene *s) { set_bits(s, first(s, 1), RESERVED_HIGH); }
static void first_supervisor(struct scene *s) { set_word(s, first(s, 1), SCENE_PAGE | 0x63); }
static void first_read_only(struct scene *s) { set_word(s, first(s, 1), SCENE_PAGE | 0x65); }
static void first_no_execute(struct scene *s)
{
    set_bits(s, s->pasid + 16, IOMMU_PASID_ERE | IOMMU_PASID_NXE);
    set_bits(s, first(s, 1), UINT64_C(1) << 63);
}
static void first_interrupts(struct scene *s) { set_word(s, first(s, 1), UINT64_C(0xfee01000) | 0x67); }
static void first_flags(struct scene *s)
{
    set_word(s, first(s, 1), SCENE_PAGE | 7);
    set_word(s, s->pasid + 8, SCENE_DOMAIN); /* PWSNP clear */
}
static void narrow(struct scene *s)
{
    /* Three levels reach 39 bits: the same tables, one level down. */
    uint64_t root = dma_peek(s->lab, s->second.root) & ~UINT64_C(0xfff);
    set_word(s, s->pasid, (dma_peek(s->lab, s->pasid) & 0xfe3) | root | 1 << 2);
}
/* The flags `bits` of an entry are clear, and it lies in memory that cannot be written. */
static void lock(struct scene *s, uint64_t entry, uint64_t bits)
{
    set_word(s, entry, dma_peek(s->lab, entry) & ~bits);
    s->lab->u->params.rom_base = entry;
    s->lab->u->params.rom_bytes = 8;
}
static void first_rom(struct scene *s) { lock(s, first(s, 2), 1 << 5); }
static void first_rom_clean(struct scene *s) { lock(s, first(s, 1), 1 << 6); }
static void second_rom(struct scene *s)
{
    set_bits(s, s->pasid, IOMMU_PASID_SSADE);
    lock(s, second(s, 2), 1 << 8);
}
static void second_rom_clean(struct scene *s)
{
    set_bits(s, s->pasid, IOMMU_PASID_SSADE);
    lock(s, second(s, 1), 1 << 9);
}
static void first_root_too_high(struct scene *s)
{
    set_word(s, s->pasid + 16, UINT64_C(1) << 39);
    narrow(s);
}
static void first_table_too_high(struct scene *s) { set_word(s, first(s, 2), UINT64_C(1) << 45 | 0x27); }
static void narrow_tables(struct scene *s)
{
    first_table_too_high(s);
    narrow(s);
}
static void narrow_page(struct scene *s)
{
    set_word(s, first(s, 1), UINT64_C(1) << 45 | 0x67);
    narrow(s);
}
/* The second stage's entry for the table of the first stage at a level. */
static uint64_t below(struct scene *s, unsigned level)
{
    return dma_entry(&s->second, first(s, level) & ~UINT64_C(0xfff), 1);
}
static void top_unreadable(struct scene *s) { set_word(s, below(s, 4), s->first.root | 2); }
static void lower_unreadable(struct scene *s)
{
    set_word(s, below(s, 2), (first(s, 2) & ~UINT64_C(0xfff)) | 2);
}
static void table_unwritable(struct scene *s)
{
    set_word(s, first(s, 1), SCENE_PAGE | 7);
    set_word(s, below(s, 1), (first(s, 1) & ~UINT64_C(0xfff)) | 1);
}

/* Host permissions: entry 0 of each table of 16-byte entries, and the permissions of page 0 in it. */
static void permission_root_beyond(struct scene *s) { set_word(s, s->pasid + 32, DMA_BEYOND); }
static void permission_table_beyond(struct scene *s) { set_word(s, s->permission[3] + 8, DMA_BEYOND | 1); }
static void permission_reserved(struct scene *s) { set_bits(s, s->permission[2] + 8, 2); }
static void permission_absent(struct scene *s) { set_word(s, s->permission[4] + 8, 0); }
static void permission_read_only(struct scene *s) { set_word(s, s->permission[1], 1); }
static void permission_write_only(struct scene *s) { set_word(s, s->permission[1], 2); }
static void permission_none(struct scene *s)
{
    set_word(s, s->permission[1], 0);
    s->lab->u->params.zero_length_reads = true;
    s->request.bytes = 0;
}
static void beyond_permissions(struct scene *s)
{
    s->lab->u->params.physical_bits = 52;
    s->request.address = UINT64_C(1) << 49;
}

static const struct fault_row rows[] = {
    {"LRT_1", 0x08, LEGACY, root_beyond, IOMMU_READ},
    {"LRT_2", 0x01, LEGACY, root_absent, IOMMU_READ},
    {"LRT_3", 0x0a, LEGACY, root_reserved, IOMMU_READ},
    {"LRT_3/address", 0x0a, LEGACY, root_high, IOMMU_READ},
    {"LRT_3/second_word", 0x0a, LEGACY, root_second_word, IOMMU_READ},
    {"LCT_1", 0x09, LEGACY, context_beyond, IOMMU_READ},
    {"LCT_2", 0x02, LEGACY, context_absent, IOMMU_READ},
    {"LCT_3", 0x0b, LEGACY, context_reserved, IOMMU_READ},
    {"LCT_3/address", 0x0b, LEGACY, context_high, IOMMU_READ},
    {"LCT_3/second_word", 0x0b, LEGACY, context_word1, IOMMU_READ},
    {"LCT_4/type", 0x03, LEGACY, context_type, IOMMU_READ},
    {"LCT_4/width", 0x03, LEGACY, context_width, IOMMU_READ},
    {"LCT_5", 0x0d, LEGACY, translated, IOMMU_READ},
    {"LSS_1", 0x07, LEGACY, second_table_beyond, IOMMU_READ},
    {"LCT_4/table", 0x03, LEGACY, second_root_beyond, IOMMU_READ},
    {"LSS_2", 0x0c, LEGACY, second_reserved, IOMMU_READ},
    {"LGN_1", 0x04, LEGACY, address_wide, IOMMU_READ},
    {"LGN_2", 0x05, LEGACY, second_read_only, IOMMU_WRITE},
    {"LGN_2/absent", 0x05, LEGACY, second_absent, IOMMU_WRITE},
    {"LGN_3", 0x06, LEGACY, second_write_only, IOMMU_READ},
    {"LGN_3/absent", 0x06, LEGACY, second_absent, IOMMU_READ},
    {"LGN_4", 0x0e, LEGACY, second_interrupts, IOMMU_WRITE},
    {"RTA_1", 0x30, LEGACY, mode_reserved, IOMMU_READ},
    {"RTA_2", 0x31, LEGACY, with_pasid, IOMMU_READ},
    {"RTA_4", 0x33, LEGACY, mode_abort, IOMMU_READ},
    {"RTA_5", 0x34, FIRST, version_8, IOMMU_EXECUTE},
    {"SRT_1", 0x38, FIRST, root_beyond, IOMMU_READ},
    {"SRT_2", 0x39, FIRST, root_absent, IOMMU_READ},
    {"SRT_3", 0x3a, FIRST, root_reserved, IOMMU_READ},
    {"SCT_1", 0x40, FIRST, context_beyond, IOMMU_READ},
    {"SCT_2", 0x41, FIRST, context_absent, IOMMU_READ},
    {"SCT_3", 0x42, FIRST, context_reserved, IOMMU_READ},
    {"SCT_3/word1", 0x42, FIRST, context_word1, IOMMU_READ},
    {"SCT_3/word3", 0x42, FIRST, context_word3, IOMMU_READ},
    {"SCT_4/supervisor", 0x43, FIRST, rid_privileged, IOMMU_READ},
    {"SCT_4/page_requests", 0x43, FIRST, page_requests_alone, IOMMU_READ},
    {"SCT_4/rid_pasid", 0x43, FIRST, rid_large, IOMMU_READ},
    {"SCT_4/translated_pasid", 0x43, FIRST, translated_pasid_alone, IOMMU_READ},
    {"SCT_5", 0x44, FIRST, no_device_tlb, IOMMU_READ},
    {"SCT_6", 0x45, FIRST, context_pasids, IOMMU_READ},
    {"SCT_7", 0x46, FIRST, pasid_large, IOMMU_READ},
    {"SCT_9", 0x48, FIRST, pasid_of_rid, IOMMU_READ},
    {"SCT_10", 0x49, FIRST, translated, IOMMU_READ},
    {"SPD_1", 0x50, FIRST, directory_beyond, IOMMU_READ},
    {"SPD_2", 0x51, FIRST, directory_absent, IOMMU_READ},
    {"SPD_3", 0x52, FIRST, directory_reserved, IOMMU_READ},
    {"SPT_1", 0x58, FIRST, table_beyond, IOMMU_READ},
    {"SPT_2", 0x59, FIRST, pasid_absent, IOMMU_READ},
    {"SPT_3", 0x5a, FIRST, pasid_reserved, IOMMU_READ},
    {"SPT_3/last_word", 0x5a, FIRST, pasid_last_word, IOMMU_READ},
    {"SPT_4/type", 0x5b, FIRST, pasid_type, IOMMU_READ},
    {"SPT_4/width", 0x5b, SECOND, pasid_width, IOMMU_READ},
    {"SPT_4/paging_mode", 0x5b, FIRST, pasid_mode, IOMMU_READ},
    {"SPT_4/root", 0x5b, NESTED, first_root_too_high, IOMMU_READ},
    {"SPT_5", 0x5c, FIRST, nothing, IOMMU_EXECUTE},
    {"SPT_6", 0x5d, FIRST, privileged, IOMMU_READ},
    {"SPT_9", 0x60, HOST, beyond_permissions, IOMMU_READ},
    {"SFS_1", 0x70, FIRST, first_table_beyond, IOMMU_READ},
    {"SFS_2", 0x71, FIRST, first_absent, IOMMU_READ},
    {"SFS_3", 0x72, FIRST, first_reserved, IOMMU_READ},
    {"SFS_4", 0x73, FIRST, first_root_beyond, IOMMU_READ},
    {"SFS_5/table", 0x74, NESTED, narrow_tables, IOMMU_READ},
    {"SFS_5/page", 0x74, NESTED, narrow_page, IOMMU_READ},
    {"SFS_6", 0x75, NESTED, top_unreadable, IOMMU_READ},
    {"SFS_7", 0x76, NESTED, lower_unreadable, IOMMU_READ},
    {"SFS_8", 0x77, NESTED, table_unwritable, IOMMU_READ},
    {"SFS_9", 0x90, FIRST, first_flags, IOMMU_READ},
    {"SFS_10", 0x91, FIRST, first_rom, IOMMU_READ},
    {"SFS_10/dirty", 0x91, FIRST, first_rom_clean, IOMMU_WRITE},
    {"SFS_10/nested", 0x91, NESTED, first_rom, IOMMU_READ},
    {"SSS_1", 0x78, SECOND, second_table_beyond, IOMMU_READ},
    {"SSS_2", 0x79, SECOND, second_absent, IOMMU_READ},
    {"SSS_3", 0x7a, SECOND, second_reserved, IOMMU_READ},
    {"SSS_4", 0x7b, SECOND, second_root_beyond, IOMMU_READ},
    {"SSS_5", 0x7c, SECOND, second_flags, IOMMU_READ},
    {"SSS_6", 0x7d, SECOND, second_rom, IOMMU_READ},
    {"SSS_6/dirty", 0x7d, SECOND, second_rom_clean, IOMMU_WRITE},
    {"SSS_6/nested", 0x7d, NESTED, second_rom, IOMMU_READ},
    {"SGN_1", 0x80, FIRST, address_not_canonical, IOMMU_READ},
    {"SGN_2", 0x81, FIRST, first_supervisor, IOMMU_READ},
    {"SGN_3", 0x82, FIRST, first_no_execute, IOMMU_EXECUTE},
    {"SGN_4", 0x83, PASS, address_beyond_memory, IOMMU_READ},
    {"SGN_5", 0x84, SECOND, address_wide, IOMMU_READ},
    {"SGN_6/first", 0x85, FIRST, first_read_only, IOMMU_WRITE},
    {"SGN_6/second", 0x85, SECOND, second_read_only, IOMMU_WRITE},
    {"SGN_6/nested", 0x85, NESTED, second_read_only, IOMMU_WRITE},
    {"SGN_7", 0x86, SECOND, second_write_only, IOMMU_READ},
    {"SGN_8/first", 0x87, FIRST, first_interrupts, IOMMU_WRITE},
    {"SGN_8/second", 0x87, SECOND, second_interrupts, IOMMU_WRITE},
    {"SGN_10", 0x89, FIRST, pasid_beyond_size, IOMMU_READ},
    {"HPT_1", 0xa0, HOST, permission_table_beyond, IOMMU_READ},
    {"HPT_2", 0xa1, HOST, permission_reserved, IOMMU_READ},
    {"HPT_3", 0xa2, HOST, permission_root_beyond, IOMMU_READ},
    {"HPT_4", 0xa3, HOST, permission_none, IOMMU_READ},
    {"HPT_5", 0xa4, HOST, permission_read_only, IOMMU_WRITE},
    {"HPT_5/absent", 0xa4, HOST, permission_absent, IOMMU_WRITE},
    {"HPT_6", 0xa5, HOST, permission_write_only, IOMMU_READ},
    {"HPT_6/absent", 0xa5, HOST, permission_absent, IOMMU_READ},
};

static struct scene bare_scene(enum scene_kind kind, enum iommu_access access)
{
    struct iommu_params params = dma_bare_params();
    return scene_new(&params, kind, access);
}

/* The request passes until it is spoilt, and then fails for exactly that reason. */
static void reason(void **state)
{
    const struct fault_row *row = *state;
    struct scene s = bare_scene(row->kind, row->access);
    if (row->access != IOMMU_EXECUTE) {
        assert_true(dma_send(s.lab, &s.request).ok);
    }
    row->spoil(&s);
    dma_expect_fault(s.lab, &s.request, row->reason);
    assert_int_equal(s.lab->u->stats.faults_recorded, 1);
    assert_int_equal(s.lab->u->stats.blocked, 1);
    uint64_t record = iommu_read(s.lab->u, IOMMU_FRCD_HIGH, 8, 0);
    assert_int_equal(record >> 32 & 0xff, row->reason);
    assert_int_equal(record & 0xffff, SCENE_SOURCE);
    assert_int_equal(iommu_read(s.lab->u, IOMMU_FRCD_LOW, 8, 0), s.request.address & ~UINT64_C(0xfff));
    dma_lab_free(s.lab);
}

/*
 * With FPD in the context entry a fault is recorded only when it is met before that entry was read, or when the PASID
 * structures cannot be read.
 */
static void disabled(void **state)
{
    const struct fault_row *row = *state;
    struct scene s = bare_scene(row->kind, row->access);
    set_bits(&s, s.context, IOMMU_CONTEXT_FPD);
    row->spoil(&s);
    if (row->spoil == directory_beyond) {
        set_bits(&s, s.context, IOMMU_CONTEXT_FPD);
    }
    dma_expect_fault(s.lab, &s.request, row->reason);
    bool before = row->reason == 0x08 || row->reason == 0x01 || row->reason == 0x0a || row->reason == 0x09 ||
                  (row->reason >= 0x30 && row->reason <= 0x40) || row->reason == 0x50 || row->reason == 0x58;
    assert_int_equal(s.lab->u->stats.faults_recorded, before);
    assert_int_equal(s.lab->u->stats.faults_suppressed, !before);
    dma_lab_free(s.lab);
}

/* FPD in the PASID directory's entry, and in the PASID table's, counts too; also when they are not present. */
static void disabled_below(void **state)
{
    (void)state;
    for (unsigned in_table = 0; in_table < 2; in_table++) {
        struct scene s = bare_scene(FIRST, IOMMU_READ);
        set_word(&s, in_table != 0 ? s.pasid : directory(&s), 2);
        dma_expect_fault(s.lab, &s.request, in_table != 0 ? 0x59 : 0x51);
        assert_int_equal(s.lab->u->stats.faults_suppressed, 1);
        dma_lab_free(s.lab);
    }
}

/* Page requests have reasons of their own. */
static void no_page_requests(struct scene *s)
{
    set_word(s, s->context, dma_peek(s->lab, s->context) & ~IOMMU_SCALABLE_PRE);
}

static const struct fault_row page_request_rows[] = {
    {"RTA_3", 0x32, LEGACY, nothing, IOMMU_READ},
    {"SCT_8", 0x47, FIRST, no_page_requests, IOMMU_READ},
};

static void page_request(void **state)
{
    const struct fault_row *row = *state;
    struct scene s = bare_scene(row->kind, row->access);
    const struct iommu_page_request request = {.source = SCENE_SOURCE, .address = SCENE_IOVA, .read = true, .last = true};
    row->spoil(&s);
    iommu_page_request(s.lab->u, &request, 0);
    assert_int_equal(iommu_read(s.lab->u, IOMMU_FRCD_HIGH, 8, 0) >> 32 & 0xff, row->reason);
    dma_lab_free(s.lab);
}

static bool has_row(const struct fault_row *table, size_t count, uint8_t reason)
{
    for (size_t r = 0; r < count; r++) {
        if (table[r].reason == reason) {
            return true;
        }
    }
    return false;
}

/* No reason without a row, which provokes it; those of interrupts are in test_interrupt_remapping.c. */
static void complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < iommu_fault_count; i++) {
        const struct iommu_fault_row *fault = &iommu_fault_rows[i];
        if (fault->area == IOMMU_AREA_DMA && !has_row(rows, HV_ARRAY_LEN(rows), fault->number) &&
            !has_row(page_request_rows, HV_ARRAY_LEN(page_request_rows), fault->number)) {
            fail_msg("reason %#x (%s) has no test", fault->number, fault->code);
        }
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(fault->number, iommu_fault_rows[j].number);
        }
    }
}

static struct CMUnitTest reason_tests[HV_ARRAY_LEN(rows)], disabled_tests[HV_ARRAY_LEN(rows)],
    page_request_tests[HV_ARRAY_LEN(page_request_rows)];

int main(int argc, char **argv)
{
    static const struct CMUnitTest rest[] = {
        cmocka_unit_test(disabled_below), cmocka_unit_test(complete),
    };
    gtest_rows(reason_tests, reason, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    gtest_rows(disabled_tests, disabled, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    gtest_rows(page_request_tests, page_request, page_request_rows, sizeof(page_request_rows[0]),
               HV_ARRAY_LEN(page_request_rows));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("PageRequestFault", page_request_tests), GTEST_SUITE("DmaFault", reason_tests),
        GTEST_SUITE("DmaFaultDisabled", disabled_tests),
        GTEST_SUITE("DmaFaults", rest),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
