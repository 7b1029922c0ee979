/* SPDX-License-Identifier: MIT */
/*
 * What the files of a local APIC share among themselves. Not for other blocks.
 */
#ifndef HV_APIC_APIC_PARTS_H
#define HV_APIC_APIC_PARTS_H

#include "apic/apic.h"

static inline uint32_t *apic_register_at(struct apic *a, enum apic_offset offset)
{
    return &a->registers[offset >> 4];
}

static inline uint32_t apic_get(const struct apic *a, enum apic_offset offset)
{
    return a->registers[offset >> 4];
}

static inline bool apic_software_enabled(const struct apic *a)
{
    return apic_mode(a) != APIC_MODE_DISABLED && (apic_get(a, APIC_SVR) & APIC_SVR_ENABLE) != 0;
}

/* The bits of a register that this APIC, with what it offers, lets software write. */
uint32_t apic_writable_bits(const struct apic *a, enum apic_offset offset);

/* A register as software sees it. */
uint32_t apic_register_value(struct apic *a, enum apic_offset offset, hv_cycles now);

/* Stores a legal value in a register and does what that entails. */
void apic_register_store(struct apic *a, enum apic_offset offset, uint32_t value, hv_cycles now);

/* Records errors for the ESR and raises the error interrupt. */
void apic_record_errors(struct apic *a, uint32_t errors, hv_cycles now);

/* Raises INTR if something has become pending. After every change of IRR, ISR, TPR and ExtINT. */
void apic_update_intr(struct apic *a, hv_cycles now);

/* A fixed interrupt for the IRR. False: it was refused. */
bool apic_accept(struct apic *a, uint8_t vector, enum interrupt_trigger trigger, hv_cycles now);

/* An NMI, SMI, INIT or start-up IPI for the core. */
void apic_signal_event(struct apic *a, enum apic_signal signal, uint8_t vector, hv_cycles now);

/* An LVT entry's interrupt happens: delivered as its mode says, unless it is masked. */
void apic_deliver_local(struct apic *a, enum apic_offset entry, hv_cycles now);

/* The level of the LINT pins is looked at again, after an LVT write or an EOI. */
void apic_update_lint(struct apic *a, hv_cycles now);

/* An EOI reached the LVT: its level-triggered entries with this vector may interrupt again. */
void apic_local_eoi(struct apic *a, uint8_t vector, hv_cycles now);

/* Sends what the ICR holds. */
void apic_send_icr(struct apic *a, hv_cycles now);
void apic_send_self(struct apic *a, uint8_t vector, hv_cycles now);

/* Writes that concern the timer; the LVT entry, divider or initial count has its old value when they are called. */
void apic_timer_write_lvt(struct apic *a, uint32_t value, hv_cycles now);
void apic_timer_write_divide(struct apic *a, uint32_t value, hv_cycles now);
void apic_timer_write_initial(struct apic *a, uint32_t value, hv_cycles now);
void apic_timer_write_deadline(struct apic *a, uint64_t deadline, hv_cycles now);
void apic_timer_stop(struct apic *a);
uint32_t apic_timer_current(const struct apic *a, hv_cycles now);
enum apic_timer_mode apic_timer_mode(const struct apic *a);

#endif
