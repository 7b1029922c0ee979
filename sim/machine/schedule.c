/* SPDX-License-Identifier: MIT */
#include "machine/schedule.h"

#include <stdlib.h>

#include "machine/machine.h"
#include "machine/software.h"
#include "workload/trace_path.h"
#include "machine/workload_files.h"

static uint64_t vcpus_per_vm(const struct machine_params *p)
{
    return p->vm.vcpus != 0 ? p->vm.vcpus : p->machine.cores;
}

/* The parameters of a task's stream: all the same, but each with a seed, or with a trace per core, of its own. */
static bool open_task(struct machine *m, struct machine_task *t, uint64_t number, uint64_t core, struct hv_err *err)
{
    struct workload_params params = m->params.workload;
    params.seed += number;
    if (!trace_path_for_core(m->params.workload.trace, (unsigned)core, params.trace, sizeof(params.trace))) {
        return hv_fail(err, "workload.trace is too long with the core's number in it");
    }
    t->workload = machine_workload_open(&params, err);
    if (t->workload == NULL) {
        return false;
    }
    size_t count;
    const struct workload_region *regions = workload_regions(t->workload, &count);
    t->processes = count > 0 ? regions[count - 1].process + 1 : 1;
    t->batch = calloc(MACHINE_BATCH, sizeof(*t->batch));
    HV_ASSERT(t->batch != NULL, "out of memory");
    m->total += workload_total(t->workload);
    return true;
}

/* The tasks of one virtual processor; those of other threads of the same processes share their address spaces. */
static bool open_vcpu(struct machine *m, struct machine_vcpu *v, uint64_t number, uint32_t *processes,
                      struct hv_err *err)
{
    const struct machine_params *p = &m->params;
    bool threads = p->vcpu.threads && number % vcpus_per_vm(p) != 0;
    uint32_t next = threads ? 0 : *processes;
    v->tasks = calloc(p->sched.processes, sizeof(*v->tasks));
    HV_ASSERT(v->tasks != NULL, "out of memory");
    v->vm = (uint32_t)(number / vcpus_per_vm(p));
    v->first_number = v->number = (uint32_t)number;
    v->vpid = p->paging.mode != PAGING_NATIVE && p->vcpu.vpid ? (uint16_t)(number + 1) : 0;
    v->left = p->sched.process_quantum;
    for (uint64_t i = 0; i < p->sched.processes; i++) {
        struct machine_task *t = &v->tasks[i];
        v->task_count++;
        if (!open_task(m, t, number * p->sched.processes + i, number % p->machine.cores, err)) {
            return false;
        }
        t->first_process = next;
        next += t->processes;
    }
    *processes = next > *processes ? next : *processes;
    return true;
}

static bool open_all(struct machine *m, uint32_t processes[], struct hv_err *err)
{
    const struct machine_params *p = &m->params;
    uint64_t per_vm = vcpus_per_vm(p), count = p->vm.count * per_vm;
    m->vpid_step = count;
    for (uint64_t i = 0; i < p->machine.cores; i++) {
        m->cores[i].schedule.vcpus = calloc(count / p->machine.cores + 1, sizeof(struct machine_vcpu));
        HV_ASSERT(m->cores[i].schedule.vcpus != NULL, "out of memory");
        m->cores[i].schedule.left = p->sched.vcpu_quantum;
    }
    for (uint64_t number = 0; number < count; number++) {
        struct machine_schedule *s = &m->cores[number % p->machine.cores].schedule;
        if (!open_vcpu(m, &s->vcpus[s->vcpu_count++], number, &processes[number / per_vm], err)) {
            return false;
        }
    }
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct vm_region *x = a, *y = b;
    if (x->process != y->process) {
        return x->process < y->process ? -1 : 1;
    }
    return (x->start.v > y->start.v) - (x->start.v < y->start.v);
}

static uint64_t last_of(const struct vm_region *r)
{
    return r->start.v + (r->pages * HV_PAGE_BYTES - 1); /* the end itself may be beyond the address space */
}

/* Sorts regions and joins those that overlap (threads touch the same memory); returns how many are left. */
static size_t merge(struct vm_region *regions, size_t count)
{
    qsort(regions, count, sizeof(*regions), by_place);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct vm_region *last = kept > 0 ? &regions[kept - 1] : NULL;
        if (last == NULL || last->process != regions[i].process || regions[i].start.v > last_of(last)) {
            regions[kept++] = regions[i];
        } else if (last_of(&regions[i]) > last_of(last)) {
            last->pages = (regions[i].start.v - last->start.v) / HV_PAGE_BYTES + regions[i].pages;
        }
    }
    return kept;
}

/* All regions of the tasks of a VM, to be freed by the caller. */
static struct vm_region *collect(const struct machine *m, uint32_t vm, size_t *count)
{
    struct vm_region *all = NULL;
    *count = 0;
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        const struct machine_schedule *s = &m->cores[i].schedule;
        for (uint32_t v = 0; v < s->vcpu_count; v++) {
            for (uint32_t k = 0; s->vcpus[v].vm == vm && k < s->vcpus[v].task_count; k++) {
                const struct machine_task *t = &s->vcpus[v].tasks[k];
                size_t n;
                const struct workload_region *regions = workload_regions(t->workload, &n);
                all = realloc(all, (*count + n + 1) * sizeof(*all));
                HV_ASSERT(all != NULL, "out of memory");
                for (size_t r = 0; r < n; r++) {
                    all[(*count)++] = (struct vm_region){
                        regions[r].start, regions[r].pages, t->first_process + regions[r].process,
                    };
                }
            }
        }
    }
    *count = merge(all, *count);
    return all;
}

static bool init_vm(struct machine *m, uint32_t number, uint32_t processes, uint64_t *host_next, struct hv_err *err)
{
    const struct machine_params *p = &m->params;
    size_t count;
    struct vm_region *regions = collect(m, number, &count);
    struct vm_config config = {
        .paging = p->paging, .guest = p->guest, .host = p->host, .host_more = p->host_more, .cost = p->vmm_cost,
        .shadow = p->vmm_shadow, .agile = p->vmm_agile,
        .memory = p->vm.memory, .seed = p->workload.seed + number, .pcid = p->sched.pcid, .pages_1g = p->mmu.pages_1g,
        .processes = processes,
    };
    bool ok = vm_init(&m->vms[number], &config, regions, count, &m->memory, host_next, err);
    free(regions);
    return ok;
}

/* What each core has invalidated: nothing has changed yet. */
static void init_seen(struct machine *m, const uint32_t processes[])
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < m->params.vm.count; i++) {
        m->first_process[i] = total;
        total += processes[i];
    }
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        struct machine_schedule *s = &m->cores[i].schedule;
        s->seen = calloc(total, sizeof(*s->seen));
        s->seen_host = calloc(m->params.vm.count, sizeof(*s->seen_host));
        HV_ASSERT(s->seen != NULL && s->seen_host != NULL, "out of memory");
    }
}

static void init_scans(struct machine *m)
{
    for (uint64_t i = 0; i < m->params.machine.cores; i++) {
        struct machine_schedule *s = &m->cores[i].schedule;
        for (uint32_t k = 0; k < s->vcpu_count; k++) {
            struct machine_vcpu *v = &s->vcpus[k];
            bool first = v->first_number % vcpus_per_vm(&m->params) == 0;
            v->scan_left = first ? vm_scan_interval(&m->vms[v->vm]) : UINT64_MAX;
        }
    }
}

bool schedule_init(struct machine *m, struct hv_err *err)
{
    uint32_t processes[MACHINE_MAX_VMS] = {0};
    if (!open_all(m, processes, err)) {
        return false;
    }
    m->host_next = VM_HOST_START;
    for (uint32_t i = 0; i < m->params.vm.count; i++) {
        if (!init_vm(m, i, processes[i], &m->host_next, err)) {
            return false;
        }
    }
    init_seen(m, processes);
    init_scans(m);
    return true;
}

void schedule_fini(struct machine_schedule *s)
{
    for (uint32_t v = 0; s->vcpus != NULL && v < s->vcpu_count; v++) {
        for (uint32_t k = 0; s->vcpus[v].tasks != NULL && k < s->vcpus[v].task_count; k++) {
            workload_close(s->vcpus[v].tasks[k].workload);
            free(s->vcpus[v].tasks[k].batch);
            free(s->vcpus[v].tasks[k].ahead);
        }
        for (unsigned number = 0; number <= HV_EVENT_NUMBER_MAX; number++) {
            free(s->vcpus[v].history[number].processes);
        }
        free(s->vcpus[v].tasks);
    }
    free(s->vcpus);
    free(s->seen);
    free(s->seen_host);
    free(s->interrupts);
}

/* The first task from `from` on, in a circle, that is not over; task_count when all are. */
static uint32_t runnable_task(const struct machine_vcpu *v, uint32_t from)
{
    for (uint32_t i = 0; i < v->task_count; i++) {
        uint32_t task = (from + i) % v->task_count;
        if (!v->tasks[task].over) {
            return task;
        }
    }
    return v->task_count;
}

static uint32_t runnable_vcpu(const struct machine_schedule *s, uint32_t from)
{
    for (uint32_t i = 0; i < s->vcpu_count; i++) {
        uint32_t vcpu = (from + i) % s->vcpu_count;
        if (runnable_task(&s->vcpus[vcpu], 0) < s->vcpus[vcpu].task_count) {
            return vcpu;
        }
    }
    return s->vcpu_count;
}

struct machine_task *schedule_next(struct machine_core *c)
{
    const struct sched_params *sched = &c->machine->params.sched;
    struct machine_schedule *s = &c->schedule;
    uint32_t vcpu = s->vcpu_count > 0 ? runnable_vcpu(s, s->left > 0 ? s->current : s->current + 1) : 0;
    if (vcpu == s->vcpu_count) {
        return NULL;
    }
    s->left = s->left > 0 && vcpu == s->current ? s->left : sched->vcpu_quantum;
    if (vcpu != s->current) {
        software_switch_vcpu(c, vcpu);
    }
    struct machine_vcpu *v = &s->vcpus[vcpu];
    uint32_t task = runnable_task(v, v->left > 0 ? v->current : v->current + 1);
    v->left = v->left > 0 && task == v->current ? v->left : sched->process_quantum;
    if (task != v->current) {
        software_switch_process(c, task);
    }
    if (v->scan_left == 0) {
        v->scan_left = software_scan(c);
    }
    return &v->tasks[task];
}

uint64_t schedule_left(const struct machine_core *c)
{
    const struct machine_schedule *s = &c->schedule;
    uint64_t process_left = s->vcpus[s->current].left;
    uint64_t left = process_left < s->left ? process_left : s->left;
    uint64_t scan_left = s->vcpus[s->current].scan_left;
    return scan_left < left ? scan_left : left;
}

void schedule_spend(struct machine_core *c, uint64_t accesses)
{
    struct machine_schedule *s = &c->schedule;
    s->left -= accesses;
    s->vcpus[s->current].left -= accesses;
    s->vcpus[s->current].scan_left -= accesses;
}

bool schedule_renew(struct machine_core *c)
{
    const struct sched_params *sched = &c->machine->params.sched;
    struct machine_schedule *s = &c->schedule;
    struct machine_vcpu *v = &s->vcpus[s->current];
    if (s->vcpu_count > 1 || v->task_count > 1 || v->scan_left == 0) {
        return false;
    }
    s->left = s->left > 0 ? s->left : sched->vcpu_quantum;
    v->left = v->left > 0 ? v->left : sched->process_quantum;
    return true;
}
