// SPDX-License-Identifier: MIT
//
// What a transaction between a core and the shared memory system is about: a cache line, for a C model that keeps
// tags and time. The bytes themselves are reached by DMI, so the generic payload is told to move none.
//
// Times are cycles and travel with the request: a core that executes out of order asks for times that the kernel, which
// never goes back, may have passed already.
//
#ifndef HV_SYSC_LINE_REQUEST_HPP
#define HV_SYSC_LINE_REQUEST_HPP

#include "sysc/sysc.hpp"

namespace hv {

// Of the sockets; a convention, as no data pass through them.
constexpr unsigned BUS_BITS = 32;

enum class line_command { read, write_back };

struct line_request : tlm::tlm_extension<line_request> {
    line_command command = line_command::read;
    uint64_t line = 0;
    enum cache_user user = CACHE_DEMAND;
    hv_cycles start = 0;
    hv_cycles done = 0; // the answer to a read: when the line is there
    enum mem_level level = MEM_LLC; // the answer to a read: who had the line

    tlm::tlm_extension_base *clone() const override { return new line_request(*this); }
    void copy_from(const tlm::tlm_extension_base &other) override { *this = static_cast<const line_request &>(other); }
};

} // namespace hv

#endif
