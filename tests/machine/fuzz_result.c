/* SPDX-License-Identifier: MIT */
/* Any bytes as a result: either they are one, and can be compared and printed, or there is one sentence. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "machine/result_diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What most mutations still have something in common with. */
static const char usual[] =
    "{\"hvsim\": {\"version\": \"0.1.0\", \"commit\": \"570f6d6\"},"
    "\"config\": {\"core.width\": 4, \"tlb.tagged\": true, \"tlb.l2.sizes\": [\"4k\", \"2m\"], "
    "\"workload.trace\": \"\"},"
    "\"stats\": {\"core.cycles\": 1200, \"core.cpi\": 1.5, \"tlb.l1i.miss_ratio\": null}, \"complete\": true}";

static void check_difference(const struct result_file *a, const struct result_file *b)
{
    struct result_diff diff;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    HV_ASSERT(out != NULL, "out of memory");
    result_diff_init(&diff, a, b, &(struct diff_options){.all = true});
    for (int format = PRINT_TEXT; format <= PRINT_CSV; format++) {
        result_diff_print(&diff, (enum print_format)format, out);
    }
    /* A percentage that is no number is not in order either. */
    for (size_t i = 0; i < diff.stat_count; i++) {
        double before = diff.stats[i > 0 ? i - 1 : 0].percent;
        HV_ASSERT(fabs(diff.stats[i].percent) <= fabs(before), "out of order at %zu", i);
    }
    result_diff_fini(&diff);
    fclose(out);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result_file base, file;
    struct hv_err err = {""};
    HV_ASSERT(result_file_load_buffer(&base, "usual", usual, sizeof(usual) - 1, &err), "%s", err.text);
    bool ok = result_file_load_buffer(&file, "fuzz", data, size, &err);
    HV_ASSERT(ok == (err.text[0] == '\0'), "failed without a sentence, or the reverse");
    HV_ASSERT(strchr(err.text, '\n') == NULL, "more than one line");
    if (ok) {
        check_difference(&base, &file);
        check_difference(&file, &base);
    }
    result_file_fini(&file);
    result_file_fini(&base);
    return 0;
}
