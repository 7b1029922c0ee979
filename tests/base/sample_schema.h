/* SPDX-License-Identifier: MIT */
/* A schema with every type of parameter, two mounts of one block and a group whose mounts stand apart. */
#ifndef HV_TESTS_BASE_SAMPLE_SCHEMA_H
#define HV_TESTS_BASE_SAMPLE_SCHEMA_H

#include "base/param.h"

static const char *const sample_page_names[] = { "4k", "2m", "1g", NULL };
static const char *const sample_model_names[] = { "inorder", "window", NULL };

struct sample_tlb {
#define P PARAM_MEMBER
#include "sample_tlb_params.def"
#undef P
};

struct sample_core {
#define P PARAM_MEMBER
#include "sample_core_params.def"
#undef P
};

struct sample {
    struct sample_tlb l1, l2;
    struct sample_core core;
};

static const struct param_row sample_tlb_rows[] = {
#define P(...) PARAM_ROW(struct sample_tlb, __VA_ARGS__)
#include "sample_tlb_params.def"
#undef P
};

static const struct param_row sample_core_rows[] = {
#define P(...) PARAM_ROW(struct sample_core, __VA_ARGS__)
#include "sample_core_params.def"
#undef P
};

static const struct param_mount sample_mounts[] = {
    { "tlb.l1", offsetof(struct sample, l1), sample_tlb_rows, &(const size_t){ HV_ARRAY_LEN(sample_tlb_rows) }, NULL, "first level" },
    { "core", offsetof(struct sample, core), sample_core_rows, &(const size_t){ HV_ARRAY_LEN(sample_core_rows) }, NULL, "the core" },
    { "tlb.l2", offsetof(struct sample, l2), sample_tlb_rows, &(const size_t){ HV_ARRAY_LEN(sample_tlb_rows) },
      "entries=1536 ways=12 sizes=[4k,2m]", "second level" },
};

static const struct param_schema sample_schema = { sample_mounts, HV_ARRAY_LEN(sample_mounts) };

#endif
