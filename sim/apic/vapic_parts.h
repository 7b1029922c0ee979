/* SPDX-License-Identifier: MIT */
/*
 * What the files of APIC virtualization share among themselves. Not for other blocks.
 */
#ifndef HV_APIC_VAPIC_PARTS_H
#define HV_APIC_VAPIC_PARTS_H

#include "apic/vapic.h"

/* The fields of the virtual-APIC page that are more than memory. SDM Vol. 3C 30.1.1 (29.1.1). */
enum vapic_field {
    VAPIC_VTPR = 0x080, VAPIC_VPPR = 0x0a0, VAPIC_VEOI = 0x0b0, VAPIC_VISR = 0x100, VAPIC_VIRR = 0x200,
    VAPIC_VICR_LO = 0x300, VAPIC_VICR_HI = 0x310, VAPIC_SELF_IPI = 0x3f0,
};

/* Bits of the virtual ICR. */
enum {
    VAPIC_ICR_MODE = 7 << 8,
    VAPIC_ICR_LOGICAL = 1 << 11,
    VAPIC_ICR_PENDING = 1 << 12,
    VAPIC_ICR_LEVEL = 1 << 15,
    VAPIC_ICR_SHORTHAND = 3 << 18,
    VAPIC_ICR_SELF = 1 << 18,
};
#define VAPIC_ICR_RESERVED UINT32_C(0xfff32000) /* 31:20, 17:16, 13 */

static inline hv_hpa vapic_at(const struct vapic *v, uint32_t offset)
{
    return (hv_hpa){v->page.v + offset};
}

uint32_t vapic_get32(const struct vapic *v, uint32_t offset);
void vapic_set32(struct vapic *v, uint32_t offset, uint32_t value);

static inline struct vapic_result vapic_done(void)
{
    return (struct vapic_result){.action = VAPIC_DONE};
}

/* The value of a read that was virtualized, counted; and the count of such a write. */
struct vapic_result vapic_read_done(struct vapic *v, uint64_t value);
void vapic_count_write(struct vapic *v);

/* A VM exit, counted. */
struct vapic_result vapic_exit(struct vapic *v, enum vapic_action action, uint64_t qualification);

/* TPR, EOI and self-IPI virtualization: 30.1.2, 30.1.4, 30.1.5. */
struct vapic_result vapic_virtualize_tpr(struct vapic *v);
struct vapic_result vapic_virtualize_eoi(struct vapic *v);
struct vapic_result vapic_virtualize_self_ipi(struct vapic *v, uint8_t vector);

#endif
