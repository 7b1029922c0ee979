/* SPDX-License-Identifier: MIT */
#include "workload/trace_convert.h"

#define BATCH 4096u

struct conversion {
    const struct trace_convert_request *request;
    struct trace_convert_result *result;
    const struct trace_format *from, *to;
    void *reader, *writer;
    struct sampler sampler;
};

_Static_assert(SAMPLE_ERROR == TRACE_FORMAT_READ_ERROR, "the sampler's error is the reader's");

static bool open_both(struct conversion *c, struct hv_err *err)
{
    const struct trace_convert_request *request = c->request;
    c->from = trace_format_find(request->from, request->input, err);
    c->to = c->from == NULL ? NULL : trace_format_find(request->to, request->output, err);
    c->reader = c->to == NULL ? NULL : c->from->open_reader(request->input, err);
    if (c->reader == NULL) {
        return false;
    }
    c->writer = c->to->open_writer(request->output, c->from->command(c->reader), err);
    if (c->writer == NULL) {
        c->from->close_reader(c->reader);
        return false;
    }
    c->sampler = (struct sampler){
        .sample = request->sample, .source = c->reader, .next = c->from->next, .skip = c->from->skip,
    };
    return true;
}

static bool interrupted(const struct conversion *c)
{
    return c->request->interrupted != NULL && c->request->interrupted(c->request->ctx);
}

static void count(struct conversion *c, const struct hv_access *batch, size_t records)
{
    for (size_t i = 0; i < records; i++) {
        bool event = batch[i].kind == HV_EVENT;
        c->result->events += event;
        c->result->accesses += !event;
        c->result->inexact += !c->to->expresses(&batch[i]);
    }
    if (c->request->progress != NULL) {
        c->request->progress(c->request->ctx, c->result->accesses);
    }
    c->result->interrupted = interrupted(c);
}

/* Copies until the input ends, the limit is reached or the user interrupts. */
static bool copy(struct conversion *c, struct hv_err *err)
{
    struct hv_access batch[BATCH];
    uint64_t limit = c->request->limit != 0 ? c->request->limit : UINT64_MAX;
    while (c->result->accesses < limit && !c->result->interrupted) {
        uint64_t left = limit - c->result->accesses;
        size_t got = sampler_next(&c->sampler, batch, left < BATCH ? (size_t)left : BATCH, err);
        if (got == 0) {
            return true;
        }
        if (got == TRACE_FORMAT_READ_ERROR) {
            c->result->interrupted = interrupted(c); /* perhaps while passing over what is left out */
            return c->result->interrupted;
        }
        if (!c->to->add(c->writer, batch, got, err)) {
            return false;
        }
        count(c, batch, got);
    }
    return true;
}

bool trace_convert(const struct trace_convert_request *request, struct trace_convert_result *result,
                   struct hv_err *err)
{
    *result = (struct trace_convert_result){ 0 };
    struct conversion c = { .request = request, .result = result };
    if (!open_both(&c, err)) {
        return false;
    }
    bool ok = copy(&c, err);
    c.from->close_reader(c.reader);
    if (!ok || result->interrupted) {
        c.to->abort_writer(c.writer);
        return ok;
    }
    return c.to->close_writer(c.writer, err);
}
