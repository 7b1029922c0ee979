// SPDX-License-Identifier: MIT
//
// A recording of activity as signals, which SystemC's own tracing writes into a VCD file.
//
// The signals are played after the run, when all is known: a core runs ahead of the kernel's time, and one that
// executes out of order finds walks that began before others it has told of already, but no kernel goes back in time.
//
#ifndef HV_SYSC_WAVE_MODULE_HPP
#define HV_SYSC_WAVE_MODULE_HPP

#include <memory>
#include <vector>

#include "sysc/sysc.hpp"

namespace hv {

class wave_module : public sc_core::sc_module {
public:
    wave_module(sc_core::sc_module_name name, const struct run *run);

    // Opens the file and lets play() begin with the next sc_start(), which ends when it has been played.
    void begin(struct wave_file *file);
    void end(struct wave_file *file);

private:
    // From a time on, a signal is so much more.
    struct change {
        hv_cycles at;
        size_t signal;
        int64_t by;
    };

    void collect();
    void play();

    const struct run *run;
    cycle_clock clock;
    std::vector<change> changes;
    size_t next = 0; // of them
    std::vector<int64_t> values;
    std::vector<std::unique_ptr<sc_core::sc_signal<unsigned>>> signals; // by core, then as in wave_module.cpp
    sc_core::sc_signal<sc_dt::uint64> cycle;
    sc_core::sc_event ready;
    sc_core::sc_trace_file *trace = nullptr;
};

} // namespace hv

#endif
