/* SPDX-License-Identifier: MIT */
/* Checks on the guest's segment registers: SDM Vol. 3C 27.3.1.2 (26.3.1.2 in editions before 2022). */
#include "cpu/vmx/entry_predicates.h"

enum { CS_TYPE_DATA = 3, TYPE_ACCESSED = 1, TYPE_READABLE = 2, TYPE_CODE = 8, TYPE_LDT = 2 };

/* The fields of a segment follow each other in the order of enum cpu_segment_name. */
#define SEGMENT_FIELD(segment, part) ((enum vmcs_index)(VMCS_INDEX_guest_es_##part + (int)(segment)))
#define ORDERED(part) (SEGMENT_FIELD(CPU_TR, part) == VMCS_INDEX_guest_tr_##part)
_Static_assert(ORDERED(selector) && ORDERED(base) && ORDERED(limit) && ORDERED(access_rights),
               "the fields of segments are in the order of enum cpu_segment_name");

static struct cpu_segment segment_at(const struct vmx_entry *e, enum cpu_segment_name name)
{
    return (struct cpu_segment){
        .selector = (uint16_t)e->fields[SEGMENT_FIELD(name, selector)],
        .base = e->fields[SEGMENT_FIELD(name, base)],
        .limit = (uint32_t)e->fields[SEGMENT_FIELD(name, limit)],
        .access_rights = (uint32_t)e->fields[SEGMENT_FIELD(name, access_rights)],
    };
}

static bool is_part(enum vmcs_index field, enum vmcs_index first)
{
    return field >= first && field < first + CPU_SEGMENTS;
}

/* The segment that a field belongs to. */
static enum cpu_segment_name segment_of(enum vmcs_index field)
{
    static const enum vmcs_index firsts[] = {VMCS_INDEX_guest_es_selector, VMCS_INDEX_guest_es_base,
                                             VMCS_INDEX_guest_es_limit, VMCS_INDEX_guest_es_access_rights};
    for (size_t i = 0; i < HV_ARRAY_LEN(firsts); i++) {
        if (is_part(field, firsts[i])) {
            return (enum cpu_segment_name)(field - firsts[i]);
        }
    }
    HV_ASSERT(false, "%s is no field of a segment", vmcs_fields[field].name);
}

static unsigned type_of(const struct cpu_segment *s)
{
    return s->access_rights & CPU_AR_TYPE;
}

static unsigned dpl_of(const struct cpu_segment *s)
{
    return s->access_rights >> CPU_AR_DPL_SHIFT & 3;
}

static unsigned rpl_of(const struct cpu_segment *s)
{
    return s->selector & 3;
}

static bool is_usable(const struct cpu_segment *s)
{
    return (s->access_rights & CPU_AR_UNUSABLE) == 0;
}

static bool in_local_table(const struct cpu_segment *s)
{
    return (s->selector & 4) != 0;
}

static bool reserved_ok(const struct cpu_segment *s)
{
    return (s->access_rights & (CPU_AR_RESERVED_LOW | CPU_AR_RESERVED_HIGH)) == 0;
}

/* With G, the limit is one of whole pages; without, it has at most 20 bits. */
static bool granularity_ok(const struct cpu_segment *s)
{
    return (s->access_rights & CPU_AR_G) != 0 ? (s->limit & 0xfff) == 0xfff : s->limit >> 20 == 0;
}

static bool is_virtual_8086(const struct vmx_entry *e)
{
    return (F(guest_rflags) & CPU_RFLAGS_VM) != 0;
}

/* Outside of virtual-8086 mode, the checks of access rights are made of CS, and of other segments that are usable. */
static bool is_judged(const struct vmx_entry *e, enum cpu_segment_name name)
{
    struct cpu_segment s = segment_at(e, name);
    return !is_virtual_8086(e) && (name == CPU_CS || is_usable(&s));
}

/* --- selectors, bases, limits ----------------------------------------------------------------------------------- */

bool vmx_rule_guest_tr_ti(const struct vmx_entry *e)
{
    struct cpu_segment tr = segment_at(e, CPU_TR);
    return !in_local_table(&tr);
}

bool vmx_rule_guest_ldtr_ti(const struct vmx_entry *e)
{
    struct cpu_segment ldtr = segment_at(e, CPU_LDTR);
    return IMPLIES(is_usable(&ldtr), !in_local_table(&ldtr));
}

bool vmx_rule_guest_ss_rpl(const struct vmx_entry *e)
{
    struct cpu_segment cs = segment_at(e, CPU_CS), ss = segment_at(e, CPU_SS);
    return IMPLIES(!is_virtual_8086(e) && !ON(SECONDARY, unrestricted_guest), rpl_of(&ss) == rpl_of(&cs));
}

bool vmx_part_v86_base(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    return IMPLIES(is_virtual_8086(e), s.base == (uint64_t)s.selector << 4);
}

bool vmx_part_canonical_base(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    return IMPLIES(segment_of(field) != CPU_LDTR || is_usable(&s), canonical(e, s.base));
}

bool vmx_part_low_base(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    return IMPLIES(segment_of(field) == CPU_CS || is_usable(&s), s.base >> 32 == 0);
}

bool vmx_part_v86_limit(const struct vmx_entry *e, enum vmcs_index field)
{
    return IMPLIES(is_virtual_8086(e), e->fields[field] == 0xffff);
}

/* --- access rights of code and data segments -------------------------------------------------------------------- */

bool vmx_part_v86_rights(const struct vmx_entry *e, enum vmcs_index field)
{
    return IMPLIES(is_virtual_8086(e), e->fields[field] == 0xf3);
}

bool vmx_rule_guest_cs_type(const struct vmx_entry *e)
{
    struct cpu_segment cs = segment_at(e, CPU_CS);
    bool accessed_code = (type_of(&cs) & (TYPE_CODE | TYPE_ACCESSED)) == (TYPE_CODE | TYPE_ACCESSED);
    bool data = type_of(&cs) == CS_TYPE_DATA && ON(SECONDARY, unrestricted_guest);
    return IMPLIES(is_judged(e, CPU_CS), accessed_code || data);
}

bool vmx_rule_guest_ss_type(const struct vmx_entry *e)
{
    struct cpu_segment ss = segment_at(e, CPU_SS);
    return IMPLIES(is_judged(e, CPU_SS), type_of(&ss) == 3 || type_of(&ss) == 7);
}

bool vmx_part_data_type(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    bool accessed = (type_of(&s) & TYPE_ACCESSED) != 0;
    bool unreadable = (type_of(&s) & (TYPE_CODE | TYPE_READABLE)) == TYPE_CODE;
    return IMPLIES(is_judged(e, segment_of(field)), accessed && !unreadable);
}

bool vmx_part_segment_s(const struct vmx_entry *e, enum vmcs_index field)
{
    return IMPLIES(is_judged(e, segment_of(field)), (e->fields[field] & CPU_AR_S) != 0);
}

/* Type 3 without unrestricted guest breaks guest_cs_type; other types that CS cannot have say nothing of its DPL. */
bool vmx_rule_guest_cs_dpl(const struct vmx_entry *e)
{
    struct cpu_segment cs = segment_at(e, CPU_CS), ss = segment_at(e, CPU_SS);
    bool ok = true;
    switch (type_of(&cs)) {
    case CS_TYPE_DATA: ok = dpl_of(&cs) == 0; break;
    case 9:
    case 11: ok = dpl_of(&cs) == dpl_of(&ss); break;
    case 13:
    case 15: ok = dpl_of(&cs) <= dpl_of(&ss); break;
    default: break;
    }
    return IMPLIES(is_judged(e, CPU_CS), ok);
}

/* Of SS the DPL counts even when it is unusable, as it is the CPL. */
bool vmx_rule_guest_ss_dpl_rpl(const struct vmx_entry *e)
{
    struct cpu_segment ss = segment_at(e, CPU_SS);
    return IMPLIES(!is_virtual_8086(e) && !ON(SECONDARY, unrestricted_guest), dpl_of(&ss) == rpl_of(&ss));
}

bool vmx_rule_guest_ss_dpl_zero(const struct vmx_entry *e)
{
    struct cpu_segment cs = segment_at(e, CPU_CS), ss = segment_at(e, CPU_SS);
    bool most_privileged = type_of(&cs) == CS_TYPE_DATA || (F(guest_cr0) & CPU_CR0_PE) == 0;
    return IMPLIES(!is_virtual_8086(e) && most_privileged, dpl_of(&ss) == 0);
}

bool vmx_part_data_dpl(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    bool conforming_code = type_of(&s) >= 12;
    return IMPLIES(is_judged(e, segment_of(field)) && !ON(SECONDARY, unrestricted_guest) && !conforming_code,
                   dpl_of(&s) >= rpl_of(&s));
}

bool vmx_part_segment_present(const struct vmx_entry *e, enum vmcs_index field)
{
    return IMPLIES(is_judged(e, segment_of(field)), (e->fields[field] & CPU_AR_P) != 0);
}

bool vmx_part_segment_reserved(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    return IMPLIES(is_judged(e, segment_of(field)), reserved_ok(&s));
}

bool vmx_rule_guest_cs_db(const struct vmx_entry *e)
{
    const uint64_t both = CPU_AR_L | CPU_AR_DB;
    return IMPLIES(is_judged(e, CPU_CS) && ON(ENTRY, ia32e_mode_guest), (F(guest_cs_access_rights) & both) != both);
}

bool vmx_part_segment_g(const struct vmx_entry *e, enum vmcs_index field)
{
    struct cpu_segment s = segment_at(e, segment_of(field));
    return IMPLIES(is_judged(e, segment_of(field)), granularity_ok(&s));
}

/* --- access rights of TR, in virtual-8086 mode as well ---------------------------------------------------------- */

bool vmx_rule_guest_tr_type(const struct vmx_entry *e)
{
    struct cpu_segment tr = segment_at(e, CPU_TR);
    return type_of(&tr) == 11 || (type_of(&tr) == 3 && !ON(ENTRY, ia32e_mode_guest));
}

bool vmx_rule_guest_tr_s(const struct vmx_entry *e)
{
    return (F(guest_tr_access_rights) & CPU_AR_S) == 0;
}

bool vmx_rule_guest_tr_present(const struct vmx_entry *e)
{
    return (F(guest_tr_access_rights) & CPU_AR_P) != 0;
}

bool vmx_rule_guest_tr_reserved(const struct vmx_entry *e)
{
    struct cpu_segment tr = segment_at(e, CPU_TR);
    return reserved_ok(&tr);
}

bool vmx_rule_guest_tr_g(const struct vmx_entry *e)
{
    struct cpu_segment tr = segment_at(e, CPU_TR);
    return granularity_ok(&tr);
}

bool vmx_rule_guest_tr_usable(const struct vmx_entry *e)
{
    struct cpu_segment tr = segment_at(e, CPU_TR);
    return is_usable(&tr);
}

/* --- access rights of LDTR -------------------------------------------------------------------------------------- */

bool vmx_rule_guest_ldtr_type(const struct vmx_entry *e)
{
    struct cpu_segment ldtr = segment_at(e, CPU_LDTR);
    return IMPLIES(is_usable(&ldtr), type_of(&ldtr) == TYPE_LDT);
}

bool vmx_rule_guest_ldtr_s(const struct vmx_entry *e)
{
    struct cpu_segment ldtr = segment_at(e, CPU_LDTR);
    return IMPLIES(is_usable(&ldtr), (ldtr.access_rights & CPU_AR_S) == 0);
}

bool vmx_rule_guest_ldtr_present(const struct vmx_entry *e)
{
    struct cpu_segment ldtr = segment_at(e, CPU_LDTR);
    return IMPLIES(is_usable(&ldtr), (ldtr.access_rights & CPU_AR_P) != 0);
}

bool vmx_rule_guest_ldtr_reserved(const struct vmx_entry *e)
{
    struct cpu_segment ldtr = segment_at(e, CPU_LDTR);
    return IMPLIES(is_usable(&ldtr), reserved_ok(&ldtr));
}

bool vmx_rule_guest_ldtr_g(const struct vmx_entry *e)
{
    struct cpu_segment ldtr = segment_at(e, CPU_LDTR);
    return IMPLIES(is_usable(&ldtr), granularity_ok(&ldtr));
}
