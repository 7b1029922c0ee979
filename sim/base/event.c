/* SPDX-License-Identifier: MIT */
#include "base/event.h"

const struct hv_event_row hv_event_rows[HV_EVENTS] = {
#define E(id, name_text, argument_kind, help_text) {name_text, HV_EVENT_##argument_kind, help_text},
#include "base/event.def"
#undef E
};

bool hv_event_valid(const struct hv_access *element)
{
    uint64_t argument = element->gva.v;
    if (element->kind != HV_EVENT || element->bytes >= HV_EVENTS) {
        return false;
    }
    unsigned pages_log2 = (unsigned)(argument & (HV_PAGE_BYTES - 1));
    switch (hv_event_rows[element->bytes].argument) {
    case HV_EVENT_PROCESS_NUMBER:
    case HV_EVENT_VCPU_NUMBER:
        return argument <= HV_EVENT_NUMBER_MAX;
    case HV_EVENT_RUN:
        return pages_log2 <= HV_EVENT_RUN_LOG2_MAX && hv_event_run(argument, pages_log2) == argument;
    case HV_EVENT_VALUE:
        return argument <= HV_EVENT_VALUE_MAX;
    }
    return false;
}
