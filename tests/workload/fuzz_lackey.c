/* SPDX-License-Identifier: MIT */
/* Any bytes as lackey's text; the elements must be such that a trace can hold them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workload/lackey.h"

#define BATCH 61u
#define PIECE 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
    const uint8_t *at;
    size_t left;
};

static size_t read_text(void *ctx, void *buffer, size_t capacity, struct hv_err *err)
{
    (void)err;
    struct text *text = ctx;
    size_t bytes = capacity < PIECE ? capacity : PIECE;
    bytes = text->left < bytes ? text->left : bytes;
    if (bytes > 0) {
        memcpy(buffer, text->at, bytes);
    }
    text->at += bytes;
    text->left -= bytes;
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = { data, size };
    struct hv_err err = { "" };
    struct hv_access batch[BATCH];
    struct lackey_reader *r = malloc(sizeof(*r));
    if (r == NULL) {
        return 0;
    }
    lackey_reader_init(r, "TEXT", read_text, &text, size % 2 ? LACKEY_TAIL_PARSE : LACKEY_TAIL_DROP);
    size_t got;
    while ((got = lackey_next(r, batch, BATCH, &err)) != 0 && got != LACKEY_READ_ERROR) {
        for (size_t i = 0; i < got; i++) {
            HV_ASSERT(batch[i].kind < HV_ACCESS_KINDS && batch[i].bytes >= 1 &&
                      batch[i].gva.v % 64 + batch[i].bytes <= 64, "element %zu", i);
        }
    }
    HV_ASSERT((got == 0) == (err.text[0] == '\0'), "the end is clean or has a sentence");
    free(r);
    return 0;
}
