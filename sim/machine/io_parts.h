/* SPDX-License-Identifier: MIT */
/* What the files of io.h share. */
#ifndef HV_MACHINE_IO_PARTS_H
#define HV_MACHINE_IO_PARTS_H

#include "base/histogram.h"
#include "dev/dma_engine.h"
#include "dev/nic.h"
#include "dev/storage.h"
#include "iommu/iommu.h"
#include "machine/io.h"
#include "vmm/dev_map.h"
#include "vmm/dma_map.h"
#include "vmm/irq_map.h"
#include "vmm/vm_window.h"

enum {
    IO_VECTOR = 0x51,       /* of a guest's devices: so much more for each virtual processor of the core */
    IO_VCPUS_MAX = 64,      /* of a core with devices, so that the vectors suffice */
    IO_HOST_VECTOR = 0xe0,  /* of a device that the hypervisor's own driver has */
    IO_EVENT_VECTOR = 0xe1, /* of the IOMMU's own events */
    IO_WAKE_VECTOR = 0xf1,  /* the notification for a virtual processor that does not run */
    IO_DEVICE_ID = 0x0100,  /* requester id of the first function: bus 1 */
    IO_WINDOW_BYTES = NIC_WINDOW_BYTES, /* of a function's registers */
    IO_MSIX_TABLE = NIC_MSIX_TABLE,     /* in them; the pages before it are what drivers use at run time */
};
_Static_assert((int)IO_WINDOW_BYTES == (int)STORAGE_WINDOW_BYTES && (int)IO_MSIX_TABLE == (int)STORAGE_MSIX_TABLE,
               "the windows of all devices are laid out alike");

struct io_stats {
#define S STAT_MEMBER
#include "machine/io_stats.def"
#undef S
};

/* The times of an interrupt, from the device's message on. */
struct io_interrupt_times {
    hv_cycles raised, remapped;
};

/* An interrupt on its way to a core. */
struct io_arrival {
    hv_cycles at;
    struct io_interrupt_times times;
    uint16_t source; /* of the device's message; */
    uint8_t vector;
};

/* A write to a device's register on its way. */
struct io_register_write {
    hv_cycles at;
    unsigned function;
    uint32_t offset, bytes;
    uint64_t value;
};

/* Memory of a function: its rings, then its buffers. The device sees it at `seen`, through what the IOMMU maps. */
struct io_memory {
    uint64_t base, bytes; /* host-physical */
    uint64_t usable;      /* of the bytes, by rings and buffers */
    uint64_t given;       /* of these, from the start */
    uint64_t seen;        /* guest-physical address of base; of a host's device, base itself */
};

/* An address space of a function, and who maps buffers into it. */
struct io_domain {
    struct dma_domain domain;
    struct dma_map map;
    struct frames first_frames; /* nested: guest-physical, of the first stage's tables */
    bool attached; /* there is a domain */
    bool maps;     /* a driver maps each buffer; else the whole memory is mapped for good, or there is no IOMMU */
};

struct io_driver;

/* What a kind of device asks of its driver. */
struct io_driver_kind {
    bool (*init)(struct io_driver *d, struct hv_err *err);
    void (*fini)(struct io_driver *d);
    void (*begin)(struct io_driver *d);                /* at time 0: switches the device on */
    bool (*poll)(struct io_driver *d, unsigned budget); /* whether there is more to do at once */
    void (*handled)(struct io_driver *d);              /* its interrupt; may be NULL */
    uint64_t (*waiting)(const struct io_driver *d);    /* packets that were received and not handled; may be NULL */
};

/* The driver of a function of the device, on a core. */
struct io_driver {
    struct machine_io *io;
    struct machine_core *core;
    const struct io_driver_kind *kind;
    unsigned number;        /* among the drivers */
    unsigned function;      /* of the device */
    uint32_t vcpu;          /* whose it is, of those of the core; 0: natively */
    bool host;              /* it is the hypervisor's: its work is time in VMX root operation */
    bool waits;             /* an interrupt came while its virtual processor was away */
    bool interrupted;       /* the device has raised one that was not handled yet, at these times: */
    struct io_interrupt_times times;
    hv_cycles poll_at;      /* it has work from then on; UINT64_MAX: it waits for an interrupt */
    uint64_t message_address; /* of its interrupts, as the device is told */
    uint32_t message_data;
    uint64_t descriptor;    /* posted: where the IOMMU is told that its virtual processor's descriptor is */
    struct vm_window *window; /* in which a guest sees the function's registers; NULL: none does */
    uint64_t window_offset;
    uint64_t settled;       /* packets that are through, the warm-up's included */
    uint64_t share;         /* packets that it sends or is sent; UINT64_MAX: no end */
    struct io_memory memory;
    struct io_domain domain;
    void *state;            /* the kind's */
    struct io_front *front; /* the guest's half of an emulated or paravirtual device; NULL: there is none */
};

struct io_core {
    struct machine_core *core;
    struct io_arrival *arrivals;
    size_t arrival_count, arrival_capacity;
    hv_cycles due; /* of what io_core_due() says */
    struct io_driver *drivers[2 * NIC_FUNCTIONS_MAX]; /* the guests' halves included */
    unsigned driver_count;
};

struct machine_io {
    struct machine *machine;
    const struct io_params *params;
    enum io_device device;
    bool native;            /* there is no hypervisor */
    struct mem_port memory; /* last-level cache and main memory */
    struct dev_port root;   /* what the device is plugged into */
    struct io_order order;
    struct activity_core *activity; /* who is told of transfers and interrupts; NULL: nobody */
    struct iommu *iommu;    /* NULL: iommu.mode is off or exclusion */
    struct dev_vector *exclusion; /* NULL: iommu.mode is not exclusion */
    struct dev_map exclusion_map;
    struct frames frames;   /* for tables */
    struct dma_unit unit;
    struct irq_map interrupts;
    struct dma_engine *engine;
    struct nic *nic;
    struct storage *storage;
    uint64_t registers;     /* host-physical, of all functions one after the other; 0: nobody's page tables map them */
    struct vm_window *windows; /* by VM; NULL: there are none */
    struct io_register_write *writes; /* on their way, in the order of time */
    size_t write_count, write_capacity;
    struct io_core *cores;
    struct io_driver *drivers;
    unsigned driver_count;
    uint64_t since_stray;   /* DMAs of a device with a fault since it last went astray */
    uint64_t settled;       /* packets that are through, the warm-up's included */
    uint64_t dropped_before; /* packets that the device had dropped when its counters were last zeroed */
    hv_cycles began, ended; /* of what is counted: it began then, and the latest packet was through then */
    struct io_stats stats;
    struct histogram latency; /* of interrupts, from raised to ended */
};

/* ---- io_port.c: memory as devices see it ------------------------------------------------------------------------ */

void io_port_init(struct machine_io *io);

/* What the IOMMU makes of a DMA. */
struct iommu_reply io_port_translate(struct machine_io *io, const struct dev_dma *d, hv_cycles now);

/* io_stray.c: beside a DMA, what a device with a fault does. */
void io_stray(struct machine_io *io, const struct dev_dma *d, hv_cycles now);

/* The IOMMU's way to memory. */
struct mem_reply io_port_read(void *io, uint64_t line, enum cache_user user, hv_cycles now);
void io_port_write(void *io, uint64_t line, hv_cycles now);

/* ---- io_exclusion.c: AMD's Device Exclusion Vector instead of an IOMMU ------------------------------------------ */

bool io_exclusion_build(struct machine_io *io, struct hv_err *err);
bool io_exclusion_start(struct machine_io *io, struct hv_err *err);
bool io_exclusion_attach(struct io_driver *d, struct hv_err *err); /* lets a function reach its memory */
struct iommu_reply io_exclusion_check(struct machine_io *io, const struct dev_dma *d, hv_cycles now);
void io_exclusion_register(struct machine_io *io, struct stat_registry *r);
uint64_t io_exclusion_stale_report(const struct machine_io *io, FILE *out);
void io_exclusion_free(struct machine_io *io);

/* ---- io_wire.c: interrupts --------------------------------------------------------------------------------------- */

void io_wire_interrupt(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now);
bool io_wire_post(void *ctx, uint64_t descriptor, uint8_t vector, bool urgent, uint8_t *notify_vector, uint32_t *ndst);

/* A message is on its way to a core, by its APIC ID. */
void io_wire_send(struct machine_io *io, uint32_t apic, const struct io_arrival *arrival);

/* Chooses the message that the device of a driver is told to send, and what becomes of it. */
bool io_wire_connect(struct io_driver *d, struct hv_err *err);

/* ---- io_event.c: the IOMMU's own interrupts ----------------------------------------------------------------------- */

/* Has them sent to a core; such a message of the IOMMU; its arrival there. */
void io_event_route(struct machine_io *io);
void io_event_message(void *io, uint64_t address, uint32_t data, hv_cycles now);
void io_event_take(struct io_core *c, const struct io_arrival *arrival);

/* ---- io_core.c --------------------------------------------------------------------------------------------------- */

/* Something is due on a core; a driver has work from now on. */
void io_core_wake(struct io_core *c, hv_cycles at);
void io_driver_poll(struct io_driver *d);

/* A driver's turn on its core: up to io.budget packets. It may want another. */
void io_driver_turn(struct io_driver *d);

/* ---- io_memory.c: memory of functions, and how it is mapped ------------------------------------------------------ */

/* Memory first, of all functions; then tables, which take what is left. */
bool io_memory_reserve(struct io_driver *d, uint64_t bytes, struct hv_err *err);
bool io_memory_attach(struct io_driver *d, struct hv_err *err);
void io_memory_fini(struct io_driver *d);

/* So many bytes of a function's memory, host-physical, in whole pages. */
uint64_t io_memory_take(struct io_driver *d, uint64_t bytes);

/* The address by which the device reaches what stays mapped: rings. False: it cannot be mapped. */
bool io_memory_ring(struct io_driver *d, uint64_t host, uint64_t bytes, uint64_t *iova);

/* A buffer's address for the device, and its end; they take the core time. False: it cannot be mapped. */
bool io_memory_map(struct io_driver *d, uint64_t host, uint64_t bytes, enum dma_direction direction, uint64_t *iova);
void io_memory_unmap(struct io_driver *d, uint64_t iova, uint64_t bytes);

/* When unmapped buffers are invalidated for the time that has passed, and doing so. */
hv_cycles io_memory_next(const struct io_driver *d);
void io_memory_act(struct io_driver *d);

/* ---- io_work.c: what a driver does on its core ------------------------------------------------------------------- */

/* The core's time goes on. */
void io_work(struct io_driver *d, hv_cycles cycles, const char *what);
hv_cycles io_work_now(const struct io_driver *d);

/* Devices have done all that they do by now. */
void io_work_join(struct io_driver *d);

/* Reads what a device has written; reads or writes what the core's caches may have. */
void io_work_read_new(struct io_driver *d, uint64_t host, uint64_t bytes);
void io_work_touch(struct io_driver *d, uint64_t host, uint64_t bytes, bool write);

/* io_registers.c: a register of the function. */
void io_work_write_register(struct io_driver *d, uint32_t offset, unsigned bytes, uint64_t value);

/* So many packets, of so many bytes each, are through. */
void io_work_done(struct io_driver *d, uint64_t packets, uint64_t bytes);

/* The same without time, before it begins. */
void io_set_register(struct io_driver *d, uint32_t offset, unsigned bytes, uint64_t value);

/* ---- io_window.c: registers as guests see them ------------------------------------------------------------------ */

bool io_window_build(struct machine_io *io, struct hv_err *err);

/* ---- io_registers.c: writes that are on their way ---------------------------------------------------------------- */

hv_cycles io_registers_next(const struct machine_io *io);
void io_registers_act(struct machine_io *io, hv_cycles now);

/* ---- The drivers ------------------------------------------------------------------------------------------------- */

extern const struct io_driver_kind io_nic_driver, io_storage_driver;

/* Memory that the storage device needs. */
uint64_t io_storage_bytes(const struct machine_params *p);

/* The link that the device is plugged in by. */
static inline struct pcie *io_link(struct machine_io *io)
{
    return io->nic != NULL ? &io->nic->link : io->storage != NULL ? &io->storage->link : &io->engine->link;
}

/* The requester id of a driver's function. */
static inline uint16_t io_source(const struct io_driver *d)
{
    return d->io->nic != NULL ? nic_source(d->io->nic, d->function) : IO_DEVICE_ID;
}

#endif
