/* SPDX-License-Identifier: MIT */
/*
 * An oracle of x86-64 address translation, for the tests of the walker.
 *
 * Written from the text of the manuals in the plainest way, a recursion per dimension, and on purpose sharing no code
 * and no table with the simulator: only the names of faults and their bits (mmu/fault.h), which the comparison needs.
 * It reads memory through a callback and changes nothing; what hardware would write back is part of its answer.
 *
 * Sources: SDM Vol. 3A chapter 4, Vol. 3C "The Extended Page-Table Mechanism (EPT)" and Table 28-7 (exit
 * qualification), APM Vol. 2 15.25. Where they leave open whether a walk that ends in a fault sets an accessed flag,
 * the answer here is: an entry is used, and marked, once it has led to the next table, or to a page that the access
 * may touch.
 */
#ifndef HV_TESTS_MMU_ORACLE_H
#define HV_TESTS_MMU_ORACLE_H

#include "base/types.h"
#include "mmu/fault.h"

struct oracle_machine {
    uint64_t cr0, cr3, cr4, efer, rflags;
    uint64_t eptp; /* nCR3, with the walk length where EPTP has it, for NPT */
    bool user;     /* CPL is 3 */
    bool nested;
    bool npt;
    unsigned maxphyaddr;
    bool guest_1g;
    bool ept_execute_only;
    bool mode_based_execute;
    uint64_t (*read)(void *ctx, uint64_t address);
    void *ctx;
};

struct oracle_write {
    uint64_t address;
    uint64_t bits; /* accessed and dirty flags that hardware sets there */
};

enum { ORACLE_MAX_WRITES = 48 };

struct oracle_answer {
    uint64_t address;     /* host-physical; when fault.kind is HV_FAULT_NONE */
    unsigned size;        /* enum hv_page_size: the smaller leaf of both dimensions */
    unsigned refs;        /* entries read */
    struct hv_fault fault;
    struct oracle_write writes[ORACLE_MAX_WRITES];
    size_t write_count;
};

void oracle_translate(const struct oracle_machine *machine, hv_gva gva, enum hv_access_kind access,
                      struct oracle_answer *answer);

#endif
