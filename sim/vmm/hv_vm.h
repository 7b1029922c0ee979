/* SPDX-License-Identifier: MIT */
/* The small layer's virtual machine, for hv_vm.c (its memory) and hv_vcpu.c (its processors). */
#ifndef HV_VMM_HV_VM_H
#define HV_VMM_HV_VM_H

#include "api/hvsim.h"
#include "base/types.h"

struct hv_vm {
    struct hv_machine *machine;
    uint64_t ept;           /* host-physical address of the top table */
    uint64_t cr3;           /* guest-physical address of the guest's top table; 0: none yet */
    uint64_t next_table;    /* of the guest's, guest-physical */
    struct hv_vcpu *vcpus;  /* the one made last first */
};

/* The EPTP of the VM: four levels, write-back, without accessed and dirty flags. */
uint64_t hv_vm_eptp(const struct hv_vm *vm);

/* After mappings have changed: each processor of the VM drops what it has cached of them. */
void hv_vm_invalidate(struct hv_vm *vm);

#endif
