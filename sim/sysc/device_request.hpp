// SPDX-License-Identifier: MIT
//
// What a transaction of a device is about: one of the requests that a root port takes (dev/dev.h). The model in C has
// made the request and gets the answer; nothing here looks into either.
//
#ifndef HV_SYSC_DEVICE_REQUEST_HPP
#define HV_SYSC_DEVICE_REQUEST_HPP

#include "sysc/sysc.hpp"

namespace hv {

enum class device_command { dma, interrupt, translation, page_request };

// The one that the command names is set. Times are cycles and travel with the request, as in line_request.hpp.
struct device_request : tlm::tlm_extension<device_request> {
    device_command command = device_command::dma;
    hv_cycles start = 0;
    const struct dev_dma *dma = nullptr;
    struct dev_done dma_done = {};
    uint16_t source = 0; // of an interrupt, whose address is the transaction's
    uint32_t data = 0;
    const struct dev_translation_request *translation = nullptr;
    struct dev_translation translation_done = {};
    const struct dev_page_request *page_request = nullptr;

    tlm::tlm_extension_base *clone() const override { return new device_request(*this); }
    void copy_from(const tlm::tlm_extension_base &other) override
    {
        *this = static_cast<const device_request &>(other);
    }
};

} // namespace hv

#endif
