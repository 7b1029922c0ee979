// SPDX-License-Identifier: MIT
//
// The interconnect: any number of initiators, one memory system. It has no time of its own; arbitration is the order
// in which the kernel lets initiators call.
//
#ifndef HV_SYSC_INTERCONNECT_HPP
#define HV_SYSC_INTERCONNECT_HPP

#include "sysc/sysc.hpp"

namespace hv {

class interconnect : public sc_core::sc_module {
public:
    tlm_utils::multi_passthrough_target_socket<interconnect> initiators;
    tlm_utils::simple_initiator_socket<interconnect> memory;

    explicit interconnect(sc_core::sc_module_name name) : sc_module(name), initiators("initiators"), memory("memory")
    {
        initiators.register_b_transport(this, &interconnect::b_transport);
        initiators.register_get_direct_mem_ptr(this, &interconnect::get_direct_mem_ptr);
    }

private:
    void b_transport(int, tlm::tlm_generic_payload &payload, sc_core::sc_time &delay)
    {
        memory->b_transport(payload, delay);
    }

    // Going around the interconnect is for a lone initiator only: the accesses of several have an order to keep.
    bool get_direct_mem_ptr(int, tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi)
    {
        return initiators.size() == 1 && memory->get_direct_mem_ptr(payload, dmi);
    }
};

} // namespace hv

#endif
