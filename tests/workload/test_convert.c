/* SPDX-License-Identifier: MIT */
/* Conversion between trace formats, and the compressed text under it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "workload/byte_sink.h"
#include "workload/byte_source.h"
#include "workload/trace_convert.h"
#include "workload/trace_reader.h"

static const char *const text_names[] = { "t.lackey", "t.txt", "t.log", "t.lackey.gz", "t.lackey.xz", "t.lackey.zst" };

/* A text of many lines, long enough for several buffers of every layer. */
static char *long_text(size_t *bytes)
{
    enum { LINES = 50000 };
    char *text = malloc(LINES * 48);
    assert_non_null(text);
    *bytes = 0;
    for (unsigned i = 0; i < LINES; i++) {
        *bytes += (size_t)sprintf(text + *bytes, "I  %08x,4\n L %08x,8\n", 0x400000 + 4 * i,
                                  0x10000 + i * i % 4096 * 8);
    }
    return text;
}

static bool convert(const char *input, const char *output, uint64_t limit, struct trace_convert_result *result,
                    struct hv_err *err)
{
    struct trace_convert_request request = { .input = input, .output = output, .limit = limit };
    err->text[0] = '\0';
    return trace_convert(&request, result, err);
}

static void text_goes_to_hvsim_and_back_in_every_coding(void **state)
{
    char plain[SCRATCH_PATH_BYTES], hvt[SCRATCH_PATH_BYTES], other[SCRATCH_PATH_BYTES], back[SCRATCH_PATH_BYTES];
    scratch_path(state, "plain.lackey", plain);
    scratch_path(state, "t.hvt", hvt);
    scratch_path(state, "back.txt", back);
    size_t bytes;
    char *text = long_text(&bytes);
    file_write(plain, text, bytes);
    for (size_t i = 0; i < HV_ARRAY_LEN(text_names); i++) {
        struct hv_err err;
        struct trace_convert_result result;
        scratch_path(state, text_names[i], other);
        assert_true(convert(plain, hvt, 0, &result, &err));
        assert_int_equal(result.accesses, 100000);
        assert_int_equal(result.inexact, 0);
        assert_true(convert(hvt, other, 0, &result, &err));
        assert_true(convert(other, hvt, 0, &result, &err));
        assert_true(convert(hvt, back, 0, &result, &err));
        assert_int_equal(result.accesses, 100000);
        size_t back_bytes;
        char *back_text = (char *)file_read(back, &back_bytes);
        back_text[back_bytes] = '\0';
        const char *first = strchr(back_text, '\n') + 1; /* after the line that names the command */
        assert_int_equal(strlen(first), bytes);
        assert_memory_equal(first, text, bytes);
        free(back_text);
    }
    free(text);
}

static void a_limit_cuts_the_output(void **state)
{
    char in[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.lackey", in);
    scratch_path(state, "t.hvt", out);
    size_t bytes;
    char *text = long_text(&bytes);
    file_write(in, text, bytes);
    free(text);
    struct hv_err err;
    struct trace_convert_result result;
    assert_true(convert(in, out, 12345, &result, &err));
    assert_int_equal(result.accesses, 12345);
    struct trace_reader *r = trace_reader_open(out, &err);
    assert_int_equal(trace_info(r)->records, 12345);
    trace_reader_close(r);
}

/* A sample of a conversion is that of the stream; events of what is left out stay. */
static void a_sample_is_converted(void **state)
{
    enum { RECORDS = 100000 };
    char in[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES];
    scratch_path(state, "in.hvt", in);
    scratch_path(state, "out.hvt", out);
    struct hv_access *records = random_records(RECORDS, 3), got;
    records[5] = (struct hv_access){ .gva = { 7 }, .kind = HV_EVENT, .bytes = HV_EVENT_VCPU };
    write_trace(in, records, RECORDS);
    struct hv_err err = { "" };
    struct trace_convert_result result;
    struct trace_convert_request request = { .input = in, .output = out, .sample = { 1000, 500, 20 }, .limit = 101 };
    assert_true(trace_convert(&request, &result, &err));
    assert_int_equal(result.accesses, 101);
    assert_int_equal(result.events, 1);
    struct trace_reader *r = trace_reader_open(out, &err);
    assert_int_equal(trace_info(r)->records, 102);
    for (size_t i = 0; i < 102; i++) {
        /* The event is not counted: the thousandth access is record 1001. */
        assert_int_equal(trace_reader_next(r, &got, 1, &err), 1);
        assert_access_equal(&got, i == 0 ? &records[5] : &records[1001 + (i - 1) / 20 * 500 + (i - 1) % 20]);
    }
    trace_reader_close(r);
    free(records);
}

/* Everything that counts comes back from ChampSim's records, in every coding. */
static void champsim_goes_there_and_back(void **state)
{
    enum { RECORDS = 30000 };
    static const char *const names[] = { "t.champsim", "t.trace.gz", "t.champsimtrace.xz", "t.champsim.zst" };
    char in[SCRATCH_PATH_BYTES], other[SCRATCH_PATH_BYTES], back[SCRATCH_PATH_BYTES];
    scratch_path(state, "in.hvt", in);
    scratch_path(state, "back.hvt", back);
    struct hv_access *records = random_records(RECORDS, 3), got;
    size_t inexact = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        records[i].gap %= 3;
        records[i].asid = 0;
        records[i].flags &= records[i].kind == HV_LOAD ? 3 : HV_ACCESS_SAME_INSTRUCTION;
        records[i].gva.v = records[i].gva.v == 0 ? 64 : records[i].gva.v;
        uint64_t room = 64 - records[i].gva.v % 64, bytes = records[i].kind == HV_FETCH ? 4 : 8;
        inexact += records[i].bytes != (bytes < room ? bytes : room);
    }
    write_trace(in, records, RECORDS);
    for (size_t k = 0; k < HV_ARRAY_LEN(names); k++) {
        struct hv_err err;
        struct trace_convert_result result;
        scratch_path(state, names[k], other);
        assert_true(convert(in, other, 0, &result, &err));
        assert_int_equal(result.inexact, inexact);
        assert_true(convert(other, back, 0, &result, &err));
        assert_int_equal(result.accesses, RECORDS);
        assert_int_equal(result.inexact, 0);
        struct trace_reader *r = trace_reader_open(back, &err);
        for (size_t i = 0; i < RECORDS; i++) {
            assert_int_equal(trace_reader_next(r, &got, 1, &err), 1);
            got.bytes = records[i].bytes;
            assert_access_equal(&got, &records[i]);
        }
        trace_reader_close(r);
    }
    free(records);
}

static void what_the_text_cannot_say_is_counted(void **state)
{
    char in[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.hvt", in);
    scratch_path(state, "t.lackey", out);
    static const struct hv_access records[] = {
        { .gva = { 64 }, .kind = HV_FETCH, .bytes = 1 },
        { .gva = { 64 }, .kind = HV_FETCH, .bytes = 1, .gap = 1 },
        { .gva = { 64 }, .kind = HV_LOAD, .bytes = 1 },
        { .gva = { 3 }, .kind = HV_EVENT, .bytes = HV_EVENT_VCPU },
    };
    write_trace(in, records, HV_ARRAY_LEN(records));
    struct hv_err err;
    struct trace_convert_result result;
    assert_true(convert(in, out, 0, &result, &err));
    assert_int_equal(result.accesses, 3);
    assert_int_equal(result.events, 1);
    assert_int_equal(result.inexact, 3);
}

static bool at_once(void *ctx)
{
    ++*(unsigned *)ctx;
    return true;
}

static void an_interrupt_leaves_no_output(void **state)
{
    char in[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.lackey", in);
    scratch_path(state, "t.hvt", out);
    file_write(in, "I  10,1\n", 8);
    unsigned asked = 0;
    struct hv_err err = { "" };
    struct trace_convert_result result;
    struct trace_convert_request request = { .input = in, .output = out, .interrupted = at_once, .ctx = &asked };
    assert_true(trace_convert(&request, &result, &err));
    assert_true(result.interrupted);
    assert_int_equal(asked, 1);
    assert_int_equal(scratch_files(state), 1);
}

static void a_mistake_in_the_input_leaves_no_output(void **state)
{
    char in[SCRATCH_PATH_BYTES], out[SCRATCH_PATH_BYTES];
    scratch_path(state, "t.lackey", in);
    scratch_path(state, "t.hvt", out);
    file_write(in, "I  10,1\nnonsense\n", 17);
    struct hv_err err;
    struct trace_convert_result result;
    assert_false(convert(in, out, 0, &result, &err));
    assert_non_null(strstr(err.text, "t.lackey, line 2: 'nonsense'"));
    assert_int_equal(scratch_files(state), 1);
    file_write(in, "==1== nothing\n", 14);
    assert_false(convert(in, out, 0, &result, &err));
    assert_non_null(strstr(err.text, "would hold no record"));
    assert_int_equal(scratch_files(state), 1);
}

/* Every length of a compressed file but the whole is a mistake; text that is merely shorter would be another trace. */
static void a_cut_compressed_text_is_noticed(void **state)
{
    char whole[SCRATCH_PATH_BYTES], cut[SCRATCH_PATH_BYTES];
    static const char text[] = "I  10,1\n S 20,4\n";
    for (enum byte_coding coding = BYTES_GZIP; coding <= BYTES_ZSTD; coding++) {
        struct hv_err err = { "" };
        scratch_path(state, "whole", whole);
        scratch_path(state, "cut", cut);
        struct byte_sink *sink = byte_sink_open(whole, coding, &err);
        assert_true(byte_sink_write(sink, text, sizeof(text) - 1, &err));
        assert_true(byte_sink_commit(sink, &err));
        size_t bytes;
        unsigned char *data = file_read(whole, &bytes);
        for (size_t length = 6; length <= bytes; length++) {
            char got[64];
            size_t count = 0, n;
            file_write(cut, data, length);
            err.text[0] = '\0';
            struct byte_source *source = byte_source_open(cut, &err);
            assert_non_null(source);
            while ((n = byte_source_read(source, got + count, sizeof(got) - count, &err)) != 0 &&
                   n != BYTE_SOURCE_ERROR) {
                count += n;
            }
            byte_source_close(source);
            assert_int_equal(n == 0, length == bytes);
            assert_int_equal(err.text[0] == '\0', length == bytes);
            assert_memory_equal(got, text, count);
        }
        free(data);
    }
}

/* gzip, xz and zstd files may be put one after the other, and read as the texts one after the other. */
static void compressed_files_may_be_concatenated(void **state)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(state, "t", path);
    for (enum byte_coding coding = BYTES_GZIP; coding <= BYTES_ZSTD; coding++) {
        struct hv_err err = { "" };
        struct byte_sink *sink = byte_sink_open(path, coding, &err);
        assert_true(byte_sink_write(sink, "abc", 3, &err));
        assert_true(byte_sink_commit(sink, &err));
        size_t bytes;
        unsigned char *data = file_read(path, &bytes), *twice = malloc(2 * bytes);
        memcpy(twice, data, bytes);
        memcpy(twice + bytes, data, bytes);
        file_write(path, twice, 2 * bytes);
        free(data);
        free(twice);
        char got[16] = "";
        size_t count = 0, n;
        struct byte_source *source = byte_source_open(path, &err);
        while ((n = byte_source_read(source, got + count, sizeof(got) - count, &err)) != 0) {
            assert_int_not_equal(n, BYTE_SOURCE_ERROR);
            count += n;
        }
        byte_source_close(source);
        assert_string_equal(got, "abcabc");
    }
}

static void formats_are_found_by_name_and_extension(void **state)
{
    (void)state;
    static const struct {
        const char *name, *path, *found, *says;
    } rows[] = {
        { NULL, "a.hvt", "hvsim", NULL },       { NULL, "a/b.lackey", "lackey", NULL },
        { NULL, "a.champsim", "champsim", NULL }, { NULL, "605.mcf_s-665B.champsimtrace.xz", "champsim", NULL },
        { NULL, "a.trace.gz", "champsim", NULL },
        { NULL, "a.txt.zst", "lackey", NULL },  { "lackey", "anything", "lackey", NULL },
        { "hvsim", "a.lackey", "hvsim", NULL }, { NULL, "a.foo", NULL, "'a.foo' names no trace format" },
        { NULL, ".hvt", NULL, "known: hvsim (.hvt), lackey (.lackey .txt .log), "
               "champsim (.champsim .champsimtrace .trace)" },
        { NULL, "hvt", NULL, "names no" },      { "foo", "a.hvt", NULL, "'foo' is not a trace format" },
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct hv_err err = { "" };
        const struct trace_format *format = trace_format_find(rows[i].name, rows[i].path, &err);
        if (rows[i].found != NULL) {
            assert_non_null(format);
            assert_string_equal(format->name, rows[i].found);
        } else {
            assert_null(format);
            assert_non_null(strstr(err.text, rows[i].says));
        }
    }
}

GTEST_MAIN("Convert",
           IN_SCRATCH(text_goes_to_hvsim_and_back_in_every_coding),
           IN_SCRATCH(a_limit_cuts_the_output),
           IN_SCRATCH(a_sample_is_converted),
           IN_SCRATCH(champsim_goes_there_and_back),
           IN_SCRATCH(what_the_text_cannot_say_is_counted),
           IN_SCRATCH(an_interrupt_leaves_no_output),
           IN_SCRATCH(a_mistake_in_the_input_leaves_no_output),
           IN_SCRATCH(a_cut_compressed_text_is_noticed),
           IN_SCRATCH(compressed_files_may_be_concatenated),
           cmocka_unit_test(formats_are_found_by_name_and_extension))
