/* SPDX-License-Identifier: MIT */
/*
 * The hvsim trace format (extension .hvt): a recorded access stream, compressed, seekable and checked.
 *
 * A trace in which only process 0 runs and nothing happens between the accesses has version 1. One with events
 * (base/event.h) or further processes has version 2, which adds what is marked (2) below.
 *
 * All numbers are little-endian. Offsets and lengths are in bytes. A file is, without a gap:
 *
 *     header    blocks    index    trailer
 *
 * Header: says what was recorded.
 *      0   8  magic "HVSIMTRC"
 *      8   4  version, 1 or 2
 *     12   4  flags, 0
 *     16   4  length of the command's text, at most TRACE_COMMAND_BYTES
 *     20   4  CRC-32 (the one of zlib) of bytes 0..19 and of the text
 *     24      the command's text, without a NUL
 *
 * Block: up to TRACE_BLOCK_RECORDS records that can be unpacked alone. All blocks but the last are full.
 *      0   4  magic "HVBK"
 *      4   4  number of records, at least 1
 *      8   8  number of the first of them, counted from 0
 *     16   4  length of the content
 *     20   4  length of the content as stored here, one zstd frame
 *     24   4  columns: TRACE_COLUMN_GAP, (2) TRACE_COLUMN_ASID
 *     28   4  CRC-32 of bytes 0..27 and of the frame
 *     32      the frame
 *
 * Content of a block of n records: columns, because like beside like compresses well.
 *      n  control    bits 0..1  kind: 0 load, 1 store, 2 fetch, (2) 3 event
 *                    bits 2..3  HV_ACCESS_* flags
 *                    bits 4..7  length of the record's delta, 0..8
 *      n  size       bytes accessed, 1..64; of an event: its number, the place of its row in base/event.def
 *     4n  gap        instructions since the previous record; only with TRACE_COLUMN_GAP, else all 0
 *      n  asid       (2) process; only with TRACE_COLUMN_ASID, else all 0
 *         delta      address minus predicted address, as a zigzag number ((d << 1) ^ (d >> 63)) without its leading
 *                    zero bytes. Predicted is, for a load or store, the address of the previous one of its kind in
 *                    the block; for a fetch the first byte after the previous fetch; 0 at first.
 * A fetch that continues where the last one ended takes two bytes, mostly repeating ones, before compression.
 *
 * The address of an event is its argument, predicted to be that of the previous event of the block. A reader names the
 * first record that is an event which it does not know, or whose argument has not the form of its event, and stops
 * there.
 *
 * Index: where the blocks are, which pages the records touch, and the sums.
 *     16 per block      offset of the block (8), number of its first record (8), (2) how many are events (8 more)
 *     16 per page run   number of the first 4 KiB page (8), number of pages (8), (2) process (8 more); ascending by
 *                       process and page, not touching; events touch none
 *     48                records, loads, stores, fetches, instructions, distinct pages (8 each)
 *   8 + 8e only (2)     virtual processors that records run on (8), events of each number 0..e-1 (8 each)
 *
 * Trailer: the last 40 bytes of the file.
 *      0   8  offset of the index
 *      8   8  number of blocks
 *     16   8  number of page runs
 *     24   4  0; (2) the e of the index, at most 256
 *     28   4  CRC-32 of the index and of bytes 0..27
 *     32   8  magic "HVSIMEND"
 */
#ifndef HV_WORKLOAD_TRACE_FORMAT_H
#define HV_WORKLOAD_TRACE_FORMAT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/event.h"

#define TRACE_MAGIC "HVSIMTRC"
#define TRACE_BLOCK_MAGIC "HVBK"
#define TRACE_END_MAGIC "HVSIMEND"
#define TRACE_MAGIC_BYTES 8u
#define TRACE_BLOCK_MAGIC_BYTES 4u
#define TRACE_VERSION_PLAIN 1u  /* one process, no events */
#define TRACE_VERSION_EVENTS 2u /* the newest */

#define TRACE_HEADER_BYTES 24u
#define TRACE_BLOCK_HEADER_BYTES 32u
#define TRACE_SUMS_BYTES 48u
#define TRACE_TRAILER_BYTES 40u

#define TRACE_COMMAND_BYTES 65536u
#define TRACE_BLOCK_RECORDS 65536u
#define TRACE_RECORD_BYTES_MIN 2u  /* control and size */
#define TRACE_RECORD_BYTES_MAX 15u /* and gap, asid and a delta of 8 */
#define TRACE_CONTENT_BYTES_MAX (TRACE_BLOCK_RECORDS * TRACE_RECORD_BYTES_MAX)
#define TRACE_EVENT_NUMBERS 256u

enum { TRACE_COLUMN_GAP = 1u << 0, TRACE_COLUMN_ASID = 1u << 1 };

#define TRACE_CONTROL_KIND 3u
#define TRACE_CONTROL_FLAGS_SHIFT 2u
#define TRACE_CONTROL_FLAGS 3u
#define TRACE_CONTROL_LENGTH_SHIFT 4u

#define TRACE_LINE_BYTES 64u /* an access never crosses a line of this size */

/* The parts of the index, which version 2 made longer. */

static inline size_t trace_index_entry_bytes(uint32_t version)
{
    return version == TRACE_VERSION_PLAIN ? 16 : 24;
}

static inline size_t trace_run_bytes(uint32_t version)
{
    return version == TRACE_VERSION_PLAIN ? 16 : 24;
}

static inline size_t trace_summary_bytes(uint32_t version, uint32_t event_numbers)
{
    return TRACE_SUMS_BYTES + (version == TRACE_VERSION_PLAIN ? 0 : 8 + 8 * (size_t)event_numbers);
}

static inline uint32_t trace_get32(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof(x));
    return le32toh(x);
}

static inline uint64_t trace_get64(const uint8_t *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof(x));
    return le64toh(x);
}

static inline void trace_put32(uint8_t *at, uint32_t x)
{
    x = htole32(x);
    memcpy(at, &x, sizeof(x));
}

static inline void trace_put64(uint8_t *at, uint64_t x)
{
    x = htole64(x);
    memcpy(at, &x, sizeof(x));
}

/* The checksum of two pieces, one after the other. */
static inline uint32_t trace_crc(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes)
{
    return (uint32_t)crc32_z(crc32_z(0, a, a_bytes), b, b_bytes);
}

#endif
