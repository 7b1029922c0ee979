/* SPDX-License-Identifier: MIT */
#include "machine/explain.h"

#include <string.h>

const char *const explain_source_names[] = {"L1", "L2", "LLC", "DRAM", "PWC"};
_Static_assert(HV_ARRAY_LEN(explain_source_names) == EXPLAIN_SOURCES, "a name for each source");

const char *const explain_access_names[] = {"load", "store", "fetch", NULL};

const char *const explain_saver_names[EXPLAIN_FATES] = {
    [EXPLAIN_SAVED_BY_TLB] = "TLB",
    [EXPLAIN_SAVED_BY_GUEST_PWC] = "guest PWC",
    [EXPLAIN_SAVED_BY_HOST_PWC] = "host PWC",
    [EXPLAIN_SAVED_BY_NESTED_TLB] = "nested TLB",
};

void explain_cell_name(unsigned guest_step, unsigned host_level, char name[EXPLAIN_CELL_BYTES])
{
    char row[8] = "data", column[8] = "g";
    if (guest_step != 0) {
        snprintf(row, sizeof(row), "g%u", guest_step % MMU_GRID);
    }
    if (host_level != 0) {
        snprintf(column, sizeof(column), "h%u", host_level % MMU_GRID);
    }
    snprintf(name, EXPLAIN_CELL_BYTES, "%s.%s", row, column);
}

unsigned explain_planned_host(const struct explain *x, unsigned guest_step)
{
    unsigned count = 0;
    for (unsigned level = 1; level < MMU_GRID; level++) {
        count += x->cells[guest_step][level].planned;
    }
    return count;
}

unsigned explain_planned(const struct explain *x)
{
    unsigned count = 0;
    for (unsigned step = 0; step < MMU_GRID; step++) {
        count += explain_planned_host(x, step) + x->cells[step][0].planned;
    }
    return count;
}

void explain_headline(const struct explain *x, FILE *out)
{
    fprintf(out, "%s of 0x%llx, ", explain_access_names[x->access], (unsigned long long)x->gva.v);
    if (x->shadow && x->nested) {
        fprintf(out, "agile paging: %u levels, of the guest's own tables from level %u down; %u host levels (%s)",
                x->guest_levels, x->own_level, x->host_levels, x->npt ? "NPT" : "EPT");
    } else if (x->shadow) {
        fprintf(out, "shadow paging: %u levels of the hypervisor's shadow tables", x->guest_levels);
    } else if (x->nested) {
        fprintf(out, "nested paging: %u guest levels, %u host levels (%s)", x->guest_levels, x->host_levels,
                x->npt ? "NPT" : "EPT");
    } else {
        fprintf(out, "native paging: %u levels", x->guest_levels);
    }
}

/* --- The plan ------------------------------------------------------------------------------------------------- */

/* Drives the engine over memory without caches and time, and notes which cells it reads. */
static void make_plan(struct explain *x, const struct mmu *m)
{
    struct walk w;
    enum walk_need need = walk_begin(&w, &m->env, x->gva, x->access);
    while (need == WALK_READ || need == WALK_NESTED) {
        if (need == WALK_NESTED) {
            need = walk_host_start(&w, m->env.host.levels, (hv_hpa){m->env.host_root}, RADIX_ALL);
            continue;
        }
        struct explain_cell *cell = &x->cells[w.guest_step][w.host_level];
        cell->planned = true;
        cell->gpa = (hv_gpa){HV_GPA_UNKNOWN};
        if (w.nested) {
            cell->gpa = w.host_level != 0 ? w.gpa : w.entry_gpa;
            x->own_level = x->own_level != 0 ? x->own_level : w.guest_step;
        }
        need = walk_feed(&w, physmem_read64(m->memory, w.read));
    }
    if (need == WALK_DONE) {
        x->payload = w.result;
        x->size = (enum hv_page_size)w.size;
        x->guest_size = (enum hv_page_size)w.guest_size;
        x->host_size = (enum hv_page_size)w.host_size;
    }
}

/* --- The events ----------------------------------------------------------------------------------------------- */

/* What on_event() needs beside the explanation that it fills. */
struct watch {
    struct explain *x;
    const struct mmu *m;
};

static void take_update(struct explain *x, const struct mmu_event *event)
{
    struct explain_step *step = &x->steps[x->cells[event->guest_step][event->host_level].step];
    step->update = event->value;
    step->update_cycles = event->cycles;
    x->reference_cycles += event->cycles;
}

static void take_tlb(struct explain *x, const struct mmu_event *event)
{
    HV_ASSERT(x->tlb_count < TLB_LEVELS, "a translation asks each TLB level once");
    bool hit = event->kind == MMU_EVENT_TLB_HIT;
    x->tlb[x->tlb_count++] = (struct explain_tlb){(uint8_t)event->tlb_level, hit};
}

static void take_reference(const struct watch *watch, struct explain_step *step, const struct mmu_event *event)
{
    struct explain *x = watch->x;
    const struct mmu_env *env = &watch->m->env;
    bool host = event->host_level != 0;
    unsigned level = host ? event->host_level : event->guest_step;
    x->references[host ? HV_HOST : HV_GUEST]++;
    x->reference_cycles += event->cycles;
    step->number = (uint16_t)(x->references[HV_GUEST] + x->references[HV_HOST]);
    step->index = (uint16_t)(event->address % HV_PAGE_BYTES / RADIX_ENTRY_BYTES);
    step->source = event->from_pwc ? (uint8_t)EXPLAIN_PWC : (uint8_t)event->level;
    step->entry = explain_decode(host ? &env->host : &env->guest, level, event->value);
    struct explain_cell *cell = &x->cells[event->guest_step][event->host_level];
    cell->fate = EXPLAIN_READ;
    cell->step = (uint16_t)(step - x->steps);
}

/* Rows are walked from the highest guest level down to the data page, so going up means a second walk. */
static bool began_again(const struct explain *x, unsigned guest_step)
{
    return x->step_count > 0 && guest_step > x->steps[x->step_count - 1].guest_step;
}

static enum explain_step_kind kind_of(const struct mmu_event *event)
{
    switch (event->kind) {
    case MMU_EVENT_PWC_HIT:
        return event->host_level != 0 ? EXPLAIN_HOST_PWC_HIT : EXPLAIN_GUEST_PWC_HIT;
    case MMU_EVENT_NESTED_HIT:
        return EXPLAIN_NESTED_HIT;
    case MMU_EVENT_NESTED_MISS:
        return EXPLAIN_NESTED_MISS;
    default:
        return EXPLAIN_REFERENCE;
    }
}

static void take_step(const struct watch *watch, const struct mmu_event *event)
{
    struct explain *x = watch->x;
    HV_ASSERT(x->step_count < EXPLAIN_MAX_STEPS, "a walk of more than %u steps", x->step_count);
    struct explain_step *step = &x->steps[x->step_count];
    *step = (struct explain_step){
        .kind = (uint8_t)kind_of(event),
        .guest_step = event->guest_step,
        .host_level = event->host_level,
        .restarted = began_again(x, event->guest_step),
        .start = event->start,
        .cycles = event->cycles,
        .address = event->address,
    };
    if (step->kind == EXPLAIN_REFERENCE) {
        take_reference(watch, step, event);
    }
    x->step_count++;
}

static void on_event(void *ctx, const struct mmu_event *event)
{
    const struct watch *watch = ctx;
    switch (event->kind) {
    case MMU_EVENT_TLB_HIT:
    case MMU_EVENT_TLB_MISS:
        take_tlb(watch->x, event);
        break;
    case MMU_EVENT_UPDATE:
        take_update(watch->x, event);
        break;
    case MMU_EVENT_READ:
    case MMU_EVENT_PWC_HIT:
    case MMU_EVENT_NESTED_HIT:
    case MMU_EVENT_NESTED_MISS:
        take_step(watch, event);
        break;
    case MMU_EVENT_DONE:
    case MMU_EVENT_FAULT:
        break; /* the reply says it */
    }
}

/* --- Both together --------------------------------------------------------------------------------------------- */

/* A hit saved what was planned and not read: all above its table (guest), or before it in its row. */
static void credit(struct explain *x, struct explain_step *hit, enum explain_fate saver)
{
    unsigned top = saver == EXPLAIN_SAVED_BY_GUEST_PWC ? MMU_GRID - 1 : hit->guest_step;
    for (unsigned step = hit->guest_step; step <= top; step++) {
        for (unsigned level = 0; level < MMU_GRID; level++) {
            struct explain_cell *cell = &x->cells[step][level];
            if (cell->planned && cell->fate == EXPLAIN_UNUSED) {
                cell->fate = (uint8_t)saver;
                hit->saved++;
                x->saved++;
            }
        }
    }
}

static void credit_tlb(struct explain *x)
{
    for (unsigned step = 0; step < MMU_GRID; step++) {
        for (unsigned level = 0; level < MMU_GRID; level++) {
            if (x->cells[step][level].planned) {
                x->cells[step][level].fate = EXPLAIN_SAVED_BY_TLB;
                x->saved++;
            }
        }
    }
}

static void find_savers(struct explain *x)
{
    if (x->tlb_count > 0 && x->tlb[x->tlb_count - 1].hit) {
        credit_tlb(x);
        return;
    }
    for (unsigned i = 0; i < x->step_count; i++) {
        switch ((enum explain_step_kind)x->steps[i].kind) {
        case EXPLAIN_GUEST_PWC_HIT:
            credit(x, &x->steps[i], EXPLAIN_SAVED_BY_GUEST_PWC);
            break;
        case EXPLAIN_HOST_PWC_HIT:
            credit(x, &x->steps[i], EXPLAIN_SAVED_BY_HOST_PWC);
            break;
        case EXPLAIN_NESTED_HIT:
            credit(x, &x->steps[i], EXPLAIN_SAVED_BY_NESTED_TLB);
            break;
        case EXPLAIN_REFERENCE:
        case EXPLAIN_NESTED_MISS:
            break;
        }
    }
}

void explain_translation(struct explain *x, struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now)
{
    memset(x, 0, sizeof(*x));
    x->gva = gva;
    x->access = access;
    x->guest_levels = m->env.guest.levels;
    x->shadow = m->env.regs.shadow || m->env.switched_root;
    x->start = now;
    make_plan(x, m);
    x->nested = m->env.nested || x->own_level != 0;
    x->npt = x->nested && m->env.host.format == RADIX_NPT;
    x->host_levels = x->nested ? m->env.host.levels : 0;
    struct mmu_observer before = m->observer;
    struct watch watch = {x, m};
    mmu_observe(m, (struct mmu_observer){on_event, &watch});
    x->ok = mmu_translate(m, gva, access, now, &x->reply);
    mmu_observe(m, before);
    if (!x->reply.walked) {
        x->reply.walk_guest_cycles = x->reply.walk_host_cycles = x->reply.queue_cycles = 0;
    }
    x->total_cycles = x->reply.tlb_cycles + x->reply.queue_cycles + x->reply.walk_guest_cycles +
                      x->reply.walk_host_cycles;
    find_savers(x);
}
