// SPDX-License-Identifier: MIT
#include "sysc/sysc_run.h"

#include <cstdlib>
#include <memory>

#ifdef __SANITIZE_ADDRESS__
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

#include "sysc/machine_module.hpp"
#include "sysc/wave_module.hpp"

namespace {

// The kernel calls sc_main() itself and hands it a command line only, so the run waits here. It is written once,
// before the kernel starts: no state of a simulation.
struct {
    struct run *run;
    struct wave_file *waves; // or nullptr
} handed_over;

void simulate(struct run *run, struct wave_file *waves)
{
    std::unique_ptr<hv::wave_module> wave;
    if (waves != nullptr) {
        wave = std::make_unique<hv::wave_module>("wave", run);
    }
    hv::machine_module machine("machine", run);
    sc_core::sc_start();
    run_end_measuring(run);
    if (waves != nullptr) {
        wave->begin(waves);
        sc_core::sc_start();
        wave->end(waves);
    }
}

// The kernel tells the address sanitizer which of its stacks it goes to, but not that it has come back to the program's.
void tell_stack()
{
#ifdef __SANITIZE_ADDRESS__
    pthread_attr_t attributes;
    void *bottom = nullptr;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &bottom, &bytes);
        pthread_attr_destroy(&attributes);
        __sanitizer_start_switch_fiber(nullptr, bottom, bytes);
        __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
    }
#endif
}

} // namespace

// Called by sc_elab_and_sim(): elaborates the machine and simulates until no process has anything left to do.
int sc_main(int, char **)
{
    try {
        sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
        simulate(handed_over.run, handed_over.waves);
    } catch (const std::exception &error) {
        HV_ASSERT(false, "SystemC: %s", error.what()); // nothing may be thrown into C
    }
    return 0;
}

void sysc_run(struct run *r, struct wave_file *waves)
{
    HV_ASSERT(handed_over.run == nullptr, "the kernel can be elaborated once only");
    handed_over = {r, waves};
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    char name[] = "hvsim";
    char *arguments[] = {name, nullptr};
    const int status = sc_core::sc_elab_and_sim(1, arguments);
    tell_stack();
    HV_ASSERT(status == 0, "SystemC ended with status %d", status);
    HV_ASSERT(r->end != RUN_GOING, "no process has anything left to do, but the run is not over");
}
