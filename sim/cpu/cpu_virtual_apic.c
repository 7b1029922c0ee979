/* SPDX-License-Identifier: MIT */
/*
 * The virtual APIC of the guest that runs: what the VMCS says goes to the functions of apic/vapic.h, and what they
 * answer becomes an answer to the instruction, a VM exit, or a change of the guest interrupt status.
 */
#include <string.h>

#include "cpu/cpu_apic.h"
#include "cpu/execute/exit.h"
#include "cpu/vmx/vmx_watch.h"

enum { VTPR = 0x80, VTPR_CLASS_SHIFT = 4, SVI_SHIFT = 8 };

/* ---- The VMCS --------------------------------------------------------------------------------------------------- */

static struct vector_set eoi_exit_bitmap(const struct vmcs *v)
{
    return (struct vector_set){{VMCS_GET(v, eoi_exit_bitmap_0), VMCS_GET(v, eoi_exit_bitmap_1),
                                VMCS_GET(v, eoi_exit_bitmap_2), VMCS_GET(v, eoi_exit_bitmap_3)}};
}

static struct vapic_controls controls(const struct processor *p)
{
    const struct vmcs *v = &p->vmx.current;
    return (struct vapic_controls){
        .use_tpr_shadow = VMX_ON(p, PRIMARY, use_tpr_shadow),
        .virtualize_apic_accesses = VMX_ON(p, SECONDARY, virtualize_apic_accesses),
        .virtualize_x2apic_mode = VMX_ON(p, SECONDARY, virtualize_x2apic_mode),
        .apic_register_virtualization = VMX_ON(p, SECONDARY, apic_register_virtualization),
        .virtual_interrupt_delivery = VMX_ON(p, SECONDARY, virtual_interrupt_delivery),
        .ipi_virtualization = VMX_ON(p, TERTIARY, ipi_virtualization),
        .interrupt_window_exiting = VMX_ON(p, PRIMARY, interrupt_window_exiting),
        .tpr_threshold = VMCS_GET(v, tpr_threshold) & 15,
        .eoi_exit_bitmap = eoi_exit_bitmap(v),
        .posted_descriptor = {VMCS_GET(v, posted_interrupt_descriptor_address)},
        .pid_pointer_table = {VMCS_GET(v, pid_pointer_table_address)},
        .last_pid_pointer_index = (uint16_t)VMCS_GET(v, last_pid_pointer_index),
        .physical_bits = p->vmx.caps.physical_bits,
    };
}

static void read_vmcs(struct cpu_apic *a)
{
    const struct vmcs *v = &a->p->vmx.current;
    uint64_t status = VMCS_GET(v, guest_interrupt_status);
    a->vapic = (struct vapic){
        .memory = a->p->memory, .page = {VMCS_GET(v, virtual_apic_address)}, .controls = controls(a->p),
        .rvi = (uint8_t)status, .svi = (uint8_t)(status >> SVI_SHIFT), .stats = a->vapic.stats,
    };
}

/* MODEL: the field is up to date while the guest runs, as the rest of the VMCS is; silicon saves it at the VM exit. */
static void write_status(struct cpu_apic *a)
{
    struct processor *p = a->p;
    uint64_t status = a->vapic.rvi | (uint64_t)a->vapic.svi << SVI_SHIFT;
    if (VMX_ON(p, SECONDARY, virtual_interrupt_delivery)) {
        VMCS_SET(&p->vmx.current, guest_interrupt_status, status);
        vmx_watch_wrote(p->watch, p, p->vmx.current.address);
    }
}

/* ---- What the virtual APIC answers ------------------------------------------------------------------------------ */

static void apply(struct cpu_apic *a, const struct vapic_result *r)
{
    write_status(a);
    if (r->notification.send && a->local != NULL) {
        apic_send_notification(a->local, r->notification.ndst, r->notification.vector, a->p->now);
    }
    switch (r->action) {
    case VAPIC_EXIT_WRITE: cpu_request_exit(a->p, VMX_EXIT_apic_write, r->qualification); break;
    case VAPIC_EXIT_TPR_THRESHOLD: cpu_request_exit(a->p, VMX_EXIT_tpr_below_threshold, r->qualification); break;
    case VAPIC_EXIT_EOI: cpu_request_exit(a->p, VMX_EXIT_virtualized_eoi, r->qualification); break;
    case VAPIC_DONE:
    case VAPIC_EMULATE:
    case VAPIC_NORMAL:
    case VAPIC_FAULT:
    case VAPIC_EXIT_ACCESS: break; /* told by the answer to the instruction */
    }
}

/* ---- VM entry, interrupts --------------------------------------------------------------------------------------- */

/* 27.3.2.5 and 27.7.7 (26.3.2.5, 26.7.7). Guests without a virtual APIC need not be looked at. */
static void entered(void *ctx)
{
    struct cpu_apic *a = ctx;
    a->written_bytes = 0;
    a->vapic.recognized = false;
    if (VMX_ON(a->p, PRIMARY, use_tpr_shadow) || VMX_ON(a->p, SECONDARY, virtualize_apic_accesses)) {
        read_vmcs(a);
        struct vapic_result result = vapic_enter(&a->vapic);
        apply(a, &result);
    }
}

static int virtual_pending(void *ctx)
{
    const struct cpu_apic *a = ctx;
    return a->vapic.recognized ? a->vapic.rvi : -1;
}

static int virtual_acknowledge(void *ctx)
{
    struct cpu_apic *a = ctx;
    int vector = vapic_deliver(&a->vapic);
    write_status(a);
    return vector;
}

/* 30.6 (29.6): the processor writes the EOI of the notification itself, step 4. */
static void posted(void *ctx)
{
    struct cpu_apic *a = ctx;
    if (a->local != NULL) {
        apic_eoi(a->local, a->p->now);
    }
    vapic_process_posted(&a->vapic);
    write_status(a);
}

/* ---- Accesses --------------------------------------------------------------------------------------------------- */

/* MOV to CR8 has written VTPR already: writing the same again does the rest. */
static void virtual_tpr(void *ctx)
{
    struct cpu_apic *a = ctx;
    uint64_t vtpr = physmem_read64(a->p->memory, (hv_hpa){a->vapic.page.v + VTPR});
    struct vapic_result result = vapic_write_cr8(&a->vapic, vtpr >> VTPR_CLASS_SHIFT & 15);
    apply(a, &result);
}

static enum vapic_access_kind kind_of(const struct processor *p, enum hv_access_kind kind)
{
    if (kind == HV_STORE) {
        return p->progress.delivering ? VAPIC_EVENT_WRITE : VAPIC_WRITE;
    }
    if (kind == HV_FETCH) {
        return VAPIC_FETCH;
    }
    return p->progress.delivering ? VAPIC_EVENT_READ : VAPIC_READ;
}

/* The exit qualification of a refused access is the same whoever computes it (access.c). */
static enum cpu_answer apic_access(void *ctx, const struct cpu_device_access *access)
{
    struct cpu_apic *a = ctx;
    uint64_t value = 0;
    size_t bytes = access->count < sizeof(value) ? access->count : sizeof(value);
    struct vapic_access v = {
        .offset = (uint32_t)access->address, .bytes = (unsigned)access->count, .kind = kind_of(a->p, access->kind),
        .earlier_offset = a->written_offset, .earlier_bytes = a->written_bytes,
    };
    if (access->kind == HV_STORE) {
        memcpy(&value, access->bytes, bytes);
    }
    struct vapic_result result = vapic_access(&a->vapic, &v, value);
    if (result.action == VAPIC_EMULATE) {
        a->written_offset = v.offset;
        a->written_bytes = v.bytes;
        a->p->progress.apic_written = true;
        return CPU_ANSWERED;
    }
    if (result.action != VAPIC_DONE) {
        return CPU_REFUSED;
    }
    memcpy(access->bytes, &result.value, bytes);
    return CPU_ANSWERED;
}

/* 30.4.3.2 (29.4.3.2). */
static void apic_written(void *ctx)
{
    struct cpu_apic *a = ctx;
    struct vapic_result result = vapic_emulate_write(&a->vapic, a->written_offset);
    a->written_bytes = 0;
    apply(a, &result);
}

enum cpu_answer cpu_virtual_apic_msr(struct cpu_apic *a, uint32_t index, bool write, uint64_t *value)
{
    if (!VMX_ON(a->p, SECONDARY, virtualize_x2apic_mode)) {
        return CPU_NOT_MINE;
    }
    struct vapic_result result =
        write ? vapic_write_msr(&a->vapic, index, *value) : vapic_read_msr(&a->vapic, index);
    if (result.action == VAPIC_NORMAL) {
        return CPU_NOT_MINE;
    }
    if (result.action == VAPIC_FAULT) {
        return CPU_REFUSED;
    }
    *value = write ? *value : result.value;
    apply(a, &result);
    return CPU_ANSWERED;
}

void cpu_virtual_apic_connect(struct cpu_wires *wires)
{
    wires->entered = entered;
    wires->apic_access = apic_access;
    wires->apic_written = apic_written;
    wires->virtual_tpr = virtual_tpr;
    wires->virtual_pending = virtual_pending;
    wires->virtual_acknowledge = virtual_acknowledge;
    wires->posted = posted;
}
