// SPDX-License-Identifier: MIT
//
// The one place that includes SystemC and TLM-2.0, and the machine's C headers as C++ sees them.
//
#ifndef HV_SYSC_SYSC_HPP
#define HV_SYSC_SYSC_HPP

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

// C11 keywords that the C headers use and C++ spells otherwise.
#define _Noreturn [[noreturn]]
#define _Static_assert static_assert

// The C headers are C, and have been judged as such: g++ warns of more (an enumerator beside an integer in ?:).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow" // a function may be called as a struct is
extern "C" {
#include "machine/io.h"
#include "machine/run.h"
#include "machine/wave_file.h"
}
#pragma GCC diagnostic pop

namespace hv {

// Cycles of the core clock in the kernel's time, which counts whole picoseconds. A cycle is at least ten of them, so
// rounding to the nearest one gives back the same cycle, also where a period is no whole number (3 GHz).
class cycle_clock {
public:
    explicit cycle_clock(uint64_t clock_mhz) : mhz(clock_mhz) {}

    sc_core::sc_time time_of(hv_cycles cycles) const
    {
        return sc_core::sc_time::from_value(scale(cycles, PICOSECONDS_PER_MICROSECOND, mhz));
    }

    hv_cycles cycles_of(const sc_core::sc_time &time) const
    {
        return scale(time.value(), mhz, PICOSECONDS_PER_MICROSECOND);
    }

private:
    static constexpr uint64_t PICOSECONDS_PER_MICROSECOND = 1000000;

    static uint64_t scale(uint64_t value, uint64_t by, uint64_t over)
    {
        if (value < UINT64_MAX / PICOSECONDS_PER_MICROSECOND) { // a latency: no need for the long division
            return (value * by + over / 2) / over;
        }
        return static_cast<uint64_t>((static_cast<unsigned __int128>(value) * by + over / 2) / over);
    }

    uint64_t mhz;
};

} // namespace hv

#endif
