/* SPDX-License-Identifier: MIT */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static bool is_refused(const struct lab *lab, const struct dev_dma *d)
{
    bool in_range = d->address + d->bytes > lab->blocked_from && d->address < lab->blocked_to;
    return (lab->only_source != 0 && d->source != lab->only_source) ||
           (in_range && !d->translated && (d->write ? lab->blocked_writes : lab->blocked_reads));
}

static struct dev_done dma(void *ctx, const struct dev_dma *d, hv_cycles now)
{
    struct lab *lab = ctx;
    bool ok = !is_refused(lab, d);
    assert_true(d->bytes > 0 && (d->address & 4095) + d->bytes <= 4096);
    if (lab->dmas < LAB_RECORDS) {
        lab->dma[lab->dmas] = (struct lab_dma){*d, now, ok};
    }
    lab->dmas++;
    void *bytes = physmem_pointer(&lab->memory, (hv_hpa){d->address}, d->bytes);
    if (ok && d->data != NULL && bytes != NULL) {
        memcpy(d->write ? bytes : d->data, d->write ? d->data : bytes, d->bytes);
    } else if (ok && d->data != NULL && !d->write) {
        memset(d->data, 0xff, d->bytes);
    }
    return (struct dev_done){ok, now + (d->write ? lab->write_cycles : lab->read_cycles)};
}

static void interrupt(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now)
{
    struct lab *lab = ctx;
    if (lab->interrupts < LAB_RECORDS) {
        lab->interrupt[lab->interrupts] = (struct lab_interrupt){source, address, data, now};
    }
    lab->interrupts++;
}

static struct dev_translation translate(void *ctx, const struct dev_translation_request *r, hv_cycles now)
{
    struct lab *lab = ctx;
    lab->translations++;
    bool there = r->address < lab->present_below;
    uint64_t low = (UINT64_C(1) << lab->size_shift) - 1;
    return (struct dev_translation){
        .ok = !lab->ats_off,
        .read = there,
        .write = there && !lab->read_only,
        .address = (r->address & ~low) + lab->offset,
        .size_shift = lab->size_shift,
        .at = now + lab->translate_cycles,
    };
}

static void request_page(void *ctx, const struct dev_page_request *r, hv_cycles now)
{
    (void)now;
    struct lab *lab = ctx;
    lab->page_request[lab->page_requests++ % HV_ARRAY_LEN(lab->page_request)] = *r;
}

struct lab *lab_make(void)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    struct hv_err err = {0};
    assert_non_null(lab);
    assert_true(physmem_init(&lab->memory, LAB_MEMORY_BYTES, &err));
    lab->read_cycles = lab->write_cycles = lab->translate_cycles = LAB_MEMORY;
    lab->present_below = UINT64_MAX;
    lab->size_shift = 12;
    return lab;
}

void lab_free(struct lab *lab)
{
    physmem_fini(&lab->memory);
    free(lab);
}

struct dev_port lab_port(struct lab *lab)
{
    return (struct dev_port){dma, interrupt, translate, request_page, lab};
}

struct dev_params lab_params(void)
{
    static const struct param_mount mounts[] = {
        {.prefix = "io", .rows = dev_param_rows, .count = &dev_param_count, .help = "devices"}};
    struct dev_params params;
    params_defaults(&(struct param_schema){mounts, HV_ARRAY_LEN(mounts)}, &params);
    params.pcie_mbps = LAB_MBPS;
    params.pcie_round_trip_ns = 2 * LAB_HALF;
    return params;
}
