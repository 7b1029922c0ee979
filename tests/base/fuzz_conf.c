/* SPDX-License-Identifier: MIT */
/* Any bytes as a configuration: either they load, and then load again from what is written, or there is a sentence. */
#include <stdlib.h>
#include <string.h>

#include "sample_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool load(struct sample *params, const void *data, size_t size, struct hv_err *err)
{
    struct conf_doc doc;
    params_defaults(&sample_schema, params);
    if (!conf_read_buffer(&doc, "fuzz", data, size, err)) {
        return false;
    }
    bool ok = params_load_map(&sample_schema, params, &doc, &doc.root, err);
    conf_fini(&doc);
    return ok;
}

/* What was loaded must survive being written. */
static void check_round_trip(const struct sample *params)
{
    char *yaml = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&yaml, &size);
    HV_ASSERT(out != NULL, "out of memory");
    params_write_yaml(&sample_schema, params, out);
    fclose(out);
    struct sample again;
    struct hv_err err = { "" };
    memset(&again, 0, sizeof(again));
    HV_ASSERT(load(&again, yaml, size, &err), "%s", err.text);
    HV_ASSERT(memcmp(&again, params, sizeof(again)) == 0, "written parameters read back differently");
    free(yaml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample params;
    struct hv_err err = { "" };
    memset(&params, 0, sizeof(params));
    bool ok = load(&params, data, size, &err);
    HV_ASSERT(ok == (err.text[0] == '\0'), "failed without a sentence, or the reverse");
    HV_ASSERT(strchr(err.text, '\n') == NULL, "more than one line");
    if (ok) {
        check_round_trip(&params);
    }
    return 0;
}
