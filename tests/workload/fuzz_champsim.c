/* SPDX-License-Identifier: MIT */
/* Any bytes as ChampSim's records; the elements must be such that a trace can hold them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workload/champsim.h"

#define BATCH 61u
#define PIECE 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    const uint8_t *at;
    size_t left;
};

static size_t read_bytes(void *ctx, void *buffer, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct bytes *bytes = ctx;
    size_t count = capacity < PIECE ? capacity : PIECE;
    count = bytes->left < count ? bytes->left : count;
    if (count > 0) {
        memcpy(buffer, bytes->at, count);
    }
    bytes->at += count;
    bytes->left -= count;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = { data, size };
    struct hv_err err = { "" };
    struct hv_access batch[BATCH];
    struct champsim_reader *r = malloc(sizeof(*r));
    if (r == NULL) {
        return 0;
    }
    champsim_reader_init(r, "TRACE", read_bytes, &bytes);
    size_t got, capacity = 1 + size % BATCH, count = 0;
    while ((got = champsim_next(r, batch, capacity, &err)) != 0 && got != CHAMPSIM_READ_ERROR) {
        for (size_t i = 0; i < got; i++) {
            HV_ASSERT(batch[i].kind < HV_ACCESS_KINDS && batch[i].bytes >= 1 && batch[i].gva.v != 0 &&
                      batch[i].gva.v % 64 + batch[i].bytes <= 64, "element %zu", i);
        }
        count += got;
    }
    HV_ASSERT((got == 0) == (err.text[0] == '\0'), "the end is clean or has a sentence");
    HV_ASSERT(count <= size / CHAMPSIM_RECORD_BYTES * CHAMPSIM_RECORD_ELEMENTS, "%zu elements", count);
    free(r);
    return 0;
}
