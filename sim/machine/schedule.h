/* SPDX-License-Identifier: MIT */
/*
 * What runs on a core: its virtual processors, and on each of them its processes, in turn.
 *
 * A task is one instruction stream: a process on a virtual processor (with vcpu.threads, one thread of a process that
 * others share). Quanta are counted in accesses, so the streams meet in the same order whatever the hardware under
 * them costs: MODEL: a timer that counts cycles would switch a slower machine more often per access.
 */
#ifndef HV_MACHINE_SCHEDULE_H
#define HV_MACHINE_SCHEDULE_H

#include "cpu/core.h"
#include "vmm/vm.h"
#include "workload/workload.h"

struct machine_task {
    struct workload *workload;
    struct hv_access *batch;  /* elements decoded ahead: [next, count) are still to run */
    size_t next, count;
    struct hv_access *ahead;  /* the batch behind that one, if it is asked for (refill.c) ... */
    size_t ahead_count;       /* ... and what the stream gave */
    struct hv_err ahead_err;
    bool asked;
    bool begun;               /* of what was asked for: one of two threads has begun with it */
    uint32_t first_process;   /* of the VM's processes, that which the stream calls 0 */
    uint32_t processes;       /* how many of them the stream has */
    uint32_t process;         /* the one it runs in now */
    bool over;
};

/*
 * How far the invalidations of a processor have followed the changes of one page table: each change up to one, and a
 * number of later ones, because interrupts may arrive in another order than their changes were made.
 */
struct machine_seen {
    uint64_t all_to, more;
};

/* What a virtual processor with a VPID has seen, by process of its VM; NULL before it has run. */
struct machine_history {
    struct machine_seen *processes;
};

struct machine_vcpu {
    uint32_t vm;
    uint32_t number;          /* among all of the machine ... */
    uint32_t first_number;    /* ... and of the one that the stream calls 0 */
    uint16_t vpid;            /* number + 1, or 0: VPIDs are off */
    uint32_t in_stream;       /* of the one that the stream is on, as the stream calls it */
    struct machine_history history[HV_EVENT_NUMBER_MAX + 1]; /* by such a number: a VPID each */
    struct machine_task *tasks;
    uint32_t task_count, current;
    uint64_t left;            /* accesses until the next process's turn */
    uint64_t scan_left;       /* ... until vm_scan() is due; only the first virtual processor of a VM counts them */
};

/* An interrupt on its way to a core, which is asked to invalidate what `change` names in a VM's process. */
struct machine_interrupt {
    hv_cycles arrival;
    uint32_t vm, process;
    uint64_t sequence;        /* of the process's (or the host's) changes */
    struct vm_change change;
};

/* What a core knows of the software it runs. */
struct machine_schedule {
    struct machine_vcpu *vcpus;
    uint32_t vcpu_count, current;
    uint64_t left;            /* accesses until the next virtual processor's turn */
    struct machine_seen *seen;      /* by VM and process, of what runs without a VPID */
    struct machine_seen *seen_host; /* by VM: the same of the host's tables, whatever the VPID */
    struct machine_interrupt *interrupts; /* in the order in which they were sent */
    size_t interrupt_count, interrupt_capacity;
};

struct machine;
struct machine_core;

/* Opens every stream and builds the VMs with all processes that the streams have. */
bool schedule_init(struct machine *m, struct hv_err *err);
void schedule_fini(struct machine_schedule *s);

/* The task that a core has to run now, after the switches that were due; NULL when all are over. */
struct machine_task *schedule_next(struct machine_core *c);

/* Accesses until the next switch is due, and counting some of them as made. */
uint64_t schedule_left(const struct machine_core *c);
void schedule_spend(struct machine_core *c, uint64_t accesses);

/* A turn has ended: whether the only task that there is may have the next, with nothing to be done in between. */
bool schedule_renew(struct machine_core *c);

#endif
