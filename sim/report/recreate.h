/* SPDX-License-Identifier: MIT */
/* A machine from what a result says about it. */
#ifndef HV_REPORT_RECREATE_H
#define HV_REPORT_RECREATE_H

#include "machine/params.h"
#include "report/report.h"

/* Reads and resolves the configuration of a result; parameters that this hvsim does not know are passed over. */
bool recreate_params(json_t *config, struct machine_params *params, struct hv_err *err);

#endif
