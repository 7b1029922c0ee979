/* SPDX-License-Identifier: MIT */
/* Any bytes as a trace: first as they are, then with the checksums made right, so that what lies behind is reached. */
#include <stdlib.h>

#include "repair.h"
#include "workload/trace_reader.h"

#define BATCH 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_trace(const uint8_t *data, size_t size)
{
    struct hv_err err = { "" };
    struct hv_access batch[BATCH];
    struct trace_reader *r = trace_reader_open_memory(data, size, &err);
    if (r == NULL) {
        HV_ASSERT(err.text[0] != '\0', "a refusal without a sentence");
        return;
    }
    uint64_t records = trace_info(r)->records, count = 0;
    size_t got;
    while ((got = trace_reader_next(r, batch, BATCH, &err)) != 0 && got != TRACE_READ_ERROR) {
        for (size_t i = 0; i < got; i++) {
            HV_ASSERT(batch[i].kind < HV_ACCESS_KINDS || hv_event_valid(&batch[i]), "record %zu", i);
        }
        count += got;
    }
    HV_ASSERT((got == 0) == (err.text[0] == '\0'), "the end is clean or has a sentence");
    HV_ASSERT(count <= records && (got != 0 || count == records), "%llu of %llu records",
              (unsigned long long)count, (unsigned long long)records);
    err.text[0] = '\0';
    if (trace_reader_seek(r, size % records, &err)) {
        uint64_t passed = trace_reader_skip(r, size % 7, &err);
        HV_ASSERT(passed <= size % 7 || (passed == UINT64_MAX && err.text[0] != '\0'), "%llu records passed over",
                  (unsigned long long)passed);
        trace_reader_next(r, batch, BATCH, &err);
    }
    trace_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_trace(data, size);
    uint8_t *copy = malloc(size + 1);
    if (copy != NULL && size > 0) {
        memcpy(copy, data, size);
        repair_trace(copy, size);
        read_trace(copy, size);
    }
    free(copy);
    return 0;
}
