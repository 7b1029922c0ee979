// SPDX-License-Identifier: MIT
//
// The shared memory system as a TLM-2.0 target: the C model of last-level cache and DRAM, and the bytes by DMI.
//
#ifndef HV_SYSC_MEMORY_MODULE_HPP
#define HV_SYSC_MEMORY_MODULE_HPP

#include "sysc/line_request.hpp"

namespace hv {

class memory_module : public sc_core::sc_module {
public:
    tlm_utils::simple_target_socket<memory_module> bus;

    memory_module(sc_core::sc_module_name name, struct machine *model);

private:
    void b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay);

    // Grants all of physical memory. A core that is granted it is the only initiator (the interconnect sees to that),
    // so it may also call the shared model directly: nobody is there whose accesses could come between.
    bool get_direct_mem_ptr(tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi);

    struct machine *machine;
    cycle_clock clock;
};

} // namespace hv

#endif
