/* SPDX-License-Identifier: MIT */
/*
 * Registers of devices in a guest's address spaces.
 *
 * They lie behind the guest's memory, in guest-physical pages of 4 KiB that the guest's kernel maps for itself, not to
 * be cached. What an access to one becomes is for EPT to say, page by page:
 *
 *     vm_window_pass    the registers of a device, by their host-physical address and of memory type UC: no VM exit
 *     vm_window_trap    an entry that allows writes and no reads, which is a misconfiguration: every access exits with
 *                       its guest-physical address (SDM Vol. 3C "EPT Misconfigurations", 29.3.3.1; 28.3.3.1 in editions
 *                       before 2022), and no translation is made of it (29.4.2; 28.4.2). KVM does so for the registers
 *                       of devices that it emulates
 *     neither           nothing is present: an EPT violation
 *
 * MODEL: the kernel's page table is one of its own and has nothing but these pages, in a top-level entry that no
 * process uses. In hardware the table of each process has that entry, too, and CR3 stays as it is; so changing to it
 * takes no time, and what is cached has the tags of the process that runs. MODEL: the type UC is in the entries and
 * decides nothing: what is not cached is what a device answers.
 */
#ifndef HV_VMM_VM_WINDOW_H
#define HV_VMM_VM_WINDOW_H

#include "vmm/vm.h"

struct vm_window {
    struct vm *vm;
    struct page_table kernel;      /* of the guest's kernel */
    struct frames kernel_tables;   /* guest-physical, in front of the registers */
    struct frames host_tables;     /* for EPT's entries of both */
    uint64_t gpa, gva;             /* of the first register */
};

struct vm_window_config {
    uint64_t bytes;         /* of registers; whole pages, at most 2 MiB */
    unsigned physical_bits; /* of the processor */
};

/*
 * Makes the window of a VM that has EPT; no register is present yet. Its tables take memory from *host_next on. The
 * window stays where it is. False: a sentence says what to change.
 */
bool vm_window_init(struct vm_window *w, struct vm *vm, const struct vm_window_config *config, uint64_t *host_next,
                    struct hv_err *err);

/* What becomes of whole pages from an offset in the window on. */
void vm_window_pass(struct vm_window *w, uint64_t offset, uint64_t hpa, uint64_t bytes);
void vm_window_trap(struct vm_window *w, uint64_t offset, uint64_t bytes);

/* CR3 of the guest's kernel while a process with this CR3 runs. */
uint64_t vm_window_cr3(const struct vm_window *w, uint64_t cr3);

#endif
