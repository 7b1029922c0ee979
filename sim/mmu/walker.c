/* SPDX-License-Identifier: MIT */
/*
 * The timed walker: drives the walk engine through page-walk caches, nested TLB and data caches, and charges every
 * cycle to a cell of the walk's grid.
 */
#include "mmu/walker.h"

#include <string.h>

static void observe(const struct timed_walk *t, struct mmu_event event)
{
    if (t->speculative) {
        return;
    }
    if (event.kind != MMU_EVENT_READ && event.kind != MMU_EVENT_UPDATE) {
        event.guest_step = (uint8_t)t->w->guest_step;
    }
    t->m->observer.event(t->m->observer.ctx, &event);
}

/* Begins the walk, at the lowest guest table that a cache of translations knows. */
static enum walk_need begin(struct timed_walk *t, hv_gva gva, enum hv_access_kind access)
{
    struct mmu *m = t->m;
    enum walk_need need = walk_begin(t->w, &m->env, gva, access);
    t->guest_floor = m->env.guest.levels;
    if (m->pwc.kind != PWC_TRANSLATION || need == WALK_FAULT || t->cacheless) {
        return need;
    }
    struct pwc_table found;
    bool hit = pwc_find_table(&m->pwc, HV_GUEST, gva.v, m->env.guest.levels, m->env.view.space, &found);
    unsigned level = hit ? found.level : m->env.guest.levels;
    hv_cycles start = t->now;
    walker_charge(t, level, 0, m->pwc.latency_cycles);
    if (!hit) {
        return need;
    }
    if (UNLIKELY(m->check_stale)) {
        stale_check_table(m, HV_GUEST, gva, gva.v, &found, t->now);
    }
    t->guest_floor = level;
    t->w->nested = found.nested;
    need = walk_guest_resume(t->w, level, found.table, found.permission,
                             found.writable ? TLB_HOST_ALL | TLB_DIRTY : TLB_HOST_R);
    if (UNLIKELY(m->observer.event != NULL)) {
        observe(t, (struct mmu_event){.kind = MMU_EVENT_PWC_HIT, .start = start, .cycles = m->pwc.latency_cycles,
                                      .host_level = 0, .address = found.table.v});
    }
    return need;
}

/* Looks for the gPA in the nested TLB. */
static bool nested_tlb_find(struct timed_walk *t, uint64_t *payload, enum hv_page_size *size)
{
    struct mmu *m = t->m;
    for (unsigned s = 0; s < HV_PAGE_SIZES; s++) {
        if (m->nested_tlb.live[s] == 0) {
            continue;
        }
        const uint64_t *found = tlb_lookup(&m->nested_tlb, t->w->gpa.v, s, m->env.host_space);
        if (found != NULL && walk_host_allows(t->w, *found)) {
            *payload = *found;
            *size = (enum hv_page_size)s;
            return true;
        }
    }
    return false;
}

/* Starts the host walk of a gPA at the lowest host table known. */
static enum walk_need start_host_walk(struct timed_walk *t)
{
    struct mmu *m = t->m;
    struct pwc_table from = {{m->env.host_root}, RADIX_ALL, m->env.host.levels, true, false};
    if (m->pwc.kind == PWC_TRANSLATION) {
        hv_cycles start = t->now;
        bool hit = pwc_find_table(&m->pwc, HV_HOST, t->w->gpa.v, m->env.host.levels, m->env.host_space, &from);
        walker_charge(t, t->w->guest_step, from.level, m->pwc.latency_cycles);
        if (UNLIKELY(hit && m->observer.event != NULL)) {
            observe(t, (struct mmu_event){.kind = MMU_EVENT_PWC_HIT, .start = start,
                                          .cycles = m->pwc.latency_cycles, .host_level = (uint8_t)from.level,
                                          .address = from.table.v});
        }
    }
    if (UNLIKELY(m->check_stale && from.level < m->env.host.levels)) {
        stale_check_table(m, HV_HOST, t->w->gva, t->w->gpa.v, &from, t->now);
    }
    t->host_floor = from.level;
    return walk_host_start(t->w, from.level, from.table, from.permission);
}

/* WALK_NESTED: from the nested TLB if it can, else by a host walk. */
static enum walk_need translate_gpa(struct timed_walk *t)
{
    struct mmu *m = t->m;
    if (tlb_present(&m->nested_tlb)) {
        uint64_t payload;
        enum hv_page_size size;
        hv_cycles start = t->now;
        bool hit = nested_tlb_find(t, &payload, &size);
        /* A hit stands for the host leaf, so its time belongs there; a miss delays the leaf likewise. */
        walker_charge(t, t->w->guest_step, 1, m->nested_tlb_latency);
        if (UNLIKELY(m->observer.event != NULL)) {
            observe(t, (struct mmu_event){.kind = hit ? MMU_EVENT_NESTED_HIT : MMU_EVENT_NESTED_MISS, .start = start,
                                          .cycles = m->nested_tlb_latency, .host_level = 1,
                                          .address = t->w->gpa.v, .value = hit ? payload : 0});
        }
        if (hit) {
            m->nested_tlb_stats.hits++;
            if (UNLIKELY(m->check_stale)) {
                stale_check_nested(m, t->w, payload, size, t->now);
            }
            return walk_host_answer(t->w, payload, size);
        }
        m->nested_tlb_stats.misses++;
    }
    return start_host_walk(t);
}

/* The table about to be read was found by this walk's own reads: a cache of translations remembers it. */
static void remember_table(struct timed_walk *t)
{
    struct mmu *m = t->m;
    const struct walk *w = t->w;
    if (w->host_level != 0) {
        if (w->host_level < t->host_floor) {
            struct pwc_table found = {{w->host.table}, w->host.permission, w->host.level, true, false};
            pwc_add_table(&m->pwc, HV_HOST, w->gpa.v, m->env.host_space, &found);
        }
    } else if (w->guest_step < t->guest_floor) {
        struct pwc_table found = {{w->read.v & ~(uint64_t)(HV_PAGE_BYTES - 1)}, w->guest.permission, w->guest_step,
                                  (w->table_rights & TLB_HOST_W) != 0, w->nested};
        pwc_add_table(&m->pwc, HV_GUEST, w->gva.v, m->env.view.space, &found);
    }
}

/* Where a reference was answered, for the observer. */
struct ref_source {
    bool from_pwc;        /* a cache of entries had it */
    bool cacheable;       /* it had not, and may take it */
    enum mem_level level; /* who else did */
};

/* One reference through the cache of entries, or the data caches. */
static uint64_t read_entry(struct timed_walk *t, hv_hpa address, hv_cycles *cycles, struct ref_source *source)
{
    struct mmu *m = t->m;
    enum hv_dimension d = t->w->host_level != 0 ? HV_HOST : HV_GUEST;
    unsigned level = d == HV_HOST ? t->w->host_level : t->w->guest_step;
    tlb_space_id space = d == HV_HOST ? m->env.host_space : m->env.view.space;
    /* Keys hold the addresses of real memory only; what a hostile entry names beyond it is never cached. */
    bool cached = m->pwc.kind == PWC_ENTRY && level >= PWC_LOWEST_LEVEL && address.v < m->memory->size;
    uint64_t entry;
    if (cached && pwc_find_entry(&m->pwc, d, level, address, space, &entry)) {
        if (UNLIKELY(m->check_stale)) {
            stale_check_entry(m, t->w, entry, t->now);
        }
        *cycles = m->pwc.latency_cycles;
        source->from_pwc = true;
        return entry;
    }
    struct mem_request request = {address, m->walk_entry, CACHE_WALK, false};
    struct mem_reply reply = m->walk_entry == MEM_ENTRY_L1D ? mem_walk_read(m->path, address, t->now)
                                                            : mem_access(m->path, &request, t->now);
    *cycles = reply.done - t->now;
    source->level = reply.level;
    source->cacheable = cached;
    return physmem_read64(m->memory, address);
}

/* A cache of entries remembers one that led to a table, with the flags that the walk has set in it. */
static void remember_entry(struct timed_walk *t, hv_hpa address, unsigned guest_step, unsigned host_level,
                           uint64_t entry)
{
    struct mmu *m = t->m;
    if (host_level != 0) {
        pwc_add_entry(&m->pwc, HV_HOST, host_level, address, m->env.host_space, entry);
    } else {
        pwc_add_entry(&m->pwc, HV_GUEST, guest_step, address, m->env.view.space, entry);
    }
}

/* Sets accessed and dirty flags: a locked read-modify-write of the entry just read. */
void walker_update_flags(struct timed_walk *t, hv_hpa address, unsigned guest_step, unsigned host_level)
{
    struct mmu *m = t->m;
    hv_cycles start = t->now;
    physmem_write64(m->memory, address, physmem_read64(m->memory, address) | t->w->update);
    struct mem_request request = {address, m->walk_entry, CACHE_WALK, true};
    walker_charge(t, guest_step, host_level, mem_access(m->path, &request, t->now).done - t->now);
    m->stats.flag_updates++;
    if (UNLIKELY(m->observer.event != NULL)) {
        observe(t, (struct mmu_event){.kind = MMU_EVENT_UPDATE, .start = start, .cycles = t->now - start,
                                      .guest_step = (uint8_t)guest_step, .host_level = (uint8_t)host_level,
                                      .address = address.v, .value = t->w->update});
    }
}

/* A host walk has just reached its leaf. */
static void remember_host_leaf(struct timed_walk *t)
{
    struct mmu *m = t->m;
    if (tlb_present(&m->nested_tlb)) {
        tlb_insert(&m->nested_tlb, t->w->gpa.v, t->w->host_size, m->env.host_space, t->w->host_payload);
    }
}

/* Whether the flags in w->update may be set: a page-modification log that is full refuses a dirty flag. */
static bool may_update(struct timed_walk *t, unsigned host_level)
{
    const struct mmu *m = t->m;
    if (LIKELY(!m->env.regs.log_dirty) || host_level == 0 || (t->w->update & m->env.host.dirty) == 0 ||
        m->log.dirty(m->log.ctx, t->w->gpa)) {
        return true;
    }
    walk_host_violation(t->w, true);
    return false;
}

/* WALK_READ: one cell of the grid. */
static enum walk_need reference(struct timed_walk *t)
{
    struct mmu *m = t->m;
    unsigned guest_step = t->w->guest_step, host_level = t->w->host_level;
    hv_hpa address = t->w->read;
    struct ref_source source = {false, false, MEM_L1};
    hv_cycles start = t->now, cycles;
    if (m->pwc.kind == PWC_TRANSLATION) {
        remember_table(t);
    }
    uint64_t entry = read_entry(t, address, &cycles, &source);
    t->grid[guest_step][host_level].refs++;
    t->refs[host_level != 0 ? HV_HOST : HV_GUEST]++;
    walker_charge(t, guest_step, host_level, cycles);
    if (UNLIKELY(m->observer.event != NULL)) {
        observe(t, (struct mmu_event){.kind = MMU_EVENT_READ, .start = start, .cycles = cycles,
                                      .guest_step = (uint8_t)guest_step, .host_level = (uint8_t)host_level,
                                      .from_pwc = source.from_pwc, .level = source.level, .address = address.v,
                                      .value = entry});
    }
    enum walk_need need = walk_feed(t->w, entry);
    if (UNLIKELY(t->w->update != 0)) {
        if (t->speculative || !may_update(t, host_level)) {
            return WALK_FAULT;
        }
        walker_update_flags(t, address, guest_step, host_level);
    }
    if (UNLIKELY(source.cacheable) && need != WALK_FAULT && (entry & RADIX_LARGE) == 0) {
        remember_entry(t, address, guest_step, host_level, entry | t->w->update);
    }
    if (host_level != 0 && t->w->host_level == 0 && need != WALK_FAULT) {
        remember_host_leaf(t);
    }
    if (host_level == 0 && guest_step == 2) {
        lookahead_note(&m->lookahead, t->w->gva, address.v);
    }
    return need;
}

/* Runs the engine until it is done or a fault stops it. */
static bool run(struct timed_walk *t, hv_gva gva, enum hv_access_kind access)
{
    if (t->plain && walker_same(t, gva, access)) {
        return true;
    }
    enum walk_need need = begin(t, gva, access);
    for (;;) {
        if (t->plain) {
            need = walker_plain(t, need);
        }
        if (LIKELY(need == WALK_READ)) {
            need = reference(t);
        } else if (need == WALK_NESTED) {
            need = translate_gpa(t);
        } else {
            break;
        }
    }
    if (t->plain && need == WALK_DONE) {
        walker_same_note(t);
    }
    return need == WALK_DONE;
}

static void count_walk(struct timed_walk *t)
{
    struct mmu_stats *s = &t->m->stats;
    uint64_t refs = t->refs[HV_GUEST] + (uint64_t)t->refs[HV_HOST];
    uint64_t cycles = t->cycles[HV_GUEST] + t->cycles[HV_HOST];
    s->walks++;
    s->walk_refs += refs;
    s->walk_refs_guest += t->refs[HV_GUEST];
    s->walk_refs_host += t->refs[HV_HOST];
    s->walk_refs_max = refs > s->walk_refs_max ? refs : s->walk_refs_max;
    s->walk_cycles += cycles;
    histogram_add(&t->m->walk_cycles, cycles);
}

static void count_fault(struct mmu *m, const struct hv_fault *fault)
{
    switch ((enum hv_fault_kind)fault->kind) {
    case HV_FAULT_PAGE:
        m->stats.faults_guest_page++;
        break;
    case HV_FAULT_VIOLATION:
    case HV_FAULT_NESTED_PAGE:
        m->stats.faults_violation++;
        break;
    case HV_FAULT_MISCONFIG:
        m->stats.faults_misconfig++;
        break;
    case HV_FAULT_NON_CANONICAL:
        m->stats.faults_non_canonical++;
        break;
    case HV_FAULT_NONE:
    case HV_FAULT_KINDS:
        HV_ASSERT(false, "a failed walk has a fault");
    }
}

/* No reference has been made yet. */
static inline void begin_at(struct timed_walk *t, hv_cycles start)
{
    t->now = start;
    t->cycles[HV_GUEST] = t->cycles[HV_HOST] = 0;
    t->refs[HV_GUEST] = t->refs[HV_HOST] = 0;
}

/* The walk that was asked for at `now`, and had its walker at `start`, is over. */
static inline void end_on_a_walker(struct timed_walk *t, uint32_t which, hv_cycles start, hv_cycles now,
                                   struct mmu_walk_reply *reply)
{
    struct mmu *m = t->m;
    m->stats.walkers_busy_cycles +=
        m->serial ? t->now - start : walkers_take(&m->walkers, which, start, t->now);
    reply->done = t->now;
    reply->guest_cycles = t->cycles[HV_GUEST];
    reply->host_cycles = t->cycles[HV_HOST];
    reply->queue_cycles = start - now;
}

/* Waits for a walker and walks; what the walk took is counted by the caller. */
static bool walk_on_a_walker(struct timed_walk *t, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                             struct mmu_walk_reply *reply)
{
    struct mmu *m = t->m;
    uint32_t which = 0;
    hv_cycles start = m->serial ? now : walkers_begin(&m->walkers, now, &which);
    t->w = &reply->walk;
    begin_at(t, start);
    t->cacheless = false;
    bool ok = run(t, gva, access);
    if (UNLIKELY(!ok && !t->speculative && t->w->fault.dimension == HV_HOST &&
                 t->w->fault.gpa.v == HV_GPA_UNKNOWN)) {
        t->cacheless = true; /* a cached table hid where the refused entry lies in guest-physical memory */
        ok = run(t, gva, access);
    }
    reply->ok = ok;
    end_on_a_walker(t, which, start, now, reply);
    return ok;
}

/* Whether nothing is between the walker and the data caches, and nobody watches. */
static inline bool is_plain(const struct mmu *m)
{
    return m->plain.cache != NULL && m->pwc.kind == PWC_NONE && !tlb_present(&m->nested_tlb) && !m->watched &&
           !m->env.regs.log_dirty && !m->env.agile;
}

bool mmu_hand_over(struct mmu *m, hv_gva gva, enum hv_access_kind access, struct mmu_walk_reply *reply)
{
    struct mmu_handover *h = m->handover;
    if (!is_plain(m) || !walker_same_ahead(m, &reply->walk, gva, access, h->way)) {
        return false;
    }
    h->way++;
    return true;
}

/* The references of a walk that was handed on. */
static void time_references(struct mmu *m, const struct mmu_way *way, hv_cycles now, struct mmu_walk_reply *reply)
{
    struct timed_walk t;
    uint32_t which = 0;
    hv_cycles start = m->serial ? now : walkers_begin(&m->walkers, now, &which);
    t.m = m;
    t.grid = m->grid;
    begin_at(&t, start);
    walker_same_time(&t, way);
    end_on_a_walker(&t, which, start, now, reply);
    count_walk(&t);
    m->stats.walk_queue_cycles += reply->queue_cycles;
}

void mmu_time_walk(struct mmu *m, hv_gva gva, enum hv_access_kind access, const struct mmu_way *way, hv_cycles now,
                   struct mmu_reply *reply)
{
    struct mmu_walk_reply walked;
    if (pending_possible(&m->pending, gva, now)) {
        enum hv_page_size size;
        uint64_t payload = mmu_join_in_time(m, gva, access, now - reply->tlb_cycles, reply, &size);
        if (payload != 0) {
            HV_ASSERT(payload == way->payload, "a walk that is joined leads where another would");
            reply->walked = false;
            return;
        }
    }
    time_references(m, way, now, &walked);
    reply->walk_guest_cycles = walked.guest_cycles;
    reply->walk_host_cycles = walked.host_cycles;
    reply->queue_cycles = walked.queue_cycles;
    if (!m->serial) {
        walked.walk.gva = gva;
        walked.walk.access = access;
        walked.walk.size = HV_PAGE_4K;
        walked.walk.result = way->payload;
        mmu_pending_note(m, &walked);
    }
}

void mmu_walk(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now, struct mmu_walk_reply *reply)
{
    struct timed_walk t;
    t.m = m;
    t.grid = m->grid;
    t.speculative = false;
    t.plain = is_plain(m);
    bool ok = walk_on_a_walker(&t, gva, access, now, reply);
    count_walk(&t);
    m->stats.walk_queue_cycles += reply->queue_cycles;
    if (UNLIKELY(m->observer.event != NULL)) {
        hv_cycles cycles = reply->guest_cycles + reply->host_cycles;
        observe(&t, (struct mmu_event){.kind = ok ? MMU_EVENT_DONE : MMU_EVENT_FAULT, .start = t.now - cycles,
                                       .cycles = cycles, .queue_cycles = reply->queue_cycles,
                                       .value = ok ? t.w->result : 0,
                                       .fault = ok ? NULL : &reply->walk.fault});
    }
    if (UNLIKELY(!ok)) {
        count_fault(m, &t.w->fault);
        mmu_drop_faulting(m, &t.w->fault);
    }
}

void walker_speculate(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                      struct mmu_walk_reply *reply)
{
    struct mmu_cell grid[MMU_GRID][MMU_GRID]; /* the grid of statistics belongs to the walks that were asked for */
    memset(grid, 0, sizeof(grid));
    struct timed_walk t;
    t.m = m;
    t.grid = grid;
    t.speculative = true;
    t.plain = false;
    walk_on_a_walker(&t, gva, access, now, reply);
    m->stats.prefetch_walks++;
    m->stats.prefetch_refs += t.refs[HV_GUEST] + (uint64_t)t.refs[HV_HOST];
    m->stats.prefetch_cycles += reply->guest_cycles + reply->host_cycles;
}

void mmu_check_walkers(const struct mmu *m)
{
    uint64_t cycles = m->stats.walk_cycles + m->stats.prefetch_cycles;
    HV_ASSERT(m->walk_cycles.sum == m->stats.walk_cycles, "the histogram has %llu cycles of walks, the counter %llu",
              (unsigned long long)m->walk_cycles.sum, (unsigned long long)m->stats.walk_cycles);
    HV_ASSERT(m->stats.walkers_busy_cycles == cycles, "walkers were taken for %llu cycles, walks took %llu",
              (unsigned long long)m->stats.walkers_busy_cycles, (unsigned long long)cycles);
}
