/* SPDX-License-Identifier: MIT */
/*
 * A page-table entry field by field, from bit 0 up, as the manuals draw it.
 *
 * Sources: SDM Vol. 3A Tables 4-15 to 4-20 for IA-32e paging, Vol. 3C Tables 29-1 to 29-7 (28-1 to 28-7 in editions
 * before 2022) for EPT. NPT has the format of IA-32e paging (APM Vol. 2 15.25.5).
 */
#include "machine/explain.h"

/* What an entry can be; a row of the tables below holds for some of them. */
enum {
    TOP = 1,    /* a table pointer at level 4 or 5 */
    MIDDLE = 2, /* a table pointer at level 2 or 3 */
    PAGE_4K = 4,
    PAGE_2M = 8,
    PAGE_1G = 16,
    ABSENT = 32,
    POINTER = TOP | MIDDLE,
    LARGE = PAGE_2M | PAGE_1G,
    PAGE = PAGE_4K | LARGE,
    ENTRY = POINTER | PAGE,
};

struct row {
    unsigned kinds;
    uint8_t high, low;
    const char *name;
    const char *meaning[2]; /* when all its bits are clear, and when not */
};

#define SAME(text) {text, text}
#define IGNORED "ignored", SAME("the hardware ignores it")
#define RESERVED "reserved", {"has to be 0", "has to be 0, and is not: the walk ends in a fault"}

static const struct row ia32e_rows[] = {
    {ENTRY | ABSENT, 0, 0, "P", {"not present", "present"}},
    {ABSENT, 63, 1, IGNORED},
    {ENTRY, 1, 1, "R/W", {"no writes", "writes allowed"}},
    {ENTRY, 2, 2, "U/S", {"supervisor mode only", "user mode allowed"}},
    {ENTRY, 3, 3, "PWT", {"page-level write-through is off", "page-level write-through is on"}},
    {ENTRY, 4, 4, "PCD", {"page-level cache disable is off", "page-level cache disable is on"}},
    {ENTRY, 5, 5, "A", {"not accessed yet", "has been accessed"}},
    {POINTER, 6, 6, IGNORED},
    {PAGE, 6, 6, "D", {"the page was not written yet", "the page has been written"}},
    {TOP, 7, 7, RESERVED},
    {MIDDLE | LARGE, 7, 7, "PS", {"points to a table", "is a large page"}},
    {PAGE_4K, 7, 7, "PAT", SAME("selects the memory type, with PCD and PWT")},
    {POINTER, 11, 8, IGNORED},
    {PAGE, 8, 8, "G", {"of one address space", "global: of all address spaces"}},
    {PAGE, 11, 9, IGNORED},
    {LARGE, 12, 12, "PAT", SAME("selects the memory type, with PCD and PWT")},
    {PAGE_2M, 20, 13, RESERVED},
    {PAGE_1G, 29, 13, RESERVED},
    {POINTER, 51, 12, "address", SAME("where the next table lies")},
    {PAGE_4K, 51, 12, "address", SAME("where the page lies")},
    {PAGE_2M, 51, 21, "address", SAME("where the page lies")},
    {PAGE_1G, 51, 30, "address", SAME("where the page lies")},
    {POINTER, 62, 52, IGNORED},
    {PAGE, 58, 52, IGNORED},
    {PAGE, 62, 59, "key", SAME("protection key")},
    {ENTRY, 63, 63, "XD", {"instruction fetches allowed", "no instruction fetches"}},
};

static const struct row ept_rows[] = {
    {ENTRY | ABSENT, 0, 0, "R", {"no reads", "reads allowed"}},
    {ENTRY | ABSENT, 1, 1, "W", {"no writes", "writes allowed"}},
    {ENTRY | ABSENT, 2, 2, "X", {"no instruction fetches", "instruction fetches allowed"}},
    {ABSENT, 63, 3, IGNORED},
    {TOP, 7, 3, RESERVED},
    {MIDDLE, 6, 3, RESERVED},
    {PAGE, 5, 3, "type", {NULL, NULL}},
    {PAGE, 6, 6, "IPAT", {"the guest's PAT has a say in the memory type", "the guest's PAT is ignored"}},
    {MIDDLE | LARGE, 7, 7, "PS", {"points to a table", "is a large page"}},
    {PAGE_4K, 7, 7, IGNORED},
    {ENTRY, 8, 8, "A", {"not accessed yet", "has been accessed"}},
    {POINTER, 9, 9, IGNORED},
    {PAGE, 9, 9, "D", {"the page was not written yet", "the page has been written"}},
    {ENTRY, 10, 10, "XU", SAME("fetches in user mode, with mode-based execute control only")},
    {ENTRY, 11, 11, IGNORED},
    {PAGE_2M, 20, 12, RESERVED},
    {PAGE_1G, 29, 12, RESERVED},
    {POINTER, 51, 12, "address", SAME("where the next table lies")},
    {PAGE_4K, 51, 12, "address", SAME("where the page lies")},
    {PAGE_2M, 51, 21, "address", SAME("where the page lies")},
    {PAGE_1G, 51, 30, "address", SAME("where the page lies")},
    {POINTER, 63, 52, IGNORED},
    {PAGE, 62, 52, IGNORED},
    {PAGE, 63, 63, "#VE", {"a violation may become a virtualization exception", "a violation is always a VM exit"}},
};

static unsigned kind_of(const struct explain_entry *e, unsigned level)
{
    if (e->meaning == RADIX_NOT_PRESENT) {
        return ABSENT;
    }
    if (level == 1) {
        return PAGE_4K;
    }
    if (level > 3) {
        return TOP;
    }
    if ((e->value & RADIX_LARGE) != 0) { /* also of an entry that breaks a rule */
        return level == 2 ? PAGE_2M : PAGE_1G;
    }
    return MIDDLE;
}

static uint64_t extract(uint64_t value, unsigned high, unsigned low)
{
    return value << (63 - high) >> (63 - high) >> low;
}

unsigned explain_fields(const struct explain_entry *e, enum radix_format format, unsigned level,
                        struct explain_field fields[EXPLAIN_MAX_FIELDS])
{
    bool ept = format == RADIX_EPT;
    const struct row *rows = ept ? ept_rows : ia32e_rows;
    size_t row_count = ept ? HV_ARRAY_LEN(ept_rows) : HV_ARRAY_LEN(ia32e_rows);
    unsigned kind = kind_of(e, level), count = 0;
    for (size_t i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        if ((row->kinds & kind) == 0) {
            continue;
        }
        uint64_t value = extract(e->value, row->high, row->low);
        const char *meaning = row->meaning[value != 0];
        HV_ASSERT(count < EXPLAIN_MAX_FIELDS, "an entry of more than %u fields", count);
        fields[count++] = (struct explain_field){
            row->high, row->low, row->name, meaning != NULL ? meaning : explain_memory_type_names[value], value,
        };
    }
    return count;
}
