/* SPDX-License-Identifier: MIT */
/*
 * The registers of a local APIC as a table: one row of apic_regs.def each, found by offset / 16.
 */
#ifndef HV_APIC_APIC_REGS_H
#define HV_APIC_APIC_REGS_H

#include "base/types.h"

enum { APIC_REGISTERS = 64, APIC_MSR_FIRST = 0x800, APIC_MSR_LAST = 0x8ff };

enum apic_offset {
#define R(offset, name, text, reset, xapic, x2apic, writable, read_only) APIC_##name = offset,
#define R8 R
#include "apic/apic_regs.def"
#undef R
#undef R8
};

/* What software may do with a register. */
enum apic_access { APIC_NO = 0, APIC_RO = 1, APIC_WO = 2, APIC_RW = APIC_RO | APIC_WO };

struct apic_register {
    const char *name;   /* NULL: there is none at this offset */
    uint32_t reset;
    enum apic_access xapic, x2apic;
    uint32_t writable;
    uint32_t read_only;
};

extern const struct apic_register apic_registers[APIC_REGISTERS]; /* by offset / 16 */

/* Bits of the local vector table and of the ICR, which share their layout. SDM Vol. 3A figures 11-8 and 11-12. */
enum {
    APIC_VECTOR = 0xff,
    APIC_MODE_SHIFT = 8,
    APIC_LOGICAL = 1 << 11,
    APIC_PENDING = 1 << 12,
    APIC_ACTIVE_LOW = 1 << 13,
    APIC_REMOTE_IRR = 1 << 14,  /* of the LVT */
    APIC_ASSERT = 1 << 14,      /* of the ICR */
    APIC_LEVEL = 1 << 15,
    APIC_MASKED = 1 << 16,
    APIC_TIMER_MODE_SHIFT = 17,
    APIC_SHORTHAND_SHIFT = 18,
};

/* Spurious-interrupt vector register. */
enum { APIC_SVR_ENABLE = 1 << 8, APIC_SVR_NO_EOI_BROADCAST = 1 << 12 };

/* Version register. */
enum { APIC_VERSION_EOI_SUPPRESSION = 1 << 24 };

/* Error status register. SDM Vol. 3A "Error Handling" (11.5.3; 10.5.3). */
enum {
    APIC_ERROR_SENT_VECTOR = 1 << 5,
    APIC_ERROR_RECEIVED_VECTOR = 1 << 6,
    APIC_ERROR_REGISTER = 1 << 7,
};

#endif
