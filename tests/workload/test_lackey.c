/* SPDX-License-Identifier: MIT */
/* Lackey's text: each kind of line, what is split, what is refused, and the way back to text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "workload/lackey.h"

/* A text that is handed out in pieces, as a pipe does. */
struct text {
    const char *at;
    size_t left, piece;
};

static size_t read_text(void *ctx, void *buffer, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct text *text = ctx;
    size_t bytes = text->left < text->piece ? text->left : text->piece;
    bytes = bytes < capacity ? bytes : capacity;
    memcpy(buffer, text->at, bytes);
    text->at += bytes;
    text->left -= bytes;
    return bytes;
}

/* Parses a whole text; returns how many elements came before its end or its mistake. */
static size_t parse(const char *bytes, size_t length, size_t piece, size_t batch, struct hv_access *out,
                    struct hv_err *err)
{
    struct text text = { bytes, length, piece };
    struct lackey_reader *r = malloc(sizeof(*r));
    assert_non_null(r);
    lackey_reader_init(r, "TEXT", read_text, &text, LACKEY_TAIL_PARSE);
    size_t count = 0, got;
    err->text[0] = '\0';
    while ((got = lackey_next(r, out + count, batch, err)) != 0 && got != LACKEY_READ_ERROR) {
        assert_in_range(got, 1, batch);
        count += got;
    }
    assert_int_equal(got == LACKEY_READ_ERROR, err->text[0] != '\0');
    free(r);
    return count;
}

#define SAME HV_ACCESS_SAME_INSTRUCTION
#define FETCH(address, size, same) { .gva = { address }, .kind = HV_FETCH, .bytes = size, .flags = same }
#define LOAD(address, size) { .gva = { address }, .kind = HV_LOAD, .bytes = size, .flags = SAME }
#define STORE(address, size) { .gva = { address }, .kind = HV_STORE, .bytes = size, .flags = SAME }

struct line_case {
    const char *name, *text;
    size_t count;
    struct hv_access expected[6];
};

static const struct line_case lines[] = {
    { "fetch", "I  04001000,3\n", 1, { FETCH(0x4001000, 3, 0) } },
    { "load", " L 1ffe,2\n", 1, { LOAD(0x1ffe, 2) } },
    { "store", " S 1ffeff0123,8\n", 1, { STORE(0x1ffeff0123, 8) } },
    { "modify", " M 1000,4\n", 2, { LOAD(0x1000, 4), STORE(0x1000, 4) } },
    { "capitals", " L ABCDEF,1\n", 1, { LOAD(0xabcdef, 1) } },
    { "sixteen_digits", " L ffffffffffffffff,1\n", 1, { LOAD(UINT64_MAX, 1) } },
    { "whole_line", " L 1000,64\n", 1, { LOAD(0x1000, 64) } },
    { "ends_at_line", " L 1038,8\n", 1, { LOAD(0x1038, 8) } },
    { "crosses", " L 103c,8\n", 2, { LOAD(0x103c, 4), LOAD(0x1040, 4) } },
    { "store_crosses", " S 103f,2\n", 2, { STORE(0x103f, 1), STORE(0x1040, 1) } },
    { "fetch_crosses", "I  103c,6\n", 2, { FETCH(0x103c, 4, 0), FETCH(0x1040, 2, SAME) } },
    { "modify_crosses", " M 103e,4\n", 4,
      { LOAD(0x103e, 2), LOAD(0x1040, 2), STORE(0x103e, 2), STORE(0x1040, 2) } },
    { "three_lines", " L 103f,66\n", 3, { LOAD(0x103f, 1), LOAD(0x1040, 64), LOAD(0x1080, 1) } },
    { "no_newline_at_end", "I  10,1\nI  11,1", 2, { FETCH(0x10, 1, 0), FETCH(0x11, 1, 0) } },
    { "talk", "==12== Lackey\n==12== \n\n--12-- x\n**12** y\nI  10,1\n==12== end\n", 1, { FETCH(0x10, 1, 0) } },
    { "nothing", "", 0, { { .gap = 0 } } },
    { "blank_lines", "\n\n\n", 0, { { .gap = 0 } } },
};

static void a_line_becomes_elements(void **state)
{
    const struct line_case *row = *state;
    for (size_t piece = 1; piece <= 64; piece *= 4) {
        for (size_t batch = 1; batch <= 8; batch++) {
            struct hv_err err;
            struct hv_access got[16];
            assert_int_equal(parse(row->text, strlen(row->text), piece, batch, got, &err), row->count);
            assert_string_equal(err.text, "");
            for (size_t i = 0; i < row->count; i++) {
                assert_access_equal(&got[i], &row->expected[i]);
            }
        }
    }
}

struct bad_line {
    const char *name, *line;
};

static const struct bad_line bad_lines[] = {
    { "words", "hello" },
    { "one_space_after_I", "I 04001000,3" },
    { "space_before_I", " I 04001000,3" },
    { "no_space_before_L", "L 1000,8" },
    { "unknown_letter", " X 1000,8" },
    { "no_address", " L ,8" },
    { "no_hexadecimal", " L 10g0,8" },
    { "prefix", " L 0x1000,8" },
    { "seventeen_digits", " L 11111111111111111,8" },
    { "no_comma", " L 1000" },
    { "no_size", " L 1000," },
    { "size_zero", " L 1000,0" },
    { "size_too_large", " L 1000,513" },
    { "size_of_four_digits", " L 1000,0008" },
    { "size_negative", " L 1000,-8" },
    { "something_after", " L 1000,8 " },
    { "carriage_return", " L 1000,8\r" },
    { "past_the_end_of_memory", " L fffffffffffffffc,8" },
    { "only_a_letter", "I" },
    { "only_a_space", " " },
    { "one_equals_sign", "=12= x" },
};

static void a_malformed_line_is_named_by_number(void **state)
{
    const struct bad_line *row = *state;
    char text[128];
    int length = snprintf(text, sizeof(text), "==1== talk\nI  10,1\n\n S 20,8\n%s\nI  11,1\n", row->line);
    for (size_t batch = 1; batch <= 8; batch++) {
        struct hv_err err;
        struct hv_access got[16];
        assert_int_equal(parse(text, (size_t)length, 5, batch, got, &err), 2);
        assert_non_null(strstr(err.text, "TEXT, line 5: '"));
        assert_null(strchr(err.text, '\n'));
        assert_null(strchr(err.text, '\r'));
    }
}

static void a_very_long_line_is_a_mistake(void **state)
{
    (void)state;
    size_t bytes = 2 * LACKEY_BUFFER_BYTES;
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    struct hv_err err;
    struct hv_access got[1];
    assert_int_equal(parse(text, bytes, 4096, 1, got, &err), 0);
    assert_non_null(strstr(err.text, "TEXT, line 1: the line is longer than 65536 bytes"));
    free(text);
}

static void a_killed_program_may_leave_half_a_line(void **state)
{
    (void)state;
    static const char bytes[] = "I  10,1\n L 10";
    struct text text = { bytes, sizeof(bytes) - 1, 100 };
    struct lackey_reader *r = malloc(sizeof(*r));
    struct hv_err err = { "" };
    struct hv_access got[4];
    lackey_reader_init(r, "TEXT", read_text, &text, LACKEY_TAIL_DROP);
    assert_int_equal(lackey_next(r, got, 4, &err), 1);
    assert_int_equal(lackey_next(r, got, 4, &err), 0);
    assert_string_equal(err.text, "");
    free(r);
}

/* Every line at every place relative to the end of the buffer. */
static void lines_may_straddle_the_buffer(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    char *text = malloc(LINES * 24);
    struct hv_access *got = malloc(LINES * sizeof(*got));
    for (size_t shift = 0; shift < 20; shift++) {
        size_t length = (size_t)sprintf(text, "==%.*s\n", (int)shift, "xxxxxxxxxxxxxxxxxxxx");
        for (size_t i = 0; i < LINES; i++) {
            length += (size_t)sprintf(text + length, " L %08zx,8\n", 8 * i * i);
        }
        struct hv_err err;
        assert_int_equal(parse(text, length, SIZE_MAX, 100, got, &err), LINES);
        for (size_t i = 0; i < LINES; i++) {
            assert_int_equal(got[i].gva.v, 8 * i * i);
        }
    }
    free(text);
    free(got);
}

/* ---- Threads ---- */

#define RUNS(thread) "--12--   SCHED[" thread "]:  acquired lock (VG_(client_syscall)[async])\n"
#define BEGINS(thread) "--12--   SCHED[" thread "]:  acquired lock (thread_wrapper(starting new thread))\n"
#define STOPS(thread) "--12--   SCHED[" thread "]: releasing lock (VG_(client_syscall)[async]) -> VgTs_WaitSys\n"

static const char threads_text[] =
    "==12== Command: x\n" BEGINS("1") "--12--   SCHED[1]: entering VG_(scheduler)\nI  10,1\nI  11,1\n" STOPS("1")
    RUNS("1") "I  12,1\n" STOPS("1") BEGINS("2") "I  20,1\n M 20,4\n" STOPS("2") RUNS("1") STOPS("1") RUNS("2")
    "I  21,1\n" STOPS("2") BEGINS("2") BEGINS("30") "I  30,1\n" BEGINS("30") "I  31,1\n" RUNS("99999999999")
    "I  40,1\n";

struct starts {
    struct text text;
    size_t count;
    uint32_t thread[8];
};

static void note_start(void *ctx, uint32_t thread)
{
    struct starts *starts = ctx;
    starts->thread[starts->count++] = thread;
}

static size_t read_starts(void *ctx, void *buffer, size_t capacity, struct hv_err *err)
{
    return read_text(&((struct starts *)ctx)->text, buffer, capacity, err);
}

/* Each batch is of one thread, whatever its size, and a start is told before the first element of its thread. */
static void threads_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        uint64_t address;
        uint32_t thread;
        size_t starts;
    } expected[] = { { 0x10, 1, 1 }, { 0x11, 1, 1 }, { 0x12, 1, 1 }, { 0x20, 2, 2 }, { 0x20, 2, 2 }, { 0x20, 2, 2 },
                     { 0x21, 2, 2 }, { 0x30, 30, 4 }, { 0x31, 30, 5 } };
    static const uint32_t starts_expected[] = { 1, 2, 2, 30, 30 };
    for (size_t batch = 1; batch <= 8; batch++) {
        struct starts starts = { .text = { threads_text, sizeof(threads_text) - 1, 7 * batch } };
        struct lackey_reader *r = malloc(sizeof(*r));
        struct hv_err err = { "" };
        struct hv_access got[8];
        lackey_reader_init(r, "TEXT", read_starts, &starts, LACKEY_TAIL_PARSE);
        r->thread_starts = note_start;
        size_t count = 0, n;
        while ((n = lackey_next(r, got, batch, &err)) != 0) {
            assert_in_range(n, 1, batch);
            for (size_t i = 0; i < n && count < HV_ARRAY_LEN(expected); i++, count++) {
                assert_int_equal(got[i].gva.v, expected[count].address);
                assert_int_equal(r->thread, expected[count].thread);
                assert_int_equal(starts.count, expected[count].starts);
            }
        }
        assert_int_equal(count, HV_ARRAY_LEN(expected));
        assert_string_equal(err.text, "");
        assert_memory_equal(starts.thread, starts_expected, sizeof(starts_expected));
        free(r);
    }
}

/* Who does not ask gets the elements in order, and no end of a batch between threads. */
static void threads_are_one_stream_otherwise(void **state)
{
    (void)state;
    struct hv_err err;
    struct hv_access got[16];
    assert_int_equal(parse(threads_text, sizeof(threads_text) - 1, SIZE_MAX, 16, got, &err), 10);
    assert_string_equal(err.text, "");
}

/* ---- The way back ---- */

/* What the writer makes of the elements, without its first line, as a string that the caller frees. */
static char *text_of(void **state, const struct hv_access *elements, size_t count)
{
    struct hv_err err = { "" };
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.lackey", path);
    struct byte_sink *sink = byte_sink_open(path, BYTES_PLAIN, &err);
    assert_non_null(sink);
    struct lackey_writer *w = malloc(sizeof(*w));
    assert_true(lackey_writer_init(w, sink, "ls -l", &err));
    for (size_t i = 0; i < count; i++) {
        assert_true(lackey_writer_add(w, &elements[i], 1, &err));
    }
    assert_true(lackey_writer_finish(w, &err));
    assert_true(byte_sink_commit(sink, &err));
    free(w);
    size_t bytes;
    char *text = (char *)file_read(path, &bytes);
    text[bytes] = '\0';
    static const char talk[] = "==0== Command: ls -l\n";
    assert_int_equal(strncmp(text, talk, strlen(talk)), 0);
    memmove(text, text + strlen(talk), bytes - strlen(talk) + 1);
    return text;
}

static void text_comes_back_as_it_was(void **state)
{
    static const char text[] = "I  04001000,3\n L 1ffeff0123,8\nI  0400103c,6\n M 0000103e,4\n S 00001000,512\n"
                               "I  04001042,2\n L 00001000,4\n S 00001000,8\n M 00001000,16\nI  00000000,1\n"
                               " L ffffffffffffffff,1\n";
    struct hv_err err;
    struct hv_access elements[64];
    size_t count = parse(text, sizeof(text) - 1, 100, 64, elements, &err);
    assert_string_equal(err.text, "");
    char *back = text_of(state, elements, count);
    assert_string_equal(back, text);
    free(back);
}

static void elements_come_back_through_text(void **state)
{
    enum { ELEMENTS = 20000 };
    struct hv_rng rng;
    rng_init(&rng, 5);
    struct hv_access *elements = malloc(ELEMENTS * sizeof(*elements));
    struct hv_access *back = malloc(ELEMENTS * sizeof(*back));
    for (size_t i = 0; i < ELEMENTS; i++) {
        /* Few addresses, so that pieces touch and loads and stores coincide. */
        uint64_t address = rng_below(&rng, 40) * 16;
        elements[i] = (struct hv_access){ .gva = { address }, .bytes = (uint8_t)(16 * (1 + rng_below(&rng, 4))) };
        elements[i].kind = (uint8_t)rng_below(&rng, HV_ACCESS_KINDS);
        elements[i].flags = elements[i].kind == HV_FETCH ? 0 : HV_ACCESS_SAME_INSTRUCTION;
        if (address % 64 + elements[i].bytes > 64) {
            elements[i].bytes = (uint8_t)(64 - address % 64);
        }
        assert_true(lackey_expresses(&elements[i]));
    }
    char *text = text_of(state, elements, ELEMENTS);
    struct hv_err err;
    assert_int_equal(parse(text, strlen(text), 4096, 100, back, &err), ELEMENTS);
    for (size_t i = 0; i < ELEMENTS; i++) {
        assert_access_equal(&back[i], &elements[i]);
    }
    free(text);
    free(elements);
    free(back);
}

static void events_are_left_out(void **state)
{
    static const struct hv_access elements[] = {
        FETCH(0x10, 1, 0), { .gva = { 3 }, .kind = HV_EVENT, .bytes = HV_EVENT_VCPU }, LOAD(0x20, 4),
    };
    char *text = text_of(state, elements, HV_ARRAY_LEN(elements));
    assert_string_equal(text, "I  00000010,1\n L 00000020,4\n");
    free(text);
}

static void what_text_cannot_say_is_known(void **state)
{
    (void)state;
    static const struct {
        struct hv_access access;
        bool expressed;
    } rows[] = {
        { FETCH(64, 1, 0), true },
        { LOAD(64, 1), true },
        { STORE(64, 1), true },
        { { .kind = HV_LOAD, .bytes = 1 }, false },
        { { .kind = HV_FETCH, .bytes = 1, .gap = 1 }, false },
        { { .kind = HV_FETCH, .bytes = 1, .asid = 1 }, false },
        { { .kind = HV_EVENT, .bytes = HV_EVENT_PROCESS }, false },
        { { .kind = HV_LOAD, .bytes = 1, .flags = SAME | HV_ACCESS_DEPENDENT }, false },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        assert_int_equal(lackey_expresses(&rows[i].access), rows[i].expressed);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(a_very_long_line_is_a_mistake),
        cmocka_unit_test(a_killed_program_may_leave_half_a_line),
        cmocka_unit_test(lines_may_straddle_the_buffer),
        cmocka_unit_test(threads_are_told_apart),
        cmocka_unit_test(threads_are_one_stream_otherwise),
        cmocka_unit_test_setup_teardown(text_comes_back_as_it_was, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(elements_come_back_through_text, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(events_are_left_out, scratch_make, scratch_remove),
        cmocka_unit_test(what_text_cannot_say_is_known),
    };
    struct CMUnitTest good[HV_ARRAY_LEN(lines)], bad[HV_ARRAY_LEN(bad_lines)];
    gtest_rows(good, a_line_becomes_elements, lines, sizeof(lines[0]), HV_ARRAY_LEN(lines));
    gtest_rows(bad, a_malformed_line_is_named_by_number, bad_lines, sizeof(bad_lines[0]), HV_ARRAY_LEN(bad_lines));
    const struct gtest_suite suites[] = { GTEST_SUITE("LackeyLine", good), GTEST_SUITE("LackeyMalformed", bad),
                                          GTEST_SUITE("Lackey", others) };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
