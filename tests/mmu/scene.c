/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include "gtest.h"

#include <stdlib.h>
#include <string.h>

enum { ROOT_PAGE = 8, TOP_PAGE = 9, FIRST_HOST_PAGE = 10, PAGES = FIRST_HOST_PAGE + 3 * SCENE_TARGETS };

#define SCENE_GVA_4 UINT64_C(0x00005a3c9d476b58)
#define SCENE_GVA_5 UINT64_C(0x00125a3c9d476b58)
#define SCENE_DATA_HPA UINT64_C(0x002a80000000)
#define MEMORY_BYTES (PAGES * HV_PAGE_BYTES)

enum { WARM_MMUS = 2 };

struct scene_bench {
    struct rig *bare;
    struct rig *warm[WARM_MMUS]; /* with page-walk caches of translations, and of entries */
    uint8_t *before;             /* a copy of memory */
    uint64_t outcomes[HV_FAULT_KINDS];
};

/* --- Where everything lies -------------------------------------------------------------------------------------- */

static uint64_t guest_table_gpa(unsigned level)
{
    return (uint64_t)level << 39 | (uint64_t)level << 12;
}

/* The tables of guest level t are page t of host memory, whatever the size of the page that maps it. */
static uint64_t guest_table_hpa(unsigned level)
{
    return (uint64_t)level << 12;
}

static uint64_t data_gpa(const struct scene *s)
{
    return UINT64_C(6) << 39 | (s->gva & (HV_GIB(1) - 1));
}

static uint64_t target_gpa(const struct scene *s, unsigned target)
{
    return target == SCENE_DATA ? data_gpa(s) : guest_table_gpa(target);
}

static uint64_t host_table_hpa(unsigned target, unsigned level)
{
    return level == 5 ? TOP_PAGE << 12
                      : level == 4 ? ROOT_PAGE << 12 : (uint64_t)(FIRST_HOST_PAGE + 3 * target + level - 1) << 12;
}

static uint64_t slot(uint64_t table, uint64_t address, unsigned level)
{
    return table + (address >> (3 + 9 * level) & 511) * 8;
}

static uint64_t guest_slot(const struct scene *s, unsigned level)
{
    return slot(guest_table_hpa(level), s->gva, level);
}

static uint64_t host_slot(const struct scene *s, unsigned target, unsigned level)
{
    return slot(host_table_hpa(target, level), target_gpa(s, target), level);
}

/* --- Valid entries ---------------------------------------------------------------------------------------------- */

static uint64_t below(unsigned level)
{
    return (UINT64_C(1) << (3 + 9 * level)) - 1;
}

void scene_default(struct scene *s, enum scene_mode mode)
{
    memset(s, 0, sizeof(*s));
    s->mode = mode;
    s->access = HV_LOAD;
    s->guest_levels = s->host_levels = 4;
    s->guest_leaf = 1;
    for (unsigned target = 0; target < SCENE_TARGETS; target++) {
        s->host_leaf[target] = 1;
    }
    s->maxphyaddr = 46;
    s->ept_execute_only = true;
    s->regs.cr0 = MMU_CR0_PG;
    s->regs.cr4 = MMU_CR4_PAE;
    s->regs.efer = MMU_EFER_LME | MMU_EFER_LMA | MMU_EFER_NXE;
    s->regs.eptp = 6 | MMU_EPTP_FLAGS;
}

static void fill_guest(struct scene *s)
{
    for (unsigned level = s->guest_levels; level > s->guest_leaf; level--) {
        s->guest[level] = RIG_GUEST_TABLE |
                          (s->mode == SCENE_NATIVE ? guest_table_hpa(level - 1) : guest_table_gpa(level - 1));
    }
    uint64_t large = s->guest_leaf > 1 ? UINT64_C(1) << 7 : 0;
    s->guest[s->guest_leaf] = RIG_GUEST_LEAF | large | (data_gpa(s) & ~below(s->guest_leaf));
}

static void fill_host(struct scene *s, unsigned target)
{
    bool ept = s->mode == SCENE_EPT;
    unsigned leaf = s->host_leaf[target];
    for (unsigned level = s->host_levels; level > leaf; level--) {
        s->host[level == 5 ? 0 : target][level] =
            (ept ? RIG_EPT_TABLE : RIG_GUEST_TABLE) | host_table_hpa(target, level - 1);
    }
    uint64_t hpa = target == SCENE_DATA ? SCENE_DATA_HPA | (s->gva & (HV_GIB(1) - 1)) : guest_table_hpa(target);
    uint64_t large = leaf > 1 ? UINT64_C(1) << 7 : 0;
    s->host[target][leaf] = (ept ? RIG_EPT_LEAF : RIG_GUEST_LEAF) | large | (hpa & ~below(leaf));
}

void scene_fill(struct scene *s)
{
    s->gva = s->guest_levels == 5 ? SCENE_GVA_5 : SCENE_GVA_4;
    s->regs.cr4 = (s->regs.cr4 & ~MMU_CR4_LA57) | (s->guest_levels == 5 ? MMU_CR4_LA57 : 0);
    s->regs.nested = s->mode != SCENE_NATIVE;
    s->regs.npt = s->mode == SCENE_NPT;
    s->regs.cr3 = s->mode == SCENE_NATIVE ? guest_table_hpa(s->guest_levels) : guest_table_gpa(s->guest_levels);
    uint64_t root = s->host_levels == 5 ? TOP_PAGE << 12 : ROOT_PAGE << 12;
    s->regs.eptp = (s->regs.eptp & (6 | MMU_EPTP_FLAGS)) | (uint64_t)(s->host_levels - 1) << 3 | root;
    memset(s->guest, 0, sizeof(s->guest));
    memset(s->host, 0, sizeof(s->host));
    fill_guest(s);
    for (unsigned target = 0; s->mode != SCENE_NATIVE && target < SCENE_TARGETS; target++) {
        fill_host(s, target);
    }
}

/* --- The bench -------------------------------------------------------------------------------------------------- */

struct scene_bench *scene_bench_new(void)
{
    struct scene_bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    struct mmu_config bare = rig_bare_config();
    b->bare = rig_new(&bare, MEMORY_BYTES);
    struct mmu_config translations = rig_warm_config(PWC_TRANSLATION, 6);
    struct mmu_config entries = rig_warm_config(PWC_ENTRY, 6);
    b->warm[0] = rig_new(&translations, MEMORY_BYTES);
    b->warm[1] = rig_new(&entries, MEMORY_BYTES);
    b->before = malloc(MEMORY_BYTES);
    assert_non_null(b->before);
    return b;
}

void scene_bench_free(struct scene_bench *b)
{
    rig_free(b->bare);
    rig_free(b->warm[0]);
    rig_free(b->warm[1]);
    free(b->before);
    free(b);
}

uint64_t scene_outcomes(const struct scene_bench *b, enum hv_fault_kind kind)
{
    return b->outcomes[kind];
}

/* Every entry of the path, in memory; and the MMU in the scene's context, with everything flushed. */
static void set_up(struct rig *r, const struct scene *s)
{
    for (unsigned level = 1; level <= s->guest_levels; level++) {
        physmem_write64(&r->memory, (hv_hpa){guest_slot(s, level)}, s->guest[level]);
    }
    for (unsigned target = 0; s->mode != SCENE_NATIVE && target < SCENE_TARGETS; target++) {
        for (unsigned level = 1; level <= 4; level++) {
            physmem_write64(&r->memory, (hv_hpa){host_slot(s, target, level)}, s->host[target][level]);
        }
    }
    physmem_write64(&r->memory, (hv_hpa){host_slot(s, 0, 5)}, s->host[0][5]);
    r->mmu.features.physical_bits = (uint8_t)s->maxphyaddr;
    r->mmu.features.ept_execute_only = s->ept_execute_only;
    r->mmu.features.mode_based_execute = s->mode_based_execute;
    mmu_flush_all(&r->mmu);
    mmu_set_context(&r->mmu, &s->regs);
}

static uint64_t read_memory(void *ctx, uint64_t address)
{
    return physmem_read64(ctx, (hv_hpa){address});
}

static void ask_oracle(struct rig *r, const struct scene *s, struct oracle_answer *answer)
{
    struct oracle_machine machine = {
        .cr0 = s->regs.cr0,
        .cr3 = s->regs.cr3,
        .cr4 = s->regs.cr4,
        .efer = s->regs.efer,
        .rflags = s->regs.rflags,
        .eptp = s->regs.eptp,
        .user = s->regs.user,
        .nested = s->regs.nested,
        .npt = s->regs.npt,
        .maxphyaddr = s->maxphyaddr,
        .guest_1g = true,
        .ept_execute_only = s->ept_execute_only,
        .mode_based_execute = s->mode_based_execute,
        .read = read_memory,
        .ctx = &r->memory,
    };
    oracle_translate(&machine, (hv_gva){s->gva}, s->access, answer);
}

/* --- Comparison ------------------------------------------------------------------------------------------------- */

static void print_fault(const char *who, const struct hv_fault *f)
{
    print_error("%s: %s dimension=%u level=%u access=%u gva=%#llx gpa=%#llx code=%#llx\n", who, hv_fault_names[f->kind],
                f->dimension, f->level, f->access, (unsigned long long)f->gva.v, (unsigned long long)f->gpa.v,
                (unsigned long long)f->error_code);
}

static void print_scene(const struct scene *s)
{
    print_error("mode=%d access=%d user=%d cr0=%#llx cr4=%#llx efer=%#llx rflags=%#llx eptp=%#llx gva=%#llx\n",
                (int)s->mode, (int)s->access, s->regs.user, (unsigned long long)s->regs.cr0,
                (unsigned long long)s->regs.cr4, (unsigned long long)s->regs.efer, (unsigned long long)s->regs.rflags,
                (unsigned long long)s->regs.eptp, (unsigned long long)s->gva);
    print_error("M=%u execute-only=%d mode-based=%d\n", s->maxphyaddr, s->ept_execute_only, s->mode_based_execute);
    for (unsigned level = s->guest_levels; level >= 1; level--) {
        print_error("guest l%u: %#llx\n", level, (unsigned long long)s->guest[level]);
    }
    for (unsigned target = 0; s->mode != SCENE_NATIVE && target < SCENE_TARGETS; target++) {
        print_error("host of %u:", target);
        for (unsigned level = s->host_levels; level >= 1; level--) {
            print_error(" l%u %#llx", level, (unsigned long long)s->host[level == 5 ? 0 : target][level]);
        }
        print_error("\n");
    }
}

static bool same_fault(const struct hv_fault *a, const struct hv_fault *b)
{
    return a->kind == b->kind && a->dimension == b->dimension && a->level == b->level && a->access == b->access &&
           a->gva.v == b->gva.v && a->gpa.v == b->gpa.v && a->error_code == b->error_code;
}

/* What the simulator said: fault->kind is HV_FAULT_NONE when it gave an address. */
struct simulated {
    struct hv_fault fault;
    uint64_t address;
    unsigned size, refs;
};

static void compare(const struct scene *s, const char *what, const struct oracle_answer *expected,
                    const struct simulated *got)
{
    bool same = expected->fault.kind == HV_FAULT_NONE
                    ? got->fault.kind == HV_FAULT_NONE && got->address == expected->address
                    : same_fault(&got->fault, &expected->fault);
    if (!same) {
        print_scene(s);
        print_error("oracle: address=%#llx; simulator: address=%#llx\n", (unsigned long long)expected->address,
                    (unsigned long long)got->address);
        print_fault("oracle", &expected->fault);
        print_fault("simulator", &got->fault);
        fail_msg("%s: the answers differ", what);
    }
}

/* An entry is written once for all its flags, and only when one is not yet set, whatever the caches hold of it. */
static void compare_updates(const struct scene *s, const char *what, const struct oracle_answer *expected,
                            uint64_t updates)
{
    if (updates != expected->write_count) {
        print_scene(s);
        fail_msg("%s: %llu writes of flags, expected %zu", what, (unsigned long long)updates, expected->write_count);
    }
}

static void compare_word(const struct scene *s, const struct rig *r, uint64_t address, uint64_t expected)
{
    uint64_t got = physmem_read64(&r->memory, (hv_hpa){address});
    if (got != expected) {
        print_scene(s);
        fail_msg("the entry at %#llx is %#llx after the walk, expected %#llx", (unsigned long long)address,
                 (unsigned long long)got, (unsigned long long)expected);
    }
}

/* The entry at `address`, which was `before`, with the flags that hardware sets in it. */
static uint64_t with_flags(const struct oracle_answer *answer, uint64_t address, uint64_t before)
{
    for (size_t i = 0; i < answer->write_count; i++) {
        before |= answer->writes[i].address == address ? answer->writes[i].bits : 0;
    }
    return before;
}

static void compare_path(const struct scene *s, const struct rig *r, const struct oracle_answer *answer)
{
    for (unsigned level = 1; level <= s->guest_levels; level++) {
        uint64_t address = guest_slot(s, level);
        compare_word(s, r, address, with_flags(answer, address, s->guest[level]));
    }
    for (unsigned target = 0; s->mode != SCENE_NATIVE && target < SCENE_TARGETS; target++) {
        for (unsigned level = 1; level <= s->host_levels; level++) {
            uint64_t address = host_slot(s, target, level);
            compare_word(s, r, address, with_flags(answer, address, s->host[level == 5 ? 0 : target][level]));
        }
    }
}

static void compare_all_memory(struct scene_bench *b, const struct scene *s, const struct oracle_answer *answer)
{
    for (size_t i = 0; i < answer->write_count; i++) {
        uint64_t address = answer->writes[i].address, word;
        if (address < MEMORY_BYTES) {
            memcpy(&word, b->before + address, sizeof(word));
            word |= answer->writes[i].bits;
            memcpy(b->before + address, &word, sizeof(word));
        }
    }
    for (uint64_t address = 0; memcmp(b->before, b->bare->memory.bytes, MEMORY_BYTES) != 0; address += 8) {
        uint64_t word;
        memcpy(&word, b->before + address, sizeof(word));
        compare_word(s, b->bare, address, word);
    }
}

/* --- The checks ------------------------------------------------------------------------------------------------- */

void scene_check(struct scene_bench *b, const struct scene *s, enum scene_extent extent)
{
    struct rig *r = b->bare;
    struct oracle_answer expected;
    struct mmu_walk_reply reply;
    set_up(r, s);
    if (extent == SCENE_ALL_MEMORY) {
        memcpy(b->before, r->memory.bytes, MEMORY_BYTES);
    }
    ask_oracle(r, s, &expected);
    b->outcomes[expected.fault.kind]++;
    uint64_t refs = r->mmu.stats.walk_refs, updates = r->mmu.stats.flag_updates;
    mmu_walk(&r->mmu, (hv_gva){s->gva}, s->access, 0, &reply);
    struct simulated got = {.refs = (unsigned)(r->mmu.stats.walk_refs - refs)};
    if (reply.ok) {
        got.size = reply.walk.size;
        got.address = tlb_entry_address(reply.walk.result, s->gva, 12 + 9 * got.size).v;
    } else {
        got.fault = reply.walk.fault;
    }
    compare(s, "a walk without caches", &expected, &got);
    compare_updates(s, "a walk without caches", &expected, r->mmu.stats.flag_updates - updates);
    if (got.refs != expected.refs || (reply.ok && got.size != expected.size)) {
        print_scene(s);
        fail_msg("%u references and page size %u, expected %u and %u", got.refs, got.size, expected.refs,
                 expected.size);
    }
    if (extent == SCENE_ALL_MEMORY) {
        compare_all_memory(b, s, &expected);
        memset(r->memory.bytes, 0, MEMORY_BYTES);
    } else {
        compare_path(s, r, &expected);
    }
}

static void translate_warm(struct rig *r, const struct scene *s, const char *what)
{
    struct oracle_answer expected;
    struct mmu_reply reply;
    struct simulated got = {.refs = 0};
    uint64_t updates = r->mmu.stats.flag_updates;
    ask_oracle(r, s, &expected);
    if (mmu_translate(&r->mmu, (hv_gva){s->gva}, s->access, 0, &reply)) {
        got.address = reply.hpa.v;
    } else {
        got.fault = reply.fault;
    }
    compare(s, what, &expected, &got);
    compare_updates(s, what, &expected, r->mmu.stats.flag_updates - updates);
}

void scene_check_warm(struct scene_bench *b, const struct scene *s)
{
    for (unsigned i = 0; i < WARM_MMUS; i++) {
        struct rig *r = b->warm[i];
        set_up(r, s);
        translate_warm(r, s, i == 0 ? "the first with caches of translations" : "the first with caches of entries");
        translate_warm(r, s, i == 0 ? "the second with caches of translations" : "the second with caches of entries");
        struct scene other = *s;
        for (unsigned n = 0; n < 2 * HV_ACCESS_KINDS; n++) {
            other.access = (enum hv_access_kind)(n % HV_ACCESS_KINDS);
            other.regs.user = n >= HV_ACCESS_KINDS;
            mmu_set_context(&r->mmu, &other.regs);
            translate_warm(r, &other, "another access of a cached page");
        }
    }
}
