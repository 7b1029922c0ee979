/* SPDX-License-Identifier: MIT */
/*
 * Any VMCS contents: VMLAUNCH does what the broken rules say, and nothing else; then a VM exit, and VMRESUME.
 *
 * The input says how a valid baseline is changed: a byte for the baseline, then 4 bytes for each change. The rules are
 * evaluated here on the fuzz program's own copy of the fields, one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIST_AT = 0xe0000, CHANGE_BYTES = 4, CHANGES_MAX = 32 };

enum { ERROR_CONTROLS = 7, ERROR_HOST = 8 };
#define REASON_GUEST 0x80000021u
#define REASON_MSR 0x80000022u

/* What software, or a mistake of it, puts into fields. */
static const uint64_t usual[] = {
    0, 1, 2, 3, 8, 16, 0x80, 0xff, 0x400, 0x1000, 0x1001, 0x9000, 0xffff, 0x10000, VMCS_AT, OTHER_AT, SHADOW_AT, LIST_AT,
    EPT_AT | 0x1e, EPT_AT | 0x5e, 0x7fffffff, 0x80000000, 0x80000202, 0x80000306, 0x80000b0e, 0x80000700, 0x80000020,
    0xffffffff, UINT64_C(1) << 32, UINT64_C(1) << 46, UINT64_C(1) << 47, UINT64_C(0xffff800000000000), UINT64_MAX,
};

/* --- the input --------------------------------------------------------------------------------------------------- */

static uint64_t changed(const struct vmx_entry *e, uint64_t value, const uint8_t change[CHANGE_BYTES])
{
    switch (change[0] % 6) {
    case 0: return value ^ UINT64_C(1) << change[2] % 64;
    case 1: return usual[change[2] % HV_ARRAY_LEN(usual)];
    case 2: return rng_mix((uint64_t)change[2] << 8 | change[3]);
    case 3: return value + change[2] - 128;
    case 4: return e->fields[change[2] % VMCS_FIELDS];
    default: return value ^ UINT64_C(1) << change[2] % 64 ^ UINT64_C(1) << change[3] % 64;
    }
}

static void read_input(struct vmx_entry *e, struct vmx_caps *caps, const uint8_t *data, size_t size)
{
    baseline_init((enum baseline)(size > 0 ? data[0] % BASELINES : 0), e, caps);
    for (size_t at = 1, n = 0; at + CHANGE_BYTES <= size && n < CHANGES_MAX; at += CHANGE_BYTES, n++) {
        unsigned field = data[at + 1] % VMCS_FIELDS;
        uint64_t mask = vmcs_width_mask(vmcs_encoding_width(vmcs_fields[field].encoding));
        e->fields[field] = changed(e, e->fields[field], data + at) & mask;
    }
}

/* Memory that fields may point at: VMCSs, and an MSR area of good and bad entries. */
static void write_memory(struct machine *m)
{
    static const uint64_t list[][2] = {{0xc0000081, 1}, {0x277, 6}, {0xc0000082, 0x1000}, {0xc0000100, 0}};
    struct vmcs other = {&m->memory, OTHER_AT}, shadow = {&m->memory, SHADOW_AT};
    memset(m->memory.bytes, 0, TABLES_AT);
    memset(m->memory.bytes + LIST_AT, 0, MACHINE_BYTES - LIST_AT);
    vmcs_set_revision(&other, VMCS_REVISION);
    vmcs_set_revision(&shadow, VMCS_REVISION | VMCS_SHADOW);
    for (size_t i = 0; i < HV_ARRAY_LEN(list); i++) {
        physmem_write64(&m->memory, (hv_hpa){LIST_AT + 16 * i}, list[i][0]);
        physmem_write64(&m->memory, (hv_hpa){LIST_AT + 16 * i + 8}, list[i][1]);
    }
}

/* --- what the rules say ------------------------------------------------------------------------------------------ */

/* The first rule in the manual's order that is broken in the first area that has one; NULL when the entry is valid. */
static const struct vmx_rule *verdict(const struct vmx_entry *e)
{
    const struct vmx_rule *found = NULL;
    for (unsigned i = 0; i < VMX_RULES; i++) {
        if ((found == NULL || vmx_rules[i].area < found->area) && !vmx_rules[i].holds(e)) {
            found = &vmx_rules[i];
        }
    }
    return found;
}

static void check_vmfail(const struct processor *p, int end, const struct vmx_rule *rule)
{
    unsigned error = rule->area == VMX_AREA_CONTROLS ? ERROR_CONTROLS : ERROR_HOST;
    HV_ASSERT(end == CPU_COMPLETED && machine_status(p) == STATUS_FAIL_VALID, "%s: end %d", rule->id, end);
    HV_ASSERT(VMCS_GET(&p->vmx.current, vm_instruction_error) == error, "%s: another error", rule->id);
    HV_ASSERT(!p->vmx.non_root, "%s: entered", rule->id);
}

/* A VMX abort has a cause in what the host asked for. */
static void check_stopped(const struct processor *p, const struct vmx_entry *e)
{
    bool msrs = ENTRY_FIELD(e, exit_msr_load_count) != 0 || ENTRY_FIELD(e, exit_msr_store_count) != 0;
    bool wide = ENTRY_ON(e, EXIT, host_address_space_size);
    HV_ASSERT(msrs || !wide, "a VMX abort without a cause");
    HV_ASSERT(p->state.activity == CPU_SHUTDOWN && !p->vmx.non_root, "a VMX abort that goes on");
}

/* VMLAUNCH or VMRESUME ended like this; returns whether the guest runs. */
static bool check(const struct processor *p, int end, const struct vmx_entry *e)
{
    const struct vmx_rule *rule = verdict(e);
    const struct vmcs *v = &p->vmx.current;
    if (rule != NULL && rule->area != VMX_AREA_GUEST) {
        check_vmfail(p, end, rule);
        return false;
    }
    if (end == CPU_STOPPED) {
        check_stopped(p, e);
        return false;
    }
    if (rule != NULL) {
        HV_ASSERT(end == CPU_EXITED && p->vmx.exit.reason == REASON_GUEST, "%s: end %d", rule->id, end);
        HV_ASSERT(VMCS_GET(v, exit_qualification) == rule->qualification, "%s: another qualification", rule->id);
        return false;
    }
    bool in_event = end == CPU_EXITED && (p->vmx.exit.reason & VMX_EXIT_ENTRY_FAILURE) == 0 && vmx_event_valid(e);
    if (end == CPU_EXITED && !in_event) {
        HV_ASSERT(p->vmx.exit.reason == REASON_MSR, "a VM exit with reason %#x, and no rule broken", p->vmx.exit.reason);
        HV_ASSERT(p->vmx.exit.qualification - 1 < ENTRY_FIELD(e, entry_msr_load_count), "no such MSR");
        return false;
    }
    HV_ASSERT(in_event || (end == CPU_ENTERED && p->vmx.non_root), "end %d, and no rule broken", end);
    return end == CPU_ENTERED;
}

/* --- there and back ---------------------------------------------------------------------------------------------- */

/*
 * What an entry accepted and an exit saved is accepted again, unless MSR areas or an event changed something, or
 * debug controls are saved that were not loaded.
 */
static bool comes_back(const struct vmx_entry *e)
{
    return ENTRY_FIELD(e, entry_msr_load_count) == 0 && ENTRY_FIELD(e, exit_msr_load_count) == 0 &&
           ENTRY_FIELD(e, exit_msr_store_count) == 0 && !vmx_event_valid(e) && ENTRY_ON(e, ENTRY, load_debug_controls);
}

static void resume(struct machine *m, const struct vmx_entry *before)
{
    struct vmx_entry e = *before;
    int end = machine_exit(&m->p);
    if (end == CPU_STOPPED) {
        check_stopped(&m->p, &e);
        return;
    }
    HV_ASSERT(end == CPU_EXITED && !m->p.vmx.non_root, "a VM exit ended in %d", end);
    if (!vmcs_region_valid(&m->memory, m->p.vmx.current.address, BASE_PHYSICAL_BITS) || !comes_back(before)) {
        (void)machine_do(&m->p, CPU_OP_vmresume, 0);
        return;
    }
    vmx_entry_read(&e, &m->p.vmx.current);
    HV_ASSERT(verdict(&e) == NULL, "an exit saved what breaks %s", verdict(&e)->id);
    HV_ASSERT(check(&m->p, machine_do(&m->p, CPU_OP_vmresume, 0), &e), "VMRESUME did not enter");
}

/* One machine serves all inputs: building its MMU takes far longer than an entry. It begins each from RESET. */
static struct machine *fresh_machine(void)
{
    static struct machine *m;
    if (m == NULL) {
        m = machine_new(NULL);
    }
    write_memory(m);
    machine_reset(m);
    machine_root(m);
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmx_entry e;
    struct vmx_caps caps;
    struct machine *m = fresh_machine();
    read_input(&e, &caps, data, size);
    bool wide = ENTRY_ON(&e, EXIT, host_address_space_size);
    if (!wide) {
        machine_ready_32_bit(&m->p);
    }
    machine_load_entry(&m->p, VMCS_AT, &e);
    e.memory = &m->memory;
    e.current_vmcs = VMCS_AT;
    e.host_long_mode = wide;
    const struct vmx_rule *before = verdict(&e);
    int end = machine_do(&m->p, CPU_OP_vmlaunch, 0);
    HV_ASSERT(before == verdict(&e) || end == CPU_ENTERED || end == CPU_EXITED, "a failed entry changed memory");
    if (check(&m->p, end, &e)) {
        resume(m, &e);
    }
    return 0;
}
