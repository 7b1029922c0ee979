/* SPDX-License-Identifier: MIT */
/*
 * Shadow page tables: for each process of a guest a second table, in host memory, that leads from guest-virtual to
 * host-physical addresses, so that the processor walks one dimension. Private to sim/vmm.
 *
 * The guest does not know of them and goes on writing its own tables. The hypervisor keeps up:
 *
 *   write-protected   a guest table that the shadow mirrors: each write to it is a VM exit, after which the shadow's
 *                     entry is made anew from the guest's
 *   unsynchronised    a guest leaf table after the first such exit, with vmm.shadow.unsync: it is written freely until
 *                     the guest flushes, since until then the architecture lets old translations be used
 *   hidden faults     the shadow lacks what the guest's tables allow: the hypervisor fills it in
 *   flags             the shadow has only entries that the guest has marked accessed, and they are read-only until
 *                     the guest's is dirty: the first use and the first store exit, and the hypervisor sets the flag
 *
 * The scheme, with its unsynchronised pages, is that of KVM (Linux, Documentation/virt/kvm/x86/mmu.rst).
 *
 * A page of the shadow is as large as the smaller of the guest's and the host's. MODEL: a shadow belongs to one
 * process and is never dropped for want of memory; its tables are made ahead with paging.prefault.
 *
 * Agile paging adds guest tables that are nested: the shadow's entry above points at the guest's own table
 * (RADIX_SWITCH), which no longer needs protection (Gandhi, Hill, Swift: "Agile Paging", ISCA 2016).
 *
 * shadow.c keeps the tables, shadow_fill.c fills them in, shadow_exit.c handles VM exits, and agile.c decides which
 * guest tables are nested.
 */
#ifndef HV_VMM_SHADOW_H
#define HV_VMM_SHADOW_H

#include "vmm/vm.h"

enum { SHADOW_TABLE_ENTRIES = 512 };

/* What makes a guest's processor exit because of shadow tables. */
enum shadow_exit {
    SHADOW_EXIT_WRITE, SHADOW_EXIT_FAULT, SHADOW_EXIT_REFLECT, SHADOW_EXIT_INVLPG, SHADOW_EXIT_CR3, SHADOW_EXIT_SCAN,
    SHADOW_EXITS
};

_Static_assert((int)SHADOW_EXITS == (int)VM_EXIT_KINDS, "a kind of exit that is not counted");

enum shadow_state {
    SHADOW_NONE,      /* mirrored by no shadow table: written freely */
    SHADOW_PROTECTED,
    SHADOW_UNSYNC,
    SHADOW_NESTED,    /* walked by the processor itself */
};

/* What is known of a page of the guest's tables. */
struct shadow_guest_table {
    uint8_t state;   /* enum shadow_state */
    uint8_t level;
    bool written;    /* nested: since the last scan */
    bool listed;     /* in the list of its state, or of one that it has left */
    uint32_t process;
    uint64_t start;  /* the first guest-virtual address that it translates */
    uint64_t writes, interval; /* exits for writes within one interval */
};

/* Where a page of the guest's was filled into the shadow last: what KVM calls a reverse mapping. */
struct shadow_owner {
    uint64_t gva;
    uint32_t process;
    uint32_t level; /* of the guest's entry; 0: nowhere yet */
};

/* Numbers of guest tables in a state; one that has left it may still be in the list. */
struct shadow_list {
    uint32_t *items;
    size_t count, capacity;
};

struct shadow {
    struct page_table *tables;        /* by process */
    uint64_t start;                   /* host address of the first page for shadow tables */
    uint32_t *mirrored;               /* by page for shadow tables: number of the guest table + 1, or 0 */
    struct shadow_guest_table *guest; /* by page of guest tables */
    struct shadow_owner *owners;      /* by page of guest-physical data: of the guest's page that begins there */
    struct shadow_list unsync, nested;
    uint64_t interval;                /* agile: number of the present one */
    hv_cycles owed;                   /* of VM exits, not charged yet */
    bool flush;                       /* what the hypervisor itself has changed is not invalidated yet */
};

/* The guest's path to an address: its tables by level, and the entry that ends it. */
struct shadow_path {
    uint64_t table[RADIX_MAX_LEVELS + 1]; /* gPA */
    uint64_t *entry[RADIX_MAX_LEVELS + 1];
    unsigned level;   /* of the last entry */
    bool mapped;      /* it maps a page */
    uint64_t rights;  /* RADIX_IA32E_W and _U if all entries have them, RADIX_XD if any has */
};

/* The entries of a table in host memory. */
static inline uint64_t *shadow_entries(const struct vm *vm, uint64_t hpa)
{
    uint64_t *entries = physmem_pointer(vm->host.memory, (hv_hpa){hpa}, HV_PAGE_BYTES);
    HV_ASSERT(entries != NULL, "a page table outside memory at %#llx", (unsigned long long)hpa);
    return entries;
}

static inline unsigned shadow_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> radix_shift(level) & (SHADOW_TABLE_ENTRIES - 1));
}

static inline bool shadow_is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & RADIX_LARGE) != 0;
}

/* The bits of an address below those that index the tables down to a level. */
static inline uint64_t shadow_offset_mask(unsigned level)
{
    return (UINT64_C(1) << radix_shift(level)) - 1;
}

struct shadow_path shadow_guest_path(struct vm *vm, uint32_t process, uint64_t gva);

/* --- shadow.c ---------------------------------------------------------------------------------------------------- */

/* Makes the shadow of a VM whose guest and host tables are there; with paging.prefault, of all that they map. */
void shadow_begin(struct vm *vm);
void shadow_end(struct vm *vm);

struct shadow_guest_table *shadow_guest_table(struct vm *vm, uint64_t gpa);
void shadow_list_add(struct shadow *s, struct shadow_list *list, uint32_t number);

/* The shadow's entry of an address at a level, NULL when it has no table there. */
uint64_t *shadow_entry(struct vm *vm, uint32_t process, uint64_t gva, unsigned level);

/* Empties that entry with all tables below; false: there was nothing. */
bool shadow_drop(struct vm *vm, uint32_t process, uint64_t gva, unsigned level);

/* --- shadow_fill.c ----------------------------------------------------------------------------------------------- */

/*
 * Fills in the page of an address, if the guest and the host map it and the guest has accessed it; in place of it the
 * switch to a guest table, if that is to be nested.
 */
bool shadow_fill(struct vm *vm, uint32_t process, uint64_t gva);

/* Fills in all pages below a guest table; returns how many shadow tables that took. */
uint64_t shadow_build(struct vm *vm, uint32_t process, uint64_t table, unsigned level, uint64_t gva);

/* The hypervisor has changed its own tables: brings the shadow in line. Returns how many entries that took. */
uint64_t shadow_host_changed(struct vm *vm, uint64_t gpa, enum hv_page_size size);

/* --- shadow_exit.c ----------------------------------------------------------------------------------------------- */

/* Counts a VM exit; returns what it costs. */
hv_cycles shadow_exit(struct vm *vm, enum shadow_exit why);

/* The guest has written the entry of an address at a level (page_table.entry_written). */
void shadow_entry_written(void *vm, uint32_t process, uint64_t gva, unsigned level);

/* A page fault: true if it was hidden from the guest, and the reply says what came of it. */
bool shadow_handle_fault(struct vm *vm, uint32_t process, const struct hv_fault *fault, struct vm_fault_reply *reply);

/* The cycles of VM exits since the last call; makes the change invalidate what the hypervisor itself has changed. */
hv_cycles shadow_settle(struct vm *vm, struct vm_change *change);

/* --- agile.c ----------------------------------------------------------------------------------------------------- */

/* The level whose entry switches to nested walks by vmm.agile.nested_levels; 0: no level does by it. */
unsigned agile_fixed_level(const struct vm *vm);

/* Whether nothing is shadowed, not even the root: nested paging. */
bool agile_is_full(const struct vm *vm);

/* Whether the walk begins in the guest's own root table. */
bool agile_root_switched(const struct vm *vm);

/* The shadow's entry that leads to a guest table directly. */
uint64_t agile_switch_to(const struct vm *vm, uint64_t gpa);

/* Counts an exit for a write to a guest table; true: that makes it nested. */
bool agile_note_write(struct vm *vm, uint32_t number);

#endif
