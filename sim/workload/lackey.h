/* SPDX-License-Identifier: MIT */
/*
 * The memory trace that valgrind prints with --tool=lackey --trace-mem=yes, read and written as stream elements.
 *
 *     I  04001000,3     an instruction of 3 bytes was fetched at 0x4001000
 *      L 1ffe,8         it loaded 8 bytes from 0x1ffe
 *      S 1ffe,8         it stored 8 bytes there
 *      M 1ffe,8         it loaded and then stored them
 *
 * A fetch starts an instruction; loads and stores belong to the fetch before them (HV_ACCESS_SAME_INSTRUCTION). What
 * crosses a line of 64 bytes becomes one element a line, all of the same instruction. Blank lines and valgrind's
 * talk (==PID==, and --PID-- or **PID** on request) are passed over.
 *
 * When threads are to be told apart, a batch has elements of one only. Which one runs, the talk of --trace-sched=yes
 * says:
 *
 *     --PID--   SCHED[2]:  acquired lock (thread_wrapper(starting new thread))     thread 2 begins
 *     --PID--   SCHED[1]:  acquired lock (VG_(client_syscall)[async])              thread 1 goes on
 */
#ifndef HV_WORKLOAD_LACKEY_H
#define HV_WORKLOAD_LACKEY_H

#include "base/event.h"
#include "base/err.h"
#include "workload/byte_sink.h"
#include "workload/byte_source.h"

#define LACKEY_READ_ERROR ((size_t)-1)
#define LACKEY_ACCESS_BYTES 512u /* the largest that lackey prints (MAX_DSIZE in its source) */
#define LACKEY_LINE_ELEMENTS 18u /* a modify of 512 bytes that is not aligned: nine loads and nine stores */
#define LACKEY_BUFFER_BYTES 65536u

/* What to do with a last line that has no newline. */
enum lackey_tail {
    LACKEY_TAIL_PARSE, /* a file: it is a line like any other */
    LACKEY_TAIL_DROP,  /* a program that was killed in the middle of it */
};

/* Told that a thread of this number begins; valgrind gives numbers of threads that have ended again. */
typedef void lackey_thread_fn(void *ctx, uint32_t thread);

struct lackey_reader {
    const char *name; /* for messages */
    byte_read_fn *read;
    void *ctx; /* of the callbacks */
    enum lackey_tail tail;
    lackey_thread_fn *thread_starts;                /* NULL after the init: threads are not told apart */
    uint32_t thread;                                /* whose elements the last batch has; 0 when nobody has said */
    uint64_t line;                                  /* lines passed so far */
    size_t pos, lines_end, end;                     /* in buffer: next byte, end of the whole lines, end of bytes */
    bool ended;                                     /* read has returned 0 */
    size_t pending, pending_end;                    /* elements of a line that did not fit into the last batch */
    struct hv_access element[LACKEY_LINE_ELEMENTS]; /* those */
    char buffer[LACKEY_BUFFER_BYTES + 1];           /* and room for a newline after the last line */
};

void lackey_reader_init(struct lackey_reader *r, const char *name, byte_read_fn *read, void *ctx,
                        enum lackey_tail tail);

/* Up to capacity elements; 0 at the end. A malformed line comes after the elements before it, as
 * LACKEY_READ_ERROR with a sentence that has its number. */
size_t lackey_next(struct lackey_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err);

/*
 * The writer puts the pieces of an access together again and prints a load and a store of the same bytes as a
 * modify. Reading the text back gives the same elements; the text itself may differ from lackey's where one
 * instruction made several accesses that touch at a line's border.
 */

/* Lines being put together from elements that were one access. */
struct lackey_line {
    char letter; /* 'I', 'L', 'S', or 0 for none */
    uint64_t address;
    uint32_t bytes;
};

struct lackey_writer {
    struct byte_sink *sink;
    struct lackey_line load, line; /* `line` is the last; `load` the load that a store may still make a modify */
    size_t used;
    char buffer[LACKEY_BUFFER_BYTES];
};

/* Begins with a line of talk that names the command. The sink stays the caller's. Events are left out. */
bool lackey_writer_init(struct lackey_writer *w, struct byte_sink *sink, const char *command, struct hv_err *err);

bool lackey_writer_add(struct lackey_writer *w, const struct hv_access *batch, size_t count, struct hv_err *err);

/* Writes what is held back. */
bool lackey_writer_finish(struct lackey_writer *w, struct hv_err *err);

/* Whether the text says all of an element: it knows no gap, process, dependence, event or data without a fetch. */
bool lackey_expresses(const struct hv_access *access);

#endif
