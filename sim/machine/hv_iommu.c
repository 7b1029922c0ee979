/* SPDX-License-Identifier: MIT */
/* The IOMMU of a machine of hvsim.h: its registers in the physical address space, interrupts of devices and its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apic/posted.h"
#include "iommu/iommu_faults.h"
#include "machine/hv_iommu.h"

const char *hv_fault_words(uint8_t reason)
{
    const struct iommu_fault_row *row = iommu_fault_find(reason);
    return row != NULL ? row->words : NULL;
}

/* ---- Wires of the IOMMU ----------------------------------------------------------------------------------------- */

static struct mem_reply read_line(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    return mem_shared_read(&((struct hv_machine *)ctx)->shared, line, user, now);
}

static void write_line(void *ctx, uint64_t line, hv_cycles now)
{
    mem_shared_write_back(&((struct hv_machine *)ctx)->shared, line, now);
}

static void send_event(void *ctx, uint64_t address, uint32_t data, hv_cycles now)
{
    struct hv_machine *m = ctx;
    m->io->own_event = true;
    apic_bus_send_msi(&m->bus, &(struct msi){address, data, 0}, now);
    m->io->own_event = false;
}

static bool post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst)
{
    struct hv_machine *m = ctx;
    struct posted_notification n =
        posted_post(&m->memory, (hv_hpa){descriptor}, vector, urgent ? POSTED_URGENT : POSTED_NORMAL);
    *notify_vector = n.vector;
    *ndst = n.ndst;
    return n.send;
}

static void respond(void *ctx, const struct iommu_page_response *response, hv_cycles now)
{
    struct hv_iommu *io = ((struct hv_machine *)ctx)->io;
    (void)now;
    io->responses[(io->first_response + io->response_count) % HV_IOMMU_RESPONSES] = *response;
    if (io->response_count < HV_IOMMU_RESPONSES) {
        io->response_count++;
    } else {
        io->first_response = (io->first_response + 1) % HV_IOMMU_RESPONSES;
    }
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

/* The destination's upper bits of an event are in its upper address. */
static bool decode_event(const struct msi *msi, struct interrupt_message *message)
{
    if (!msi_decode(&(struct msi){(uint32_t)msi->address, msi->data, 0}, message)) {
        return false;
    }
    message->destination |= (uint32_t)(msi->address >> 32);
    return true;
}

static struct interrupt_message message_of(const struct iommu *u, const struct iommu_interrupt *i)
{
    bool everyone = !u->regs.extended_interrupts && i->destination_mode == 0 && i->destination == 0xff;
    bool lowest = i->redirection_hint != 0 && i->delivery_mode == INTERRUPT_FIXED;
    return (struct interrupt_message){
        .vector = i->vector,
        .mode = lowest ? INTERRUPT_LOWEST_PRIORITY : (enum interrupt_mode)i->delivery_mode,
        .trigger = (enum interrupt_trigger)i->trigger,
        .destination_mode = (enum interrupt_destination_mode)i->destination_mode,
        .destination = everyone ? INTERRUPT_BROADCAST : i->destination,
    };
}

static bool remap(void *ctx, const struct msi *msi, struct interrupt_message *message, hv_cycles now,
                  hv_cycles *latency)
{
    struct hv_iommu *io = ((struct hv_machine *)ctx)->io;
    if (io->own_event) {
        return decode_event(msi, message);
    }
    io->interrupt = iommu_interrupt(&io->iommu, msi->source, msi->address, msi->data, now);
    *latency = io->interrupt.done - now;
    *message = message_of(&io->iommu, &io->interrupt);
    return io->interrupt.ok && (!io->interrupt.posted || io->interrupt.notify);
}

struct hv_msi_reply hv_msi(struct hv_cpu *c, uint16_t source, uint64_t address, uint32_t data)
{
    struct hv_machine *m = hv_machine_of(c);
    const struct msi msi = {address, data, source};
    struct hv_msi_reply reply = {.arrives = c->p.now};
    struct interrupt_message message;
    if (m->io == NULL) {
        reply.ok = msi_decode(&msi, &message);
        reply.vector = reply.ok ? message.vector : 0;
        reply.destination = reply.ok ? message.destination : 0;
        reply.arrives = apic_bus_send_msi(&m->bus, &msi, c->p.now);
        return reply;
    }
    m->io->interrupt = (struct iommu_interrupt){.done = c->p.now};
    reply.arrives = apic_bus_send_msi(&m->bus, &msi, c->p.now);
    const struct iommu_interrupt *i = &m->io->interrupt;
    reply.ok = i->ok;
    reply.fault = i->fault;
    reply.posted = i->posted;
    reply.notified = i->notify;
    reply.vector = i->vector;
    reply.destination = i->destination;
    return reply;
}

/* ---- Registers -------------------------------------------------------------------------------------------------- */

/* Registers have 4 or 8 bytes; another access reads as 0 and writes nothing. */
static enum cpu_answer device(void *ctx, const struct cpu_device_access *access, hv_cycles now)
{
    struct hv_machine *m = ((struct cpu_apic *)ctx)->user;
    uint64_t offset = access->address - HV_IOMMU, value = 0;
    unsigned bytes = (unsigned)access->count;
    if (offset >= IOMMU_WINDOW_BYTES) {
        return m->io->next_device(ctx, access, now);
    }
    if (access->kind == HV_STORE) {
        memcpy(&value, access->bytes, bytes < sizeof(value) ? bytes : sizeof(value));
        iommu_write(&m->io->iommu, (uint32_t)offset, bytes, value, now);
        return CPU_ANSWERED;
    }
    value = iommu_read(&m->io->iommu, (uint32_t)offset, bytes, now);
    memset(access->bytes, 0, access->count);
    memcpy(access->bytes, &value, bytes < sizeof(value) ? bytes : sizeof(value));
    return CPU_ANSWERED;
}

/* An instruction of a cycle. */
static void access_register(struct hv_cpu *c, uint32_t offset, enum hv_access_kind kind, unsigned bytes,
                            uint64_t *value)
{
    struct cpu_device_access access = {.address = HV_IOMMU + offset, .kind = kind, .bytes = value, .count = bytes};
    c->p.now++;
    if (hv_machine_of(c)->io != NULL && (bytes == 4 || bytes == 8) && offset < IOMMU_WINDOW_BYTES) {
        c->wires.device(c->wires.ctx, &access, c->p.now);
    }
}

uint64_t hv_iommu_read(struct hv_cpu *c, uint32_t offset, unsigned bytes)
{
    uint64_t value = 0;
    access_register(c, offset, HV_LOAD, bytes, &value);
    return value;
}

void hv_iommu_write(struct hv_cpu *c, uint32_t offset, unsigned bytes, uint64_t value)
{
    access_register(c, offset, HV_STORE, bytes, &value);
}

uint64_t hv_iommu_busy_until(const struct hv_machine *m)
{
    return m->io != NULL ? iommu_busy_until(&m->io->iommu) : 0;
}

/* ---- Attaching -------------------------------------------------------------------------------------------------- */

bool hv_iommu_attach(struct hv_machine *m, char error[HV_ERROR_BYTES])
{
    const struct iommu_wires wires = {
        .memory = {read_line, write_line, m}, .msi = send_event, .post = post, .page_response = respond,
        .ctx = m,
    };
    struct hv_err err = {""};
    if (m->io != NULL) {
        snprintf(error, HV_ERROR_BYTES, "the machine has an IOMMU already");
        return false;
    }
    m->io = calloc(1, sizeof(*m->io));
    HV_ASSERT(m->io != NULL, "out of memory");
    if (!iommu_init(&m->io->iommu, &m->params.iommu, &m->memory, &wires, &err)) {
        snprintf(error, HV_ERROR_BYTES, "%.*s", HV_ERROR_BYTES - 1, err.text);
        free(m->io);
        m->io = NULL;
        return false;
    }
    iommu_check_stale(&m->io->iommu, m->params.check.stale);
    for (unsigned n = 0; n < m->cpu_count; n++) {
        m->io->next_device = m->cpus[n].cpu.wires.device; /* the same for each */
        m->cpus[n].cpu.wires.device = device;
    }
    apic_bus_set_remapping(&m->bus, &(struct interrupt_remapping){remap, m});
    return true;
}

void hv_iommu_free(struct hv_machine *m)
{
    if (m->io != NULL) {
        iommu_fini(&m->io->iommu);
        free(m->io);
    }
}

size_t hv_iommu_report(const struct hv_machine *m, FILE *out)
{
    return m->io != NULL ? iommu_stale_report(&m->io->iommu, out) : 0;
}
