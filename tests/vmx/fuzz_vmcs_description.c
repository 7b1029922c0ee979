/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the description of a VMCS, in each form: either it is read, and lint then judges it, or there is a
 * sentence. What lint says agrees with what a processor would do.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/vmx/vmcs_description.h"
#include "cpu/vmx/vmx_lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verdict counts every rule once, and the entry takes place exactly when no area has a broken one. */
static void judge(const struct vmcs_description *d)
{
    struct vmx_caps caps;
    vmx_caps_init(&caps, 46, false);
    struct vmx_entry e = {.caps = &caps, .current_vmcs = VMCS_NONE, .host_long_mode = true};
    memcpy(e.fields, d->fields, sizeof(e.fields));
    struct vmx_lint l;
    vmx_lint(&l, &e);
    bool enters = true;
    for (int area = 0; area < VMX_AREAS; area++) {
        enters = enters && vmx_entry_check(&e, (enum vmx_area)area) == NULL;
    }
    HV_ASSERT(enters == (l.count == 0), "lint and the processor disagree");

    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    HV_ASSERT(out != NULL, "out of memory");
    struct vmx_lint_source source = {"fuzz", vmcs_description_given(d), NULL};
    vmx_lint_write_text(&l, &source, out);
    fclose(out);
    free(text);
}

static void read_as(const char *name, const uint8_t *data, size_t size)
{
    struct vmcs_description d;
    struct hv_err err = {""};
    vmcs_description_init(&d);
    bool ok = vmcs_description_read(&d, name, (const char *)data, size, &err);
    HV_ASSERT(ok == (err.text[0] == '\0'), "failed without a sentence, or the reverse");
    HV_ASSERT(strchr(err.text, '\n') == NULL, "more than one line");
    if (ok) {
        judge(&d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as("fuzz.yaml", data, size);
    read_as("fuzz.txt", data, size);
    return 0;
}
