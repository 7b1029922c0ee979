/* SPDX-License-Identifier: MIT */
/*
 * Records the memory accesses of a real program into an hvsim trace.
 *
 * The program runs under valgrind's lackey, whose text is parsed as it comes out of a pipe and goes into the
 * compressed trace: nothing uncompressed touches the disk. Only the program itself is recorded, not what it starts.
 */
#ifndef HV_WORKLOAD_RECORD_H
#define HV_WORKLOAD_RECORD_H

#include <stdint.h>

#include "base/err.h"

struct record_request {
    char *const *argv;  /* the command, NULL-terminated; looked up in PATH as a shell would */
    const char *output; /* the trace */
    uint64_t limit;     /* ends the program after so many records; 0 for none */
    uint64_t skip;      /* so many records at the start are counted but not written */
    void (*progress)(void *ctx, uint64_t records); /* or NULL */
    bool (*interrupted)(void *ctx);                /* or NULL; when it says yes, the trace ends there */
    void *ctx;
};

enum record_end {
    RECORD_COMMAND_ENDED, /* by itself: see exit_status and signal */
    RECORD_LIMIT,         /* stopped at the limit */
    RECORD_INTERRUPTED,   /* by the user; what was recorded until then is in the trace */
};

struct record_result {
    uint64_t records; /* in the trace */
    uint64_t skipped;
    enum record_end end;
    int exit_status; /* of a command that ended by itself */
    int signal;      /* that killed it, or 0 */
};

/* A command that fails by itself is reported in result, and its trace is kept. */
bool record_run(const struct record_request *request, struct record_result *result, struct hv_err *err);

#endif
