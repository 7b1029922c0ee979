/* SPDX-License-Identifier: MIT */
/*
 * ChampSim's traces (its inc/trace_instruction.h), read and written as stream elements. A trace is nothing but records
 * of 64 bytes, one an instruction, little-endian:
 *
 *      0  8  address of the instruction
 *      8  1  is it a branch
 *      9  1  was the branch taken
 *     10  2  registers written
 *     12  4  registers read
 *     16  8  two addresses written
 *     32  8  four addresses read
 *
 * An address or register of 0 is an empty slot. A record becomes a fetch, then its loads, then its stores, all of one
 * instruction.
 *
 * MODEL: the format has no sizes. A fetch is of 4 bytes, data of 8, cut at the end of the line of 64 bytes, so that no
 * access crosses a line. Sizes decide nothing in the model; what ChampSim's tracer saw cross a line is one access
 * less here.
 *
 * MODEL: a load depends on the load before it (a pointer chase) when one of the registers that its instruction reads
 * holds what that load's instruction loaded, or was computed from it since. The stack pointer, the flags and the
 * instruction pointer do not count, and a register that the instruction also writes counts only when it reads no
 * other: `mov rax,[rax]` is a chase, `add rax,[rbx]` a sum. Of several loads of one instruction the first depends. As
 * the format does not say which register is the address, a few loads get the wrong answer; each moves the load-to-use
 * latency of a first-level hit.
 *
 * What other tracers never write lets any stream come back as it was, when hvsim wrote it:
 *
 *     no address of the instruction      nothing is fetched: data whose fetch was not recorded
 *     no address at all                  an instruction that touches no recorded memory (`gap`)
 *     no branch, and yet taken           more of the instruction before: the second line of a fetch, a load after a
 *                                        store, more addresses than there are slots
 *
 * ChampSim itself takes these for further instructions at address 0 or at the line's start. The writer marks no
 * branches: ChampSim sees none.
 */
#ifndef HV_WORKLOAD_CHAMPSIM_H
#define HV_WORKLOAD_CHAMPSIM_H

#include "base/err.h"
#include "base/event.h"
#include "workload/byte_sink.h"
#include "workload/byte_source.h"

#define CHAMPSIM_READ_ERROR ((size_t)-1)
#define CHAMPSIM_RECORD_BYTES 64u
#define CHAMPSIM_BUFFER_BYTES 65536u
#define CHAMPSIM_LOADS 4u
#define CHAMPSIM_STORES 2u
#define CHAMPSIM_RECORD_ELEMENTS (1u + CHAMPSIM_LOADS + CHAMPSIM_STORES)
#define CHAMPSIM_GAP_MAX 65536u /* instructions without recorded memory that are written or read in a row */

struct champsim_reader {
    const char *name; /* for messages */
    byte_read_fn *read;
    void *ctx;
    uint64_t record;                                    /* records passed so far */
    uint64_t fed[4];                                    /* a bit a register: it holds what the last load loaded */
    uint32_t gap;                                       /* instructions since the last element */
    size_t pos, end;                                    /* in buffer: next byte, end of bytes */
    bool ended;                                         /* read has returned 0 */
    size_t pending, pending_end;                        /* elements that did not fit into the last batch */
    struct hv_access element[CHAMPSIM_RECORD_ELEMENTS]; /* those */
    uint8_t buffer[CHAMPSIM_BUFFER_BYTES];
};

void champsim_reader_init(struct champsim_reader *r, const char *name, byte_read_fn *read, void *ctx);

/* Up to capacity elements; 0 at the end. A damaged or cut record comes after the elements before it, as
 * CHAMPSIM_READ_ERROR with a sentence that has its number, counted from 0. */
size_t champsim_next(struct champsim_reader *r, struct hv_access *batch, size_t capacity, struct hv_err *err);

struct champsim_writer {
    struct byte_sink *sink;
    unsigned loads, stores; /* in the record that may still take more */
    bool open;              /* there is one: the last CHAMPSIM_RECORD_BYTES of what is used */
    size_t used;
    uint8_t buffer[CHAMPSIM_BUFFER_BYTES];
};

/* The sink stays the caller's. */
void champsim_writer_init(struct champsim_writer *w, struct byte_sink *sink);

/* Events are left out, and what is at address 0 is written as at 1, which is in the same line. */
bool champsim_writer_add(struct champsim_writer *w, const struct hv_access *batch, size_t count, struct hv_err *err);

/* Writes what is held back. */
bool champsim_writer_finish(struct champsim_writer *w, struct hv_err *err);

/*
 * Whether reading a record gives all of an element again: not the processes, the events, other sizes, address 0, nor
 * that a store or fetch depends on a load.
 */
bool champsim_expresses(const struct hv_access *element);

#endif
