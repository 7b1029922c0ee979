// SPDX-License-Identifier: MIT
//
// A core as a SystemC process and TLM-2.0 initiator.
//
// The core runs ahead in C on what is its own (temporal decoupling). A lone core has nobody to share with: it keeps
// the direct port that the machine was built with and joins the kernel's time once a slice. With several initiators
// its port is replaced by one that joins the kernel's time before each access to the shared memory system: exactly
// (timing.sync exact: the global quantum is zero), or once a quantum.
//
#ifndef HV_SYSC_CORE_MODULE_HPP
#define HV_SYSC_CORE_MODULE_HPP

#include "sysc/line_request.hpp"

namespace hv {

class core_module : public sc_core::sc_module {
public:
    tlm_utils::simple_initiator_socket<core_module> memory;

    core_module(sc_core::sc_module_name name, struct run *whole, unsigned number);

private:
    // The functions of struct mem_port; ctx is the module. They are called inside of execute().
    static struct mem_reply port_read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now);
    static void port_write_back(void *ctx, uint64_t line, hv_cycles now);

    void execute();
    bool is_lone_initiator();
    void join(hv_cycles now);
    struct mem_reply transport(hv_cycles now);

    struct run *run;
    struct machine_core *core;
    unsigned index;
    cycle_clock clock;
    tlm_utils::tlm_quantumkeeper keeper;
    tlm::tlm_generic_payload payload;
    line_request *request; // the payload's extension, which it owns
};

} // namespace hv

#endif
