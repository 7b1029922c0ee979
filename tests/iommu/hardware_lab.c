/* SPDX-License-Identifier: MIT */
#include "hardware_lab.h"

#include <stdlib.h>

static struct mem_reply read_line(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    struct hardware_lab *lab = ctx;
    (void)line;
    (void)user;
    lab->reads++;
    return (struct mem_reply){.done = now + LAB_READ_CYCLES, .level = MEM_DRAM};
}

static void write_line(void *ctx, uint64_t line, hv_cycles now)
{
    struct hardware_lab *lab = ctx;
    (void)now;
    lab->writes++;
    lab->last_written_line = line;
}

static void msi(void *ctx, uint64_t address, uint32_t data, hv_cycles now)
{
    struct hardware_lab *lab = ctx;
    if (lab->msis < LAB_LOG) {
        lab->msi[lab->msis] = (struct lab_msi){address, data, now};
    }
    lab->msis++;
}

/* The descriptor as sim/apic/posted.h has it, of which this block may know nothing. */
static bool post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    struct hardware_lab *lab = ctx;
    uint64_t word = descriptor + vector / 64 * 8u;
    lab_poke(lab, word, lab_peek(lab, word) | UINT64_C(1) << (vector % 64));
    lab->posts++;
    uint64_t control = lab_peek(lab, descriptor + 32);
    bool outstanding = (control & 1) != 0, suppressed = (control & 2) != 0 && !urgent;
    if (outstanding || suppressed) {
        return false;
    }
    lab_poke(lab, descriptor + 32, control | 1);
    *notify_vector = (uint8_t)(control >> 16);
    *ndst = (uint32_t)(control >> 32);
    return true;
}

static void device_tlb(void *ctx, const struct iommu_device_invalidation *what, hv_cycles now)
{
    struct hardware_lab *lab = ctx;
    if (lab->invalidations < LAB_LOG) {
        lab->invalidation[lab->invalidations] = *what;
    }
    lab->invalidations++;
    if (lab->silent_device) {
        iommu_device_tlb_error(&lab->u, IOMMU_DEVICE_TLB_TIMEOUT, what->source, now);
    }
}

static void page_response(void *ctx, const struct iommu_page_response *response, hv_cycles now)
{
    struct hardware_lab *lab = ctx;
    (void)now;
    if (lab->responses < LAB_LOG) {
        lab->response[lab->responses] = *response;
    }
    lab->responses++;
}

struct iommu_params lab_params(void)
{
    struct iommu_params params;
    params_defaults(&iommu_schema, &params);
    params.invalidation_cycles = LAB_INVALIDATION_CYCLES;
    params.hit_cycles = 0;
    return params;
}

struct hardware_lab *hardware_lab_make(const struct iommu_params *params)
{
    struct hardware_lab *lab = calloc(1, sizeof(*lab));
    assert_non_null(lab);
    struct hv_err err = {.text = ""};
    assert_true(physmem_init(&lab->memory, HV_MIB(16), &err));
    struct iommu_wires wires = {
        .memory = {read_line, write_line, lab}, .msi = msi, .post = post, .device_tlb = device_tlb,
        .page_response = page_response, .ctx = lab,
    };
    assert_true(iommu_init(&lab->u, params, &lab->memory, &wires, &err));
    return lab;
}

void hardware_lab_free(struct hardware_lab *lab)
{
    iommu_fini(&lab->u);
    physmem_fini(&lab->memory);
    free(lab);
}

uint64_t lab_get64(struct hardware_lab *lab, uint32_t offset)
{
    return iommu_read(&lab->u, offset, 8, iommu_busy_until(&lab->u));
}

uint32_t lab_get32(struct hardware_lab *lab, uint32_t offset)
{
    return (uint32_t)iommu_read(&lab->u, offset, 4, iommu_busy_until(&lab->u));
}

void lab_put64(struct hardware_lab *lab, uint32_t offset, uint64_t value)
{
    iommu_write(&lab->u, offset, 8, value, iommu_busy_until(&lab->u));
}

void lab_put32(struct hardware_lab *lab, uint32_t offset, uint32_t value)
{
    iommu_write(&lab->u, offset, 4, value, iommu_busy_until(&lab->u));
}

void lab_command(struct hardware_lab *lab, uint32_t bit, bool on)
{
    /* One-shot commands read as set in GSTS, and are left out as software does. */
    uint32_t status = lab_get32(lab, IOMMU_GSTS) & ~(IOMMU_GSTS_RTPS | IOMMU_GSTS_IRTPS);
    lab_put32(lab, IOMMU_GCMD, on ? status | bit : status & ~bit);
}

uint64_t lab_peek(struct hardware_lab *lab, uint64_t address)
{
    return physmem_read64(&lab->memory, (hv_hpa){address});
}

void lab_poke(struct hardware_lab *lab, uint64_t address, uint64_t value)
{
    physmem_write64(&lab->memory, (hv_hpa){address}, value);
}

void lab_queue(struct hardware_lab *lab, bool wide)
{
    lab_put64(lab, IOMMU_IQT, 0);
    lab_put64(lab, IOMMU_IQA, (uint64_t)LAB_QUEUE | (wide ? 1u << 11 : 0));
    lab->tail = 0;
    lab_command(lab, IOMMU_GSTS_QIES, true);
}

void lab_push(struct hardware_lab *lab, uint64_t low, uint64_t high)
{
    bool wide = (lab_get64(lab, IOMMU_IQA) & 1u << 11) != 0;
    lab_poke(lab, LAB_QUEUE + lab->tail, low);
    lab_poke(lab, LAB_QUEUE + lab->tail + 8, high);
    if (wide) {
        lab_poke(lab, LAB_QUEUE + lab->tail + 16, 0);
        lab_poke(lab, LAB_QUEUE + lab->tail + 24, 0);
    }
    lab->tail = (lab->tail + (wide ? 32 : 16)) % 4096;
    lab_put64(lab, IOMMU_IQT, lab->tail);
}

void lab_table_mode(struct hardware_lab *lab, enum iommu_table_mode mode)
{
    lab_put64(lab, IOMMU_RTADDR, (uint64_t)LAB_TABLES | (uint64_t)mode << 10);
    lab_command(lab, IOMMU_GSTS_RTPS, true);
}

void lab_events(struct hardware_lab *lab)
{
    const uint32_t control[] = {IOMMU_FECTL, IOMMU_IECTL, IOMMU_PECTL};
    for (uint32_t i = 0; i < 3; i++) {
        lab_put32(lab, control[i] + 4, 0x41 + i);
        lab_put32(lab, control[i] + 8, 0xfee00000);
        lab_put32(lab, control[i], 0);
    }
}
