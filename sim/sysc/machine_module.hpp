// SPDX-License-Identifier: MIT
//
// A machine: its cores, devices and the IOMMU, the interconnect and memory, bound to each other, and the process that lets the cores run.
//
// All cores are one process of the kernel. A wait() costs tens of nanoseconds, and exactly ordered cores take turns at
// every other cache miss, so that goes on in C (machine/turns.h), ahead of the kernel's time (temporal decoupling);
// once a slice of the run the kernel's time catches up with the core that is behind all others.
//
#ifndef HV_SYSC_MACHINE_MODULE_HPP
#define HV_SYSC_MACHINE_MODULE_HPP

#include <memory>
#include <vector>

#include "sysc/device_module.hpp"
#include "sysc/interconnect.hpp"
#include "sysc/iommu_module.hpp"
#include "sysc/memory_module.hpp"

namespace hv {

class machine_module : public sc_core::sc_module {
public:
    machine_module(sc_core::sc_module_name name, struct run *whole);

private:
    void execute();
    void connect();
    void catch_up();

    struct run *run;
    cycle_clock clock;
    interconnect bus;
    memory_module memory;
    std::vector<std::unique_ptr<line_initiator>> cores;
    std::unique_ptr<device_module> device; // of a machine with devices, as the IOMMU is
    std::unique_ptr<iommu_module> iommu;
};

} // namespace hv

#endif
