// SPDX-License-Identifier: MIT
//
// A device as a TLM-2.0 initiator: each DMA, interrupt, translation request and page request is a transaction to the
// IOMMU.
//
#ifndef HV_SYSC_DEVICE_MODULE_HPP
#define HV_SYSC_DEVICE_MODULE_HPP

#include "sysc/device_request.hpp"
#include "sysc/line_request.hpp"

namespace hv {

class device_module : public sc_core::sc_module {
public:
    tlm_utils::simple_initiator_socket<device_module> iommu;

    explicit device_module(sc_core::sc_module_name name);

    // What the device in C is plugged into: each call is a transaction.
    struct dev_port port();

private:
    static struct dev_done dma(void *ctx, const struct dev_dma *d, hv_cycles now);
    static void interrupt(void *ctx, uint16_t source, uint64_t address, uint32_t data, hv_cycles now);
    static struct dev_translation translate(void *ctx, const struct dev_translation_request *r, hv_cycles now);
    static void request_page(void *ctx, const struct dev_page_request *r, hv_cycles now);
    void transport(device_command command, uint64_t address, hv_cycles now);

    tlm::tlm_generic_payload payload;
    device_request *request; // the payload's extension, which it owns
};

} // namespace hv

#endif
