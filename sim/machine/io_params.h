/* SPDX-License-Identifier: MIT */
/* Parameters of a machine's devices as a whole, and what no single one of them can say. */
#ifndef HV_MACHINE_IO_PARAMS_H
#define HV_MACHINE_IO_PARAMS_H

#include "base/err.h"
#include "base/param.h"

enum io_device { IO_DEVICE_NONE, IO_DEVICE_DMA, IO_DEVICE_NIC, IO_DEVICE_STORAGE };
enum io_attach { IO_EMULATED, IO_PARAVIRTUAL, IO_ASSIGNED, IO_POSTED };

extern const char *const io_device_names[], *const io_attach_names[];

struct io_params {
#define P PARAM_MEMBER
#include "machine/io_params.def"
#undef P
};

extern const struct param_row io_param_rows[];
extern const size_t io_param_count;

struct machine_params;

/* Fills what depends on other parameters, and checks what no single parameter's range can say. */
bool io_params_resolve(struct machine_params *params, struct hv_err *err);

#endif
