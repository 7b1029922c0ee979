/* SPDX-License-Identifier: MIT */
/* The explainer: which references it lists, in which order, and what it says about those that were not made. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "machine/explain.h"
#include "machine/machine.h"

#define WORKLOAD_BASE UINT64_C(0x10000000000) /* where a synthetic workload's memory begins */
#define INSIDE (WORKLOAD_BASE + 0x123456)

/* A small machine with a few parameters set. */
static struct machine *machine_with(const char *const *settings)
{
    static const char *const small[] = {"workload.footprint=4MiB", "machine.memory=16GiB", NULL};
    struct machine_params params;
    struct hv_err err = {""};
    machine_params_init(&params);
    for (const char *const *s = small; *s != NULL; s++) {
        assert_true(params_set_option(&machine_schema, &params, *s, &err));
    }
    for (const char *const *s = settings; *s != NULL; s++) {
        if (!params_set_option(&machine_schema, &params, *s, &err)) {
            fail_msg("%s", err.text);
        }
    }
    if (!machine_params_resolve(&params, &err)) {
        fail_msg("%s", err.text);
    }
    struct machine *m = machine_new(&params, NULL, &err);
    if (m == NULL) {
        fail_msg("%s", err.text);
    }
    return m;
}

#define MACHINE(...) machine_with((const char *const[]){__VA_ARGS__, NULL})

/* Nothing caches a translation. */
#define COLD "mmu.pwc.kind=none", "mmu.nested_tlb.entries=0", "tlb.l1d_4k.entries=0", "tlb.l1d_2m.entries=0", \
             "tlb.l1d_1g.entries=0", "tlb.l2.entries=0", "tlb.l2_1g.entries=0"

/* No data cache either: every reference takes exactly dram.latency_cycles. */
#define BARE COLD, "cache.l1d.size=0", "cache.l2.size=0", "cache.llc.size=0", "dram.latency_cycles=100"

static struct explain explain_at(struct machine *m, uint64_t gva, enum hv_access_kind access)
{
    struct explain x;
    /* Once what came before is over: nothing to wait for. */
    explain_translation(&x, &m->cores[0].mmu, (hv_gva){gva}, access, m->cores[0].mmu.walkers.all_free);
    return x;
}

static unsigned reference_count(const struct explain *x)
{
    return x->references[HV_GUEST] + x->references[HV_HOST];
}

/* --- Which references, in which order -------------------------------------------------------------------------- */

struct shape {
    const char *name;
    const char *settings[6];
    unsigned guest_levels, host_levels; /* read in each dimension; host 0: native */
    unsigned table_levels;              /* host levels under guest tables */
    unsigned guest_top, host_top;       /* levels of the root tables */
};

/* g(t+1)+h references (Bhargava et al., ASPLOS 2008; (g+1)(h+1)-1 when t = h): 24 for 4x4, 35 for 5x5, 4 native. */
static const struct shape shapes[] = {
    {"4x4", {"paging.mode=nested"}, 4, 4, 4, 4, 4},
    {"5x5", {"paging.guest.levels=5", "paging.host.levels=5"}, 5, 5, 5, 5, 5},
    {"5x4", {"paging.guest.levels=5"}, 5, 4, 4, 5, 4},
    {"native4", {"paging.mode=native"}, 4, 0, 0, 4, 0},
    {"native5", {"paging.mode=native", "paging.guest.levels=5"}, 5, 0, 0, 5, 0},
    {"guest2m_host1g", {"paging.guest.page_size=2m", "paging.host.page_size=1g"}, 3, 2, 2, 4, 4},
    {"host2m", {"paging.host.page_size=2m"}, 4, 3, 3, 4, 4},
    {"tables2m", {"paging.host.table_page_size=2m"}, 4, 4, 3, 4, 4},
    {"npt", {"paging.host.format=npt"}, 4, 4, 4, 4, 4},
};

/* Asks for the next reference of the list to be that cell's. */
static void expect_cell(const struct explain *x, unsigned *next, unsigned guest_step, unsigned host_level)
{
    assert_true(*next < x->step_count);
    const struct explain_step *step = &x->steps[*next];
    assert_int_equal(step->kind, EXPLAIN_REFERENCE);
    assert_int_equal(step->guest_step, guest_step);
    assert_int_equal(step->host_level, host_level);
    assert_int_equal(step->number, *next + 1);
    assert_int_equal(x->cells[guest_step][host_level].fate, EXPLAIN_READ);
    (*next)++;
}

static void cold_walk_reads_the_whole_grid_in_order(void **state)
{
    const struct shape *s = *state;
    const char *settings[32] = {BARE};
    size_t count = 0;
    while (settings[count] != NULL) {
        count++;
    }
    memcpy(settings + count, s->settings, sizeof(s->settings));
    struct machine *m = machine_with(settings);
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_true(x.ok);
    unsigned next = 0;
    for (unsigned g = s->guest_top; g > s->guest_top - s->guest_levels; g--) {
        for (unsigned h = s->host_top; h > s->host_top - s->table_levels; h--) {
            expect_cell(&x, &next, g, h);
        }
        expect_cell(&x, &next, g, 0);
    }
    for (unsigned h = s->host_top; h > s->host_top - s->host_levels; h--) {
        expect_cell(&x, &next, 0, h);
    }
    unsigned expected = s->guest_levels * (s->table_levels + 1) + s->host_levels;
    assert_int_equal(x.step_count, expected);
    assert_int_equal(reference_count(&x), expected);
    assert_int_equal(explain_planned(&x), expected);
    assert_int_equal(x.references[HV_GUEST], s->guest_levels);
    assert_int_equal(x.saved, 0);
    assert_int_equal(x.reference_cycles, 100 * expected);
    machine_free(m);
}

static void cells_have_the_names_of_the_statistics(void **state)
{
    (void)state;
    char name[EXPLAIN_CELL_BYTES];
    explain_cell_name(4, 4, name);
    assert_string_equal(name, "g4.h4");
    explain_cell_name(1, 0, name);
    assert_string_equal(name, "g1.g");
    explain_cell_name(0, 1, name);
    assert_string_equal(name, "data.h1");
}

/* Each entry leads to the next: a guest entry lies where the host leaf before it says. */
static void entries_form_a_chain(void **state)
{
    (void)state;
    struct machine *m = MACHINE(BARE);
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(reference_count(&x), 24);
    for (unsigned i = 0; i + 1 < x.step_count; i++) {
        const struct explain_step *step = &x.steps[i], *next = &x.steps[i + 1];
        bool host_to_next = step->host_level > 1 || (step->host_level == 1 && next->host_level == 0);
        if (host_to_next) {
            assert_int_equal(step->entry.meaning, step->host_level == 1 ? RADIX_LEAF : RADIX_TABLE);
            assert_int_equal(next->address & ~(HV_PAGE_BYTES - 1), step->entry.frame);
        } else if (step->host_level == 0) { /* the host walk that follows is of the table it names */
            uint64_t gpa = x.cells[next->guest_step][next->host_level].gpa.v;
            assert_int_equal(gpa & ~(HV_PAGE_BYTES - 1), step->entry.frame);
        }
    }
    const struct explain_step *last = &x.steps[x.step_count - 1];
    assert_int_equal(x.reply.hpa.v, last->entry.frame + INSIDE % HV_PAGE_BYTES);
    machine_free(m);
}

/* --- What caches save ------------------------------------------------------------------------------------------ */

static void tlb_hit_saves_all(void **state)
{
    (void)state;
    struct machine *m = MACHINE("mmu.pwc.kind=none");
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(reference_count(&x), 24);
    x = explain_at(m, INSIDE, HV_LOAD);
    assert_true(x.ok);
    assert_int_equal(reference_count(&x), 0);
    assert_int_equal(x.saved, 24);
    assert_int_equal(x.cells[1][0].fate, EXPLAIN_SAVED_BY_TLB);
    assert_int_equal(x.tlb_count, 1);
    assert_true(x.tlb[0].hit);
    machine_free(m);
}

/* All four nested walks of tables and that of the data hit: only the four guest entries are read. */
static void nested_tlb_saves_host_references(void **state)
{
    (void)state;
    struct machine *m = MACHINE(COLD, "mmu.nested_tlb.entries=16");
    explain_at(m, INSIDE, HV_LOAD);
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(reference_count(&x), 4);
    assert_int_equal(x.references[HV_HOST], 0);
    assert_int_equal(x.saved, 20);
    for (unsigned h = 1; h <= 4; h++) {
        assert_int_equal(x.cells[3][h].fate, EXPLAIN_SAVED_BY_NESTED_TLB);
        assert_int_equal(x.cells[0][h].fate, EXPLAIN_SAVED_BY_NESTED_TLB);
    }
    machine_free(m);
}

/*
 * The guest's cache of level-2 entries knows the level-1 table in host memory, so the walk begins at g1.g; the host's
 * knows the level-1 table of the data page, so of its row data.h1 remains.
 */
static void page_walk_caches_save_what_is_above(void **state)
{
    (void)state;
    struct machine *m = MACHINE(COLD, "mmu.pwc.kind=translation");
    explain_at(m, INSIDE, HV_LOAD);
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(reference_count(&x), 2);
    assert_int_equal(x.cells[1][0].fate, EXPLAIN_READ);
    assert_int_equal(x.cells[0][1].fate, EXPLAIN_READ);
    assert_int_equal(x.cells[2][0].fate, EXPLAIN_SAVED_BY_GUEST_PWC);
    assert_int_equal(x.cells[1][1].fate, EXPLAIN_SAVED_BY_GUEST_PWC);
    assert_int_equal(x.cells[0][2].fate, EXPLAIN_SAVED_BY_HOST_PWC);
    assert_int_equal(x.saved, 22);
    assert_int_equal(x.reply.walk_guest_cycles + x.reply.walk_host_cycles - x.reference_cycles, 2);
    machine_free(m);
}

/* Caches of entries save no reference; they answer those of levels above 1. */
static void caches_of_entries_answer(void **state)
{
    (void)state;
    struct machine *m = MACHINE(COLD, "mmu.pwc.kind=entry");
    explain_at(m, INSIDE, HV_LOAD);
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(reference_count(&x), 24);
    for (unsigned i = 0; i < x.step_count; i++) {
        const struct explain_step *step = &x.steps[i];
        unsigned level = step->host_level != 0 ? step->host_level : step->guest_step;
        assert_int_equal(step->source, level == 1 ? (int)MEM_L1 : (int)EXPLAIN_PWC);
    }
    machine_free(m);
}

/* Looking on changes nothing: an unwatched machine takes the same cycles, and no observer stays behind. */
static void watching_costs_nothing(void **state)
{
    (void)state;
    struct machine *watched = MACHINE("mmu.nested_tlb.entries=8"), *plain = MACHINE("mmu.nested_tlb.entries=8");
    for (unsigned i = 0; i < 4; i++) {
        uint64_t gva = INSIDE + i * HV_PAGE_BYTES;
        struct explain x = explain_at(watched, gva, HV_STORE);
        struct mmu_reply reply;
        struct mmu *m = &plain->cores[0].mmu;
        assert_true(mmu_translate(m, (hv_gva){gva}, HV_STORE, m->walkers.all_free, &reply));
        assert_int_equal(x.reply.hpa.v, reply.hpa.v);
        assert_int_equal(x.total_cycles, reply.tlb_cycles + reply.queue_cycles + reply.walk_guest_cycles +
                                             reply.walk_host_cycles);
    }
    assert_null(watched->cores[0].mmu.observer.event);
    assert_false(watched->cores[0].mmu.watched);
    machine_free(watched);
    machine_free(plain);
}

/*
 * Fresh tables without flags: the walk sets them in each entry the first time. 4 guest entries; of the host's, one
 * each of levels 4, 3 and 2 and four leaves for the guest's tables; for the data page, a gigabyte further on, one each
 * of levels 3, 2 and 1. 4 + 7 + 3 = 14.
 */
static void flag_updates_are_listed(void **state)
{
    (void)state;
    struct machine *m = MACHINE(BARE, "paging.preset_flags=false");
    struct explain x = explain_at(m, INSIDE, HV_STORE);
    unsigned updates = 0;
    hv_cycles cycles = 0;
    for (unsigned i = 0; i < x.step_count; i++) {
        updates += x.steps[i].update != 0;
        assert_true(x.steps[i].update == 0 || x.steps[i].update_cycles >= 100);
        cycles += x.steps[i].cycles + x.steps[i].update_cycles;
    }
    assert_int_equal(updates, 14);
    assert_int_equal(x.reference_cycles, cycles);
    const struct explain_step *guest_leaf = &x.steps[19], *host_leaf = &x.steps[23];
    assert_string_equal(explain_flags_name(false, guest_leaf->update), "the accessed and dirty flags");
    assert_string_equal(explain_flags_name(true, host_leaf->update), "the accessed and dirty flags");
    machine_free(m);
}

/* --- Faults ---------------------------------------------------------------------------------------------------- */

static bool bit_is_set(const struct explain *x, const char *name)
{
    size_t count;
    const struct explain_bit *bits = explain_fault_bits(&x->reply.fault, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(bits[i].name, name) == 0) {
            return (x->reply.fault.error_code & bits[i].mask) != 0;
        }
    }
    fail_msg("no bit %s", name);
    return false;
}

/* Level 4 has no entry for it: the root table's nested walk of 4, and that entry. */
static void unmapped_address_is_a_page_fault(void **state)
{
    (void)state;
    struct machine *m = MACHINE(COLD);
    struct explain x = explain_at(m, 0x5000, HV_STORE);
    assert_false(x.ok);
    assert_int_equal(x.reply.fault.kind, HV_FAULT_PAGE);
    assert_int_equal(reference_count(&x), 5);
    assert_int_equal(x.steps[4].entry.meaning, RADIX_NOT_PRESENT);
    assert_false(bit_is_set(&x, "P"));
    assert_true(bit_is_set(&x, "W/R"));
    assert_true(bit_is_set(&x, "U/S"));
    assert_false(bit_is_set(&x, "I/D"));
    machine_free(m);
}

/* First touch: the guest maps the page, then the hypervisor has to back it, then it is there. */
static void first_touch_faults_in_both_dimensions(void **state)
{
    (void)state;
    struct machine *m = MACHINE(COLD, "paging.prefault=false");
    struct explain x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(x.reply.fault.kind, HV_FAULT_PAGE);
    assert_true(vm_handle_fault(&m->vms[0], 0, &x.reply.fault).resolved);
    x = explain_at(m, INSIDE, HV_LOAD);
    assert_int_equal(x.reply.fault.kind, HV_FAULT_VIOLATION);
    assert_true(bit_is_set(&x, "bit 0"));
    assert_false(bit_is_set(&x, "bit 3"));
    assert_true(bit_is_set(&x, "bit 7"));
    assert_true(bit_is_set(&x, "bit 8"));
    assert_true(vm_handle_fault(&m->vms[0], 0, &x.reply.fault).resolved);
    assert_true(explain_at(m, INSIDE, HV_LOAD).ok);
    machine_free(m);
}

static void non_canonical_address_reads_nothing(void **state)
{
    (void)state;
    struct machine *m = MACHINE(COLD);
    struct explain x = explain_at(m, UINT64_C(1) << 47, HV_LOAD);
    assert_false(x.ok);
    assert_int_equal(x.reply.fault.kind, HV_FAULT_NON_CANONICAL);
    assert_int_equal(x.step_count, 0);
    assert_int_equal(explain_planned(&x), 0);
    machine_free(m);
}

/* --- JSON ------------------------------------------------------------------------------------------------------ */

static json_int_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) {
        fail_msg("no whole number %s", key);
    }
    return json_integer_value(value);
}

/* Prints, reads back, and adds up: of a cold walk and of a warm one. */
static void json_adds_up(void **state)
{
    (void)state;
    struct machine *m = MACHINE("tlb.l1d_4k.entries=0", "tlb.l2.entries=0", "mmu.nested_tlb.entries=2",
                                "paging.preset_flags=false");
    for (unsigned i = 0; i < 2; i++) {
        struct explain x = explain_at(m, INSIDE, HV_STORE);
        json_t *made = explain_to_json(&x);
        char *text = json_dumps(made, 0);
        json_decref(made);
        json_t *read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        free(text);
        assert_non_null(read);
        const json_t *references = json_object_get(read, "references"), *totals = json_object_get(read, "totals");
        json_int_t cycles = 0;
        for (size_t r = 0; r < json_array_size(references); r++) {
            const json_t *reference = json_array_get(references, r);
            assert_int_equal(integer(reference, "number"), (json_int_t)r + 1);
            cycles += integer(reference, "cycles");
            cycles += json_object_get(reference, "flags_cycles") != NULL ? integer(reference, "flags_cycles") : 0;
        }
        assert_int_equal(integer(totals, "references"), json_array_size(references));
        assert_int_equal(integer(totals, "references") + integer(totals, "saved"), 24);
        assert_int_equal(json_object_size(json_object_get(read, "saved")), integer(totals, "saved"));
        assert_int_equal(integer(totals, "reference_cycles"), cycles);
        assert_int_equal(integer(totals, "walk_cycles"), cycles + integer(totals, "lookup_cycles"));
        assert_int_equal(integer(totals, "cycles"), integer(totals, "walk_cycles") + integer(totals, "tlb_cycles") +
                                                        integer(totals, "queue_cycles"));
        json_decref(read);
    }
    machine_free(m);
}

int main(int argc, char **argv)
{
    struct CMUnitTest grid[HV_ARRAY_LEN(shapes)];
    gtest_rows(grid, cold_walk_reads_the_whole_grid_in_order, shapes, sizeof(shapes[0]), HV_ARRAY_LEN(shapes));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_have_the_names_of_the_statistics),
        cmocka_unit_test(entries_form_a_chain),
        cmocka_unit_test(tlb_hit_saves_all),
        cmocka_unit_test(nested_tlb_saves_host_references),
        cmocka_unit_test(page_walk_caches_save_what_is_above),
        cmocka_unit_test(caches_of_entries_answer),
        cmocka_unit_test(watching_costs_nothing),
        cmocka_unit_test(flag_updates_are_listed),
        cmocka_unit_test(unmapped_address_is_a_page_fault),
        cmocka_unit_test(first_touch_faults_in_both_dimensions),
        cmocka_unit_test(non_canonical_address_reads_nothing),
        cmocka_unit_test(json_adds_up),
    };
    const struct gtest_suite suites[] = {GTEST_SUITE("ExplainGrid", grid), GTEST_SUITE("Explain", tests)};
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
