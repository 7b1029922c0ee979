// SPDX-License-Identifier: MIT
//
// The interconnect: any number of initiators, one memory system. It has no time of its own; arbitration is the order
// in which initiators call.
//
// Its sockets, and the memory's, are bound without the convenience sockets of tlm_utils, whose layers of callbacks cost
// several times what the model does for a line.
//
#ifndef HV_SYSC_INTERCONNECT_HPP
#define HV_SYSC_INTERCONNECT_HPP

#include "sysc/line_request.hpp"

namespace hv {

class interconnect : public sc_core::sc_module, private tlm::tlm_fw_transport_if<>, private tlm::tlm_bw_transport_if<> {
public:
    tlm::tlm_target_socket<BUS_BITS, tlm::tlm_base_protocol_types, 0> initiators;
    tlm::tlm_initiator_socket<BUS_BITS> memory;

    explicit interconnect(sc_core::sc_module_name name) : sc_module(name), initiators("initiators"), memory("memory")
    {
        initiators.bind(*this);
        memory.bind(*this);
    }

private:
    void b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) override
    {
        memory->b_transport(payload, delay);
    }

    bool get_direct_mem_ptr(tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi) override
    {
        return memory->get_direct_mem_ptr(payload, dmi);
    }

    unsigned transport_dbg(tlm::tlm_generic_payload &payload) override { return memory->transport_dbg(payload); }

    // No initiator here asks phase by phase, and what was granted stays granted.
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload &payload, tlm::tlm_phase &phase,
                                       sc_core::sc_time &delay) override
    {
        return memory->nb_transport_fw(payload, phase, delay);
    }
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload &, tlm::tlm_phase &, sc_core::sc_time &) override
    {
        return tlm::TLM_COMPLETED;
    }
    void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
};

} // namespace hv

#endif
