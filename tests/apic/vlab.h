/* SPDX-License-Identifier: MIT */
/* A virtual APIC on a page of simulated memory, with every control off. */
#ifndef HV_TESTS_APIC_VLAB_H
#define HV_TESTS_APIC_VLAB_H

#include "gtest.h"

#include "apic/vapic.h"

enum {
    VLAB_MEMORY_BYTES = 1 << 20, VLAB_PAGE = 0x3000, VLAB_TABLE = 0x5000, VLAB_DESCRIPTORS = 0x8000,
    VLAB_PHYSICAL_BITS = 46,
};

struct vlab {
    struct physmem memory;
    struct vapic v;
};

/* The posted-interrupt descriptor is VLAB_DESCRIPTORS, the PID-pointer table VLAB_TABLE with 16 entries, all zero. */
void vlab_init(struct vlab *lab);
void vlab_fini(struct vlab *lab);

/* Fields of the page, by bytes of memory and not by the functions under test. */
uint32_t vlab_get(const struct vlab *lab, uint32_t offset);
void vlab_set(struct vlab *lab, uint32_t offset, uint32_t value);

/* Controls by the bits of a number, for tests of all combinations. */
enum { VLAB_TPR = 1, VLAB_REGISTERS = 2, VLAB_DELIVERY = 4, VLAB_IPI = 8, VLAB_X2APIC = 16, VLAB_WINDOW = 32 };
void vlab_controls(struct vlab *lab, unsigned bits);

#endif
