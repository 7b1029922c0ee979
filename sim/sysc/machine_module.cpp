// SPDX-License-Identifier: MIT
#include "sysc/machine_module.hpp"

#include <string>

namespace hv {

// The kernel's 64 KiB are too few for a slice of a lone core, which decodes a batch of the stream and draws progress,
// let alone with sanitizers. Above 2 MB valgrind knows a switch of stacks for what it is. What is not touched costs
// nothing.
static constexpr size_t STACK_BYTES = 4 << 20;

machine_module::machine_module(sc_core::sc_module_name name, struct run *whole)
    : sc_module(name), run(whole), clock(whole->machine->params.machine.clock_mhz),
      bus("interconnect"), memory("memory", whole->machine)
{
    bus.memory.bind(memory.bus);
    for (unsigned i = 0; i < whole->machine->params.machine.cores; i++) {
        cores.push_back(std::make_unique<line_initiator>(("core" + std::to_string(i)).c_str()));
        cores.back()->memory.bind(bus.initiators);
    }
    if (whole->machine->io != nullptr) {
        device = std::make_unique<device_module>("device");
        iommu = std::make_unique<iommu_module>("iommu", whole->machine->io);
        device->iommu.bind(iommu->devices);
        iommu->memory.bind(bus.initiators);
    }
    SC_HAS_PROCESS(machine_module);
    SC_THREAD(execute);
    set_stack_size(STACK_BYTES);
}

void machine_module::connect()
{
    for (unsigned i = 0; i < cores.size(); i++) {
        HV_ASSERT(cores[i]->is_granted_bytes(), "memory grants core %u no direct access", i);
        const struct mem_port port = cores[i]->port();
        run_connect(run, i, &port);
    }
    if (device != nullptr) {
        const struct dev_port port = device->port();
        const struct mem_port memory_port = iommu->port();
        io_connect(run->machine->io, &port, &memory_port);
    }
}

void machine_module::execute()
{
    connect();
    while (run_step(run)) {
        catch_up();
    }
}

void machine_module::catch_up()
{
    const sc_core::sc_time present = sc_core::sc_time_stamp(), target = clock.time_of(run_reached(run));
    if (target > present) {
        wait(target - present);
    }
}

} // namespace hv
