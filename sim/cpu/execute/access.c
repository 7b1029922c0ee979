/* SPDX-License-Identifier: MIT */
#include "cpu/execute/access.h"

#include <string.h>

#include "cpu/execute/ept.h"
#include "cpu/execute/exit.h"
#include "cpu/execute/legacy_paging.h"
#include "cpu/execute/wires.h"
#include "tlb/tlb_entry.h"

/* Table 28-6 (27-6 in editions before 2022): bits 15:12 of the exit qualification of an APIC-access VM exit. */
enum {
    APIC_ACCESS_SHIFT = 12, APIC_ACCESS_DELIVERY = 3, APIC_ACCESS_PHYSICAL = 15, APIC_ACCESS_PHYSICAL_DELIVERY = 10
};

#define PAGE_OFFSET ((uint64_t)HV_PAGE_BYTES - 1)
/* What paging says of an address when it is off: user mode, writable, executable (table 28-7, bits 11:9). */
#define UNPAGED_RIGHTS (TLB_GUEST_U | TLB_GUEST_W | TLB_GUEST_X)
#define QUALIFICATION_OF_LINEAR \
    (uint64_t)(HV_EPTV_LINEAR_VALID | HV_EPTV_FINAL | HV_EPTV_GUEST_USER | HV_EPTV_GUEST_WRITABLE | HV_EPTV_GUEST_XD)

/* What lies within one page of an access. */
struct part {
    hv_hpa hpa;
    size_t count;
};

uint8_t cpu_physical_byte(const struct processor *p, uint64_t address)
{
    const uint8_t *byte = physmem_pointer(p->memory, (hv_hpa){address}, 1);
    return byte != NULL ? *byte : UINT8_MAX;
}

uint64_t cpu_physical_read(const struct processor *p, uint64_t address, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned b = 0; b < bytes; b++) {
        value |= (uint64_t)cpu_physical_byte(p, address + b) << 8 * b;
    }
    return value;
}

void cpu_physical_write(struct processor *p, uint64_t address, unsigned bytes, uint64_t value)
{
    for (unsigned b = 0; b < bytes; b++) {
        uint8_t *byte = physmem_pointer(p->memory, (hv_hpa){address + b}, 1);
        if (byte != NULL) {
            *byte = (uint8_t)(value >> 8 * b);
        }
    }
}

static enum cpu_end take_fault(struct processor *p, const struct hv_fault *fault)
{
    switch ((enum hv_fault_kind)fault->kind) {
    case HV_FAULT_PAGE:
        p->raised = (struct cpu_exception){CPU_PF, true, (uint32_t)fault->error_code, fault->gva.v};
        return CPU_RAISED;
    case HV_FAULT_NON_CANONICAL: return processor_raise_code(p, CPU_GP, 0);
    case HV_FAULT_VIOLATION:
    case HV_FAULT_MISCONFIG: return cpu_ept_fault(p, fault);
    case HV_FAULT_NONE:
    case HV_FAULT_NESTED_PAGE:
    case HV_FAULT_KINDS: break;
    }
    HV_ASSERT(false, "fault kind %u of a VMX processor", fault->kind);
    return CPU_STOPPED;
}

/* A guest-physical address by EPT alone; of a linear address, when there is one, without the MMU's paging. */
static bool translate_by_ept(struct processor *p, hv_gpa gpa, enum hv_access_kind kind, const hv_gva *linear,
                             hv_hpa *hpa, enum cpu_end *end)
{
    struct walk walk = {.leaf = UNPAGED_RIGHTS};
    if (!mmu_probe_host(p->mmu, gpa, kind, 0, &walk)) {
        walk.fault.gva.v = linear != NULL ? linear->v : 0;
        walk.fault.error_code &= linear != NULL ? UINT64_MAX : ~QUALIFICATION_OF_LINEAR;
        *end = take_fault(p, &walk.fault);
        return false;
    }
    *hpa = tlb_entry_address(walk.host_payload, gpa.v, hv_page_shift((enum hv_page_size)walk.host_size));
    return true;
}

static bool translate(struct processor *p, hv_gva gva, enum hv_access_kind kind, hv_hpa *hpa, enum cpu_end *end)
{
    bool paging = (p->state.cr0 & CPU_CR0_PG) != 0;
    if (!paging || !cpu_long_mode(&p->state)) {
        hv_gpa gpa = {gva.v};
        if (paging && !cpu_legacy_translate(p, gva, kind, &gpa, end)) {
            return false;
        }
        *hpa = (hv_hpa){gpa.v};
        return !p->mmu->env.nested || translate_by_ept(p, gpa, kind, &gva, hpa, end);
    }
    struct mmu_reply reply;
    bool ok = mmu_translate(p->mmu, gva, kind, p->now, &reply);
    if (p->path != NULL) {
        p->now += reply.tlb_cycles;
        p->now += reply.walked ? reply.walk_guest_cycles + reply.walk_host_cycles + reply.queue_cycles : 0;
    }
    if (!ok) {
        *end = take_fault(p, &reply.fault);
        return false;
    }
    *hpa = reply.hpa;
    return true;
}

static bool in_apic_access_page(const struct processor *p, hv_hpa hpa)
{
    return p->vmx.non_root && VMX_ON(p, SECONDARY, virtualize_apic_accesses) &&
           (hpa.v & ~PAGE_OFFSET) == VMCS_GET(&p->vmx.current, apic_access_address);
}

/*
 * SDM Vol. 3C 30.4 "Virtualizing Memory-Mapped APIC Accesses" (29.4). False: an APIC-access VM exit.
 *
 * MODEL: the page is special however large the page that maps it; silicon need not see it in a page above 4 KiB.
 */
static bool access_apic_page(struct processor *p, const struct part *part, enum hv_access_kind kind, void *bytes,
                             enum cpu_end *end)
{
    uint64_t offset = part->hpa.v & PAGE_OFFSET;
    struct cpu_device_access access = {offset, kind, bytes, part->count, p->progress.delivering};
    const struct cpu_wires *w = p->wires;
    if (w != NULL && w->apic_access != NULL && w->apic_access(w->ctx, &access) == CPU_ANSWERED) {
        return true;
    }
    uint64_t type = p->progress.delivering ? APIC_ACCESS_DELIVERY : (uint64_t)kind;
    *end = cpu_exit_plain(p, VMX_EXIT_apic_access, offset | type << APIC_ACCESS_SHIFT);
    return false;
}

/* The reference itself: a device's, or memory's with its time. */
static void access_physical(struct processor *p, const struct part *part, enum hv_access_kind kind, void *bytes)
{
    const struct cpu_wires *w = p->wires;
    struct cpu_device_access access = {part->hpa.v, kind, bytes, part->count, p->progress.delivering};
    if (w != NULL && w->device != NULL && w->device(w->ctx, &access, p->now) == CPU_ANSWERED) {
        return;
    }
    if (p->path != NULL) {
        struct mem_request request = {
            part->hpa, kind == HV_FETCH ? MEM_ENTRY_L1I : MEM_ENTRY_L1D, CACHE_DEMAND, kind == HV_STORE,
        };
        p->now = mem_access(p->path, &request, p->now).done;
    }
    void *memory = physmem_pointer(p->memory, part->hpa, part->count);
    if (kind != HV_STORE) {
        memory != NULL ? memcpy(bytes, memory, part->count) : memset(bytes, UINT8_MAX, part->count);
    } else if (memory != NULL) {
        memcpy(memory, bytes, part->count);
    }
}

/* All parts are translated and allowed: does the access. */
static bool access_parts(struct processor *p, const struct part *parts, size_t count, enum hv_access_kind kind,
                         uint8_t *bytes, enum cpu_end *end)
{
    for (size_t i = 0; i < count; i++) {
        if (in_apic_access_page(p, parts[i].hpa)) {
            if (!access_apic_page(p, &parts[i], kind, bytes, end)) {
                return false;
            }
        } else {
            access_physical(p, &parts[i], kind, bytes);
        }
        bytes += parts[i].count;
    }
    return true;
}

bool cpu_access(struct processor *p, hv_gva linear, enum hv_access_kind kind, void *bytes, size_t count,
                enum cpu_end *end)
{
    struct part parts[2];
    size_t used = 0;
    HV_ASSERT(count <= CPU_ACCESS_MAX_BYTES, "an access of %zu bytes", count);
    for (size_t done = 0; done < count; done += parts[used++].count) {
        uint64_t address = linear.v + done, room = HV_PAGE_BYTES - (address & PAGE_OFFSET);
        address = cpu_64_bit_mode(&p->state) || p->progress.delivering ? address : address & UINT32_MAX;
        if (!translate(p, (hv_gva){address}, kind, &parts[used].hpa, end)) {
            return false;
        }
        parts[used].count = count - done < room ? count - done : room;
    }
    return access_parts(p, parts, used, kind, bytes, end);
}

bool cpu_access_system(struct processor *p, hv_gva linear, enum hv_access_kind kind, void *bytes, size_t count,
                       enum cpu_end *end)
{
    bool long_mode = cpu_long_mode(&p->state);
    if (!long_mode || (cpu_cpl(&p->state) < 3 && (p->state.rflags & MMU_RFLAGS_AC) == 0)) {
        return cpu_access(p, linear, kind, bytes, count, end);
    }
    struct mmu_regs regs = processor_mmu_regs(p);
    regs.user = false;
    regs.rflags &= ~MMU_RFLAGS_AC; /* SDM Vol. 3A 4.6.1: SMAP holds for implicit supervisor accesses whatever AC is */
    mmu_set_context(p->mmu, &regs);
    bool ok = cpu_access(p, linear, kind, bytes, count, end);
    processor_context_changed(p);
    return ok;
}

bool cpu_access_guest_physical(struct processor *p, hv_gpa address, enum hv_access_kind kind, void *bytes,
                               size_t count, enum cpu_end *end)
{
    struct part part = {{address.v}, count};
    if (p->mmu->env.nested && !translate_by_ept(p, address, kind, NULL, &part.hpa, end)) {
        return false;
    }
    if (in_apic_access_page(p, part.hpa)) {
        uint64_t type = p->progress.delivering ? APIC_ACCESS_PHYSICAL_DELIVERY : APIC_ACCESS_PHYSICAL;
        *end = cpu_exit_plain(p, VMX_EXIT_apic_access, type << APIC_ACCESS_SHIFT);
        return false;
    }
    access_physical(p, &part, kind, bytes);
    return true;
}
