/* SPDX-License-Identifier: MIT */
#include "nic_lab.h"

#include <stdlib.h>
#include <string.h>

struct dev_params nic_lab_params(void)
{
    struct dev_params params = lab_params();
    params.link_mbps = 8000;
    params.packet_bytes = 1000;
    return params;
}

struct nic_lab nic_lab_make(struct dev_params params)
{
    struct nic_lab l = {lab_make(), calloc(1, sizeof(struct nic))};
    struct hv_err err = {0};
    struct dev_port port = lab_port(l.lab);
    assert_non_null(l.nic);
    if (!nic_init(l.nic, &params, &port, LAB_MHZ, NIC_LAB_SOURCE, &err)) {
        fail_msg("%s", err.text);
    }
    return l;
}

void nic_lab_free(struct nic_lab l)
{
    nic_fini(l.nic);
    free(l.nic);
    lab_free(l.lab);
}

uint64_t nic_lab_region(unsigned function, unsigned queue)
{
    return (uint64_t)(function * 1 + queue) * NIC_LAB_REGION % LAB_MEMORY_BYTES;
}

void nic_lab_set(struct nic_lab l, unsigned function, uint32_t offset, uint64_t value, hv_cycles now)
{
    nic_write(l.nic, function, offset, 4, value, now);
}

uint64_t nic_lab_get(struct nic_lab l, unsigned function, uint32_t offset, hv_cycles now)
{
    return nic_read(l.nic, function, offset, 4, now);
}

void nic_lab_queue_set(struct nic_lab l, unsigned function, unsigned queue, uint32_t offset, uint64_t value,
                       hv_cycles now)
{
    bool wide = offset == NIC_REG_RX_BASE || offset == NIC_REG_TX_BASE;
    nic_write(l.nic, function, nic_queue_offset(queue, offset), wide ? 8 : 4, value, now);
}

uint64_t nic_lab_queue_get(struct nic_lab l, unsigned function, unsigned queue, uint32_t offset, hv_cycles now)
{
    return nic_read(l.nic, function, nic_queue_offset(queue, offset), 4, now);
}

void nic_lab_enable(struct nic_lab l, unsigned function, uint32_t control, hv_cycles now)
{
    nic_lab_set(l, function, NIC_REG_CONTROL, NIC_ENABLE | control, now);
    nic_lab_set(l, function, NIC_REG_MSIX_CONTROL, MSIX_CONTROL_ENABLE, now);
    for (unsigned v = 0; v < l.nic->queues; v++) {
        uint32_t entry = NIC_MSIX_TABLE + v * MSIX_ENTRY_BYTES;
        nic_write(l.nic, function, entry, 8, (uint32_t)NIC_LAB_MSI, now);
        nic_write(l.nic, function, entry + 8, 8, 0x40 + v, now); /* upper half: unmasked */
    }
    nic_lab_set(l, function, NIC_REG_ENABLE_SET, 0xff, now);
}

static struct nic_descriptor *place(struct nic_lab l, uint64_t ring, unsigned index)
{
    return physmem_pointer(&l.lab->memory, (hv_hpa){ring + index * NIC_DESCRIPTOR_BYTES}, NIC_DESCRIPTOR_BYTES);
}

struct nic_descriptor nic_lab_descriptor(struct nic_lab l, uint64_t ring, unsigned index)
{
    return *place(l, ring, index);
}

void nic_lab_open_rx(struct nic_lab l, unsigned function, unsigned queue, unsigned entries, hv_cycles now)
{
    uint64_t region = nic_lab_region(function, queue);
    for (unsigned i = 0; i < entries; i++) {
        *place(l, region, i) = (struct nic_descriptor){
            .address = region + NIC_LAB_BUFFERS + i % 64 * NIC_LAB_BUFFER, .driver = 0xd000 + i};
    }
    nic_lab_queue_set(l, function, queue, NIC_REG_RX_BASE, region, now);
    nic_lab_queue_set(l, function, queue, NIC_REG_RX_LENGTH, entries, now);
    nic_lab_queue_set(l, function, queue, NIC_REG_RX_BUFFER, NIC_LAB_BUFFER, now);
    nic_lab_queue_set(l, function, queue, NIC_REG_RX_CONTROL, 1, now);
    nic_lab_queue_set(l, function, queue, NIC_REG_RX_TAIL, entries - 1, now);
}

struct nic_lab nic_lab_receiving(struct dev_params params, unsigned entries)
{
    struct nic_lab l = nic_lab_make(params);
    nic_lab_enable(l, 0, 0, 0);
    nic_lab_open_rx(l, 0, 0, entries, 0);
    return l;
}

void nic_lab_open_tx(struct nic_lab l, unsigned function, unsigned queue, unsigned entries, hv_cycles now)
{
    nic_lab_queue_set(l, function, queue, NIC_REG_TX_BASE, nic_lab_region(function, queue) + NIC_LAB_TX, now);
    nic_lab_queue_set(l, function, queue, NIC_REG_TX_LENGTH, entries, now);
    nic_lab_queue_set(l, function, queue, NIC_REG_TX_CONTROL, 1, now);
}

void nic_lab_send(struct nic_lab l, unsigned function, unsigned queue, unsigned count, uint32_t bytes, hv_cycles now)
{
    uint64_t region = nic_lab_region(function, queue);
    unsigned entries = (unsigned)nic_lab_queue_get(l, function, queue, NIC_REG_TX_LENGTH, now);
    unsigned tail = (unsigned)nic_lab_queue_get(l, function, queue, NIC_REG_TX_TAIL, now);
    for (unsigned i = 0; i < count; i++) {
        *place(l, region + NIC_LAB_TX, tail) = (struct nic_descriptor){
            .address = region + NIC_LAB_TX_BUFFERS + tail % 64 * NIC_LAB_BUFFER, .length = (uint16_t)bytes,
            .command = NIC_REPORT, .driver = 0xd000 + tail};
        tail = tail + 1 < entries ? tail + 1 : 0;
    }
    nic_lab_queue_set(l, function, queue, NIC_REG_TX_TAIL, tail, now);
}

hv_cycles nic_lab_run(struct nic_lab l, hv_cycles until)
{
    hv_cycles last = 0;
    for (hv_cycles next = nic_next(l.nic); next <= until && next != DEV_NEVER; next = nic_next(l.nic)) {
        assert_true(next >= last);
        last = next;
        nic_act(l.nic, next);
    }
    return last;
}
