/* SPDX-License-Identifier: MIT */
/*
 * A network card on the root port of lab.h, with a driver for its rings. Its network moves one byte a cycle, so a
 * packet of 1000 bytes takes 1024 cycles.
 *
 * Function f's queue q has its rings and buffers in a megabyte of its own.
 */
#ifndef HV_TESTS_DEV_NIC_LAB_H
#define HV_TESTS_DEV_NIC_LAB_H

#include "lab.h"

#include "dev/nic.h"

enum {
    NIC_LAB_SOURCE = 0x0100, NIC_LAB_BUFFER = 2048, NIC_LAB_MSI = (int)0xfee00000,
    NIC_LAB_REGION = 1 << 20, NIC_LAB_TX = 0x20000, NIC_LAB_BUFFERS = 0x40000, NIC_LAB_TX_BUFFERS = 0xa0000,
};

struct nic_lab {
    struct lab *lab;
    struct nic *nic;
};

struct nic_lab nic_lab_make(struct dev_params params);
void nic_lab_free(struct nic_lab l);

/* lab_params() with a network of one byte a cycle and packets of 1000 bytes. */
struct dev_params nic_lab_params(void);

uint64_t nic_lab_region(unsigned function, unsigned queue);
void nic_lab_set(struct nic_lab l, unsigned function, uint32_t offset, uint64_t value, hv_cycles now);
uint64_t nic_lab_get(struct nic_lab l, unsigned function, uint32_t offset, hv_cycles now);
void nic_lab_queue_set(struct nic_lab l, unsigned function, unsigned queue, uint32_t offset, uint64_t value,
                       hv_cycles now);
uint64_t nic_lab_queue_get(struct nic_lab l, unsigned function, unsigned queue, uint32_t offset, hv_cycles now);

/* Switches a function and its interrupts on: vector v is data 0x40 + v. Queue v has vector v. */
void nic_lab_enable(struct nic_lab l, unsigned function, uint32_t control, hv_cycles now);

/* Receive: a ring of `entries` with buffers, all but one of them the card's. */
void nic_lab_open_rx(struct nic_lab l, unsigned function, unsigned queue, unsigned entries, hv_cycles now);

/* A card whose function 0 is on and receives into such a ring, from time 0 on. */
struct nic_lab nic_lab_receiving(struct dev_params params, unsigned entries);

/* Transmit: a ring of `entries`, `count` of them filled with packets of `bytes` that report. */
void nic_lab_open_tx(struct nic_lab l, unsigned function, unsigned queue, unsigned entries, hv_cycles now);
void nic_lab_send(struct nic_lab l, unsigned function, unsigned queue, unsigned count, uint32_t bytes,
                  hv_cycles now);

struct nic_descriptor nic_lab_descriptor(struct nic_lab l, uint64_t ring, unsigned index);

/* Runs until nothing is due, or `until`. Returns when the last thing was done. */
hv_cycles nic_lab_run(struct nic_lab l, hv_cycles until);

#endif
