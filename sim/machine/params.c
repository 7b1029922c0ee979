/* SPDX-License-Identifier: MIT */
#include "machine/params.h"

const char *const timing_sync_names[] = {"exact", "quantum", NULL};
const char *const machine_cache_names[] = {"l1d", "l1i", "l2", "llc", NULL};

/* The value of workload.accesses while nobody has set it. */
#define ACCESSES_OPEN UINT64_MAX
#define ACCESSES_DEFAULT UINT64_C(1000000)
#define ACCESSES_ALL UINT64_C(1000000000000000)

static const struct param_row machine_own_rows[] = {
#define P(...) PARAM_ROW(struct machine_own_params, __VA_ARGS__)
#include "machine/machine_params.def"
#undef P
};

static const struct param_row timing_rows[] = {
#define P(...) PARAM_ROW(struct timing_params, __VA_ARGS__)
#include "machine/timing_params.def"
#undef P
};

static const struct param_row tlb_all_rows[] = {
#define P(...) PARAM_ROW(struct tlb_all_params, __VA_ARGS__)
#include "machine/tlb_all_params.def"
#undef P
};

static const struct param_row check_rows[] = {
#define P(...) PARAM_ROW(struct check_params, __VA_ARGS__)
#include "machine/check_params.def"
#undef P
};

/*
 * A mount cannot take the length of a table that lives in another file as a constant, so rows and count are filled
 * from pointers when the schema is first asked for; the list itself says everything else.
 */
#define LOCAL(rows) rows, HV_ARRAY_LEN(rows)
