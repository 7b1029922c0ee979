/* SPDX-License-Identifier: MIT */
/*
 * Any register writes, descriptors, commands, page responses and refusals of the root port: a device never crashes,
 * and comes to rest.
 *
 * The first bytes of the input choose the device and its parameters; the rest is memory, and then 8 bytes for each
 * step. Steps are taken from the same bytes as memory, so that both are varied by any mutation.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dev/nic.h"
#include "dev/storage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_BYTES = 1 << 14, STEP_BYTES = 8, STEPS_MAX = 200, MHZ = 1000, SOURCE = 0x0100, ACTS_MAX = 1 << 22 };

struct world {
    uint8_t memory[MEMORY_BYTES];
    uint8_t refuse; /* DMAs whose number has a bit of this one are blocked */
    uint8_t dmas;
    bool absent;    /* pages are not there */
};

static struct dev_done dma(void *ctx, const struct dev_dma *d, hv_cycles now)
{
    struct world *w = ctx;
    HV_ASSERT(d->bytes != 0 && (d->address & 4095) + d->bytes <= 4096, "a packet crosses a page");
    bool ok = (++w->dmas & w->refuse) == 0;
    for (uint32_t i = 0; ok && d->data != NULL && i < d->bytes; i++) {
        uint8_t *there = &w->memory[(d->address + i) % MEMORY_BYTES], *here = (uint8_t *)d->data + i;
        *(d->write ? there : here) = *(d->write ? here : there);
    }
    return (struct dev_done){ok, now + 100};
}

static void interrupt(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now)
{
    (void)ctx, (void)address, (void)data, (void)now;
    HV_ASSERT(source >= SOURCE && source < SOURCE + 0x60, "an interrupt of function %#x", source);
}

static struct dev_translation translate(void *ctx, const struct dev_translation_request *r, hv_cycles now)
{
    const struct world *w = ctx;
    return (struct dev_translation){.ok = (w->refuse & 1) == 0, .read = !w->absent, .write = !w->absent,
                                    .address = r->address, .size_shift = w->refuse % 80, .at = now + 50};
}

static void request_page(void *ctx, const struct dev_page_request *r, hv_cycles now)
{
    (void)ctx, (void)r, (void)now;
}

static struct dev_params params_of(const uint8_t choice[4])
{
    static const struct param_mount mounts[] = {
        {.prefix = "io", .rows = dev_param_rows, .count = &dev_param_count, .help = "devices"}};
    struct dev_params p;
    params_defaults(&(struct param_schema){mounts, HV_ARRAY_LEN(mounts)}, &p);
    p.functions = choice[1] % 3;
    p.queues = 1 + choice[1] / 3 % 3;
    p.descriptor_batch = 1 + choice[2] % 64;
    p.outstanding = 1 + choice[2] / 64;
    p.ats = (choice[3] & 1) != 0;
    p.pri = (choice[3] & 3) == 3;
    p.ats_entries = 1 + choice[3] / 64;
    p.pattern = (choice[3] & 4) != 0 ? DEV_REQUEST_RESPONSE : DEV_RECEIVE;
    p.packet_bytes = 1 + (uint64_t)choice[3] * 64;
    p.media_ns = choice[1];
    return p;
}

/* Where software writes: mostly at registers that there are. */
static uint32_t offset_of(uint8_t block, uint8_t place)
{
    static const uint32_t blocks[] = {0, 0, 0x1000, 0x1000, 0x1040, 0x1080, 0x1100, 0x2000};
    return blocks[block % HV_ARRAY_LEN(blocks)] + place % 64 * 4u + (place == 255);
}

static uint64_t value_of(const uint8_t step[STEP_BYTES])
{
    uint64_t word = (uint64_t)step[4] | (uint64_t)step[5] << 8;
    switch (step[6] % 4) {
    case 0: return word & 1;
    case 1: return word % 64;
    case 2: return word << step[6] / 4;
    default: return word * UINT64_C(0x0001000100010001);
    }
}

static unsigned width_of(const uint8_t step[STEP_BYTES])
{
    return step[7] % 8 == 0 ? step[5] : step[7] % 2 != 0 ? 4 : 8;
}

static void vary(struct world *w, const uint8_t step[STEP_BYTES])
{
    w->refuse = step[2];
    w->absent = (step[3] & 1) != 0;
    w->memory[(step[4] | step[5] << 8) % MEMORY_BYTES] = step[6];
}

static void run_nic(struct world *w, const struct dev_params *params, const uint8_t *data, size_t size)
{
    struct nic *n = calloc(1, sizeof(*n));
    struct dev_port port = {dma, interrupt, translate, request_page, w};
    struct hv_err err = {0};
    HV_ASSERT(n != NULL && nic_init(n, params, &port, MHZ, SOURCE, &err), "%s", err.text);
    hv_cycles now = 0;
    for (size_t at = 0; at + STEP_BYTES <= size && at < STEPS_MAX * STEP_BYTES; at += STEP_BYTES) {
        const uint8_t *step = data + at;
        uint32_t offset = offset_of(step[2], step[3]);
        struct dev_page_response response = {nic_source(n, step[1] % n->functions), step[4] % 40, step[5] % 16};
        switch (step[0] % 8) {
        case 0: nic_receive(n, step[1] % n->functions, step[2] % 32, now); break;
        case 1: nic_page_response(n, &response, now); break;
        case 2: vary(w, step); break;
        case 3: nic_read(n, step[1] % 4, offset, step[7] % 9, now); break;
        case 4: nic_write(n, step[1] % 4, NIC_REG_CONTROL, 4, NIC_ENABLE | step[5], now); break;
        default: nic_write(n, step[1] % 4, offset, width_of(step), value_of(step), now);
        }
        now += (hv_cycles)step[7] * 8;
        nic_act(n, now);
    }
    unsigned acts = 0;
    for (; nic_next(n) != DEV_NEVER; acts++) {
        HV_ASSERT(acts < ACTS_MAX, "the card does not come to rest");
        nic_act(n, nic_next(n));
    }
    nic_fini(n);
    free(n);
}

static void run_storage(struct world *w, const struct dev_params *params, const uint8_t *data, size_t size)
{
    struct storage *s = calloc(1, sizeof(*s));
    struct dev_port port = {dma, interrupt, translate, request_page, w};
    struct hv_err err = {0};
    HV_ASSERT(s != NULL && storage_init(s, params, &port, MHZ, SOURCE, &err), "%s", err.text);
    hv_cycles now = 0;
    for (size_t at = 0; at + STEP_BYTES <= size && at < STEPS_MAX * STEP_BYTES; at += STEP_BYTES) {
        const uint8_t *step = data + at;
        uint32_t offset = step[2] % 8 == 0 ? offset_of(step[2] / 8, step[3]) : step[3] % 16 * 4u;
        struct dev_page_response response = {SOURCE, step[4] % 40, step[5] % 16};
        switch (step[0] % 8) {
        case 1: storage_page_response(s, &response, now); break;
        case 2: vary(w, step); break;
        case 3: storage_read(s, offset, step[7] % 9, now); break;
        case 4: storage_write(s, STORAGE_REG_CONTROL, 4, step[5] % 4 != 0, now); break;
        default: storage_write(s, offset, width_of(step), value_of(step), now);
        }
        now += (hv_cycles)step[7] * 8;
        storage_act(s, now);
    }
    unsigned acts = 0;
    for (; storage_next(s) != DEV_NEVER; acts++) {
        HV_ASSERT(acts < ACTS_MAX, "the device does not come to rest");
        storage_act(s, storage_next(s));
    }
    storage_fini(s);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t choice[4] = {0};
    memcpy(choice, data, size < sizeof(choice) ? size : sizeof(choice));
    struct world *w = calloc(1, sizeof(*w));
    HV_ASSERT(w != NULL, "out of memory");
    for (size_t at = 0; at < MEMORY_BYTES && size != 0; at += size) {
        memcpy(w->memory + at, data, size < MEMORY_BYTES - at ? size : MEMORY_BYTES - at);
    }
    struct dev_params params = params_of(choice);
    size_t skip = size < sizeof(choice) ? size : sizeof(choice);
    if (choice[0] % 2 == 0) {
        run_nic(w, &params, data + skip, size - skip);
    } else {
        run_storage(w, &params, data + skip, size - skip);
    }
    free(w);
    return 0;
}
