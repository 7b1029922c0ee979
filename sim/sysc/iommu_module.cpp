// SPDX-License-Identifier: MIT
#include "sysc/iommu_module.hpp"

namespace hv {

iommu_module::iommu_module(sc_core::sc_module_name name, const struct machine_io *io)
    : line_initiator(name), devices("devices"), root(io_root_port(io))
{
    devices.bind(*this);
}

void iommu_module::b_transport(tlm::tlm_generic_payload &requested, sc_core::sc_time &)
{
    device_request *r = requested.get_extension<device_request>();
    if (r == nullptr) {
        requested.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
        return;
    }
    switch (r->command) {
    case device_command::dma:
        r->dma_done = root->dma(root->ctx, r->dma, r->start);
        break;
    case device_command::interrupt:
        root->interrupt(root->ctx, r->source, requested.get_address(), r->data, r->start);
        break;
    case device_command::translation:
        r->translation_done = root->translate(root->ctx, r->translation, r->start);
        break;
    case device_command::page_request:
        root->request_page(root->ctx, r->page_request, r->start);
        break;
    }
    requested.set_response_status(tlm::TLM_OK_RESPONSE);
}

tlm::tlm_sync_enum iommu_module::nb_transport_fw(tlm::tlm_generic_payload &requested, tlm::tlm_phase &,
                                                 sc_core::sc_time &)
{
    requested.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return tlm::TLM_COMPLETED;
}

} // namespace hv
