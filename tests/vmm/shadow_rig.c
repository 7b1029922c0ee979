/* SPDX-License-Identifier: MIT */
#include "shadow_rig.h"

#include "gtest.h"
#include "mmu/walk.h"

#define FRAME_BITS UINT64_C(0x000ffffffffff000)
#define SWITCH_BIT (UINT64_C(1) << 58)

enum { INVLPG_AT_MOST = 33 }; /* more pages make a guest load CR3 instead */

struct vm_config shadow_config(enum paging_mode mode, enum paging_format format)
{
    struct vm_config config = rig_config(mode, format);
    config.cost.shadow_write_cycles = RIG_WRITE;
    config.cost.shadow_fault_cycles = RIG_FAULT;
    config.cost.shadow_reflect_cycles = RIG_REFLECT;
    config.cost.shadow_invlpg_cycles = RIG_INVLPG;
    config.cost.shadow_cr3_cycles = RIG_CR3;
    config.cost.shadow_resync_cycles = RIG_RESYNC;
    config.cost.agile_switch_cycles = RIG_SWITCH;
    config.cost.agile_scan_cycles = RIG_SCAN;
    config.agile.write_threshold = 2;
    config.agile.interval = 1000;
    return config;
}

/* --- the processor's walk ---------------------------------------------------------------------------------------- */

static uint64_t read_entry(struct vm_rig *r, uint64_t table, uint64_t gva, unsigned level)
{
    return physmem_read64(&r->memory, (hv_hpa){table + (gva >> (12 + 9 * (level - 1)) & 511) * 8});
}

/* Host references for one gPA: levels down to the page that maps it. */
static bool host_translate(struct vm_rig *r, uint64_t gpa, struct shadow_page *page, uint64_t *hpa)
{
    struct rig_page host = rig_host_page(r, gpa);
    page->refs += (unsigned)r->vm.config.host.levels - (unsigned)host.size;
    page->gpa = host.mapped ? 0 : gpa;
    *hpa = host.frame + (gpa & (hv_page_bytes(host.size) - 1));
    return host.mapped;
}

struct shadow_page shadow_walk(struct vm_rig *r, uint32_t process, uint64_t gva)
{
    struct mmu_regs regs = vm_regs(&r->vm, process, 1);
    bool own = regs.nested || (regs.agile && (regs.cr3 & SWITCH_BIT) != 0);
    bool table_is_hpa = !regs.nested;
    uint64_t table = regs.cr3 & FRAME_BITS;
    struct shadow_page page = {.writable = true};
    for (unsigned level = (regs.cr4 & MMU_CR4_LA57) != 0 ? 5 : 4;; level--) {
        if (!table_is_hpa) {
            assert_true(host_translate(r, table, &page, &table));
        }
        uint64_t entry = read_entry(r, table, gva, level);
        page.refs++;
        if ((entry & 1) == 0) {
            return page;
        }
        page.writable &= (entry & 2) != 0;
        table = entry & FRAME_BITS;
        if (level == 1 || (level <= 3 && (entry & 128) != 0)) {
            uint64_t offset = (UINT64_C(1) << (12 + 9 * (level - 1))) - 1;
            page.hpa = (table & ~offset) | (gva & offset);
            page.mapped = !own || host_translate(r, page.hpa, &page, &page.hpa);
            return page;
        }
        bool switches = !own && regs.agile && (entry & SWITCH_BIT) != 0;
        table_is_hpa = !own;
        own |= switches;
    }
}

/* --- what the guest does ----------------------------------------------------------------------------------------- */

/* The fault that an access meets; false: none. */
static bool fault_at(const struct vm_rig *r, uint64_t gva, bool store, const struct shadow_page *page,
                     struct hv_fault *fault)
{
    bool npt = r->vm.config.host_more.format == PAGING_NPT;
    if (page->gpa != 0) {
        *fault = (struct hv_fault){
            .kind = npt ? HV_FAULT_NESTED_PAGE : HV_FAULT_VIOLATION, .dimension = HV_HOST, .gva = {gva},
            .gpa = {page->gpa}, .error_code = npt ? HV_PF_USER | HV_NPF_FINAL : HV_EPTV_READ | HV_EPTV_FINAL,
        };
        return true;
    }
    *fault = (struct hv_fault){
        .kind = HV_FAULT_PAGE, .dimension = HV_GUEST, .gva = {gva},
        .error_code = HV_PF_USER | (page->mapped ? HV_PF_PRESENT : 0u) | (store ? HV_PF_WRITE : 0u),
    };
    return !page->mapped || (store && !page->writable);
}

/* The invalidations of a change, as a processor that runs the process makes them. */
static hv_cycles follow(struct vm_rig *r, uint32_t process, const struct vm_change *change)
{
    if (change->flush != VM_FLUSH_RUN) {
        return 0;
    }
    return change->pages > INVLPG_AT_MOST ? vm_mov_cr3(&r->vm, process)
                                          : vm_invlpg(&r->vm, process, change->start, change->pages);
}

struct shadow_cost shadow_touch(struct vm_rig *r, uint32_t process, uint64_t gva, bool store)
{
    struct shadow_cost cost = {0, 0};
    for (unsigned tries = 0; tries < 6; tries++) {
        struct shadow_page page = shadow_walk(r, process, gva);
        struct hv_fault fault;
        if (!fault_at(r, gva, store, &page, &fault)) {
            assert_int_equal(page.hpa, rig_translate(r, process, gva));
            return cost;
        }
        struct vm_fault_reply reply = vm_handle_fault(&r->vm, process, &fault);
        assert_true(reply.resolved);
        cost.guest += reply.exit ? 0 : reply.cycles;
        cost.exits += reply.exit_cycles + (reply.exit ? reply.cycles : 0) + follow(r, process, &reply.change);
    }
    fail_msg("faults at %#llx do not end", (unsigned long long)gva);
    return cost;
}

struct shadow_cost shadow_event(struct vm_rig *r, uint32_t process, enum hv_event event, uint64_t address,
                                unsigned pages_log2)
{
    struct vm_change change = rig_event(r, process, event, address, pages_log2);
    return (struct shadow_cost){change.guest_cycles, change.host_cycles + follow(r, process, &change)};
}

/* The walk engine's answer for the same registers. */
static struct shadow_page engine_walk(struct vm_rig *r, uint32_t process, uint64_t gva)
{
    struct mmu_env env = {.ep4ta = 0};
    struct mmu_regs regs = vm_regs(&r->vm, process, 1);
    struct mmu_features features = {.physical_bits = 46, .pages_1g = true, .guest_flags = true};
    struct shadow_page page = {.mapped = false};
    struct walk w;
    mmu_env_init(&env, &regs, &features);
    enum walk_need need = walk_begin(&w, &env, (hv_gva){gva}, HV_LOAD);
    while (need == WALK_READ || need == WALK_NESTED) {
        if (need == WALK_NESTED) {
            need = walk_host_start(&w, env.host.levels, (hv_hpa){env.host_root}, RADIX_ALL);
        } else {
            page.refs++;
            need = walk_feed(&w, physmem_read64(&r->memory, w.read));
        }
    }
    page.mapped = need == WALK_DONE;
    page.writable = page.mapped && (w.result & TLB_GUEST_W) != 0;
    page.hpa = page.mapped ? tlb_entry_address(w.result, gva, hv_page_shift((enum hv_page_size)w.size)).v : 0;
    return page;
}

static void check_page(struct vm_rig *r, uint32_t process, uint64_t gva)
{
    struct shadow_page found = shadow_walk(r, process, gva), engine = engine_walk(r, process, gva);
    assert_int_equal(engine.mapped, found.mapped);
    if (found.mapped) {
        assert_int_equal(engine.refs, found.refs);
        assert_int_equal(engine.hpa, found.hpa);
        assert_int_equal(engine.writable, found.writable);
        assert_int_equal(found.hpa, rig_translate(r, process, gva));
        assert_true(!found.writable || (rig_guest_page(r, process, gva).entry & 2) != 0);
    }
}

void shadow_check(struct vm_rig *r, const struct vm_region *regions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (uint64_t page = 0; page < regions[i].pages; page++) {
            check_page(r, regions[i].process, regions[i].start.v + page * HV_PAGE_BYTES);
        }
    }
}
