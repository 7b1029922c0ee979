// SPDX-License-Identifier: MIT
//
// The IOMMU between devices and the interconnect: a TLM-2.0 target of what devices request, and an initiator of the
// lines of memory that it reads and writes for them and for its own walks.
//
#ifndef HV_SYSC_IOMMU_MODULE_HPP
#define HV_SYSC_IOMMU_MODULE_HPP

#include "sysc/device_request.hpp"
#include "sysc/line_initiator.hpp"

namespace hv {

class iommu_module : public line_initiator, private tlm::tlm_fw_transport_if<> {
public:
    tlm::tlm_target_socket<BUS_BITS> devices;

    iommu_module(sc_core::sc_module_name name, const struct machine_io *io);

private:
    void b_transport(tlm::tlm_generic_payload &requested, sc_core::sc_time &delay) override;

    // No device asks phase by phase, or for direct access: it could not be taken back when a mapping changes.
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload &requested, tlm::tlm_phase &,
                                       sc_core::sc_time &) override;
    bool get_direct_mem_ptr(tlm::tlm_generic_payload &, tlm::tlm_dmi &) override { return false; }
    unsigned transport_dbg(tlm::tlm_generic_payload &) override { return 0; }

    const struct dev_port *root;
};

} // namespace hv

#endif
