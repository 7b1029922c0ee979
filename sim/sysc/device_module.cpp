// SPDX-License-Identifier: MIT
#include "sysc/device_module.hpp"

namespace hv {

device_module::device_module(sc_core::sc_module_name name) : sc_module(name), iommu("iommu"), request(new device_request)
{
    payload.set_extension(request);
    payload.set_command(tlm::TLM_IGNORE_COMMAND);
}

struct dev_port device_module::port()
{
    return {dma, interrupt, translate, request_page, this};
}

void device_module::transport(device_command command, uint64_t address, hv_cycles now)
{
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    request->command = command;
    request->start = now;
    payload.set_address(address);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    iommu->b_transport(payload, delay);
    HV_ASSERT(payload.is_response_ok(), "the IOMMU answered %s", payload.get_response_string().c_str());
}

struct dev_done device_module::dma(void *ctx, const struct dev_dma *d, hv_cycles now)
{
    device_module *m = static_cast<device_module *>(ctx);
    m->request->dma = d;
    m->transport(device_command::dma, d->address, now);
    return m->request->dma_done;
}

void device_module::interrupt(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now)
{
    device_module *m = static_cast<device_module *>(ctx);
    m->request->source = source;
    m->request->data = data;
    m->transport(device_command::interrupt, address, now);
}

struct dev_translation device_module::translate(void *ctx, const struct dev_translation_request *r, hv_cycles now)
{
    device_module *m = static_cast<device_module *>(ctx);
    m->request->translation = r;
    m->transport(device_command::translation, r->address, now);
    return m->request->translation_done;
}

void device_module::request_page(void *ctx, const struct dev_page_request *r, hv_cycles now)
{
    device_module *m = static_cast<device_module *>(ctx);
    m->request->page_request = r;
    m->transport(device_command::page_request, r->address, now);
}

} // namespace hv
