// SPDX-License-Identifier: MIT
#include "sysc/line_initiator.hpp"

namespace hv {

line_initiator::line_initiator(sc_core::sc_module_name name) : sc_module(name), memory("memory"), request(new line_request)
{
    payload.set_extension(request);
    payload.set_command(tlm::TLM_IGNORE_COMMAND);
    payload.set_data_length(CACHE_LINE_BYTES);
    payload.set_streaming_width(CACHE_LINE_BYTES);
}

struct mem_port line_initiator::port()
{
    return {read, write_back, this};
}

bool line_initiator::is_granted_bytes()
{
    tlm::tlm_dmi dmi;
    payload.set_address(0);
    return memory->get_direct_mem_ptr(payload, dmi) && dmi.is_read_write_allowed();
}

void line_initiator::transport()
{
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    payload.set_address(request->line << CACHE_LINE_SHIFT);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    memory->b_transport(payload, delay);
    HV_ASSERT(payload.is_response_ok(), "the memory system answered %s", payload.get_response_string().c_str());
}

struct mem_reply line_initiator::read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now)
{
    line_initiator *c = static_cast<line_initiator *>(ctx);
    c->request->command = line_command::read;
    c->request->line = line;
    c->request->user = user;
    c->request->start = now;
    c->transport();
    return {c->request->done, c->request->level};
}

void line_initiator::write_back(void *ctx, uint64_t line, hv_cycles now)
{
    line_initiator *c = static_cast<line_initiator *>(ctx);
    c->request->command = line_command::write_back;
    c->request->line = line;
    c->request->start = now;
    c->transport();
}

} // namespace hv
