/* SPDX-License-Identifier: MIT */
#include "rig.h"

struct hv_machine *rig_machine(void)
{
    char error[HV_ERROR_BYTES] = "";
    const char *settings[] = {"machine.memory=64MiB", "machine.cores=2", NULL};
    struct hv_machine *m = hv_machine_new(NULL, settings, error);
    if (m == NULL) {
        fail_msg("%s", error);
    }
    return m;
}

void rig_init(struct rig *r)
{
    r->machine = rig_machine();
    r->cpu = hv_machine_cpu(r->machine, 0);
    r->vm = hv_vm_new(r->machine);
    assert_non_null(r->vm);
    assert_true(hv_vm_map(r->vm, 0, RIG_MEMORY, HV_PROT_ALL));
    assert_true(hv_vm_map_linear(r->vm, 0, 0, RIG_MEMORY));
    r->vcpu = hv_vcpu_new(r->vm, r->cpu);
    assert_non_null(r->vcpu);
}

void rig_fini(struct rig *r)
{
    hv_vm_free(r->vm);
    hv_machine_free(r->machine);
}

void rig_program(struct rig *r, const struct hv_operation *operations, size_t count)
{
    assert_true(hv_vcpu_program(r->vcpu, RIG_CODE, operations, count));
    hv_vcpu_set(r->vcpu, HV_RIP, RIG_CODE);
}

struct hv_vm_exit rig_expect(struct rig *r, enum hv_exit_reason reason)
{
    struct hv_vm_exit exit;
    enum hv_end end = hv_vcpu_run(r->vcpu, &exit);
    if (end != HV_EXITED || exit.reason != (uint32_t)reason) {
        fail_msg("%s, exit %s, error %u", hv_end_names[end], hv_exit_name(exit.reason), hv_vmx_error(r->cpu));
    }
    return exit;
}
