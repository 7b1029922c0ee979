/* SPDX-License-Identifier: MIT */
#include "apic/posted.h"

enum { POSTED_CONTROL = 32 };

static hv_hpa at(hv_hpa descriptor, uint64_t offset)
{
    return (hv_hpa){descriptor.v + offset};
}

struct posted_notification posted_post(struct physmem *memory, hv_hpa descriptor, uint8_t vector,
                                       enum posted_urgency urgency)
{
    hv_hpa word = at(descriptor, vector / 64 * sizeof(uint64_t));
    physmem_write64(memory, word, physmem_read64(memory, word) | UINT64_C(1) << (vector % 64));
    uint64_t control = physmem_read64(memory, at(descriptor, POSTED_CONTROL));
    bool suppressed = (control & POSTED_SN) != 0 && urgency == POSTED_NORMAL;
    if ((control & POSTED_ON) != 0 || suppressed) {
        return (struct posted_notification){.send = false};
    }
    physmem_write64(memory, at(descriptor, POSTED_CONTROL), control | POSTED_ON);
    return (struct posted_notification){.send = true, .vector = (uint8_t)(control >> 16),
                                        .ndst = (uint32_t)(control >> 32)};
}

struct vector_set posted_take(struct physmem *memory, hv_hpa descriptor)
{
    struct vector_set taken;
    uint64_t control = physmem_read64(memory, at(descriptor, POSTED_CONTROL));
    physmem_write64(memory, at(descriptor, POSTED_CONTROL), control & ~POSTED_ON);
    for (unsigned i = 0; i < VECTOR_SET_WORDS; i++) {
        hv_hpa word = at(descriptor, i * sizeof(uint64_t));
        taken.bits[i] = physmem_read64(memory, word);
        physmem_write64(memory, word, 0);
    }
    return taken;
}
