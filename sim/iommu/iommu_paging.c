/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's driver of the walk engine (mmu/walk.h): first stage, second stage, or both, with the paging-structure
 * caches.
 *
 * A walk of the second stage alone is the last row of the engine's grid: the device's address goes to the second
 * dimension at once. In the engine's words the first stage is the guest's, the second the host's.
 *
 * MODEL: with accessed and dirty flags in the second stage (SSADE), a read of a first-stage table sets the dirty flag
 * of that table's page too, as EPT does; hardware need do so only for a write of a first-stage flag.
 */
#include <string.h>

#include "iommu/iommu_register_parts.h"
#include "iommu/iommu_tables.h"

static void first_stage_init(struct iommu *u, struct mmu_env *env, const struct iommu_mapping *m, bool privileged)
{
    struct mmu_regs regs = {
        .cr0 = MMU_CR0_PG | (m->write_protect ? MMU_CR0_WP : 0),
        .cr3 = m->first_root,
        .cr4 = MMU_CR4_PAE | (m->first_levels == 5 ? MMU_CR4_LA57 : 0) |
               (m->supervisor_no_execute ? MMU_CR4_SMEP : 0),
        .efer = m->no_execute ? MMU_EFER_NXE : 0,
        .user = !privileged,
    };
    struct mmu_features features = {
        .physical_bits = (uint8_t)u->params.physical_bits,
        .pages_1g = u->params.first_stage_1g,
        .guest_flags = true,
    };
    mmu_env_init(env, &regs, &features);
    env->guest.accessed = RADIX_IA32E_ACCESSED | (m->extended_accessed ? IOMMU_FIRST_EXTENDED_ACCESSED : 0);
}

static void second_stage_init(struct iommu *u, struct mmu_env *env, const struct iommu_mapping *m)
{
    struct radix_features features = {
        .physical_bits = (uint8_t)u->params.physical_bits,
        .no_pages_2m = (u->params.large_pages & 1) == 0,
        .pages_1g = (u->params.large_pages & 2) != 0,
        .snoop_control = u->params.snoop_control,
        .device_tlb = iommu_has_device_tlb(&u->params),
        .flags = m->flags,
    };
    radix_mode_init(&env->host, RADIX_VTD, m->second_levels, &features);
    env->host_root = m->second_root;
    env->host_flags = m->flags;
    for (uint32_t permission = 0; permission < HV_ARRAY_LEN(env->host_permission); permission++) {
        env->host_permission[permission] =
            (uint8_t)(((permission & RADIX_VTD_R) != 0 ? TLB_HOST_R | TLB_HOST_X | TLB_HOST_XU : 0) |
                      ((permission & RADIX_VTD_W) != 0 ? TLB_HOST_W : 0));
    }
    /* The mask leaves write permission out: what is wanted there decides about the dirty flag alone. */
    env->table_needs = (struct tlb_needs){TLB_HOST_R, TLB_HOST_R | (m->flags ? (uint64_t)TLB_HOST_W : 0)};
}

/* Where the environments of walks are kept: apart for what makes entries mean other things, as making one costs. */
static struct mmu_env *env_of(struct iommu *u, const struct iommu_mapping *m)
{
    return &u->env[m->stages][m->stages == IOMMU_FIRST ? m->first_levels : m->second_levels];
}

void iommu_mapping_needs(struct iommu *u, struct iommu_mapping *mapping)
{
    static const struct tlb_needs second[HV_ACCESS_KINDS] = {
        [HV_LOAD] = {TLB_HOST_R, TLB_HOST_R},
        [HV_STORE] = {TLB_HOST_W | TLB_DIRTY, TLB_HOST_W | TLB_DIRTY},
        [HV_FETCH] = {TLB_HOST_R, TLB_HOST_R},
    };
    struct mmu_env *env = env_of(u, mapping);
    for (unsigned privileged = 0; privileged < 2; privileged++) {
        bool first = mapping->stages == IOMMU_FIRST || mapping->stages == IOMMU_NESTED;
        if (first) {
            first_stage_init(u, env, mapping, privileged != 0);
        }
        memcpy(mapping->needs[privileged], first ? env->needs : second, sizeof(second));
    }
}

static const struct mmu_env *prepare(struct iommu_walk *t)
{
    struct iommu *u = t->reader.u;
    const struct iommu_mapping *m = t->mapping;
    struct mmu_env *env = env_of(u, m);
    if (m->stages != IOMMU_SECOND) {
        first_stage_init(u, env, m, t->privileged);
    }
    if (m->stages != IOMMU_FIRST) {
        second_stage_init(u, env, m);
    }
    env->nested = m->stages == IOMMU_NESTED;
    memcpy(env->needs, m->needs[t->privileged], sizeof(env->needs));
    return env;
}

static enum walk_need fail(struct iommu_walk *t, enum iommu_reason reason)
{
    t->fault = (uint8_t)reason;
    return WALK_FAULT;
}

/* Looks for the lowest table that a paging-structure cache knows. */
static bool find_table(struct iommu_walk *t, enum hv_dimension d, uint64_t address, struct pwc_table *found)
{
    struct iommu *u = t->reader.u;
    const struct iommu_mapping *m = t->mapping;
    if (t->cacheless || u->caches.pwc.kind == PWC_NONE) {
        return false;
    }
    unsigned levels = d == HV_GUEST ? m->first_levels : m->second_levels;
    t->reader.now += u->caches.pwc.latency_cycles;
    if (!pwc_find_table(&u->caches.pwc, d, address, levels, d == HV_GUEST ? m->space : m->second_space, found)) {
        return false;
    }
    if (__builtin_expect(u->stale != NULL, 0)) {
        iommu_stale_table(t, d, address, found);
    }
    return true;
}

/* WALK_NESTED: an address for the second stage, from the first or from the device. */
static enum walk_need second_stage(struct iommu_walk *t)
{
    const struct iommu_mapping *m = t->mapping;
    uint64_t address = t->w.gpa.v;
    if (address >> iommu_bits_of_levels(m->second_levels) != 0) {
        return fail(t, m->stages == IOMMU_NESTED ? IOMMU_FAULT_SFS_5 : IOMMU_FAULT_SGN_5);
    }
    struct pwc_table from = {{m->second_root}, RADIX_ALL, m->second_levels, true, false};
    find_table(t, HV_HOST, address, &from);
    t->second_floor = from.level;
    return walk_host_start(&t->w, from.level, from.table, from.permission);
}

/* Begins in the second stage: the last row of the grid, whose first stage is done. */
static enum walk_need begin_second(struct iommu_walk *t, const struct mmu_env *env, uint64_t address,
                                   enum hv_access_kind access)
{
    t->w.env = env;
    t->w.gva = (hv_gva){address};
    t->w.gpa = (hv_gpa){address};
    t->w.access = access;
    t->w.update = 0;
    t->w.guest_step = 0;
    t->w.guest_size = HV_PAGE_1G;
    t->w.leaf = TLB_DIRTY; /* no first stage whose dirty flag a write would have to set */
    return second_stage(t);
}

static enum walk_need begin_first(struct iommu_walk *t, const struct mmu_env *env, uint64_t address,
                                  enum hv_access_kind access)
{
    enum walk_need need = walk_begin(&t->w, env, (hv_gva){address}, access);
    struct pwc_table found;
    t->first_floor = t->mapping->first_levels;
    if (need == WALK_FAULT || !find_table(t, HV_GUEST, address, &found)) {
        return need;
    }
    t->first_floor = found.level;
    t->w.nested = found.nested;
    return walk_guest_resume(&t->w, found.level, found.table, found.permission,
                             found.writable ? TLB_HOST_ALL | TLB_DIRTY : TLB_HOST_R);
}

/* The table about to be read was found by this walk's own reads: the caches remember it. */
static void remember_table(const struct iommu_walk *t)
{
    struct pwc *pwc = &t->reader.u->caches.pwc;
    const struct walk *w = &t->w;
    if (w->host_level != 0) {
        if (w->host_level < t->second_floor) {
            struct pwc_table found = {{w->host.table}, w->host.permission, w->host.level, true, false};
            pwc_add_table(pwc, HV_HOST, w->gpa.v, t->mapping->second_space, &found);
        }
    } else if (w->guest_step < t->first_floor) {
        struct pwc_table found = {{w->read.v & ~(uint64_t)(HV_PAGE_BYTES - 1)}, w->guest.permission, w->guest_step,
                                  (w->table_rights & TLB_HOST_W) != 0, w->nested};
        pwc_add_table(pwc, HV_GUEST, w->gva.v, t->mapping->space, &found);
    }
}

/* Sets accessed and dirty flags in the entry just read. */
static enum walk_need set_flags(struct iommu_walk *t, uint64_t address, bool second, enum walk_need need)
{
    struct iommu *u = t->reader.u;
    if (t->reader.untimed) {
        return need;
    }
    if (!t->mapping->snooped) {
        return fail(t, second ? IOMMU_FAULT_SSS_5 : IOMMU_FAULT_SFS_9);
    }
    if (!iommu_may_write(u, address, sizeof(t->entry))) {
        return fail(t, second ? IOMMU_FAULT_SSS_6 : IOMMU_FAULT_SFS_10);
    }
    physmem_write64(u->memory, (hv_hpa){address}, t->entry | t->w.update);
    iommu_touch_entry(&t->reader, address);
    u->stats.flag_updates++;
    return need;
}

/* WALK_READ: one entry. */
static enum walk_need reference(struct iommu_walk *t)
{
    bool second = t->w.host_level != 0;
    uint64_t address = t->w.read.v;
    if (!t->cacheless) {
        remember_table(t);
    }
    if (!iommu_read_entry(&t->reader, address, &t->entry, 1)) {
        return fail(t, iommu_unreadable_reason(t));
    }
    t->refs[second ? HV_HOST : HV_GUEST]++;
    enum walk_need need = walk_feed(&t->w, t->entry);
    return __builtin_expect(t->w.update != 0, 0) ? set_flags(t, address, second, need) : need;
}

bool iommu_walk(struct iommu_walk *t, uint64_t address, enum hv_access_kind access)
{
    const struct mmu_env *env = prepare(t);
    t->fault = IOMMU_FAULT_NONE;
    t->absent = false;
    t->refs[HV_GUEST] = t->refs[HV_HOST] = 0;
    enum walk_need need = t->mapping->stages == IOMMU_SECOND ? begin_second(t, env, address, access)
                                                             : begin_first(t, env, address, access);
    for (;;) {
        if (need == WALK_READ) {
            need = reference(t);
        } else if (need == WALK_NESTED) {
            need = second_stage(t);
        } else {
            break;
        }
    }
    if (need == WALK_FAULT && t->fault == IOMMU_FAULT_NONE) {
        t->fault = (uint8_t)iommu_walk_reason(t);
    }
    return need == WALK_DONE;
}

bool iommu_walk_to_table(struct iommu_walk *t, enum hv_dimension d, uint64_t address, unsigned level,
                         struct pwc_table *table)
{
    const struct mmu_env *env = prepare(t);
    enum walk_need need = d == HV_HOST ? begin_second(t, env, address, HV_LOAD)
                                       : begin_first(t, env, address, HV_LOAD);
    while (need == WALK_READ || need == WALK_NESTED) {
        const struct walk *w = &t->w;
        if (need == WALK_READ && d == HV_HOST && w->host_level == level) {
            *table = (struct pwc_table){{w->host.table}, w->host.permission, level, true, false};
            return true;
        }
        if (need == WALK_READ && d == HV_GUEST && w->host_level == 0 && w->guest_step == level) {
            *table = (struct pwc_table){{w->read.v & ~(uint64_t)(HV_PAGE_BYTES - 1)}, w->guest.permission, level,
                                        (w->table_rights & TLB_HOST_W) != 0, w->nested};
            return true;
        }
        need = need == WALK_READ ? reference(t) : second_stage(t);
    }
    return false;
}
