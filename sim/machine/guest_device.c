/* SPDX-License-Identifier: MIT */
/*
 * Devices' interrupts for guests, the accesses of guests' drivers to devices, and the hypervisor's own work for
 * devices: it leaves the guest, works on the core's clock, and goes back.
 */
#include "machine/guest_parts.h"

#include <string.h>

#include "apic/posted.h"
#include "cpu/execute/events.h"
#include "cpu/execute/execute.h"

void guest_interrupt(struct machine_core *c, uint8_t vector)
{
    struct machine_guest *g = c->guest;
    guest_begin_exits(g);
    hv_interrupt(&g->cpu, vector);
    guest_settle(g, CPU_COMPLETED);
    guest_end_exits(g, "device interrupt");
}

struct posted_notification guest_post(struct machine_core *c, uint32_t vcpu, uint8_t vector, bool urgent)
{
    struct machine_guest *g = c->guest;
    const hv_hpa descriptor = {g->vcpus[vcpu].posted};
    return posted_post(&g->memory, descriptor, vector, urgent ? POSTED_URGENT : POSTED_NORMAL);
}

/* The exit, and the hypervisor's handler up to where it would enter again. */
static void handle_first(struct machine_guest *g, enum cpu_end end)
{
    HV_ASSERT(end == CPU_EXITED, "the guest did not leave for the hypervisor");
    guest_run_hypervisor(g);
}

void guest_leave_by_interrupt(struct machine_core *c, uint8_t vector)
{
    struct machine_guest *g = c->guest;
    struct processor *p = guest_begin_exits(g);
    hv_interrupt(&g->cpu, vector);
    handle_first(g, cpu_between(p));
    guest_end_exits(g, "device interrupt");
}

void guest_return(struct machine_core *c, int vector)
{
    struct machine_guest *g = c->guest;
    guest_begin_exits(g);
    if (vector >= 0) {
        hypervisor_inject(&g->vcpus[g->current].hypervisor, &g->cpu, (uint8_t)vector);
    }
    bool entered = guest_enter(g);
    HV_ASSERT(entered, "VM entry failed after the hypervisor's work for a device");
    guest_settle(g, CPU_COMPLETED);
    guest_end_exits(g, "device interrupt");
}

/* ---- Accesses of drivers ---------------------------------------------------------------------------------------- */

/*
 * Memory, of which the processor itself has only the hypervisor's structures. A device's registers are never in a
 * cache, and its write leaves the core at once.
 */
enum cpu_answer guest_physical_access(void *ctx, const struct cpu_device_access *access, hv_cycles now)
{
    struct machine_guest *g = ((struct cpu_apic *)ctx)->user;
    struct machine_core *c = g->core;
    const hv_hpa address = {access->address};
    if (io_access(c, access, now) || g->apic(ctx, access, now) == CPU_ANSWERED) {
        return CPU_ANSWERED;
    }
    void *bytes = physmem_pointer(&c->machine->memory, address, access->count);
    const bool write = access->kind == HV_STORE;
    if (bytes != NULL) {
        g->cpu.p.now = mem_data(&c->path, address, write, now).done;
        memcpy(write ? bytes : access->bytes, write ? access->bytes : bytes, access->count);
    } else if (!write) {
        memset(access->bytes, UINT8_MAX, access->count);
    }
    return CPU_ANSWERED;
}

/* The guest's kernel executes an instruction. True: it has exited, and the hypervisor has looked at the exit. */
static bool execute(struct machine_guest *g, const struct cpu_instruction *instruction, const char *what)
{
    struct machine_core *c = g->core;
    const struct processor *p = &g->cpu.p;
    const enum cpu_end end = cpu_execute(&g->cpu.p, instruction);
    HV_ASSERT(end == CPU_COMPLETED || end == CPU_EXITED, "a driver's %s has raised vector %u", what, p->raised.vector);
    if (end == CPU_EXITED) {
        const char *why = hv_exit_name(p->vmx.exit.reason);
        handle_first(g, end);
        guest_end_exits(g, why);
        return true;
    }
    core_charge(&c->core, CORE_COST_INTERRUPT, p->now - c->core.now, what);
    guest_end_exits(g, what);
    return false;
}

bool guest_out(struct machine_core *c, uint16_t port, unsigned bytes, uint32_t value)
{
    struct machine_guest *g = c->guest;
    struct processor *p = guest_begin_exits(g);
    guest_enter_kernel(g);
    p->state.registers[CPU_RDX] = port;
    p->state.registers[CPU_RAX] = value;
    const struct cpu_instruction instruction = {.op = CPU_OP_out, .size = (uint8_t)bytes, .reg2 = CPU_RDX};
    return execute(g, &instruction, "notification");
}

/* Ring 0, with the kernel's page table. */
static void use_window(struct machine_guest *g, const struct vm_window *w)
{
    struct mmu_regs regs = g->core->mmu.env.regs;
    guest_enter_kernel(g);
    regs.cr3 = vm_window_cr3(w, regs.cr3);
    regs.user = false;
    mmu_set_context(&g->core->mmu, &regs);
    g->cpu.p.state.cr3 = regs.cr3;
}

bool guest_access_register(struct machine_core *c, const struct guest_register *r)
{
    struct machine_guest *g = c->guest;
    struct processor *p = guest_begin_exits(g);
    use_window(g, r->window);
    p->state.registers[CPU_RAX] = r->value;
    const struct cpu_instruction instruction = {
        .op = r->kind == HV_STORE ? CPU_OP_store : CPU_OP_load, .size = (uint8_t)r->bytes, .reg1 = CPU_RAX,
        .in_memory = true,
        .memory = {
            .displacement = r->window->gva + r->offset, .base = CPU_NO_REGISTER, .index = CPU_NO_REGISTER,
            .segment = CPU_DS, .address_size_log2 = 3,
        },
    };
    return execute(g, &instruction, "register access");
}

struct hypervisor_access guest_wanted(const struct machine_core *c)
{
    return c->guest->vcpus[c->guest->current].hypervisor.access;
}

/* ---- Turns of virtual processors -------------------------------------------------------------------------------- */

/* Where notifications of a descriptor go: bits 279:272, the vector. */
static void set_notification(struct machine_guest *g, uint32_t vcpu, uint8_t vector)
{
    const hv_hpa control = {g->vcpus[vcpu].posted + 32};
    uint64_t word = physmem_read64(&g->memory, control);
    physmem_write64(&g->memory, control, (word & ~(UINT64_C(255) << 16)) | (uint64_t)vector << 16);
}

void guest_device_leave(struct machine_guest *g)
{
    if (g->core->io != NULL && guest_interrupts_of(g) == VCPU_INTERRUPTS_POSTED) {
        set_notification(g, g->current, WAKE_VECTOR);
    }
}

/* What was posted meanwhile is delivered by a notification that the hypervisor sends to its own processor. */
static void deliver_posted(struct machine_guest *g)
{
    const hv_hpa control = {g->vcpus[g->current].posted + 32};
    set_notification(g, g->current, NOTIFICATION_VECTOR);
    if ((physmem_read64(&g->memory, control) & POSTED_ON) != 0) {
        hv_interrupt(&g->cpu, NOTIFICATION_VECTOR);
    }
}

void guest_device_enter(struct machine_guest *g)
{
    if (g->core->io == NULL) {
        return;
    }
    int vector = io_core_waiting(g->core, g->current);
    if (guest_interrupts_of(g) == VCPU_INTERRUPTS_POSTED) {
        deliver_posted(g);
    }
    if (vector >= 0) {
        hypervisor_inject(&g->vcpus[g->current].hypervisor, &g->cpu, (uint8_t)vector);
    }
}
