/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_caps.h"

#include <string.h>

#include "base/param.h"
#include "cpu/state.h"
#include "cpu/vmx/vmcs.h"

/*
 * The bits that are reserved and 1 (SDM Vol. 3D appendix A.2 to A.5, "default1" class), but for those that the TRUE
 * capability MSRs let software clear: CR3-load and CR3-store exiting, and the debug controls.
 */
static const uint64_t default1[VMX_WORDS] = {
    [VMX_PIN] = 0x16, [VMX_PRIMARY] = 0x0401e172, [VMX_EXIT] = 0x00036dff, [VMX_ENTRY] = 0x000011ff,
};

static const uint64_t default1_but_free[VMX_WORDS] = {
    [VMX_PRIMARY] = VMX_CONTROL(PRIMARY, cr3_load_exiting) | VMX_CONTROL(PRIMARY, cr3_store_exiting),
    [VMX_EXIT] = VMX_CONTROL(EXIT, save_debug_controls), [VMX_ENTRY] = VMX_CONTROL(ENTRY, load_debug_controls),
};

/* As on silicon, reserved bits of CR0 below bit 32 are not checked; VM entries and exits do not load them. */
#define CR0_MAY UINT64_C(0xffffffff)
/* Up to UINTR (bit 25), without bit 15, which is reserved. LAM and FRED are not offered. */
#define CR4_MAY UINT64_C(0x3ff7fff)
#define PREEMPTION_TIMER_RATE 5u /* the timer counts down when bit 5 of the TSC changes */
#define CR3_TARGETS 4u
/* MODEL: eight general and four fixed counters, and the metrics of bit 48, as in Golden Cove. */
#define PERF_GLOBAL_CTRL_VALID UINT64_C(0x1000f000000ff)

uint64_t vmx_reserved_ones(enum vmx_word word)
{
    return default1[word] & ~default1_but_free[word];
}

static void init_controls(struct vmx_caps *c)
{
    for (unsigned word = 0; word < VMX_WORDS; word++) {
        c->must[word] = vmx_reserved_ones((enum vmx_word)word);
        c->may[word] = default1[word];
    }
    for (size_t i = 0; i < vmx_control_count; i++) {
        c->may[vmx_controls[i].word] |= UINT64_C(1) << vmx_controls[i].bit;
    }
    c->may[VMX_EXIT] &= ~VMX_CONTROL(EXIT, activate_secondary_exit_controls);
}

void vmx_caps_init(struct vmx_caps *c, unsigned physical_bits, bool la57)
{
    memset(c, 0, sizeof(*c));
    init_controls(c);
    c->cr0_fixed0 = CPU_CR0_PE | CPU_CR0_NE | CPU_CR0_PG;
    c->cr0_fixed1 = CR0_MAY;
    c->cr4_fixed0 = CPU_CR4_VMXE;
    c->cr4_fixed1 = CR4_MAY & ~(la57 ? 0 : CPU_CR4_LA57);
    c->misc = PREEMPTION_TIMER_RATE | VMX_MISC_STORE_LMA | VMX_MISC_HLT | VMX_MISC_SHUTDOWN | VMX_MISC_WAIT_FOR_SIPI |
              VMX_MISC_INTEL_PT | (uint64_t)CR3_TARGETS << VMX_MISC_CR3_TARGETS_SHIFT | VMX_MISC_WRITE_READ_ONLY |
              VMX_MISC_INJECT_ZERO_LENGTH;
    c->ept_vpid = VMX_EPT_EXECUTE_ONLY | VMX_EPT_4_LEVELS | VMX_EPT_5_LEVELS | VMX_EPT_UNCACHEABLE |
                  VMX_EPT_WRITE_BACK | VMX_EPT_2M | VMX_EPT_1G | VMX_EPT_INVEPT | VMX_EPT_FLAGS |
                  VMX_EPT_INVEPT_CONTEXT | VMX_EPT_INVEPT_ALL | VMX_VPID_INVVPID | VMX_VPID_ADDRESS |
                  VMX_VPID_CONTEXT | VMX_VPID_ALL | VMX_VPID_CONTEXT_KEEP_GLOBAL;
    c->vmfunc = VMX_VMFUNC_EPTP_SWITCHING;
    c->efer_valid = CPU_EFER_SCE | CPU_EFER_LME | CPU_EFER_LMA | CPU_EFER_NXE;
    c->perf_global_ctrl_valid = PERF_GLOBAL_CTRL_VALID;
    c->physical_bits = physical_bits;
    c->linear_bits = la57 ? 57 : 48;
}

/* The word of a full name, whose own name begins after the dot; VMX_WORDS when there is none. */
static enum vmx_word word_of_name(const char *control)
{
    size_t length = strcspn(control, ".");
    for (unsigned word = 0; word < VMX_WORDS && control[length] == '.'; word++) {
        if (strlen(vmx_word_prefixes[word]) == length && memcmp(control, vmx_word_prefixes[word], length) == 0) {
            return (enum vmx_word)word;
        }
    }
    return VMX_WORDS;
}

bool vmx_caps_without(struct vmx_caps *c, const char *control, struct hv_err *err)
{
    enum vmx_word word = word_of_name(control);
    if (word == VMX_WORDS) {
        return hv_fail(err, "\"%.80s\" is no control; write WORD.NAME, such as secondary.unrestricted_guest, with "
                       "WORD one of pin, primary, secondary, tertiary, exit, entry", control);
    }
    const char *name = strchr(control, '.') + 1;
    const struct vmx_control *row = vmx_control_named(word, name);
    if (row == NULL) {
        const char *nearest = vmx_control_nearest(word, name);
        return nearest != NULL ? hv_fail(err, "there is no %s control \"%.80s\"; did you mean \"%s.%s\"?",
                                         vmx_word_names[word], name, vmx_word_prefixes[word], nearest)
                               : hv_fail(err, "there is no %s control \"%.80s\"; see hvsim list controls",
                                         vmx_word_names[word], name);
    }
    if ((default1[word] >> row->bit & 1) != 0) {
        return hv_fail(err, "%s is in every processor with VMX and cannot be missing", control);
    }
    c->may[word] &= ~(UINT64_C(1) << row->bit);
    return true;
}

/* --- capability MSRs -------------------------------------------------------------------------------------------- */

/* Allowed 0-settings in the low half, allowed 1-settings in the high half. */
static uint64_t allowed(uint64_t must, uint64_t may)
{
    return (must & UINT32_MAX) | may << 32;
}

/* The highest index, bits 9:1 of an encoding, of all fields. */
static uint64_t highest_index(void)
{
    uint64_t highest = 0;
    for (int i = 0; i < VMCS_FIELDS; i++) {
        uint64_t index = vmcs_fields[i].encoding >> 1 & 0x1ff;
        highest = index > highest ? index : highest;
    }
    return highest;
}

/* Bit 55: the TRUE capability MSRs exist. Bit 56 is 0: an error code is injected exactly where the vector has one. */
static uint64_t basic(void)
{
    const uint64_t region_bytes = VMCS_REGION_BYTES, write_back = 6, ins_outs_information = 1, true_controls = 1;
    return VMCS_REVISION | region_bytes << 32 | write_back << 50 | ins_outs_information << 54 | true_controls << 55;
}

/* Some of these MSRs exist only with a control that makes them necessary (SDM Vol. 3D appendix A.3, A.10, A.11). */
static bool msr_exists(const struct vmx_caps *c, uint32_t index)
{
    uint64_t primary = c->may[VMX_PRIMARY];
    bool has_secondary = (primary & VMX_CONTROL(PRIMARY, activate_secondary_controls)) != 0;
    uint64_t secondary = has_secondary ? c->may[VMX_SECONDARY] : 0;
    switch (index) {
    case VMX_MSR_PROCBASED_CTLS2: return has_secondary;
    case VMX_MSR_EPT_VPID_CAP:
        return (secondary & (VMX_CONTROL(SECONDARY, enable_ept) | VMX_CONTROL(SECONDARY, enable_vpid))) != 0;
    case VMX_MSR_VMFUNC: return (secondary & VMX_CONTROL(SECONDARY, enable_vm_functions)) != 0;
    case VMX_MSR_PROCBASED_CTLS3: return (primary & VMX_CONTROL(PRIMARY, activate_tertiary_controls)) != 0;
    case VMX_MSR_EXIT_CTLS2: return (c->may[VMX_EXIT] & VMX_CONTROL(EXIT, activate_secondary_exit_controls)) != 0;
    default: return index >= VMX_MSR_FIRST && index <= VMX_MSR_LAST;
    }
}

static uint64_t msr_value(const struct vmx_caps *c, enum vmx_msr index)
{
    switch (index) {
    case VMX_MSR_BASIC: return basic();
    case VMX_MSR_PINBASED_CTLS: return allowed(default1[VMX_PIN], c->may[VMX_PIN]);
    case VMX_MSR_PROCBASED_CTLS: return allowed(default1[VMX_PRIMARY], c->may[VMX_PRIMARY]);
    case VMX_MSR_EXIT_CTLS: return allowed(default1[VMX_EXIT], c->may[VMX_EXIT]);
    case VMX_MSR_ENTRY_CTLS: return allowed(default1[VMX_ENTRY], c->may[VMX_ENTRY]);
    case VMX_MSR_MISC: return c->misc;
    case VMX_MSR_CR0_FIXED0: return c->cr0_fixed0;
    case VMX_MSR_CR0_FIXED1: return c->cr0_fixed1;
    case VMX_MSR_CR4_FIXED0: return c->cr4_fixed0;
    case VMX_MSR_CR4_FIXED1: return c->cr4_fixed1;
    case VMX_MSR_VMCS_ENUM: return highest_index() << 1;
    case VMX_MSR_PROCBASED_CTLS2: return allowed(c->must[VMX_SECONDARY], c->may[VMX_SECONDARY]);
    case VMX_MSR_EPT_VPID_CAP: return c->ept_vpid;
    case VMX_MSR_TRUE_PINBASED_CTLS: return allowed(c->must[VMX_PIN], c->may[VMX_PIN]);
    case VMX_MSR_TRUE_PROCBASED_CTLS: return allowed(c->must[VMX_PRIMARY], c->may[VMX_PRIMARY]);
    case VMX_MSR_TRUE_EXIT_CTLS: return allowed(c->must[VMX_EXIT], c->may[VMX_EXIT]);
    case VMX_MSR_TRUE_ENTRY_CTLS: return allowed(c->must[VMX_ENTRY], c->may[VMX_ENTRY]);
    case VMX_MSR_VMFUNC: return c->vmfunc;
    case VMX_MSR_PROCBASED_CTLS3: return c->may[VMX_TERTIARY];
    case VMX_MSR_EXIT_CTLS2: return 0;
    }
    HV_ASSERT(false, "%#x is no capability MSR", index);
}

bool vmx_caps_msr(const struct vmx_caps *c, uint32_t index, uint64_t *value)
{
    if (!msr_exists(c, index)) {
        return false;
    }
    *value = msr_value(c, (enum vmx_msr)index);
    return true;
}
