/* SPDX-License-Identifier: MIT */
#include "workload/trace_scan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "workload/trace_tally.h"

#define BATCH 4096u

static bool no_memory(const char *path, struct hv_err *err)
{
    return hv_fail(err, "out of memory for the pages of trace '%s'", path);
}

/* Reads the whole trace. */
static bool read_all(struct trace_tally *tally, const struct trace_format *format, const char *path,
                     struct progress *progress, struct hv_err *err)
{
    struct hv_access batch[BATCH];
    void *reader = format->open_reader(path, err);
    bool ok = reader != NULL;
    for (size_t got = 1; ok && got != 0;) {
        got = format->next(reader, batch, BATCH, err);
        ok = got != TRACE_FORMAT_READ_ERROR;
        for (size_t i = 0; ok && i < got; i++) {
            ok = trace_tally_add(tally, &batch[i]) || no_memory(path, err);
        }
        ok = ok && (!interrupt_requested() || hv_fail(err, "interrupted while trace '%s' was read", path));
        progress_update(progress, tally->records);
    }
    if (reader != NULL) {
        format->close_reader(reader);
    }
    return ok;
}

static bool take_regions(struct trace_scan *scan, struct trace_tally *tally, const char *path, struct hv_err *err)
{
    struct page_run *runs = page_set_runs(&tally->pages, &scan->region_count);
    scan->regions = runs == NULL ? NULL : calloc(scan->region_count + 1, sizeof(*scan->regions));
    for (size_t i = 0; scan->regions != NULL && i < scan->region_count; i++) {
        scan->regions[i] = (struct workload_region){ { runs[i].first << HV_PAGE_SHIFT }, runs[i].pages,
                                                     runs[i].process };
    }
    free(runs);
    for (size_t i = 0; scan->regions != NULL && i < scan->region_count; i++) {
        scan->info.processes += i == 0 || scan->regions[i].process != scan->regions[i - 1].process;
    }
    return scan->regions != NULL || no_memory(path, err);
}

static void take_info(struct trace_info *info, const struct trace_tally *tally, const char *path, uint64_t file_bytes)
{
    *info = (struct trace_info){
        .command = path,
        .file_bytes = file_bytes,
        .records = tally->records,
        .loads = tally->kinds[HV_LOAD],
        .stores = tally->kinds[HV_STORE],
        .fetches = tally->kinds[HV_FETCH],
        .events = tally->kinds[HV_EVENT],
        .instructions = tally->instructions,
        .pages = tally->pages.count,
        .vcpus = trace_tally_vcpus(tally),
    };
    memcpy(info->events_of, tally->events, sizeof(tally->events));
}

bool trace_scan(struct trace_scan *scan, const struct trace_format *format, const char *path, struct hv_err *err)
{
    struct stat status = { 0 };
    struct trace_tally tally;
    struct progress progress;
    *scan = (struct trace_scan){ 0 };
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        return hv_fail(err, "cannot read trace '%s': it is not a regular file, and is to be read twice", path);
    }
    progress_init(&progress, stderr, "read trace", "accesses", 0);
    bool ok = trace_tally_init(&tally) || no_memory(path, err);
    ok = ok && read_all(&tally, format, path, &progress, err);
    ok = ok && (tally.pages.count > 0 || hv_fail(err, "trace '%s' holds no record of an access", path));
    take_info(&scan->info, &tally, path, (uint64_t)status.st_size);
    ok = ok && take_regions(scan, &tally, path, err);
    trace_tally_fini(&tally);
    progress_fini(&progress);
    return ok;
}

void trace_scan_fini(struct trace_scan *scan)
{
    free(scan->regions);
    scan->regions = NULL;
}
