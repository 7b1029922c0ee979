/* SPDX-License-Identifier: MIT */
/*
 * check.stale finds each cached translation that memory no longer backs and names the instruction that was forgotten;
 * and it stays silent when the instruction was given, or when software only widened rights.
 */
#include "gtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

enum { LATER = 1000000 }; /* the walk of the first use, which begins at 0, is over */

/* --- The caches under which a change is made: one at a time ----------------------------------------------------- */

enum holder { BY_TLB, BY_NESTED_TLB, BY_GUEST_TABLES, BY_HOST_TABLES, BY_GUEST_ENTRIES, BY_HOST_ENTRIES };

static struct mmu_config config_of(enum holder holder)
{
    struct mmu_config config = rig_bare_config();
    config.check_stale = true;
    enum hv_dimension d = holder == BY_HOST_TABLES || holder == BY_HOST_ENTRIES ? HV_HOST : HV_GUEST;
    switch (holder) {
    case BY_TLB:
        rig_add_tlb(&config, TLB_L1D_4K, 16, 1, 0);
        rig_add_tlb(&config, TLB_L1I_4K, 16, 1, 0);
        rig_add_tlb(&config, TLB_L2, 16, 3, 0);
        break;
    case BY_NESTED_TLB:
        config.nested_tlb.entries = 16;
        break;
    case BY_GUEST_TABLES:
    case BY_HOST_TABLES:
        config.pwc.kind = PWC_TRANSLATION;
        config.pwc_level[d][2].entries = 16;
        break;
    case BY_GUEST_ENTRIES:
    case BY_HOST_ENTRIES:
        config.pwc.kind = PWC_ENTRY;
        config.pwc_level[d][2].entries = 16;
        break;
    }
    return config;
}

/* --- What software does between two uses ------------------------------------------------------------------------ */

struct bed {
    struct rig *r;
    struct rig_guest g;
};

static void change(struct bed *b, hv_hpa entry, uint64_t clear, uint64_t set)
{
    uint64_t value = physmem_read64(&b->r->memory, entry);
    physmem_write64(&b->r->memory, entry, (value & ~clear) | set);
}

static hv_hpa guest_entry(struct bed *b, unsigned level)
{
    return rig_entry(&b->g.guest, RIG_GVA, level);
}

static hv_hpa data_ept_entry(struct bed *b, unsigned level)
{
    return rig_entry(&b->g.ept, b->g.data_gpa, level);
}

static void nothing(struct bed *b)
{
    (void)b;
}

static void unmap_pte(struct bed *b)
{
    change(b, guest_entry(b, 1), 1, 0);
}

/* The neighbouring page of guest-physical memory, which EPT maps too. */
static void remap_pte(struct bed *b)
{
    rig_map(&b->g.ept, b->g.data_gpa + HV_PAGE_BYTES, RIG_BASE + b->g.data_gpa + HV_PAGE_BYTES, HV_PAGE_4K);
    change(b, guest_entry(b, 1), 0, 0);
    physmem_write64(&b->r->memory, guest_entry(b, 1),
                    physmem_read64(&b->r->memory, guest_entry(b, 1)) + HV_PAGE_BYTES);
}

/* To a page that EPT does not map. */
static void lose_pte(struct bed *b)
{
    change(b, guest_entry(b, 1), RADIX_ADDRESS_MASK, HV_GIB(32));
}

static void write_protect_pte(struct bed *b)
{
    change(b, guest_entry(b, 1), 2, 0);
}

static void widen_pte(struct bed *b)
{
    change(b, guest_entry(b, 1), UINT64_C(1) << 63, 0);
}

/* The last table of the guest moves to another page of guest-physical memory. */
static void move_guest_table(struct bed *b)
{
    uint64_t old = physmem_read64(&b->r->memory, guest_entry(b, 1));
    uint64_t gpa = b->g.guest.next;
    b->g.guest.next += HV_PAGE_BYTES;
    rig_map(&b->g.ept, gpa, RIG_BASE + gpa, HV_PAGE_4K);
    change(b, guest_entry(b, 2), RADIX_ADDRESS_MASK, gpa);
    physmem_write64(&b->r->memory, guest_entry(b, 1), old);
}

static void write_protect_guest_tables(struct bed *b)
{
    change(b, guest_entry(b, 2), 2, 0);
}

static void widen_guest_tables(struct bed *b)
{
    change(b, guest_entry(b, 2), UINT64_C(1) << 63, 0);
}

static void unmap_ept(struct bed *b)
{
    change(b, data_ept_entry(b, 1), 7, 0);
}

static void remap_ept(struct bed *b)
{
    change(b, data_ept_entry(b, 1), 0, HV_GIB(32));
}

static void write_protect_ept(struct bed *b)
{
    change(b, data_ept_entry(b, 1), 2, 0);
}

static void widen_ept(struct bed *b)
{
    change(b, data_ept_entry(b, 1), 0, 4);
}

/* The EPT's last table for the data page moves in host memory. */
static void move_ept_table(struct bed *b)
{
    uint64_t old = physmem_read64(&b->r->memory, data_ept_entry(b, 1));
    change(b, data_ept_entry(b, 2), RADIX_ADDRESS_MASK, b->g.ept.next);
    b->g.ept.next += HV_PAGE_BYTES;
    physmem_write64(&b->r->memory, data_ept_entry(b, 1), old);
}

static void write_protect_ept_tables(struct bed *b)
{
    change(b, data_ept_entry(b, 2), 2, 0);
}

static void widen_ept_tables(struct bed *b)
{
    change(b, data_ept_entry(b, 2), 0, 4);
}

/* --- The rows --------------------------------------------------------------------------------------------------- */

struct row {
    const char *name;
    enum holder holder;
    void (*change)(struct bed *b);
    const char *named; /* the instruction that the finding names; NULL: there is none to find */
};

static const struct row rows[] = {
    {"tlb/nothing", BY_TLB, nothing, NULL},
    {"tlb/unmap_pte", BY_TLB, unmap_pte, "INVLPG"},
    {"tlb/remap_pte", BY_TLB, remap_pte, "INVLPG"},
    {"tlb/lose_pte", BY_TLB, lose_pte, "INVLPG"},
    {"tlb/write_protect_pte", BY_TLB, write_protect_pte, "INVLPG"},
    {"tlb/widen_pte", BY_TLB, widen_pte, NULL},
    {"tlb/unmap_ept", BY_TLB, unmap_ept, "INVEPT"},
    {"tlb/remap_ept", BY_TLB, remap_ept, "INVEPT"},
    {"tlb/write_protect_ept", BY_TLB, write_protect_ept, "INVEPT"},
    {"tlb/widen_ept", BY_TLB, widen_ept, NULL},
    {"tlb/move_guest_table", BY_TLB, move_guest_table, NULL}, /* it still leads to the same page */
    {"nested_tlb/nothing", BY_NESTED_TLB, nothing, NULL},
    {"nested_tlb/unmap_ept", BY_NESTED_TLB, unmap_ept, "INVEPT"},
    {"nested_tlb/remap_ept", BY_NESTED_TLB, remap_ept, "INVEPT"},
    {"nested_tlb/write_protect_ept", BY_NESTED_TLB, write_protect_ept, "INVEPT"},
    {"nested_tlb/widen_ept", BY_NESTED_TLB, widen_ept, NULL},
    {"nested_tlb/remap_pte", BY_NESTED_TLB, remap_pte, NULL}, /* no guest-physical mapping depends on it */
    {"guest_tables/nothing", BY_GUEST_TABLES, nothing, NULL},
    {"guest_tables/move", BY_GUEST_TABLES, move_guest_table, "INVLPG"},
    {"guest_tables/write_protect", BY_GUEST_TABLES, write_protect_guest_tables, "INVLPG"},
    {"guest_tables/widen", BY_GUEST_TABLES, widen_guest_tables, NULL},
    {"guest_tables/remap_pte", BY_GUEST_TABLES, remap_pte, NULL}, /* the walk reads the PTE itself */
    {"host_tables/nothing", BY_HOST_TABLES, nothing, NULL},
    {"host_tables/move", BY_HOST_TABLES, move_ept_table, "INVEPT"},
    {"host_tables/write_protect", BY_HOST_TABLES, write_protect_ept_tables, "INVEPT"},
    {"host_tables/widen", BY_HOST_TABLES, widen_ept_tables, NULL},
    {"host_tables/remap_ept", BY_HOST_TABLES, remap_ept, NULL},
    {"guest_entries/nothing", BY_GUEST_ENTRIES, nothing, NULL},
    {"guest_entries/move", BY_GUEST_ENTRIES, move_guest_table, "INVLPG"},
    {"guest_entries/write_protect", BY_GUEST_ENTRIES, write_protect_guest_tables, "INVLPG"},
    {"guest_entries/widen", BY_GUEST_ENTRIES, widen_guest_tables, NULL},
    {"host_entries/nothing", BY_HOST_ENTRIES, nothing, NULL},
    {"host_entries/move", BY_HOST_ENTRIES, move_ept_table, "INVEPT"},
    {"host_entries/write_protect", BY_HOST_ENTRIES, write_protect_ept_tables, "INVEPT"},
    {"host_entries/widen", BY_HOST_ENTRIES, widen_ept_tables, NULL},
};

/*
 * Both levels of the guest and of EPT that are changed start without execute permission, so that there is something to
 * widen; everything is mapped and used once, so that the caches hold it.
 */
static struct bed used_once(enum holder holder)
{
    static const struct rig_guest_shape shape = {4, 4, HV_PAGE_4K, HV_PAGE_4K, HV_PAGE_4K};
    struct mmu_config config = config_of(holder);
    struct bed b = {.r = rig_new(&config, RIG_MEMORY_BYTES)};
    b.g = rig_build_guest(b.r, &shape);
    for (unsigned level = 1; level <= 2; level++) {
        change(&b, guest_entry(&b, level), 0, UINT64_C(1) << 63);
        change(&b, data_ept_entry(&b, level), 4, 0);
    }
    struct mmu_reply reply;
    assert_true(mmu_translate(&b.r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply));
    assert_int_equal(b.r->mmu.stats.stale_found, 0);
    return b;
}

/* The report's only line; the caller frees it. */
static char *report(struct rig *r, size_t *count)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    *count = stale_report(&r->mmu, out);
    fclose(out);
    return text;
}

/* In its end the sentence says what is missing; the word before may be of the other dimension's instruction. */
static void check_report(struct rig *r, const char *named)
{
    size_t count;
    char *text = report(r, &count);
    assert_int_equal(count, named != NULL ? 1 : 0);
    assert_int_equal(r->mmu.stats.stale_found, count);
    if (named != NULL) {
        assert_non_null(strstr(text, named));
        assert_non_null(strstr(text, "missing"));
        assert_int_equal(text[strlen(text) - 1], '\n');
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    } else {
        assert_string_equal(text, "");
    }
    free(text);
}

static void without_the_instruction(void **state)
{
    const struct row *row = *state;
    struct bed b = used_once(row->holder);
    struct mmu_reply reply;
    row->change(&b);
    (void)mmu_translate(&b.r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, LATER, &reply);
    check_report(b.r, row->named);
    rig_free(b.r);
}

static void with_the_instruction(void **state)
{
    const struct row *row = *state;
    struct bed b = used_once(row->holder);
    struct mmu_reply reply;
    row->change(&b);
    if (row->named != NULL && strcmp(row->named, "INVEPT") == 0) {
        assert_true(mmu_invept(&b.r->mmu, MMU_INVEPT_CONTEXT, b.r->mmu.env.regs.eptp));
    } else if (row->named != NULL) {
        mmu_invlpg(&b.r->mmu, (hv_gva){RIG_GVA});
    }
    (void)mmu_translate(&b.r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, LATER, &reply);
    check_report(b.r, NULL);
    rig_free(b.r);
}

/* The wrong instruction does not help: INVLPG removes no guest-physical mapping. */
static void invlpg_does_not_replace_invept(void **state)
{
    (void)state;
    struct bed b = used_once(BY_NESTED_TLB);
    struct mmu_reply reply;
    remap_ept(&b);
    mmu_invlpg(&b.r->mmu, (hv_gva){RIG_GVA});
    (void)mmu_translate(&b.r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, LATER, &reply);
    check_report(b.r, "INVEPT");
    rig_free(b.r);
}

/* Hardware does not notice: the stale translation is what the access gets. */
static void the_access_gets_the_stale_translation(void **state)
{
    (void)state;
    struct bed b = used_once(BY_TLB);
    struct mmu_reply reply;
    unmap_pte(&b);
    assert_true(mmu_translate(&b.r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, LATER, &reply));
    assert_int_equal(reply.hpa.v, RIG_BASE + b.g.data_gpa);
    assert_false(reply.walked);
    rig_free(b.r);
}

/* Natively there is only one instruction to forget. */
static void native_findings_name_invlpg(void **state)
{
    (void)state;
    struct mmu_config config = config_of(BY_TLB);
    struct rig *r = rig_new(&config, RIG_MEMORY_BYTES);
    struct rig_tables t = rig_tables_new(r, HV_MIB(1), 0, 4);
    rig_map(&t, RIG_GVA, HV_GIB(1), HV_PAGE_4K);
    struct mmu_regs regs = rig_regs(&t, NULL);
    mmu_set_context(&r->mmu, &regs);
    struct mmu_reply reply;
    assert_true(mmu_translate(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, 0, &reply));
    rig_map(&t, RIG_GVA, HV_GIB(2), HV_PAGE_4K);
    assert_true(mmu_translate(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, LATER, &reply));
    check_report(r, "INVLPG");
    mmu_invlpg(&r->mmu, (hv_gva){RIG_GVA});
    assert_true(mmu_translate(&r->mmu, (hv_gva){RIG_GVA}, HV_LOAD, LATER, &reply));
    assert_int_equal(r->mmu.stats.stale_found, 1);
    rig_free(r);
}

int main(int argc, char **argv)
{
    struct CMUnitTest without[HV_ARRAY_LEN(rows)], with[HV_ARRAY_LEN(rows)];
    gtest_rows(without, without_the_instruction, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    gtest_rows(with, with_the_instruction, rows, sizeof(rows[0]), HV_ARRAY_LEN(rows));
    const struct CMUnitTest others[] = {
        cmocka_unit_test(invlpg_does_not_replace_invept),
        cmocka_unit_test(the_access_gets_the_stale_translation),
        cmocka_unit_test(native_findings_name_invlpg),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("StaleFound", without), GTEST_SUITE("StaleAvoided", with), GTEST_SUITE("Stale", others),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
