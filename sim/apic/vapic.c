/* SPDX-License-Identifier: MIT */
/* The virtual APIC's state and events. SDM Vol. 3C 30.1 to 30.3 and 30.6 (29.x in editions before 2022). */
#include "apic/vapic.h"

#include "apic/vapic_parts.h"
#include "base/err.h"

const struct stat_row vapic_stat_rows[] = {
#define S(...) STAT_ROW(struct vapic_stats, __VA_ARGS__)
#include "apic/vapic_stats.def"
#undef S
};
const size_t vapic_stat_count = HV_ARRAY_LEN(vapic_stat_rows);

enum { CLASS = 0xf0, PID_ENTRY_VALID = 1, PID_ENTRY_LOW = 0x3f };

/* ---- Fields of the page ---- */

uint32_t vapic_get32(const struct vapic *v, uint32_t offset)
{
    return (uint32_t)(physmem_read64(v->memory, vapic_at(v, offset)) >> (offset % 8 * 8));
}

void vapic_set32(struct vapic *v, uint32_t offset, uint32_t value)
{
    unsigned shift = offset % 8 * 8;
    uint64_t word = physmem_read64(v->memory, vapic_at(v, offset));
    word = (word & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
    physmem_write64(v->memory, vapic_at(v, offset), word);
}

/* Bit x of VISR or VIRR is bit x & 1FH of the field at (x & E0H) >> 1. */
static uint32_t vector_offset(enum vapic_field set, unsigned vector)
{
    return (uint32_t)set | (vector & 0xe0) >> 1;
}

static void add_vector(struct vapic *v, enum vapic_field set, uint8_t vector)
{
    uint32_t offset = vector_offset(set, vector);
    vapic_set32(v, offset, vapic_get32(v, offset) | UINT32_C(1) << (vector & 31));
}

static void remove_vector(struct vapic *v, enum vapic_field set, uint8_t vector)
{
    uint32_t offset = vector_offset(set, vector);
    vapic_set32(v, offset, vapic_get32(v, offset) & ~(UINT32_C(1) << (vector & 31)));
}

/* The highest vector of a set, or 0. */
static uint8_t highest_vector(const struct vapic *v, enum vapic_field set)
{
    for (unsigned base = 256; base > 0; base -= 32) {
        uint32_t bits = vapic_get32(v, vector_offset(set, base - 32));
        if (bits != 0) {
            return (uint8_t)(base - 1 - (unsigned)__builtin_clz(bits));
        }
    }
    return 0;
}

struct vapic_result vapic_exit(struct vapic *v, enum vapic_action action, uint64_t qualification)
{
    v->stats.exits++;
    return (struct vapic_result){.action = action, .qualification = qualification};
}

struct vapic_result vapic_read_done(struct vapic *v, uint64_t value)
{
    v->stats.reads++;
    return (struct vapic_result){.action = VAPIC_DONE, .value = value};
}

void vapic_count_write(struct vapic *v)
{
    v->stats.writes++;
}

/* ---- Virtualization of priorities ---- */

/* 30.1.3. */
static void virtualize_ppr(struct vapic *v)
{
    uint8_t vtpr = (uint8_t)vapic_get32(v, VAPIC_VTPR);
    vapic_set32(v, VAPIC_VPPR, (vtpr & CLASS) >= (v->svi & CLASS) ? vtpr : v->svi & CLASS);
}

/* 30.2.1. */
static void evaluate(struct vapic *v)
{
    uint32_t vppr = vapic_get32(v, VAPIC_VPPR);
    v->recognized = !v->controls.interrupt_window_exiting && (v->rvi & CLASS) > (vppr & CLASS);
}

/* The threshold's bits 3:0 against VTPR[7:4]. */
static bool tpr_below_threshold(const struct vapic *v)
{
    return (vapic_get32(v, VAPIC_VTPR) >> 4 & 15) < (v->controls.tpr_threshold & 15u);
}

/* 30.1.2. */
struct vapic_result vapic_virtualize_tpr(struct vapic *v)
{
    if (v->controls.virtual_interrupt_delivery) {
        virtualize_ppr(v);
        evaluate(v);
    } else if (tpr_below_threshold(v)) {
        return vapic_exit(v, VAPIC_EXIT_TPR_THRESHOLD, 0);
    }
    return vapic_done();
}

/* 30.1.4. */
struct vapic_result vapic_virtualize_eoi(struct vapic *v)
{
    uint8_t vector = v->svi;
    v->stats.eois++;
    remove_vector(v, VAPIC_VISR, vector);
    v->svi = highest_vector(v, VAPIC_VISR);
    virtualize_ppr(v);
    if (vector_set_has(&v->controls.eoi_exit_bitmap, vector)) {
        return vapic_exit(v, VAPIC_EXIT_EOI, vector);
    }
    evaluate(v);
    return vapic_done();
}

static void request(struct vapic *v, uint8_t vector)
{
    v->rvi = vector > v->rvi ? vector : v->rvi;
}

/* 30.1.5. */
struct vapic_result vapic_virtualize_self_ipi(struct vapic *v, uint8_t vector)
{
    v->stats.self_ipis++;
    add_vector(v, VAPIC_VIRR, vector);
    request(v, vector);
    evaluate(v);
    return vapic_done();
}

/* ---- Events ---- */

struct vapic_result vapic_enter(struct vapic *v)
{
    v->recognized = false;
    if (v->controls.virtual_interrupt_delivery) {
        virtualize_ppr(v);
        evaluate(v);
    } else if (v->controls.use_tpr_shadow && v->controls.virtualize_apic_accesses && tpr_below_threshold(v)) {
        return vapic_exit(v, VAPIC_EXIT_TPR_THRESHOLD, 0);
    }
    return vapic_done();
}

uint8_t vapic_deliver(struct vapic *v)
{
    HV_ASSERT(v->recognized, "no virtual interrupt is pending");
    uint8_t vector = v->rvi;
    v->stats.delivered++;
    add_vector(v, VAPIC_VISR, vector);
    v->svi = vector;
    vapic_set32(v, VAPIC_VPPR, vector & CLASS);
    remove_vector(v, VAPIC_VIRR, vector);
    v->rvi = highest_vector(v, VAPIC_VIRR);
    v->recognized = false;
    return vector;
}

void vapic_process_posted(struct vapic *v)
{
    struct vector_set posted = posted_take(v->memory, v->controls.posted_descriptor);
    v->stats.posted_processed++;
    for (unsigned i = 0; i < 8; i++) {
        uint32_t bits = vector_set_eighth(&posted, i), offset = vector_offset(VAPIC_VIRR, 32 * i);
        v->stats.posted_moved += (uint64_t)__builtin_popcount(bits);
        vapic_set32(v, offset, vapic_get32(v, offset) | bits);
    }
    int highest = vector_set_highest(&posted);
    if (highest >= 0) {
        request(v, (uint8_t)highest);
    }
    evaluate(v);
}

/* ---- CR8 (30.3) ---- */

struct vapic_result vapic_read_cr8(struct vapic *v)
{
    if (!v->controls.use_tpr_shadow) {
        return (struct vapic_result){.action = VAPIC_NORMAL};
    }
    return vapic_read_done(v, vapic_get32(v, VAPIC_VTPR) >> 4 & 15);
}

struct vapic_result vapic_write_cr8(struct vapic *v, uint64_t value)
{
    if (!v->controls.use_tpr_shadow) {
        return (struct vapic_result){.action = VAPIC_NORMAL};
    }
    vapic_count_write(v);
    vapic_set32(v, VAPIC_VTPR, (uint32_t)(value & 15) << 4);
    return vapic_virtualize_tpr(v);
}

/* ---- IPI virtualization (30.1.6) ---- */

/* The descriptor that the PID-pointer table has for a virtual APIC ID. */
static bool find_descriptor(const struct vapic *v, uint32_t virtual_id, hv_hpa *descriptor)
{
    if (virtual_id > v->controls.last_pid_pointer_index) {
        return false;
    }
    uint64_t entry = physmem_read64(v->memory, (hv_hpa){v->controls.pid_pointer_table.v + (uint64_t)virtual_id * 8});
    *descriptor = (hv_hpa){entry & ~(uint64_t)PID_ENTRY_LOW};
    return entry >> v->controls.physical_bits == 0 && (entry & PID_ENTRY_LOW) == PID_ENTRY_VALID;
}

struct vapic_result vapic_send_ipi(struct vapic *v, uint8_t vector, uint32_t virtual_id)
{
    hv_hpa descriptor;
    if (vector < VECTOR_LEGAL_MIN || !find_descriptor(v, virtual_id, &descriptor)) {
        return vapic_exit(v, VAPIC_EXIT_WRITE, VAPIC_VICR_LO);
    }
    struct vapic_result result = vapic_done();
    result.notification = posted_post(v->memory, descriptor, vector, POSTED_NORMAL);
    v->stats.ipis++;
    v->stats.notifications += result.notification.send;
    return result;
}
