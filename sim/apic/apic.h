/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a core: it takes interrupts from its own sources (timer, LINT pins, sensors) and from the
 * interrupt bus, keeps them by priority, hands them to the core one by one, and sends interprocessor interrupts.
 *
 * SDM Vol. 3A "Advanced Programmable Interrupt Controller (APIC)", chapter 11 (10 in editions before 2022). All that
 * the registers are is in apic_regs.def. The interface is the memory-mapped one (xAPIC) or MSRs 800H-8FFH (x2APIC),
 * as IA32_APIC_BASE says; the core's CR8 is another view of the TPR.
 *
 * Time is an argument. Nothing ticks: the current count of the timer is computed from `now`, apic_timer_next() says
 * when the timer is due, and apic_advance() fires it. Whoever accesses registers needs no apic_advance() before.
 *
 * MODEL: the local interrupt sources reach the core in no time, so delivery status in the LVT is always idle; in the
 * ICR it is pending until the message arrives (apic.ipi_cycles), and sending again before that loses nothing.
 * MODEL: what the SDM leaves to the implementation is said where it is decided: `grep MODEL: sim/apic`.
 */
#ifndef HV_APIC_APIC_H
#define HV_APIC_APIC_H

#include "apic/apic_regs.h"
#include "apic/interrupt_message.h"
#include "apic/vector_set.h"
#include "base/param.h"
#include "base/stat.h"

struct apic_bus;

struct apic_params {
#define P PARAM_MEMBER
#include "apic/apic_params.def"
#undef P
};

extern const struct param_row apic_param_rows[];
extern const size_t apic_param_count;

struct apic_stats {
#define S STAT_MEMBER
#include "apic/apic_stats.def"
#undef S
};

extern const struct stat_row apic_stat_rows[];
extern const size_t apic_stat_count;

/* What a local APIC tells its core. */
enum apic_signal {
    APIC_SIGNAL_INTR,    /* an interrupt can be acknowledged, as soon as the core allows interrupts */
    APIC_SIGNAL_NMI,
    APIC_SIGNAL_SMI,
    APIC_SIGNAL_INIT,    /* when the core takes it, it calls apic_reset_by_init() */
    APIC_SIGNAL_STARTUP, /* with the page number */
};

/*
 * The wire to the core. raise() is called at the time of the event; it must not call back into the APIC. INTR is
 * raised each time an interrupt that can be acknowledged comes to be; apic_interrupt_pending() says whether one still
 * is.
 */
struct apic_output {
    void (*raise)(void *ctx, uint32_t processor, enum apic_signal signal, uint8_t vector, hv_cycles now);
    /* The vector of the 8259 that stands behind ExtINT; NULL: there is none. */
    uint8_t (*external_vector)(void *ctx, uint32_t processor);
    void *ctx;
};

enum apic_mode { APIC_MODE_DISABLED, APIC_MODE_XAPIC, APIC_MODE_X2APIC };

/* IA32_APIC_BASE. SDM Vol. 3A figure 11-5 (10-5). */
enum { APIC_BASE_MSR = 0x1b, APIC_TSC_DEADLINE_MSR = 0x6e0 };
#define APIC_BASE_BSP (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)
#define APIC_BASE_DEFAULT UINT64_C(0xfee00000)

enum apic_timer_mode { APIC_ONE_SHOT, APIC_PERIODIC, APIC_TSC_DEADLINE, APIC_TIMER_RESERVED };

/* The count was `count` at time `since`; zero counts no further. In TSC-deadline mode `due` alone counts. */
struct apic_timer {
    uint32_t count;
    hv_cycles since;
    uint64_t deadline; /* IA32_TSC_DEADLINE; 0: not armed */
    hv_cycles due;     /* of an armed deadline */
};

/* Who an APIC is, fixed for its life. */
struct apic_identity {
    uint32_t processor;     /* the core's number, for apic_output */
    uint32_t id;            /* the initial (x2APIC) ID; xAPIC mode shows its low 8 bits */
    bool bootstrap;         /* this is the bootstrap processor */
    unsigned physical_bits; /* of addresses: 12..52 */
};

struct apic {
    const struct apic_params *params;
    struct apic_identity identity;
    struct apic_output output;
    struct apic_bus *bus; /* NULL: alone; set by apic_bus_add() */
    uint64_t base;        /* IA32_APIC_BASE */
    uint32_t registers[APIC_REGISTERS];
    struct vector_set irr, isr, tmr;
    uint32_t errors; /* found since software last wrote the ESR */
    bool lint[2];    /* the pins, electrically */
    bool external_pin;     /* a LINT pin in ExtINT mode is asserted */
    bool external_message; /* an ExtINT came over the bus */
    bool raised;     /* INTR has been raised for what is pending */
    uint64_t tsc_offset; /* TSC = now + tsc_offset */
    struct apic_timer timer;
    hv_cycles icr_pending_until;
    hv_cycles accepted_at[VECTORS];
    struct apic_stats stats;
};

/* Power-up. The params stay the caller's and must outlive the APIC. */
void apic_init(struct apic *a, const struct apic_params *params, const struct apic_identity *identity,
               const struct apic_output *output);

/* What an INIT does: as power-up, but mode, IDs and IA32_APIC_BASE stay. SDM 11.4.7.3 (10.4.7.3). */
void apic_reset_by_init(struct apic *a);

enum apic_mode apic_mode(const struct apic *a);

/* ---- Registers (apic_access.c) ---- */

/* Whether a physical address lies on the page at which the APIC answers: only in xAPIC mode. */
bool apic_owns_address(const struct apic *a, uint64_t physical);

/*
 * A memory access at an offset of that page. MODEL: only aligned 4-byte accesses at multiples of 16 reach a register,
 * which the SDM asks of software (11.4.1; 10.4.1); others read as zero and write nothing.
 */
uint64_t apic_read(struct apic *a, uint32_t offset, unsigned bytes, hv_cycles now);
void apic_write(struct apic *a, uint32_t offset, unsigned bytes, uint64_t value, hv_cycles now);

/* Whether an MSR is one of the APIC's: IA32_APIC_BASE, IA32_TSC_DEADLINE, 800H-8FFH. */
bool apic_owns_msr(uint32_t index);

/* RDMSR and WRMSR of such an MSR. False: #GP(0), and nothing has changed. */
bool apic_read_msr(struct apic *a, uint32_t index, uint64_t *value, hv_cycles now);
bool apic_write_msr(struct apic *a, uint32_t index, uint64_t value, hv_cycles now);

/* CR8, bits 3:0: the upper half of the TPR. SDM 11.8.6 (10.8.6). Reserved bits are the core's to check. */
uint64_t apic_read_cr8(const struct apic *a);
void apic_write_cr8(struct apic *a, uint64_t value, hv_cycles now);

/* ---- Interrupts (apic_interrupt.c) ---- */

/* A message of the bus arrives at this APIC, which is one of its destinations. */
void apic_receive(struct apic *a, const struct interrupt_message *message, hv_cycles now);

/* Whether a message that names a destination (no shorthand) is for this APIC. */
bool apic_is_destination(const struct apic *a, const struct interrupt_message *message);

/* Whether apic_acknowledge() would give a vector that is not spurious. */
bool apic_interrupt_pending(const struct apic *a);

enum apic_vector_kind { APIC_VECTOR_FIXED, APIC_VECTOR_EXTERNAL, APIC_VECTOR_SPURIOUS };

struct apic_acknowledged {
    uint8_t vector;
    enum apic_vector_kind kind;
};

/*
 * The core takes an interrupt: the highest of the IRR moves to the ISR. When there is none any more (its mask or the
 * TPR changed in between), the spurious vector, which needs no EOI. SDM 11.8.4, 11.9 (10.8.4, 10.9).
 */
struct apic_acknowledged apic_acknowledge(struct apic *a, hv_cycles now);

/* A write of the EOI register: the highest interrupt in service is done. SDM 11.8.5 (10.8.5). */
void apic_eoi(struct apic *a, hv_cycles now);

/* The processor and arbitration priorities. SDM 11.8.3.1, 11.6.2.4 (10.8.3.1, 10.6.2.4). */
uint8_t apic_processor_priority(const struct apic *a);
uint8_t apic_arbitration_priority(const struct apic *a);

/* ---- Local sources (apic_local.c) ---- */

/* A LINT pin, 0 or 1, becomes high or low. */
void apic_set_lint(struct apic *a, unsigned pin, bool high, hv_cycles now);

/* A corrected machine check, the thermal sensor, or an overflow of a performance counter: the LVT entry's offset. */
void apic_local_event(struct apic *a, enum apic_offset entry, hv_cycles now);

/* ---- Timer (apic_timer.c) ---- */

/* When the timer next has something to do, or UINT64_MAX. */
hv_cycles apic_timer_next(const struct apic *a);

/* Lets the timer do what it had to do until `now`. */
void apic_advance(struct apic *a, hv_cycles now);

/* TSC = now + offset from `now` on: a write of IA32_TIME_STAMP_COUNTER or IA32_TSC_ADJUST. */
void apic_set_tsc_offset(struct apic *a, uint64_t offset, hv_cycles now);

/* ---- Sending (apic_icr.c) ---- */

/*
 * The notification of a posted-interrupt descriptor, to the processor that its NDST names in the format of this APIC's
 * mode. SDM Vol. 3C "IPI Virtualization" (30.1.6).
 */
void apic_send_notification(struct apic *a, uint32_t ndst, uint8_t vector, hv_cycles now);

#endif
