/* SPDX-License-Identifier: MIT */
#include "cpu/instruction.h"

const char *const cpu_op_names[CPU_OPS] = {
#define I(name, length, privilege, exit, words) [CPU_OP_##name] = #name,
#include "cpu/instructions.def"
#undef I
};
