// SPDX-License-Identifier: MIT
#include "sysc/memory_module.hpp"

namespace hv {

memory_module::memory_module(sc_core::sc_module_name name, struct machine *model)
    : sc_module(name), bus("bus"), machine(model), clock(model->params.machine.clock_mhz)
{
    bus.bind(*this);
}

void memory_module::b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay)
{
    line_request *request = payload.get_extension<line_request>();
    if (request == nullptr) {
        payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
        return;
    }
    switch (request->command) {
    case line_command::read: {
        const struct mem_reply reply =
            mem_shared_read(&machine->shared, request->line, request->user, request->start);
        request->level = reply.level;
        request->done = reply.done;
        delay += clock.time_of(reply.done - request->start);
        break;
    }
    case line_command::write_back:
        mem_shared_write_back(&machine->shared, request->line, request->start);
        break;
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

tlm::tlm_sync_enum memory_module::nb_transport_fw(tlm::tlm_generic_payload &payload, tlm::tlm_phase &,
                                                  sc_core::sc_time &)
{
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return tlm::TLM_COMPLETED;
}

bool memory_module::get_direct_mem_ptr(tlm::tlm_generic_payload &, tlm::tlm_dmi &dmi)
{
    dmi.set_dmi_ptr(machine->memory.bytes);
    dmi.set_start_address(0);
    dmi.set_end_address(machine->memory.size - 1);
    dmi.allow_read_write();
    return true;
}

} // namespace hv
