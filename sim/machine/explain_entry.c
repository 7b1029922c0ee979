/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries and error codes in words.
 */
#include "machine/explain.h"

/* SDM Vol. 3A "Memory Types That Can Be Encoded With PAT" (Table 12-10), which EPT's bits 5:3 use too. */
const char *const explain_memory_type_names[8] = {"UC", "WC", "2?", "3?", "WT", "WP", "WB", "7?"};

static void decode_ept(struct explain_entry *e)
{
    e->readable = (e->value & RADIX_EPT_R) != 0;
    e->writable = (e->value & RADIX_EPT_W) != 0;
    e->executable = (e->value & RADIX_EPT_X) != 0;
    e->accessed = (e->value & RADIX_EPT_ACCESSED) != 0;
    e->dirty = (e->value & RADIX_EPT_DIRTY) != 0;
    e->has_memory_type = e->meaning == RADIX_LEAF;
    e->memory_type = (uint8_t)(e->value >> RADIX_EPT_MEMORY_TYPE_SHIFT & 7);
}

static void decode_ia32e(struct explain_entry *e)
{
    e->readable = (e->value & RADIX_IA32E_P) != 0;
    e->writable = (e->value & RADIX_IA32E_W) != 0;
    e->user = (e->value & RADIX_IA32E_U) != 0;
    e->executable = (e->value & RADIX_XD) == 0;
    e->accessed = (e->value & RADIX_IA32E_ACCESSED) != 0;
    e->dirty = (e->value & RADIX_IA32E_DIRTY) != 0;
}

struct explain_entry explain_decode(const struct radix_mode *mode, unsigned level, uint64_t value)
{
    struct radix_walk scratch = {.input = 0, .table = 0, .permission = RADIX_ALL, .level = level};
    struct explain_entry e = {.value = value, .meaning = (uint8_t)radix_feed(&scratch, mode, value)};
    if (e.meaning == RADIX_NOT_PRESENT) {
        return e; /* software may keep what it likes in the other bits */
    }
    bool leaf = e.meaning == RADIX_LEAF;
    e.frame = leaf ? radix_output(&scratch) : value & RADIX_ADDRESS_MASK;
    e.keeps_flags = mode->accessed != 0;
    if (mode->format == RADIX_EPT) {
        decode_ept(&e);
    } else {
        decode_ia32e(&e);
    }
    e.accessed &= e.keeps_flags;
    e.dirty &= e.keeps_flags && leaf;
    return e;
}

const char *explain_flags_name(bool ept, uint64_t update)
{
    bool accessed = (update & (ept ? RADIX_EPT_ACCESSED : RADIX_IA32E_ACCESSED)) != 0;
    bool dirty = (update & (ept ? RADIX_EPT_DIRTY : RADIX_IA32E_DIRTY)) != 0;
    return accessed && dirty ? "the accessed and dirty flags" : dirty ? "the dirty flag" : "the accessed flag";
}

/* SDM Vol. 3A "Page-Fault Exceptions" (4.7), Figure 4-12. */
static const struct explain_bit page_fault_bits[] = {
    {HV_PF_PRESENT, "P", {"an entry was not present", "the page is present, its rights forbid the access"}},
    {HV_PF_WRITE, "W/R", {"the access was a read", "the access was a write"}},
    {HV_PF_USER, "U/S", {"in supervisor mode", "in user mode"}},
    {HV_PF_RESERVED, "RSVD", {"no reserved bit was set", "a reserved bit of an entry was set"}},
    {HV_PF_FETCH, "I/D", {"not an instruction fetch", "an instruction fetch"}},
};

/* APM Vol. 2 "Nested versus Guest Page Faults" (15.25.6): EXITINFO1. */
static const struct explain_bit nested_page_fault_bits[] = {
    {HV_PF_PRESENT, "P", {"a nested entry was not present", "the page is present, its rights forbid the access"}},
    {HV_PF_WRITE, "W/R", {"the access was a read", "the access was a write (guest tables are always written)"}},
    {HV_PF_USER, "U/S", {"in supervisor mode", "in user mode, as all nested accesses are"}},
    {HV_PF_RESERVED, "RSVD", {"no reserved bit was set", "a reserved bit of a nested entry was set"}},
    {HV_PF_FETCH, "I/D", {"not an instruction fetch", "an instruction fetch"}},
    {HV_NPF_FINAL, "bit 32", {"not at the final address", "while translating the final guest-physical address"}},
    {HV_NPF_TABLE, "bit 33", {"not at a guest table", "while translating the address of a guest table"}},
};

/* SDM Vol. 3C "Basic VM-Exit Information" (28.2.1), Table 28-7. */
static const struct explain_bit violation_bits[] = {
    {HV_EPTV_READ, "bit 0", {"not a data read", "a data read"}},
    {HV_EPTV_WRITE, "bit 1", {"not a data write", "a data write"}},
    {HV_EPTV_FETCH, "bit 2", {"not an instruction fetch", "an instruction fetch"}},
    {HV_EPTV_READABLE, "bit 3", {"the guest-physical page is not readable", "the guest-physical page is readable"}},
    {HV_EPTV_WRITABLE, "bit 4", {"not writable", "writable"}},
    {HV_EPTV_EXECUTABLE, "bit 5", {"not executable", "executable"}},
    {HV_EPTV_USER_EXECUTABLE, "bit 6", {"not executable in user mode (mode-based execute control only)",
                                    "executable in user mode (mode-based execute control)"}},
    {HV_EPTV_LINEAR_VALID, "bit 7", {"there is no guest linear address", "the guest linear address is valid"}},
    {HV_EPTV_FINAL, "bit 8", {"on the access to a guest page-table entry", "on the access to the page itself"}},
    {HV_EPTV_GUEST_USER, "bit 9", {"guest paging: a supervisor-mode address", "guest paging: a user-mode address"}},
    {HV_EPTV_GUEST_WRITABLE, "bit 10", {"guest paging: read-only", "guest paging: writable"}},
    {HV_EPTV_GUEST_XD, "bit 11", {"guest paging: executable", "guest paging: execute-disable"}},
};

const struct explain_bit *explain_fault_bits(const struct hv_fault *fault, size_t *count)
{
    switch ((enum hv_fault_kind)fault->kind) {
    case HV_FAULT_PAGE:
        *count = HV_ARRAY_LEN(page_fault_bits);
        return page_fault_bits;
    case HV_FAULT_NESTED_PAGE:
        *count = HV_ARRAY_LEN(nested_page_fault_bits);
        return nested_page_fault_bits;
    case HV_FAULT_VIOLATION:
        /* Bits 11:9 are defined for the access to the page only. */
        *count = HV_ARRAY_LEN(violation_bits) - ((fault->error_code & HV_EPTV_FINAL) != 0 ? 0 : 3);
        return violation_bits;
    case HV_FAULT_NONE:
    case HV_FAULT_NON_CANONICAL:
    case HV_FAULT_MISCONFIG:
    case HV_FAULT_KINDS:
        break;
    }
    *count = 0;
    return NULL;
}

const char *explain_code_name(const struct hv_fault *fault)
{
    switch ((enum hv_fault_kind)fault->kind) {
    case HV_FAULT_VIOLATION:
        return "exit qualification";
    case HV_FAULT_NESTED_PAGE:
        return "EXITINFO1";
    default:
        return "error code";
    }
}
