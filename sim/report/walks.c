/* SPDX-License-Identifier: MIT */
/*
 * Translations of a result's own machine, explained step by step as `hvsim walk` explains them.
 *
 * One address is enough for that, so the workload is replaced by a plain one of at most FOOTPRINT_MAX: its pages are
 * mapped in no time, and a trace is not needed any more. What is left is one process on one core.
 */
#include "machine/explain_machine.h"
#include "report/page.h"
#include "report/recreate.h"

#define FOOTPRINT_MAX HV_GIB(1)

static void simplify(struct machine_params *params)
{
    struct machine_params plain;
    uint64_t footprint = params->workload.footprint;
    machine_params_init(&plain);
    params->workload = plain.workload;
    params->workload.kind = WORKLOAD_SEQUENTIAL;
    params->workload.accesses = 1;
    params->workload.footprint = footprint < FOOTPRINT_MAX ? footprint : FOOTPRINT_MAX;
    params->paging.prefault = true;
    params->machine.cores = params->vm.count = params->vm.vcpus = params->sched.processes = 1;
}

/* One way to look at the translation. */
struct view {
    const char *title, *note;
    bool all_references; /* without page-walk caches and nested TLB */
    bool again;          /* the second translation, after the TLBs have lost the first */
};

static const struct view views[] = {
    {"Every reference",
     "The first page of the workload's memory is translated for the first time. The page-walk caches and the nested "
     "TLB are taken away, so that every reference of the walk is made; the data caches are there, and empty at first.",
     true, false},
    {"As configured, cold",
     "The same translation with the page-walk caches and the nested TLB as configured, empty at first. What the walk "
     "itself puts into them saves some of its later references.",
     false, false},
    {"As configured, warm",
     "The same translation a second time, after the TLBs have lost it. What page-walk caches and nested TLB know by "
     "now is saved, and the data caches hold the entries.",
     false, true},
};

static void take_away_tlbs(struct machine_params *params)
{
    for (unsigned i = 0; i < TLB_UNITS; i++) {
        params->tlb[i].entries = 0;
    }
}

/* NULL with a sentence when the machine cannot be built. */
static json_t *explain_view(struct machine_params params, const struct view *view, struct hv_err *err)
{
    struct explain x;
    if (view->all_references) {
        params.pwc.kind = PWC_NONE;
        params.nested_tlb.entries = 0;
    }
    if (view->again) {
        take_away_tlbs(&params);
    }
    struct machine *m = machine_new(&params, NULL, err);
    if (m == NULL) {
        return NULL;
    }
    hv_gva gva = explain_first_page(m);
    explain_translation(&x, &m->cores[0].mmu, gva, HV_LOAD, 0);
    if (view->again) {
        explain_translation(&x, &m->cores[0].mmu, gva, HV_LOAD, x.total_cycles);
    }
    json_t *walk = explain_to_json(&x);
    machine_free(m);
    return json_pack("{s:s, s:s, s:o}", "title", view->title, "note", view->note, "walk", walk);
}

/* Whether a cold walk makes every reference: without walk caches, and natively, as it never reads a level twice. */
static bool cold_is_whole(const struct machine_params *params)
{
    return params->paging.mode == PAGING_NATIVE || params->paging.mode == PAGING_SHADOW ||
           (params->pwc.kind == PWC_NONE && params->nested_tlb.entries == 0);
}

/* The first result with nested paging, which has more to show, or the first of all. */
static size_t choose_result(const struct report *r)
{
    json_t *modes = json_object_get(r->config, "paging.mode"), *mode, *nested = json_string("nested");
    size_t i, chosen = 0;
    json_array_foreach(modes, i, mode) {
        if (json_equal(mode, nested)) {
            chosen = i;
            break;
        }
    }
    json_decref(nested);
    return chosen;
}

void report_walks(const struct report *r, json_t *data)
{
    struct machine_params params;
    struct hv_err err = {""};
    size_t chosen = choose_result(r);
    json_t *config = report_row(r->config, chosen), *walks = json_array();
    bool ok = recreate_params(config, &params, &err);
    json_decref(config);
    if (ok) {
        simplify(&params);
        ok = machine_params_resolve(&params, &err);
    }
    bool same = ok && cold_is_whole(&params);
    for (size_t i = 0; ok && i < HV_ARRAY_LEN(views); i++) {
        if (same && !views[i].all_references && !views[i].again) {
            continue;
        }
        json_t *view = explain_view(params, &views[i], &err);
        ok = view != NULL && json_array_append_new(walks, view) == 0;
    }
    json_object_set_new(data, "walk_of", json_integer((json_int_t)chosen));
    json_object_set_new(data, "walks", walks);
    if (!ok) {
        json_array_clear(walks);
        json_object_set_new(data, "no_walks", page_text(err.text));
    }
}
