/* SPDX-License-Identifier: MIT */
#include "vm_rig.h"

#include <stdlib.h>
#include <string.h>

#include "gtest.h"

#define FRAME_BITS UINT64_C(0x000ffffffffff000)

struct vm_config rig_config(enum paging_mode mode, enum paging_format format)
{
    return (struct vm_config){
        .paging = {.mode = mode, .accessed_dirty = true, .preset_flags = true, .prefault = true},
        .guest = {.levels = 4},
        .host = {.levels = 4},
        .host_more = {.format = format},
        .cost = {.page_fault_cycles = RIG_PAGE_FAULT, .ept_violation_cycles = RIG_VIOLATION,
                 .system_call_cycles = RIG_SYSTEM_CALL, .page_update_cycles = RIG_PAGE_UPDATE,
                 .table_copy_cycles = RIG_TABLE_COPY, .page_copy_cycles = RIG_PAGE_COPY},
        .seed = 1,
        .pcid = true,
        .pages_1g = true,
        .processes = 1,
    };
}

void rig_init(struct vm_rig *r, const struct vm_config *config, const struct vm_region *regions, size_t count)
{
    struct hv_err err = {""};
    struct vm_config lazy = *config;
    memset(r, 0, sizeof(*r));
    assert_true(physmem_init(&r->memory, HV_GIB(64), &err));
    /* Where data begins, is known while nothing has been mapped yet. */
    lazy.paging.prefault = false;
    uint64_t next = VM_HOST_START;
    assert_true(vm_init(&r->vm, &lazy, regions, count, &r->memory, &next, &err));
    r->data_start = r->vm.guest_data.next;
    r->data_end = r->vm.guest_data.end;
    r->backing_start = r->vm.host_data.next;
    vm_fini(&r->vm);
    physmem_fini(&r->memory);
    assert_true(physmem_init(&r->memory, HV_GIB(64), &err));
    r->host_start = r->host_end = VM_HOST_START;
    if (!vm_init(&r->vm, config, regions, count, &r->memory, &r->host_end, &err)) {
        fail_msg("%s", err.text);
    }
}

void rig_fini(struct vm_rig *r)
{
    vm_fini(&r->vm);
    physmem_fini(&r->memory);
}

const struct vm_region rig_regions[RIG_REGIONS] = {
    {{RIG_START}, 1, 0}, {{RIG_START + HV_GIB(1)}, 600, 0}, {{RIG_START}, 3, 1}, {{RIG_START + HV_MIB(2)}, 1024, 1},
};

void rig_begin(struct vm_rig *r, const struct vm_config *config)
{
    struct vm_config two = *config;
    two.processes = 2;
    rig_init(r, &two, rig_regions, RIG_REGIONS);
    rig_check(r);
}

uint64_t rig_some_page(struct hv_rng *rng, uint32_t *process)
{
    const struct vm_region *region = &rig_regions[rng_below(rng, RIG_REGIONS)];
    *process = region->process;
    return region->start.v + rng_below(rng, region->pages) * HV_PAGE_BYTES;
}

/* --- walking the bytes --------------------------------------------------------------------------------------------- */

/* Whether an entry of a dimension is present: EPT's has no bit of its own for that. */
static bool present(const struct vm_rig *r, bool host, uint64_t entry)
{
    return (entry & (host && r->vm.config.host_more.format == PAGING_EPT ? 7 : 1)) != 0;
}

static struct rig_page walk(struct vm_rig *r, bool host, uint64_t root, unsigned levels, uint64_t address)
{
    uint64_t table = root;
    for (unsigned level = levels;; level--) {
        uint64_t at = table;
        if (!host && r->vm.nested) {
            struct rig_page behind = rig_host_page(r, table);
            assert_true(behind.mapped);
            at = behind.frame + (table & (hv_page_bytes(behind.size) - 1));
        }
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t entry = physmem_read64(&r->memory, (hv_hpa){at + (address >> shift & 511) * 8});
        if (!present(r, host, entry)) {
            return (struct rig_page){.mapped = false};
        }
        if (level == 1 || (level <= 3 && (entry & 128) != 0)) {
            uint64_t frame = entry & FRAME_BITS & ~((UINT64_C(1) << shift) - 1);
            return (struct rig_page){true, entry, frame, (enum hv_page_size)(level - 1)};
        }
        table = entry & FRAME_BITS;
    }
}

struct rig_page rig_host_page(struct vm_rig *r, uint64_t gpa)
{
    return walk(r, true, r->vm.host.root, r->vm.host.levels, gpa);
}

struct rig_page rig_guest_page(struct vm_rig *r, uint32_t process, uint64_t gva)
{
    const struct page_table *t = &r->vm.processes[process].table;
    return walk(r, false, t->root, t->levels, gva);
}

uint64_t rig_translate(struct vm_rig *r, uint32_t process, uint64_t gva)
{
    struct rig_page guest = rig_guest_page(r, process, gva);
    uint64_t gpa = guest.frame + (gva & (hv_page_bytes(guest.size) - 1));
    if (!guest.mapped || !r->vm.nested) {
        return guest.mapped ? gpa : UINT64_MAX;
    }
    struct rig_page host = rig_host_page(r, gpa);
    return host.mapped ? host.frame + (gpa & (hv_page_bytes(host.size) - 1)) : UINT64_MAX;
}

/* --- accesses ------------------------------------------------------------------------------------------------------ */

/* The fault of a host page that is not there, in the words of either format. */
static struct hv_fault host_fault(const struct vm_rig *r, uint64_t gva, uint64_t gpa)
{
    bool npt = r->vm.config.host_more.format == PAGING_NPT;
    return (struct hv_fault){
        .kind = npt ? HV_FAULT_NESTED_PAGE : HV_FAULT_VIOLATION, .dimension = HV_HOST, .gva = {gva}, .gpa = {gpa},
        .error_code = npt ? HV_PF_USER | HV_NPF_FINAL : HV_EPTV_READ | HV_EPTV_LINEAR_VALID | HV_EPTV_FINAL,
    };
}

static struct hv_fault guest_fault(uint64_t gva, bool there, bool store)
{
    return (struct hv_fault){
        .kind = HV_FAULT_PAGE, .dimension = HV_GUEST, .gva = {gva},
        .error_code = HV_PF_USER | (there ? HV_PF_PRESENT : 0u) | (store ? HV_PF_WRITE : 0u),
    };
}

hv_cycles rig_touch(struct vm_rig *r, uint32_t process, uint64_t gva, bool store)
{
    hv_cycles cycles = 0;
    for (unsigned tries = 0; tries < 4; tries++) {
        struct rig_page guest = rig_guest_page(r, process, gva);
        uint64_t gpa = guest.frame + (gva & (hv_page_bytes(guest.size) - 1));
        struct hv_fault fault;
        if (!guest.mapped || (store && (guest.entry & 2) == 0)) {
            fault = guest_fault(gva, guest.mapped, store);
        } else if (r->vm.nested && !rig_host_page(r, gpa).mapped) {
            fault = host_fault(r, gva, gpa);
        } else {
            return cycles;
        }
        struct vm_fault_reply reply = vm_handle_fault(&r->vm, process, &fault);
        assert_true(reply.resolved);
        cycles += reply.cycles;
    }
    fail_msg("faults at %#llx do not end", (unsigned long long)gva);
    return cycles;
}

struct vm_change rig_event(struct vm_rig *r, uint32_t process, enum hv_event event, uint64_t address,
                           unsigned pages_log2)
{
    struct hv_access element = {
        .gva = {hv_event_run(address, pages_log2)}, .kind = HV_EVENT, .bytes = (uint8_t)event,
        .asid = (uint8_t)process,
    };
    assert_true(hv_event_valid(&element));
    return vm_event(&r->vm, process, &element);
}

/* --- the whole ------------------------------------------------------------------------------------------------------ */

/* A run of addresses of which each 4 KiB piece is in one place at most. */
struct ledger {
    uint64_t start, pages, count;
    bool *used;
};

static struct ledger ledger_new(uint64_t start, uint64_t end)
{
    struct ledger l = {.start = start, .pages = (end - start) / HV_PAGE_BYTES};
    l.used = calloc(l.pages + 1, sizeof(*l.used));
    assert_non_null(l.used);
    return l;
}

static void enter(struct ledger *l, uint64_t start, uint64_t bytes)
{
    assert_int_equal(start % bytes, 0);
    for (uint64_t at = start; at < start + bytes; at += HV_PAGE_BYTES) {
        assert_true(at >= l->start && (at - l->start) / HV_PAGE_BYTES < l->pages);
        bool *used = &l->used[(at - l->start) / HV_PAGE_BYTES];
        assert_false(*used);
        *used = true;
        l->count++;
    }
}

/*
 * Enters what was given back, and what nobody has had: then all must be there. (New frames of a fragmented block may
 * have been handed out before older ones, so new ones are counted only.)
 */
static void close_ledger(struct ledger *l, const struct frames *f)
{
    for (unsigned size = 0; size < HV_PAGE_SIZES; size++) {
        const struct frame_queue *q = &f->given_back[size];
        for (size_t i = 0; i < q->count; i++) {
            enter(l, q->starts[(q->head + i) % q->capacity], hv_page_bytes((enum hv_page_size)size));
        }
    }
    assert_int_equal(l->count + (f->end - f->next) / HV_PAGE_BYTES, l->pages);
    free(l->used);
}

/* Enters the tables of one dimension below a table, and the frames that they map. */
static void enter_tables(struct vm_rig *r, bool host, uint64_t table, unsigned level, struct ledger *tables,
                         struct ledger *frames)
{
    uint64_t at = table;
    enter(tables, table, HV_PAGE_BYTES);
    if (!host && r->vm.nested) {
        struct rig_page behind = rig_host_page(r, table);
        assert_true(behind.mapped);
        at = behind.frame + (table & (hv_page_bytes(behind.size) - 1));
        assert_int_equal(at, r->vm.table_backing + table);
    }
    for (unsigned i = 0; i < 512; i++) {
        uint64_t entry = physmem_read64(&r->memory, (hv_hpa){at + i * 8});
        if (!present(r, host, entry)) {
            assert_int_equal(entry, 0);
        } else if (level > 1 && (entry & 128) == 0) {
            enter_tables(r, host, entry & FRAME_BITS, level - 1, tables, frames);
        } else {
            uint64_t bytes = UINT64_C(1) << (12 + 9 * (level - 1)), frame = entry & FRAME_BITS & ~(bytes - 1);
            assert_int_equal(entry & VM_ENTRY_MOVED, 0);
            if (frame >= frames->start || !host) { /* below are the pages behind guest tables */
                enter(frames, frame, bytes);
            }
        }
    }
}

void rig_check(struct vm_rig *r)
{
    struct vm *vm = &r->vm;
    uint64_t guest_tables = vm->nested ? 0 : vm->table_backing;
    struct ledger tables = ledger_new(guest_tables, vm->guest_tables.end);
    struct ledger frames = ledger_new(r->data_start, r->data_end);
    for (uint32_t i = 0; i < vm->config.processes; i++) {
        const struct page_table *t = &vm->processes[i].table;
        enter_tables(r, false, t->root, t->levels, &tables, &frames);
    }
    close_ledger(&tables, &vm->guest_tables);
    close_ledger(&frames, &vm->guest_data);
    if (vm->nested) {
        tables = ledger_new(r->host_start, vm->host_tables.end);
        frames = ledger_new(r->backing_start, vm->host_data.end);
        enter_tables(r, true, vm->host.root, vm->host.levels, &tables, &frames);
        close_ledger(&tables, &vm->host_tables);
        close_ledger(&frames, &vm->host_data);
    }
}
