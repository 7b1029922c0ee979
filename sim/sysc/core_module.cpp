// SPDX-License-Identifier: MIT
#include "sysc/core_module.hpp"

#include <algorithm>

namespace hv {

// The kernel's 64 KiB are too few for a slice, which decodes a batch of the stream and draws progress, let alone with
// sanitizers. Above 2 MB valgrind knows a switch of stacks for what it is. What is not touched costs nothing.
static constexpr size_t STACK_BYTES = 4 << 20;

core_module::core_module(sc_core::sc_module_name name, struct run *whole, meeting *shared, unsigned number)
    : sc_module(name), memory("memory"), run(whole), core(&whole->machine->cores[number]), others(shared),
      index(number), clock(whole->machine->params.machine.clock_mhz),
      exact(whole->machine->params.machine.cores > 1 && whole->machine->params.timing.sync == TIMING_EXACT),
      in_order(whole->machine->params.core.model == CORE_INORDER), request(new line_request)
{
    others->modules.push_back(this);
    others->order.act = perform_for;
    others->order.ctx = others;
    payload.set_extension(request);
    payload.set_command(tlm::TLM_IGNORE_COMMAND);
    payload.set_data_length(CACHE_LINE_BYTES);
    payload.set_streaming_width(CACHE_LINE_BYTES);
    SC_HAS_PROCESS(core_module);
    SC_THREAD(execute);
    set_stack_size(STACK_BYTES);
}

bool core_module::is_lone_initiator()
{
    tlm::tlm_dmi dmi;
    payload.set_address(0);
    return memory->get_direct_mem_ptr(payload, dmi) && dmi.is_read_write_allowed();
}

void core_module::execute()
{
    if (!is_lone_initiator()) {
        connect();
    }
    set_limit();
    for (enum run_next next = run_slice(run, index); next != RUN_OVER; next = run_slice(run, index)) {
        if (next == RUN_WAIT) {
            others->order.at[index] = ORDER_NEVER;
            start_when_warm();
            wait(others->warm);
        }
        join(core->core.now);
    }
    others->order.at[index] = ORDER_NEVER;
    start_when_warm();
}

// Puts the kernel between this core and what it shares with the others. With a quantum, order within it is given up, and
// as no process of the kernel interrupts another, the shared model can be called directly.
void core_module::connect()
{
    if (exact) {
        core->path.shared = nullptr;
        core->path.port = {port_read, port_write_back, this};
        core->join = {join_from_c, this};
    }
}

// A core stops at the end of its quantum, or, exactly, before another could interrupt it: the earliest that any of the
// sleeping cores can send something is when it wakes, and it takes ipi_cycles to arrive.
void core_module::set_limit()
{
    const struct machine_params &params = run->machine->params;
    const hv_cycles now = core->core.now;
    hv_cycles limit = ORDER_NEVER;
    if (exact) {
        const hv_cycles next = order_next_other(&others->order, index), delay = params.vmm_cost.ipi_cycles;
        limit = next < ORDER_NEVER - delay ? std::max(next + delay, now + 1) : ORDER_NEVER;
    } else {
        limit = run_quantum_end(run->machine, now);
    }
    software_set_limit(core, limit);
}

// The last core to end its warm-up starts the statistics of all and wakes them.
void core_module::start_when_warm()
{
    if (!run_all_warm(run)) {
        return;
    }
    for (unsigned i = 0; i < others->order.cores; i++) {
        others->order.at[i] = run->cores[i].waits ? 0 : others->order.at[i]; // none may run before all are awake
    }
    const hv_cycles start = run_start_measuring(run);
    for (unsigned i = 0; i < others->order.cores; i++) {
        others->order.at[i] = others->order.at[i] == 0 ? start : others->order.at[i];
    }
    others->warm.notify(sc_core::SC_ZERO_TIME);
}

// Sleeps until the kernel's time has caught up with the core's.
void core_module::sleep(hv_cycles until)
{
    const sc_core::sc_time present = sc_core::sc_time_stamp(), target = clock.time_of(until);
    if (target > present) {
        wait(target - present);
    }
}

// Lets the kernel's time catch up with the core's. Of several cores one that is before all others keeps running;
// otherwise it sleeps until its time has come, and lets cores of a lower number go first in that cycle.
void core_module::join(hv_cycles now)
{
    if (others->order.cores == 1 || !order_may_go(&others->order, index, now)) {
        others->order.at[index] = now;
        sleep(now);
        while (!order_may_go(&others->order, index, now)) {
            wait(sc_core::SC_ZERO_TIME);
        }
    }
    set_limit();
}

void core_module::join_from_c(void *ctx, hv_cycles now)
{
    static_cast<core_module *>(ctx)->join(now);
}

// Makes the request: now, if the core is before all others; else it is posted, and made by the first core that comes to
// be behind it, or by this one when its time has come.
void core_module::transport()
{
    struct order *order = &others->order;
    const struct cache *llc = &run->machine->shared.llc;
    const hv_cycles now = request->start;
    if (!order_may_go(order, index, now)) {
        order->at[index] = now;
        order->posted[index] = true;
        if (cache_present(llc)) {
            cache_prefetch_tags(llc, request->line);
        }
        sleep(now);
        while (order->posted[index] && !order_may_go(order, index, now)) {
            wait(sc_core::SC_ZERO_TIME);
        }
        if (!order->posted[index]) {
            set_limit();
            return;
        }
        order->posted[index] = false;
    }
    perform();
    set_limit();
}

// Returns the time before which this core does nothing else that is shared: one that executes in order waits for what it
// reads.
hv_cycles core_module::perform()
{
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    payload.set_address(request->line << CACHE_LINE_SHIFT);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    memory->b_transport(payload, delay);
    HV_ASSERT(payload.is_response_ok(), "the memory system answered %s", payload.get_response_string().c_str());
    const bool read = request->command == line_command::read;
    if (read) {
        const struct mem_reply reply = {request->done, request->level};
        shared_trace_read(core, request->line, request->start, &reply);
    } else {
        shared_trace_write(core, request->line, request->start);
    }
    return read && in_order ? request->done : request->start;
}

hv_cycles core_module::perform_for(void *ctx, unsigned core)
{
    return static_cast<meeting *>(ctx)->modules[core]->perform();
}

struct mem_reply core_module::port_read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    core_module *c = static_cast<core_module *>(ctx);
    c->request->command = line_command::read;
    c->request->line = line;
    c->request->user = user;
    c->request->start = now;
    c->transport();
    return {c->request->done, c->request->level};
}

void core_module::port_write_back(void *ctx, uint64_t line, hv_cycles now)
{
    core_module *c = static_cast<core_module *>(ctx);
    c->request->command = line_command::write_back;
    c->request->line = line;
    c->request->start = now;
    c->transport();
}

} // namespace hv
