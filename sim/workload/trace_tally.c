/* SPDX-License-Identifier: MIT */
#include "workload/trace_tally.h"

#include <string.h>

bool trace_tally_init(struct trace_tally *t)
{
    memset(t, 0, sizeof(*t));
    for (unsigned kind = 0; kind < HV_ACCESS_KINDS; kind++) {
        t->last_page[kind] = UINT64_MAX;
    }
    return page_set_init(&t->pages);
}

void trace_tally_fini(struct trace_tally *t)
{
    page_set_fini(&t->pages);
}

static bool add_access(struct trace_tally *t, const struct hv_access *access)
{
    uint64_t page = access->gva.v >> HV_PAGE_SHIFT;
    t->instructions += (access->flags & HV_ACCESS_SAME_INSTRUCTION) == 0;
    t->vcpu_ran[t->vcpu] = true;
    if (page == t->last_page[access->kind] && access->asid == t->last_asid[access->kind]) {
        return true;
    }
    t->last_page[access->kind] = page;
    t->last_asid[access->kind] = access->asid;
    return page_set_add(&t->pages, access->asid, page);
}

/* An event is no instruction of the program's, and touches no page. */
static void add_event(struct trace_tally *t, const struct hv_access *event)
{
    t->events[event->bytes]++;
    if (event->bytes == HV_EVENT_VCPU) {
        t->vcpu = (uint8_t)event->gva.v;
    }
}

bool trace_tally_add(struct trace_tally *t, const struct hv_access *record)
{
    t->records++;
    t->kinds[record->kind]++;
    t->instructions += record->gap;
    t->several |= record->asid != 0;
    if (record->kind == HV_EVENT) {
        add_event(t, record);
        return true;
    }
    return add_access(t, record);
}

uint64_t trace_tally_vcpus(const struct trace_tally *t)
{
    uint64_t vcpus = 0;
    for (unsigned i = 0; i <= HV_EVENT_NUMBER_MAX; i++) {
        vcpus += t->vcpu_ran[i];
    }
    return vcpus;
}
