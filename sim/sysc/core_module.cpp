// SPDX-License-Identifier: MIT
#include "sysc/core_module.hpp"

namespace hv {

// The kernel's 64 KiB are too few for a slice, which decodes a batch of the stream and draws progress, let alone with
// sanitizers. Above 2 MB valgrind knows a switch of stacks for what it is. What is not touched costs nothing.
static constexpr size_t STACK_BYTES = 4 << 20;

core_module::core_module(sc_core::sc_module_name name, struct run *whole, unsigned number)
    : sc_module(name), memory("memory"), run(whole), core(&whole->machine->cores[number]), index(number),
      clock(whole->machine->params.machine.clock_mhz), request(new line_request)
{
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
        core->path.shared = nullptr;
        core->path.port = {port_read, port_write_back, this};
    }
    keeper.reset();
    for (bool more = true; more;) {
        more = run_slice(run, index);
        join(core->core.now);
    }
}

// Lets the kernel's time catch up with the core's. Who arrives at the same time goes in the order of core numbers: the
// kernel runs them in one delta cycle, from which a core retires by as many delta cycles as cores go before it.
void core_module::join(hv_cycles now)
{
    const sc_core::sc_time present = sc_core::sc_time_stamp(), target = clock.time_of(now);
    if (target <= present) {
        keeper.set(sc_core::SC_ZERO_TIME);
        return;
    }
    keeper.set(target - present);
    if (keeper.need_sync()) {
        keeper.sync();
        for (unsigned before = 0; before < index; before++) {
            wait(sc_core::SC_ZERO_TIME);
        }
    }
}

struct mem_reply core_module::transport(hv_cycles now)
{
    join(now);
    sc_core::sc_time delay = keeper.get_local_time();
    payload.set_address(request->line << CACHE_LINE_SHIFT);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    memory->b_transport(payload, delay);
    HV_ASSERT(payload.is_response_ok(), "the memory system answered %s", payload.get_response_string().c_str());
    return {clock.cycles_of(sc_core::sc_time_stamp() + delay), request->level};
}

struct mem_reply core_module::port_read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    core_module *c = static_cast<core_module *>(ctx);
    c->request->command = line_command::read;
    c->request->line = line;
    c->request->user = user;
    return c->transport(now);
}

void core_module::port_write_back(void *ctx, uint64_t line, hv_cycles now)
{
    core_module *c = static_cast<core_module *>(ctx);
    c->request->command = line_command::write_back;
    c->request->line = line;
    c->transport(now);
}

} // namespace hv
