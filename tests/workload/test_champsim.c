/* SPDX-License-Identifier: MIT */
/* ChampSim's records: what each becomes, what is refused, and that a stream comes back as it was written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "workload/champsim.h"
#include "workload/trace_format.h"

/* A record's fields where ChampSim has them: inc/trace_instruction.h, struct input_instr. */
struct record {
    uint64_t ip;
    uint8_t is_branch, branch_taken, out[2], in[4];
    uint64_t stores[2], loads[4];
};

_Static_assert(sizeof(struct record) == CHAMPSIM_RECORD_BYTES, "no padding");

/* Bytes that are handed out in pieces; after them the end, or a failure. */
struct bytes {
    const uint8_t *at;
    size_t left, piece;
    bool fails;
};

static size_t read_bytes(void *ctx, void *buffer, size_t capacity, struct hv_err *err)
{
    struct bytes *bytes = ctx;
    size_t count = bytes->left < bytes->piece ? bytes->left : bytes->piece;
    count = count < capacity ? count : capacity;
    memcpy(buffer, bytes->at, count);
    bytes->at += count;
    bytes->left -= count;
    if (count == 0 && bytes->fails) {
        hv_fail(err, "the data is damaged");
        return BYTE_SOURCE_ERROR;
    }
    return count;
}

/* Reads a whole trace; returns how many elements came before its end or its mistake. */
static size_t parse(struct bytes bytes, size_t batch, struct hv_access *out, struct hv_err *err)
{
    struct champsim_reader *r = malloc(sizeof(*r));
    assert_non_null(r);
    champsim_reader_init(r, "TRACE", read_bytes, &bytes);
    size_t count = 0, got;
    err->text[0] = '\0';
    while ((got = champsim_next(r, out + count, batch, err)) != 0 && got != CHAMPSIM_READ_ERROR) {
        assert_in_range(got, 1, batch);
        count += got;
    }
    assert_int_equal(got == CHAMPSIM_READ_ERROR, err->text[0] != '\0');
    free(r);
    return count;
}

static struct bytes bytes_of(const struct record *records, size_t count, size_t piece)
{
    return (struct bytes){ .at = (const uint8_t *)records, .left = count * sizeof(*records), .piece = piece };
}

/* ---- What records become ---- */

#define SAME HV_ACCESS_SAME_INSTRUCTION
#define DEPENDS HV_ACCESS_DEPENDENT
#define FETCH(address, size) { .gva = { address }, .kind = HV_FETCH, .bytes = size }
#define LOAD(address, size) { .gva = { address }, .kind = HV_LOAD, .bytes = size, .flags = SAME }
#define CHASE(address) { .gva = { address }, .kind = HV_LOAD, .bytes = 8, .flags = SAME | DEPENDS }
#define STORE(address, size) { .gva = { address }, .kind = HV_STORE, .bytes = size, .flags = SAME }

struct record_case {
    const char *name;
    size_t records;
    struct record record[4];
    size_t elements;
    struct hv_access expected[8];
};

/* The first load of a trace may depend on what came before it when it reads any register; see "first_load". */
static const struct record_case cases[] = {
    { "fetch", 1, { { .ip = 0x401000 } }, 1, { FETCH(0x401000, 4) } },
    { "branch", 1, { { .ip = 0x401000, .is_branch = 1, .branch_taken = 1 } }, 1, { FETCH(0x401000, 4) } },
    { "fetch_at_the_end_of_a_line", 1, { { .ip = 0x40103e } }, 1, { FETCH(0x40103e, 2) } },
    { "load", 1, { { .ip = 64, .loads = { 0x1008 } } }, 2, { FETCH(64, 4), LOAD(0x1008, 8) } },
    { "load_at_the_end_of_a_line", 1, { { .ip = 64, .loads = { 0x103f } } }, 2, { FETCH(64, 4), LOAD(0x103f, 1) } },
    { "store", 1, { { .ip = 64, .stores = { 0x103a } } }, 2, { FETCH(64, 4), STORE(0x103a, 6) } },
    { "loads_before_stores", 1, { { .ip = 64, .stores = { 8, 16 }, .loads = { 24, 32, 40, 48 } } }, 7,
      { FETCH(64, 4), LOAD(24, 8), LOAD(32, 8), LOAD(40, 8), LOAD(48, 8), STORE(8, 8), STORE(16, 8) } },
    { "empty_slots", 1, { { .ip = 64, .stores = { 0, 16 }, .loads = { 0, 32, 0, 48 } } }, 4,
      { FETCH(64, 4), LOAD(32, 8), LOAD(48, 8), STORE(16, 8) } },
    { "highest_address", 1, { { .ip = UINT64_MAX, .loads = { UINT64_MAX } } }, 2,
      { FETCH(UINT64_MAX, 1), LOAD(UINT64_MAX, 1) } },
    { "no_fetch", 1, { { .stores = { 8 }, .loads = { 24 } } }, 2,
      { { .gva = { 24 }, .kind = HV_LOAD, .bytes = 8 }, STORE(8, 8) } },
    { "no_access", 4, { { .ip = 64 }, { .ip = 0 }, { .ip = 0 }, { .ip = 68, .loads = { 8 } } }, 3,
      { FETCH(64, 4), { .gva = { 68 }, .kind = HV_FETCH, .bytes = 4, .gap = 2 }, LOAD(8, 8) } },
    { "more_of_the_instruction", 3,
      { { .ip = 0x3e, .stores = { 8 } }, { .ip = 0x40, .branch_taken = 1 }, { .branch_taken = 1, .loads = { 16 } } },
      4,
      { FETCH(0x3e, 2), STORE(8, 8), { .gva = { 0x40 }, .kind = HV_FETCH, .bytes = 4, .flags = SAME }, LOAD(16, 8) } },
    { "more_of_nothing", 2, { { .branch_taken = 1 }, { .ip = 64 } }, 1, { FETCH(64, 4) } },
    { "nothing", 0, { { .ip = 0 } }, 0, { { .gap = 0 } } },
};

/* Each in every size of batch and piece. */
static void a_record_becomes_elements(void **state)
{
    const struct record_case *row = *state;
    for (size_t piece = 1; piece <= 256; piece *= 4) {
        for (size_t batch = 1; batch <= 8; batch++) {
            struct hv_err err;
            struct hv_access got[16];
            assert_int_equal(parse(bytes_of(row->record, row->records, piece), batch, got, &err), row->elements);
            assert_string_equal(err.text, "");
            for (size_t i = 0; i < row->elements; i++) {
                assert_access_equal(&got[i], &row->expected[i]);
            }
        }
    }
}

/* ---- Which loads depend ---- */

enum { AX = 4, BX = 5, CX = 7, SP = 6, FLAGS = 25, IP = 26 };

#define LOADS(to, ...) { .ip = 64, .out = { to }, .in = { __VA_ARGS__ }, .loads = { 8 } }
#define COMPUTES(to, ...) { .ip = 64, .out = { to }, .in = { __VA_ARGS__ } }

struct chase_case {
    const char *name;
    size_t records;
    struct record record[4];
    bool depends; /* the load of the last record */
};

static const struct chase_case chases[] = {
    { "a_register_that_was_loaded", 2, { LOADS(AX, BX), LOADS(CX, AX) }, true },
    { "another_register", 2, { LOADS(AX, BX), LOADS(CX, BX) }, false },
    { "no_register", 2, { LOADS(AX, BX), LOADS(CX, 0) }, false },
    { "the_second_of_two", 2, { LOADS(AX, BX), LOADS(CX, BX, AX) }, true },
    { "the_load_before_the_last", 3, { LOADS(AX, CX), LOADS(BX, CX), LOADS(CX, AX) }, false },
    { "computed_from_it", 3, { LOADS(AX, CX), COMPUTES(BX, AX, CX), LOADS(CX, BX) }, true },
    { "overwritten", 3, { LOADS(AX, CX), COMPUTES(AX, CX), LOADS(BX, AX) }, false },
    { "kept_beside", 3, { LOADS(AX, CX), COMPUTES(CX, BX), LOADS(BX, AX) }, true },
    { "the_same_register", 2, { LOADS(AX, AX), LOADS(AX, AX) }, true },
    { "a_sum", 2, { LOADS(AX, AX, BX), LOADS(AX, AX, BX) }, false },
    { "a_stack", 2, { { .ip = 64, .out = { AX, SP }, .in = { SP }, .loads = { 8 } },
                      { .ip = 64, .out = { BX, SP }, .in = { SP }, .loads = { 16 } } }, false },
    { "flags", 2, { LOADS(FLAGS, AX), LOADS(BX, FLAGS, CX) }, false },
    { "the_instruction_pointer", 2, { LOADS(IP, AX), LOADS(BX, IP) }, false },
    { "the_highest_register", 2, { LOADS(255, AX), LOADS(BX, 255) }, true },
    { "a_store_between", 3, { LOADS(AX, BX), { .ip = 64, .in = { AX, BX }, .stores = { 8 } }, LOADS(CX, AX) }, true },
    { "first_load", 1, { LOADS(AX, BX) }, true },
};

static void a_load_depends_on_the_one_before(void **state)
{
    const struct chase_case *row = *state;
    struct hv_err err;
    struct hv_access got[16];
    size_t count = parse(bytes_of(row->record, row->records, SIZE_MAX), 16, got, &err);
    assert_in_range(count, 2, 8);
    assert_int_equal(got[count - 1].kind, HV_LOAD);
    assert_int_equal(got[count - 1].flags, row->depends ? SAME | DEPENDS : SAME);
}

/* Of several loads the first depends; stores and fetches never do. */
static void the_first_load_of_an_instruction_depends(void **state)
{
    (void)state;
    static const struct record records[] = {
        LOADS(AX, BX), { .ip = 68, .out = { BX }, .in = { AX }, .stores = { 32 }, .loads = { 16, 24 } },
        { .ip = 72, .in = { BX }, .stores = { 40 } },
    };
    static const struct hv_access expected[] = { FETCH(68, 4), CHASE(16), LOAD(24, 8), STORE(32, 8), FETCH(72, 4),
                                                 STORE(40, 8) };
    struct hv_err err;
    struct hv_access got[16];
    assert_int_equal(parse(bytes_of(records, 3, SIZE_MAX), 16, got, &err), 2 + HV_ARRAY_LEN(expected));
    for (size_t i = 0; i < HV_ARRAY_LEN(expected); i++) {
        assert_access_equal(&got[2 + i], &expected[i]);
    }
}

/* ---- What is no trace ---- */

static void a_cut_record_is_named_by_number(void **state)
{
    (void)state;
    static const struct record records[3] = { { .ip = 64 }, { .ip = 68 }, { .ip = 72 } };
    for (size_t bytes = 0; bytes <= sizeof(records); bytes++) {
        struct hv_err err;
        struct hv_access got[8];
        struct bytes cut = { .at = (const uint8_t *)records, .left = bytes, .piece = 50 };
        assert_int_equal(parse(cut, 8, got, &err), bytes / 64);
        char says[96] = "";
        if (bytes % 64 != 0) {
            snprintf(says, sizeof(says), "TRACE, record %zu: the trace ends after %zu of the record's 64 bytes",
                     bytes / 64, bytes % 64);
        }
        assert_string_equal(err.text, says);
    }
}

static void damaged_bytes_are_named_by_record(void **state)
{
    (void)state;
    static const struct record records[3] = { { .ip = 64 }, { .ip = 68 }, { .ip = 72 } };
    struct hv_err err;
    struct hv_access got[8];
    struct bytes bytes = { .at = (const uint8_t *)records, .left = 150, .piece = 100, .fails = true };
    assert_int_equal(parse(bytes, 8, got, &err), 2);
    assert_string_equal(err.text, "TRACE, record 2: the data is damaged");
}

static void what_is_no_record_is_named_by_number(void **state)
{
    (void)state;
    struct record records[3] = { { .ip = 64, .loads = { 8 } }, { .ip = 68, .is_branch = 2 }, { .ip = 72 } };
    for (size_t batch = 1; batch <= 8; batch++) {
        struct hv_err err;
        struct hv_access got[8];
        assert_int_equal(parse(bytes_of(records, 3, SIZE_MAX), batch, got, &err), 2);
        assert_non_null(strstr(err.text, "TRACE, record 1: whether it is a branch is neither 0 nor 1"));
    }
}

/* Gaps add up over buffers, as far as the writer makes them; a file of zeros is no trace. */
static void instructions_without_memory_add_up(void **state)
{
    (void)state;
    struct record *records = calloc(CHAMPSIM_GAP_MAX + 3, sizeof(*records));
    struct hv_err err;
    struct hv_access got[8];
    records[0].ip = records[CHAMPSIM_GAP_MAX + 1].ip = 64;
    assert_int_equal(parse(bytes_of(records, CHAMPSIM_GAP_MAX + 2, SIZE_MAX), 8, got, &err), 2);
    assert_int_equal(got[1].gap, CHAMPSIM_GAP_MAX);
    records[CHAMPSIM_GAP_MAX + 1].ip = 0;
    records[CHAMPSIM_GAP_MAX + 2].ip = 64;
    assert_int_equal(parse(bytes_of(records, CHAMPSIM_GAP_MAX + 3, SIZE_MAX), 8, got, &err), 1);
    assert_string_equal(err.text, "TRACE, record 65538: more than 65536 records before it have no address at all; "
                                  "is this a trace of ChampSim's?");
    free(records);
}

/* ---- The way back ---- */

/* What the writer makes of the elements, in memory that the caller frees. */
static struct record *records_of(void **state, const struct hv_access *elements, size_t count, size_t *records)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.champsim", path);
    struct byte_sink *sink = byte_sink_open(path, BYTES_PLAIN, &err);
    assert_non_null(sink);
    struct champsim_writer *w = malloc(sizeof(*w));
    champsim_writer_init(w, sink);
    for (size_t i = 0; i < count; i++) {
        assert_true(champsim_writer_add(w, &elements[i], 1, &err));
    }
    assert_true(champsim_writer_finish(w, &err));
    assert_true(byte_sink_commit(sink, &err));
    free(w);
    size_t bytes;
    unsigned char *data = file_read(path, &bytes);
    assert_int_equal(bytes % sizeof(struct record), 0);
    *records = bytes / sizeof(struct record);
    struct record *made = malloc(bytes);
    memcpy(made, data, bytes);
    free(data);
    return made;
}

static void an_instruction_is_one_record(void **state)
{
    static const struct hv_access elements[] = {
        FETCH(0x1000, 4), LOAD(8, 8), LOAD(16, 8), STORE(24, 8), STORE(32, 8), FETCH(0x1004, 4), CHASE(40),
    };
    static const struct record expected[] = {
        { .ip = 0x1000, .out = { 1 }, .stores = { 24, 32 }, .loads = { 8, 16 } },
        { .ip = 0x1004, .out = { 1 }, .in = { 1 }, .loads = { 40 } },
    };
    size_t count;
    struct record *records = records_of(state, elements, HV_ARRAY_LEN(elements), &count);
    assert_int_equal(count, 2);
    assert_memory_equal(records, expected, sizeof(expected));
    free(records);
}

/* A store before a load, a fifth load, a third store, a second line of code: more of the same instruction. */
static void what_does_not_fit_continues(void **state)
{
    static const struct hv_access elements[] = {
        { .gva = { 0x3e }, .kind = HV_FETCH, .bytes = 2, .gap = 2 },
        { .gva = { 0x40 }, .kind = HV_FETCH, .bytes = 4, .flags = SAME },
        LOAD(8, 8), LOAD(16, 8), LOAD(24, 8), LOAD(32, 8), LOAD(40, 8), STORE(48, 8), STORE(56, 8), STORE(64, 8),
        LOAD(72, 8), CHASE(80),
    };
    static const struct record expected[] = {
        { .ip = 0 }, { .ip = 0 }, { .ip = 0x3e },
        { .ip = 0x40, .branch_taken = 1, .out = { 1 }, .loads = { 8, 16, 24, 32 } },
        { .branch_taken = 1, .out = { 1 }, .stores = { 48, 56 }, .loads = { 40 } },
        { .branch_taken = 1, .stores = { 64 } },
        { .branch_taken = 1, .out = { 1 }, .loads = { 72 } },
        { .branch_taken = 1, .out = { 1 }, .in = { 1 }, .loads = { 80 } },
    };
    size_t count;
    struct record *records = records_of(state, elements, HV_ARRAY_LEN(elements), &count);
    assert_int_equal(count, HV_ARRAY_LEN(expected));
    assert_memory_equal(records, expected, sizeof(expected));
    free(records);
}

/* A random element of those that come back exactly. */
static struct hv_access random_expressible(struct hv_rng *rng)
{
    struct hv_access access = random_access(rng);
    access.asid = 0;
    access.gap = rng_below(rng, 16) == 0 ? (uint32_t)rng_below(rng, 5) : 0;
    access.gva.v += access.gva.v == 0;
    access.flags = (uint8_t)(access.kind == HV_LOAD ? rng_below(rng, 4) : rng_below(rng, 2) * SAME);
    uint64_t room = 64 - access.gva.v % 64, bytes = access.kind == HV_FETCH ? 4 : 8;
    access.bytes = (uint8_t)(bytes < room ? bytes : room);
    assert_true(champsim_expresses(&access));
    return access;
}

static void elements_come_back(void **state)
{
    enum { ELEMENTS = 50000 };
    struct hv_rng rng;
    rng_init(&rng, 5);
    struct hv_access *elements = malloc(ELEMENTS * sizeof(*elements));
    struct hv_access *back = malloc(ELEMENTS * sizeof(*back));
    for (size_t i = 0; i < ELEMENTS; i++) {
        elements[i] = random_expressible(&rng);
    }
    size_t count;
    struct record *records = records_of(state, elements, ELEMENTS, &count);
    struct hv_err err;
    assert_int_equal(parse(bytes_of(records, count, 4096), 100, back, &err), ELEMENTS);
    for (size_t i = 0; i < ELEMENTS; i++) {
        assert_access_equal(&back[i], &elements[i]);
    }
    free(records);
    free(elements);
    free(back);
}

/* What the format cannot say is left out, and each access stays an access to the same line. */
static void any_stream_keeps_its_lines(void **state)
{
    enum { ELEMENTS = 20000 };
    struct hv_access *elements = random_elements(ELEMENTS, 8), *back = malloc(ELEMENTS * sizeof(*back));
    size_t count, accesses = 0, got;
    for (size_t i = 0; i < ELEMENTS; i++) {
        elements[i].gap %= 3;
        elements[i].gva.v = i % 64 == 0 && elements[i].kind != HV_EVENT ? 0 : elements[i].gva.v;
    }
    struct record *records = records_of(state, elements, ELEMENTS, &count);
    struct hv_err err;
    got = parse(bytes_of(records, count, 4096), 100, back, &err);
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (elements[i].kind != HV_EVENT) {
            const struct hv_access *access = &back[accesses++];
            uint8_t known = elements[i].kind == HV_LOAD ? SAME | DEPENDS : SAME;
            assert_int_equal(access->gva.v / 64, elements[i].gva.v / 64);
            assert_int_equal(access->kind, elements[i].kind);
            assert_int_equal(access->gap, elements[i].gap);
            assert_int_equal(access->flags, elements[i].flags & known);
        }
    }
    assert_int_equal(got, accesses);
    free(records);
    free(elements);
    free(back);
}

static void a_gap_is_written_up_to_a_limit(void **state)
{
    static const struct hv_access element = { .gva = { 64 }, .kind = HV_FETCH, .bytes = 4, .gap = UINT32_MAX };
    size_t count;
    struct record *records = records_of(state, &element, 1, &count);
    assert_int_equal(count, CHAMPSIM_GAP_MAX + 1);
    assert_int_equal(records[CHAMPSIM_GAP_MAX].ip, 64);
    free(records);
}

static void what_records_cannot_say_is_known(void **state)
{
    (void)state;
    static const struct {
        struct hv_access access;
        bool expressed;
    } rows[] = {
        { FETCH(64, 4), true },   { FETCH(64, 3), false }, { FETCH(126, 2), true },  { FETCH(126, 1), false },
        { LOAD(64, 8), true },    { LOAD(64, 4), false },  { STORE(127, 1), true },  { STORE(64, 16), false },
        { CHASE(64), true },      { LOAD(0, 8), false },   { { .gva = { 64 }, .bytes = 8 }, true },
        { { .gva = { 64 }, .kind = HV_STORE, .bytes = 8, .flags = DEPENDS }, false },
        { { .gva = { 64 }, .kind = HV_FETCH, .bytes = 4, .gap = CHAMPSIM_GAP_MAX }, true },
        { { .gva = { 64 }, .kind = HV_FETCH, .bytes = 4, .gap = CHAMPSIM_GAP_MAX + 1 }, false },
        { { .gva = { 64 }, .kind = HV_FETCH, .bytes = 4, .asid = 1 }, false },
        { { .gva = { 64 }, .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS }, false },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(champsim_expresses(&rows[i].access), rows[i].expressed);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(the_first_load_of_an_instruction_depends),
        cmocka_unit_test(a_cut_record_is_named_by_number),
        cmocka_unit_test(damaged_bytes_are_named_by_record),
        cmocka_unit_test(what_is_no_record_is_named_by_number),
        cmocka_unit_test(instructions_without_memory_add_up),
        IN_SCRATCH(an_instruction_is_one_record),
        IN_SCRATCH(what_does_not_fit_continues),
        IN_SCRATCH(elements_come_back),
        IN_SCRATCH(any_stream_keeps_its_lines),
        IN_SCRATCH(a_gap_is_written_up_to_a_limit),
        cmocka_unit_test(what_records_cannot_say_is_known),
    };
    struct CMUnitTest records[HV_ARRAY_LEN(cases)], depends[HV_ARRAY_LEN(chases)];
    gtest_rows(records, a_record_becomes_elements, cases, sizeof(cases[0]), HV_ARRAY_LEN(cases));
    gtest_rows(depends, a_load_depends_on_the_one_before, chases, sizeof(chases[0]), HV_ARRAY_LEN(chases));
    const struct gtest_suite suites[] = {
        GTEST_SUITE("ChampsimRecord", records), GTEST_SUITE("ChampsimChase", depends), GTEST_SUITE("Champsim", others),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
