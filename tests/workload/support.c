/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workload/trace_writer.h"

int scratch_make(void **state)
{
    char *folder = strdup("/tmp/hvsim-test-XXXXXX");
    *state = folder;
    return folder != NULL && mkdtemp(folder) != NULL ? 0 : -1;
}

int scratch_remove(void **state)
{
    char path[SCRATCH_PATH_BYTES + 256];
    DIR *folder = opendir(*state);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", (const char *)*state, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    int result = rmdir(*state);
    free(*state);
    return result;
}

void scratch_path(void **state, const char *name, char path[SCRATCH_PATH_BYTES])
{
    int length = snprintf(path, SCRATCH_PATH_BYTES, "%s/%s", (const char *)*state, name);
    assert_in_range(length, 1, SCRATCH_PATH_BYTES - 1);
}

size_t scratch_files(void **state)
{
    size_t files = 0;
    DIR *folder = opendir(*state);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        files += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(folder);
    return files;
}

unsigned char *file_read(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    fclose(file);
    return data;
}

void file_write(const char *path, const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

struct hv_access random_access(struct hv_rng *rng)
{
    uint64_t bits = rng_next(rng);
    /* Addresses of any length, so that deltas of every length occur. */
    uint64_t address = rng_next(rng) >> (bits % 64);
    uint8_t room = (uint8_t)(64 - address % 64);
    return (struct hv_access){
        .gva = { address },
        .gap = (bits >> 6) % 4 == 0 ? (uint32_t)rng_next(rng) : 0,
        .kind = (uint8_t)((bits >> 8) % HV_ACCESS_KINDS),
        .flags = (uint8_t)((bits >> 16) % 4),
        .bytes = (uint8_t)(1 + (bits >> 24) % room),
        .asid = (uint8_t)(bits >> 32),
    };
}

struct hv_access random_event(struct hv_rng *rng)
{
    uint64_t number = rng_below(rng, HV_EVENTS), argument = rng_below(rng, HV_EVENT_NUMBER_MAX + 1);
    if (hv_event_rows[number].argument == HV_EVENT_RUN) {
        argument = hv_event_run(rng_next(rng), (unsigned)rng_below(rng, HV_EVENT_RUN_LOG2_MAX + 1));
    } else if (hv_event_rows[number].argument == HV_EVENT_VALUE) {
        argument = (uint32_t)rng_next(rng);
    }
    return (struct hv_access){
        .gva = { argument },
        .gap = rng_below(rng, 4) == 0 ? (uint32_t)rng_next(rng) : 0,
        .kind = HV_EVENT,
        .bytes = (uint8_t)number,
        .asid = (uint8_t)rng_next(rng),
    };
}

static struct hv_access *random_stream(size_t count, uint64_t seed, bool events)
{
    struct hv_rng rng;
    rng_init(&rng, seed);
    struct hv_access *records = malloc(count * sizeof(*records));
    assert_non_null(records);
    for (size_t i = 0; i < count; i++) {
        bool event = events && i > 0 && rng_below(&rng, 8) == 0;
        records[i] = event ? random_event(&rng) : random_access(&rng);
    }
    return records;
}

struct hv_access *random_records(size_t count, uint64_t seed)
{
    return random_stream(count, seed, false);
}

struct hv_access *random_elements(size_t count, uint64_t seed)
{
    return random_stream(count, seed, true);
}

void assert_access_equal(const struct hv_access *actual, const struct hv_access *expected)
{
    assert_int_equal(actual->gva.v, expected->gva.v);
    assert_int_equal(actual->gap, expected->gap);
    assert_int_equal(actual->kind, expected->kind);
    assert_int_equal(actual->flags, expected->flags);
    assert_int_equal(actual->bytes, expected->bytes);
    assert_int_equal(actual->asid, expected->asid);
}

void write_trace(const char *path, const struct hv_access *records, size_t count)
{
    struct hv_err err = { "" };
    struct trace_writer *w = trace_writer_open(path, "a command", &err);
    assert_non_null(w);
    assert_true(trace_writer_add(w, records, count, &err));
    assert_int_equal(trace_writer_records(w), count);
    assert_true(trace_writer_close(w, &err));
    assert_string_equal(err.text, "");
}
