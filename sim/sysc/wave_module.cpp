// SPDX-License-Identifier: MIT
#include "sysc/wave_module.hpp"

#include <algorithm>
#include <string>

namespace hv {

namespace {

// The signals of a core. A process or virtual processor is its number; everything else counts what is under way.
enum signal { WALKERS_BUSY, WALK_QUEUE, MISSES, MODE, PROCESS, VCPU, SIGNALS };

// Those of the devices together, behind the last core's.
enum device_signal { TRANSFERS, INTERRUPTS, DEVICE_SIGNALS };

struct signal_row {
    const char *name;
    int bits;
};

const signal_row rows[SIGNALS] = {
    {"walkers_busy", 8}, {"walk_queue", 16}, {"misses", 16}, {"mode", 2}, {"process", 32}, {"vcpu", 32},
};

const signal_row device_rows[DEVICE_SIGNALS] = {{"transfers", 16}, {"interrupts", 16}};

// What a span of a track adds to which signal while it lasts.
struct meaning {
    int to; // a signal, or of devices a device_signal
    int by;
};

meaning meaning_of(const struct activity_span &span)
{
    switch (static_cast<enum activity_track>(span.track)) {
    case ACTIVITY_PROCESS: return {PROCESS, static_cast<int>(span.number)};
    case ACTIVITY_VCPU: return {VCPU, static_cast<int>(span.number)};
    case ACTIVITY_SYSTEM: return {MODE, 1};
    case ACTIVITY_HYPERVISOR: return {MODE, 2};
    case ACTIVITY_INTERRUPT: return {MODE, 3};
    case ACTIVITY_QUEUE: return {WALK_QUEUE, 1};
    case ACTIVITY_WALK: return {WALKERS_BUSY, 1};
    case ACTIVITY_MISS: return {MISSES, 1};
    case ACTIVITY_DMA:
    case ACTIVITY_TRACKS: break;
    }
    HV_ASSERT(false, "no signal shows track %d", span.track);
}

} // namespace

wave_module::wave_module(sc_core::sc_module_name name, const struct run *whole)
    : sc_module(name), run(whole), clock(whole->machine->params.machine.clock_mhz), cycle("cycle")
{
    const size_t devices = whole->machine->io != nullptr ? DEVICE_SIGNALS : 0;
    for (size_t i = 0; i < whole->machine->params.machine.cores * SIGNALS + devices; i++) {
        signals.push_back(std::make_unique<sc_core::sc_signal<unsigned>>(sc_core::sc_gen_unique_name("signal")));
    }
    SC_HAS_PROCESS(wave_module);
    SC_METHOD(play);
    sensitive << ready;
    dont_initialize();
}

void wave_module::begin(struct wave_file *file)
{
    collect();
    values.assign(signals.size(), 0);
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING); // it would go to stdout
    trace = sc_core::sc_create_vcd_trace_file(wave_file_stem(file));
    trace->set_time_unit(1, sc_core::SC_PS);
    sc_core::sc_trace(trace, cycle, "cycle", 64);
    const size_t of_cores = run->machine->params.machine.cores * SIGNALS;
    for (size_t i = 0; i < of_cores; i++) {
        const signal_row &row = rows[i % SIGNALS];
        sc_core::sc_trace(trace, *signals[i], "core" + std::to_string(i / SIGNALS) + "." + row.name, row.bits);
    }
    for (size_t i = of_cores; i < signals.size(); i++) {
        const signal_row &row = device_rows[i - of_cores];
        sc_core::sc_trace(trace, *signals[i], std::string("devices.") + row.name, row.bits);
    }
    file->begin = sc_core::sc_time_stamp().value();
    ready.notify(sc_core::SC_ZERO_TIME);
}

void wave_module::end(struct wave_file *file)
{
    sc_core::sc_close_vcd_trace_file(trace);
    file->end = sc_core::sc_time_stamp().value();
}

// Two changes for each span, in the order of time, and one of nothing at the beginning and at the end.
void wave_module::collect()
{
    const struct activity *activity = run->options.activity;
    hv_cycles end = activity->end;
    changes.reserve(2 * activity->count + 2);
    for (size_t i = 0; i < activity->count; i++) {
        const struct activity_span &span = activity->spans[i];
        const bool is_device = span.core == run->machine->params.machine.cores;
        const meaning m = is_device ? meaning{span.track == ACTIVITY_DMA ? TRANSFERS : INTERRUPTS, 1} : meaning_of(span);
        const size_t signal = span.core * size_t{SIGNALS} + m.to;
        changes.push_back({span.start, signal, m.by});
        changes.push_back({span.start + span.cycles, signal, -m.by});
        end = std::max(end, span.start + span.cycles);
    }
    changes.push_back({0, 0, 0});
    changes.push_back({end, 0, 0});
    std::sort(changes.begin(), changes.end(), [](const change &a, const change &b) { return a.at < b.at; });
}

// Makes the changes of the present time, and comes back for the next. After the last it comes back once more, as
// SystemC writes what happens at a time when that is over.
void wave_module::play()
{
    if (next == changes.size()) {
        return;
    }
    const hv_cycles now = changes[next].at;
    for (; next < changes.size() && changes[next].at == now; next++) {
        int64_t &value = values[changes[next].signal];
        value += changes[next].by;
        signals[changes[next].signal]->write(static_cast<unsigned>(value));
    }
    cycle.write(now);
    next_trigger(next < changes.size() ? clock.time_of(changes[next].at) - clock.time_of(now)
                                       : sc_core::sc_get_time_resolution());
}

} // namespace hv
