// SPDX-License-Identifier: MIT
//
// A core, or the IOMMU's side towards memory, as a TLM-2.0 initiator: what it wants of the shared memory system becomes a
// transaction.
//
// A lone core, and several with timing.sync quantum, call the shared model directly instead; which of the two is the
// machine's choice (machine/run.h).
//
#ifndef HV_SYSC_LINE_INITIATOR_HPP
#define HV_SYSC_LINE_INITIATOR_HPP

#include "sysc/line_request.hpp"

namespace hv {

class line_initiator : public sc_core::sc_module {
public:
    tlm_utils::simple_initiator_socket<line_initiator> memory;

    explicit line_initiator(sc_core::sc_module_name name);

    // The port of the model in C: each call is a transaction.
    struct mem_port port();

    // The page walker of a core reads the bytes of page tables where they are: whether memory grants that.
    bool is_granted_bytes();

private:
    static struct mem_reply read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now);
    static void write_back(void *ctx, uint64_t line, hv_cycles now);
    void transport();

    tlm::tlm_generic_payload payload;
    line_request *request; // the payload's extension, which it owns
};

} // namespace hv

#endif
