/* SPDX-License-Identifier: MIT */
/*
 * Records the memory accesses of a real program into an hvsim trace, or into one a thread.
 *
 * The program runs under valgrind's lackey, whose text is parsed as it comes out of a pipe and goes into the
 * compressed trace: nothing uncompressed touches the disk. Only the program itself is recorded, not what it starts.
 *
 * Valgrind runs one thread at a time and says in the same text whose turn it is, so that the accesses of several
 * threads can be told apart. Each trace has the accesses of one thread in its order; how the threads interleaved is
 * lost, and was valgrind's doing: turns of many thousands of instructions where processors overlap every one. Of a
 * program with more threads than RECORD_THREADS_MAX, later ones continue the traces of such as have ended.
 */
#ifndef HV_WORKLOAD_RECORD_H
#define HV_WORKLOAD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct record_request {
    char *const *argv;  /* the command, NULL-terminated; looked up in PATH as a shell would */
    const char *output; /* the trace; of several threads, see record_thread_pattern */
    bool threads;       /* one trace a thread, numbered from 0 in the order of their first records */
    uint64_t limit;     /* ends the program after so many records, of all threads; 0 for none */
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
    uint64_t records; /* in the traces */
    unsigned traces;
    uint64_t skipped;
    enum record_end end;
    int exit_status; /* of a command that ended by itself */
    int signal;      /* that killed it, or 0 */
};

enum { RECORD_THREADS_MAX = 256 };

/*
 * The pattern (trace_path.h) of the traces of several threads: `output` when it has {core} in it, else with -{core}
 * before the extension. False when it does not fit.
 */
bool record_thread_pattern(const char *output, char *pattern, size_t bytes);

/* A command that fails by itself is reported in result, and its trace is kept. */
bool record_run(const struct record_request *request, struct record_result *result, struct hv_err *err);

#endif
