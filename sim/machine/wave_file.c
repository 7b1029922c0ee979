/* SPDX-License-Identifier: MIT */
#include "machine/wave_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the signals mean, for who reads the file itself. */
static const char legend[] =
    "$comment\n"
    "    hvsim. Time 0 is the beginning of the measurement; cycle counts cycles of the core clock from there.\n"
    "    mode: 0 the program, 1 the operating system, 2 the hypervisor, 3 an interrupt.\n"
    "$end\n";

bool wave_file_open(struct wave_file *w, const char *path, struct hv_err *err)
{
    *w = (struct wave_file){0};
    if (!atomic_file_open(&w->file, path, err)) {
        return false;
    }
    int length = snprintf(w->raw, sizeof(w->raw), "%s.vcd", w->file.temporary);
    errno = ENAMETOOLONG;
    FILE *raw = length > 0 && (size_t)length < sizeof(w->raw) ? fopen(w->raw, "wx") : NULL;
    if (raw == NULL) {
        hv_fail(err, "cannot write %s: %s", path, strerror(errno));
        atomic_file_abort(&w->file);
        return false;
    }
    fclose(raw);
    return true;
}

const char *wave_file_stem(const struct wave_file *w)
{
    return w->file.temporary;
}

/* A section of the header that the host decides: when, by which SystemC, at which time of the kernel. */
static bool begins_host_section(const char *line)
{
    return strncmp(line, "$date", 5) == 0 || strncmp(line, "$version", 8) == 0 || strncmp(line, "$comment", 8) == 0;
}

/* Copies SystemC's file to the user's, but for a time at which nothing changes; returns the last time that it has. */
static uint64_t copy(const struct wave_file *w, FILE *raw, FILE *out)
{
    char *line = NULL;
    size_t size = 0;
    uint64_t last = 0, said = 0;
    bool skipping = false;
    fputs(legend, out);
    while (getline(&line, &size, raw) > 0) {
        skipping = skipping || begins_host_section(line);
        if (line[0] == '#') {
            last = strtoull(line + 1, NULL, 10);
        } else if (strncmp(line, "$dumpvars", 9) == 0) {
            fprintf(out, "#0\n%s", line); /* which SystemC leaves to the comment above it */
        } else if (!skipping && line[0] != '\n') {
            if (last != said) {
                fprintf(out, "#%" PRIu64 "\n", last - w->begin);
                said = last;
            }
            fputs(line, out);
        }
        skipping = skipping && strncmp(line, "$end", 4) != 0;
    }
    free(line);
    return last;
}

bool wave_file_commit(struct wave_file *w, struct hv_err *err)
{
    FILE *raw = fopen(w->raw, "r");
    bool ok = raw != NULL && copy(w, raw, w->file.out) == w->end;
    if (raw != NULL) {
        fclose(raw);
    }
    unlink(w->raw);
    if (!ok) { /* SystemC does not look whether its writing succeeds */
        atomic_file_abort(&w->file);
        return hv_fail(err, "cannot write %s: what SystemC wrote is not whole, the disk may be full", w->file.path);
    }
    return atomic_file_commit(&w->file, err);
}

void wave_file_abort(struct wave_file *w)
{
    if (w->file.out != NULL) {
        unlink(w->raw);
    }
    atomic_file_abort(&w->file);
}
