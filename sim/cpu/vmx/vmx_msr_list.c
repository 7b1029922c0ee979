/* SPDX-License-Identifier: MIT */
/*
 * The MSR areas of VM entries and VM exits: SDM Vol. 3C "Loading MSRs" (27.4, 28.6; 26.4, 27.6 in editions before 2022)
 * and "Saving MSRs" (28.4; 27.4). An entry has the index in bits 31:0, zeros in bits 63:32, the value in bits 127:64.
 *
 * MODEL: the interrupt controller does not hear of IA32_APIC_BASE and IA32_TSC_DEADLINE that an area loads, so a timer
 * that is armed in this way alone never fires. MODEL: entries beyond the number that IA32_VMX_MISC recommends as the
 * most fail, where silicon is undefined.
 */
#include "cpu/vmx/vmx_internal.h"

#include "cpu/msr_access.h"

enum {
    ENTRY_BYTES = 16, MOST_UNIT = 512, MISC_MOST_SHIFT = 25,
    MSR_SMM_MONITOR_CTL = 0x9b, MSR_SMBASE = 0x9e, MSR_BIOS_UPDT_TRIG = 0x79, MSR_BIOS_SIGN_ID = 0x8b
};
#define X2APIC_BLOCK 8u /* bits 31:8 of the indexes of the local APIC */

/* SDM Vol. 3D appendix A.6: 512 * (bits 27:25 + 1). */
static uint32_t most(const struct processor *p)
{
    return MOST_UNIT * ((uint32_t)(p->vmx.caps.misc >> MISC_MOST_SHIFT & 7) + 1);
}

static bool may_load(uint64_t index)
{
    switch (index) {
    case CPU_MSR_fs_base:
    case CPU_MSR_gs_base:
    case MSR_SMM_MONITOR_CTL: /* can be written only in SMM */
    case MSR_BIOS_UPDT_TRIG:
    case MSR_BIOS_SIGN_ID: return false; /* a microcode update is no state */
    default: return index <= UINT32_MAX && index >> 8 != X2APIC_BLOCK;
    }
}

/* SMBASE can be read only in SMM. */
static bool may_store(uint64_t index)
{
    return index <= UINT32_MAX && index >> 8 != X2APIC_BLOCK && index != MSR_SMBASE;
}

static bool load_entry(struct processor *p, hv_hpa at)
{
    uint64_t index = physmem_read64(p->memory, at);
    uint64_t value = physmem_read64(p->memory, (hv_hpa){at.v + 8});
    return may_load(index) && cpu_msr_write(p, (uint32_t)index, value);
}

static bool store_entry(struct processor *p, hv_hpa at)
{
    uint64_t index = physmem_read64(p->memory, at), value;
    if (!may_store(index) || !cpu_msr_read(p, (uint32_t)index, &value)) {
        return false;
    }
    physmem_write64(p->memory, (hv_hpa){at.v + 8}, value);
    return true;
}

static uint32_t each(struct processor *p, uint64_t address, uint32_t count, bool (*entry)(struct processor *, hv_hpa))
{
    uint32_t limit = most(p);
    for (uint32_t i = 0; i < count; i++) {
        if (i == limit || !entry(p, (hv_hpa){address + (uint64_t)i * ENTRY_BYTES})) {
            return i + 1;
        }
        p->now += p->costs->msr_cycles;
    }
    return 0;
}

uint32_t vmx_msr_list_load(struct processor *p, uint64_t address, uint32_t count)
{
    return each(p, address, count, load_entry);
}

uint32_t vmx_msr_list_store(struct processor *p, uint64_t address, uint32_t count)
{
    return each(p, address, count, store_entry);
}
