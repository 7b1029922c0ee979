/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "gtest.h"
#include "machine/software.h"
#include "workload/stream.h"

struct scripted {
    struct workload base;
    const struct hv_access *elements;
    size_t next, count; /* elements, events included, which a workload's own counts leave out */
};

static size_t next_scripted(struct workload *w, struct hv_access *batch, size_t capacity, struct hv_err *err)
{
    struct scripted *s = (struct scripted *)w;
    size_t got = s->count - s->next < capacity ? s->count - s->next : capacity;
    (void)err;
    memcpy(batch, s->elements + s->next, got * sizeof(*batch));
    s->next += got;
    return got;
}

static void close_scripted(struct workload *w)
{
    free(w);
}

void script_stream(struct machine *m, unsigned core, unsigned vcpu, unsigned task, const struct hv_access *elements,
                   size_t count)
{
    static const struct workload_ops ops = {next_scripted, close_scripted, NULL};
    assert_true(core < m->params.machine.cores && vcpu < m->cores[core].schedule.vcpu_count);
    struct machine_vcpu *v = &m->cores[core].schedule.vcpus[vcpu];
    assert_true(task < v->task_count);
    struct scripted *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->base = (struct workload){.ops = &ops, .total = UINT64_MAX};
    s->elements = elements;
    s->count = count;
    workload_close(v->tasks[task].workload);
    v->tasks[task].workload = &s->base;
}

/* The core that is first; machine.cores when all have ended. */
static unsigned first_core(const struct machine *m)
{
    unsigned first = (unsigned)m->params.machine.cores;
    for (unsigned i = 0; i < m->params.machine.cores; i++) {
        bool before = first == m->params.machine.cores || m->cores[i].core.now < m->cores[first].core.now;
        first = !m->cores[i].over && before ? i : first;
    }
    return first;
}

void script_run(struct machine *m)
{
    struct hv_err err = {""};
    for (unsigned core; (core = first_core(m)) < m->params.machine.cores;) {
        software_set_limit(&m->cores[core], m->cores[core].core.now + 1);
        assert_true(machine_run(m, core, SIZE_MAX, &err) != (size_t)-1);
    }
    machine_check(m);
}

struct hv_access script_load(uint64_t page, uint32_t gap)
{
    return (struct hv_access){.gva = {SCRIPT_BASE + page * HV_PAGE_BYTES}, .gap = gap, .kind = HV_LOAD, .bytes = 8};
}

struct hv_access script_store(uint64_t page, uint32_t gap)
{
    struct hv_access a = script_load(page, gap);
    a.kind = HV_STORE;
    return a;
}

struct hv_access script_event(enum hv_event event, uint64_t page, unsigned pages_log2)
{
    return (struct hv_access){
        .gva = {hv_event_run(SCRIPT_BASE + page * HV_PAGE_BYTES, pages_log2)}, .kind = HV_EVENT,
        .bytes = (uint8_t)event,
    };
}

struct hv_access script_switch(enum hv_event event, uint64_t number)
{
    return (struct hv_access){.gva = {number}, .kind = HV_EVENT, .bytes = (uint8_t)event};
}
