/* SPDX-License-Identifier: MIT */
/*
 * A VCD file on its way from SystemC's tracing to the user.
 *
 * SystemC writes a file of its own, whose header holds the date of the host and whose time is the kernel's. From it
 * comes the user's file, whole or not at all: the same bytes on every rerun, in the time of the measurement.
 */
#ifndef HV_MACHINE_WAVE_FILE_H
#define HV_MACHINE_WAVE_FILE_H

#include <stdint.h>

#include "base/atomic_file.h"

struct wave_file {
    struct atomic_file file;
    char raw[PATH_MAX];   /* what SystemC writes */
    uint64_t begin, end;  /* when SystemC began and ended it, in picoseconds of the kernel; set by the shell */
};

/* Before the run: finds out whether the file can be written. */
bool wave_file_open(struct wave_file *w, const char *path, struct hv_err *err);

/* How SystemC wants its file named: it appends .vcd itself. */
const char *wave_file_stem(const struct wave_file *w);

/* SystemC has closed its file. On a failure neither file is left. */
bool wave_file_commit(struct wave_file *w, struct hv_err *err);

/* Gives the file up. */
void wave_file_abort(struct wave_file *w);

#endif
