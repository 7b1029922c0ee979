/* SPDX-License-Identifier: MIT */
#include "vlab.h"

#include <string.h>

void vlab_init(struct vlab *lab)
{
    struct hv_err err = {""};
    memset(lab, 0, sizeof(*lab));
    assert_true(physmem_init(&lab->memory, VLAB_MEMORY_BYTES, &err));
    lab->v.memory = &lab->memory;
    lab->v.page = (hv_hpa){VLAB_PAGE};
    vlab_controls(lab, 0);
}

void vlab_fini(struct vlab *lab)
{
    physmem_fini(&lab->memory);
}

uint32_t vlab_get(const struct vlab *lab, uint32_t offset)
{
    uint32_t value;
    memcpy(&value, lab->memory.bytes + VLAB_PAGE + offset, sizeof(value));
    return value;
}

void vlab_set(struct vlab *lab, uint32_t offset, uint32_t value)
{
    memcpy(lab->memory.bytes + VLAB_PAGE + offset, &value, sizeof(value));
}

void vlab_controls(struct vlab *lab, unsigned bits)
{
    lab->v.controls = (struct vapic_controls){
        .use_tpr_shadow = (bits & VLAB_TPR) != 0,
        .virtualize_apic_accesses = true,
        .apic_register_virtualization = (bits & VLAB_REGISTERS) != 0,
        .virtual_interrupt_delivery = (bits & VLAB_DELIVERY) != 0,
        .ipi_virtualization = (bits & VLAB_IPI) != 0,
        .virtualize_x2apic_mode = (bits & VLAB_X2APIC) != 0,
        .interrupt_window_exiting = (bits & VLAB_WINDOW) != 0,
        .posted_descriptor = {VLAB_DESCRIPTORS},
        .pid_pointer_table = {VLAB_TABLE},
        .last_pid_pointer_index = 15,
        .physical_bits = VLAB_PHYSICAL_BITS,
    };
}
