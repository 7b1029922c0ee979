// SPDX-License-Identifier: MIT
//
// The shared memory system as a TLM-2.0 target: the C model of last-level cache and DRAM, and the bytes by DMI.
//
#ifndef HV_SYSC_MEMORY_MODULE_HPP
#define HV_SYSC_MEMORY_MODULE_HPP

#include "sysc/line_request.hpp"

namespace hv {

class memory_module : public sc_core::sc_module, private tlm::tlm_fw_transport_if<> {
public:
    tlm::tlm_target_socket<BUS_BITS> bus; // a raw socket: see interconnect.hpp

    memory_module(sc_core::sc_module_name name, struct machine *model);

private:
    void b_transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &delay) override;
    bool get_direct_mem_ptr(tlm::tlm_generic_payload &payload, tlm::tlm_dmi &dmi) override;

    // No initiator here asks phase by phase, or reads memory for debugging.
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload &payload, tlm::tlm_phase &,
                                       sc_core::sc_time &) override;
    unsigned transport_dbg(tlm::tlm_generic_payload &) override { return 0; }

    struct machine *machine;
    cycle_clock clock;
};

} // namespace hv

#endif
