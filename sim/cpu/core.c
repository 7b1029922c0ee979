/* SPDX-License-Identifier: MIT */
#include "cpu/core.h"

#include <string.h>

const char *const core_model_names[] = {"inorder", "window", NULL};

const struct param_row core_param_rows[] = {
#define P(...) PARAM_ROW(struct core_params, __VA_ARGS__)
#include "cpu/core_params.def"
#undef P
};
const size_t core_param_count = HV_ARRAY_LEN(core_param_rows);

const struct stat_row core_stat_rows[] = {
#define S(...) STAT_ROW(struct core_stats, __VA_ARGS__)
#include "cpu/core_stats.def"
#undef S
};
const size_t core_stat_count = HV_ARRAY_LEN(core_stat_rows);

enum {
    CORE_MAX_RETRIES = 64,   /* a fault that comes back this often is not being resolved */
    LOOK_AHEAD_WALKS = 100,  /* worth it when one access in so many walked */
};

void core_init(struct core *c, const struct core_params *params, struct mmu *mmu, struct mem_path *path,
               struct core_fault_handler faults)
{
    memset(c, 0, sizeof(*c));
    c->width = (uint32_t)params->width;
    c->width_log2 = (c->width & (c->width - 1)) == 0 ? (uint32_t)__builtin_ctz(c->width) : UINT32_MAX;
    c->mmu = mmu;
    c->path = path;
    c->faults = faults;
}

void core_reset_stats(struct core *c)
{
    memset(&c->stats, 0, sizeof(c->stats));
    c->started = c->now;
}

/* When `issued` instructions have issued at full width. */
static inline uint64_t issue_time(const struct core *c, uint64_t issued)
{
    return c->width_log2 != UINT32_MAX ? issued >> c->width_log2 : issued / c->width;
}

static inline void issue(struct core *c, const struct hv_access *a)
{
    uint64_t instructions = a->gap + (uint64_t)((a->flags & HV_ACCESS_SAME_INSTRUCTION) == 0);
    uint64_t issued = c->issued + instructions;
    hv_cycles cycles = issue_time(c, issued) - issue_time(c, c->issued);
    c->issued = issued;
    c->stats.instructions += instructions;
    c->stats.cycles_base += cycles;
    c->now += cycles;
}

static inline void charge_translation(struct core *c, const struct mmu_reply *reply)
{
    hv_cycles tlb = reply->tlb_cycles + (reply->walked ? reply->queue_cycles : 0);
    c->stats.cycles_tlb += tlb;
    c->now += tlb;
    if (reply->walked) {
        c->stats.cycles_walk_guest += reply->walk_guest_cycles;
        c->stats.cycles_walk_host += reply->walk_host_cycles;
        c->now += reply->walk_guest_cycles + reply->walk_host_cycles;
    }
}

/* Whether the fault has been handled and the access is worth another try. */
static bool handle_fault(struct core *c, const struct hv_fault *fault)
{
    struct core_fault_reply reply = c->faults.handle(c->faults.ctx, fault, c->now);
    *(reply.cost == CORE_COST_EXIT ? &c->stats.cycles_exit : &c->stats.cycles_fault) += reply.cycles;
    c->now += reply.cycles;
    return reply.resolved;
}

/* The first translation has failed: faults are handled until one succeeds or nobody can help. */
static __attribute__((noinline)) bool translate_after_fault(struct core *c, const struct hv_access *a,
                                                            struct mmu_reply *reply)
{
    for (unsigned tries = 0; tries < CORE_MAX_RETRIES; tries++) {
        if (!handle_fault(c, &reply->fault)) {
            break;
        }
        bool ok = mmu_translate(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, reply);
        charge_translation(c, reply);
        if (ok) {
            return true;
        }
    }
    c->stats.aborted++;
    return false;
}

static inline __attribute__((always_inline)) void access_data(struct core *c, const struct hv_access *a, hv_hpa hpa)
{
    struct mem_request request = {
        hpa, a->kind == HV_FETCH ? MEM_ENTRY_L1I : MEM_ENTRY_L1D, CACHE_DEMAND, a->kind == HV_STORE,
    };
    struct mem_reply reply = mem_access(c->path, &request, c->now);
    if (reply.level == MEM_L1 && (a->flags & HV_ACCESS_DEPENDENT) == 0) {
        return; /* pipelined */
    }
    c->stats.cycles_data += reply.done - c->now;
    c->now = reply.done;
}

static inline __attribute__((always_inline)) void execute(struct core *c, const struct hv_access *a)
{
    struct mmu_reply reply;
    issue(c, a);
    c->stats.accesses++;
    bool ok = mmu_translate(c->mmu, a->gva, (enum hv_access_kind)a->kind, c->now, &reply);
    charge_translation(c, &reply);
    if (__builtin_expect(ok || translate_after_fault(c, a, &reply), 1)) {
        access_data(c, a, reply.hpa);
    }
}

static void run_looking_ahead(struct core *c, const struct hv_access *accesses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mmu_look_ahead(c->mmu, accesses, count, i);
        execute(c, &accesses[i]);
    }
}

void core_run(struct core *c, const struct hv_access *accesses, size_t count)
{
    uint64_t walks = c->mmu->stats.walks;
    if (c->look_ahead) {
        run_looking_ahead(c, accesses, count);
    } else {
        for (size_t i = 0; i < count; i++) {
            execute(c, &accesses[i]);
        }
    }
    c->look_ahead = (c->mmu->stats.walks - walks) * LOOK_AHEAD_WALKS > count;
    c->stats.cycles = c->now - c->started;
}

void core_check_stack(const struct core *c)
{
    const struct core_stats *s = &c->stats;
    uint64_t sum = s->cycles_base + s->cycles_tlb + s->cycles_walk_guest + s->cycles_walk_host + s->cycles_data +
                   s->cycles_fault + s->cycles_exit + s->cycles_interrupt;
    HV_ASSERT(sum == s->cycles, "the cycle stack sums to %llu of %llu cycles", (unsigned long long)sum,
              (unsigned long long)s->cycles);
}
