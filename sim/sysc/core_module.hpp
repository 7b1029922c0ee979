// SPDX-License-Identifier: MIT
//
// A core as a SystemC process and TLM-2.0 initiator.
//
// The core runs ahead in C on what is its own (temporal decoupling). A lone core has nobody to share with: it keeps
// the direct port that the machine was built with and joins the kernel's time once a slice. Of several, each joins
// global time before every access to the shared memory system (timing.sync exact), or at the end of each quantum.
//
// A wait() costs tens of nanoseconds, so it is made only when the order of cores changes hands: a core that is still
// before all the others, which sleep, goes on (machine/order.h).
//
#ifndef HV_SYSC_CORE_MODULE_HPP
#define HV_SYSC_CORE_MODULE_HPP

#include <vector>

#include "sysc/line_request.hpp"

namespace hv {

class core_module;

// Where the cores of a machine meet.
struct meeting {
    struct order order;
    std::vector<core_module *> modules; // by number
    sc_core::sc_event warm; // every core has done its warm-up
};

class core_module : public sc_core::sc_module {
public:
    tlm_utils::simple_initiator_socket<core_module> memory;

    core_module(sc_core::sc_module_name name, struct run *whole, meeting *shared, unsigned number);

private:
    // The functions of struct mem_port; ctx is the module. They are called inside of execute().
    static struct mem_reply port_read(void *ctx, uint64_t line, enum cache_user user, hv_cycles now);
    static void port_write_back(void *ctx, uint64_t line, hv_cycles now);

    void execute();
    bool is_lone_initiator();
    void connect();
    void set_limit();
    void start_when_warm();
    void sleep(hv_cycles until);
    void join(hv_cycles now);
    static void join_from_c(void *ctx, hv_cycles now);
    void transport();
    hv_cycles perform();
    static hv_cycles perform_for(void *ctx, unsigned core);

    struct run *run;
    struct machine_core *core;
    meeting *others;
    unsigned index;
    cycle_clock clock;
    bool exact;    // several cores, and their shared accesses in the order of time
    bool in_order; // the core waits for what it reads
    tlm::tlm_generic_payload payload;
    line_request *request; // the payload's extension, which it owns
};

} // namespace hv

#endif
