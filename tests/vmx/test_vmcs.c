/* SPDX-License-Identifier: MIT */
/* VMCS fields and their region in memory, and what the capability MSRs say of processors with and without features. */
#include "gtest.h"

#include <stdio.h>
#include <string.h>

#include "cpu/vmx/vmcs.h"
#include "cpu/vmx/vmx_caps.h"

enum { MEMORY_BYTES = 1 << 20, REGION = 0x5000 };

/* ---- Encodings ---- */

/* From the tables of SDM Vol. 3D appendix B: at least the first and the last of each. */
struct known_field {
    const char *name;
    uint32_t encoding;
    enum vmcs_width width;
    enum vmcs_type type;
};

static const struct known_field known_fields[] = {
    {"vpid", 0x0000, VMCS_16_BITS, VMCS_CONTROL},
    {"last_pid_pointer_index", 0x0008, VMCS_16_BITS, VMCS_CONTROL},
    {"guest_es_selector", 0x0800, VMCS_16_BITS, VMCS_GUEST},
    {"guest_tr_selector", 0x080e, VMCS_16_BITS, VMCS_GUEST},
    {"guest_uinv", 0x0814, VMCS_16_BITS, VMCS_GUEST},
    {"host_es_selector", 0x0c00, VMCS_16_BITS, VMCS_HOST},
    {"host_tr_selector", 0x0c0c, VMCS_16_BITS, VMCS_HOST},
    {"io_bitmap_a", 0x2000, VMCS_64_BITS, VMCS_CONTROL},
    {"eptp", 0x201a, VMCS_64_BITS, VMCS_CONTROL},
    {"tertiary_controls", 0x2034, VMCS_64_BITS, VMCS_CONTROL},
    {"pid_pointer_table_address", 0x2042, VMCS_64_BITS, VMCS_CONTROL},
    {"injected_event_data", 0x2052, VMCS_64_BITS, VMCS_CONTROL},
    {"guest_physical_address", 0x2400, VMCS_64_BITS, VMCS_READ_ONLY},
    {"msr_data", 0x2402, VMCS_64_BITS, VMCS_READ_ONLY},
    {"vmcs_link_pointer", 0x2800, VMCS_64_BITS, VMCS_GUEST},
    {"guest_efer", 0x2806, VMCS_64_BITS, VMCS_GUEST},
    {"guest_fred_ssp3", 0x2828, VMCS_64_BITS, VMCS_GUEST},
    {"host_pat", 0x2c00, VMCS_64_BITS, VMCS_HOST},
    {"host_pkrs", 0x2c06, VMCS_64_BITS, VMCS_HOST},
    {"host_fred_ssp3", 0x2c16, VMCS_64_BITS, VMCS_HOST},
    {"pin_based_controls", 0x4000, VMCS_32_BITS, VMCS_CONTROL},
    {"primary_controls", 0x4002, VMCS_32_BITS, VMCS_CONTROL},
    {"exit_controls", 0x400c, VMCS_32_BITS, VMCS_CONTROL},
    {"entry_controls", 0x4012, VMCS_32_BITS, VMCS_CONTROL},
    {"entry_interruption_information", 0x4016, VMCS_32_BITS, VMCS_CONTROL},
    {"secondary_controls", 0x401e, VMCS_32_BITS, VMCS_CONTROL},
    {"instruction_timeout_control", 0x4024, VMCS_32_BITS, VMCS_CONTROL},
    {"vm_instruction_error", 0x4400, VMCS_32_BITS, VMCS_READ_ONLY},
    {"exit_reason", 0x4402, VMCS_32_BITS, VMCS_READ_ONLY},
    {"exit_instruction_information", 0x440e, VMCS_32_BITS, VMCS_READ_ONLY},
    {"guest_es_limit", 0x4800, VMCS_32_BITS, VMCS_GUEST},
    {"guest_tr_access_rights", 0x4822, VMCS_32_BITS, VMCS_GUEST},
    {"vmx_preemption_timer_value", 0x482e, VMCS_32_BITS, VMCS_GUEST},
    {"host_sysenter_cs", 0x4c00, VMCS_32_BITS, VMCS_HOST},
    {"cr0_guest_host_mask", 0x6000, VMCS_NATURAL, VMCS_CONTROL},
    {"cr3_target_value_3", 0x600e, VMCS_NATURAL, VMCS_CONTROL},
    {"exit_qualification", 0x6400, VMCS_NATURAL, VMCS_READ_ONLY},
    {"guest_linear_address", 0x640a, VMCS_NATURAL, VMCS_READ_ONLY},
    {"guest_cr0", 0x6800, VMCS_NATURAL, VMCS_GUEST},
    {"guest_rip", 0x681e, VMCS_NATURAL, VMCS_GUEST},
    {"guest_interrupt_ssp_table", 0x682c, VMCS_NATURAL, VMCS_GUEST},
    {"host_cr0", 0x6c00, VMCS_NATURAL, VMCS_HOST},
    {"host_rip", 0x6c16, VMCS_NATURAL, VMCS_HOST},
    {"host_interrupt_ssp_table", 0x6c1c, VMCS_NATURAL, VMCS_HOST},
};

static void encodings_are_the_manuals(void **state)
{
    (void)state;
    for (size_t i = 0; i < HV_ARRAY_LEN(known_fields); i++) {
        const struct known_field *known = &known_fields[i];
        print_message("%s\n", known->name);
        int field = vmcs_field_find(known->encoding);
        assert_int_not_equal(field, VMCS_FIELD_NONE);
        assert_string_equal(vmcs_fields[field].name, known->name);
        assert_int_equal(vmcs_field_named(known->name), field);
        assert_int_equal(vmcs_encoding_width(known->encoding), known->width);
        assert_int_equal(vmcs_encoding_type(known->encoding), known->type);
    }
}

/* Finding an encoding relies on it, and appendix B has them so within each width and type. */
static void encodings_ascend(void **state)
{
    (void)state;
    for (int i = 1; i < VMCS_FIELDS; i++) {
        assert_true(vmcs_fields[i - 1].encoding < vmcs_fields[i].encoding);
        assert_int_equal(vmcs_fields[i].encoding & 1, 0);
    }
}

static void unknown_encodings_are_no_fields(void **state)
{
    (void)state;
    static const uint64_t unknown[] = {
        0x000a,      /* an index beyond the last */
        0x0001,      /* the high half of a 16-bit field */
        0x4001,      /* of a 32-bit field */
        0x6801,      /* of a field of natural width */
        0x482c,      /* a gap in the table */
        0x1000,      /* bit 12 is reserved */
        0x8000,      /* so is bit 15 */
        0x1681e,     /* and those above */
        UINT64_C(0x10000681e), UINT64_MAX,
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(unknown); i++) {
        assert_int_equal(vmcs_field_find(unknown[i]), VMCS_FIELD_NONE);
    }
    assert_int_equal(vmcs_field_named("guest_ripp"), VMCS_FIELD_NONE);
    assert_int_equal(vmcs_field_named(""), VMCS_FIELD_NONE);
}

/* The high half is the same field, of 64-bit fields only. */
static void high_halves_are_of_64_bit_fields(void **state)
{
    (void)state;
    for (int i = 0; i < VMCS_FIELDS; i++) {
        uint32_t high = vmcs_fields[i].encoding | 1;
        bool wide = vmcs_encoding_width(high) == VMCS_64_BITS;
        assert_int_equal(vmcs_field_find(high), wide ? i : VMCS_FIELD_NONE);
    }
}

/* ---- The region ---- */

static int make_region(void **state)
{
    static struct physmem memory;
    static struct vmcs v;
    struct hv_err err = {""};
    if (!physmem_init(&memory, MEMORY_BYTES, &err)) {
        return -1;
    }
    v = (struct vmcs){&memory, REGION};
    *state = &v;
    return 0;
}

static int drop_region(void **state)
{
    const struct vmcs *v = *state;
    physmem_fini(v->memory);
    return 0;
}

/* Each field keeps its own bits, no more than its width, and no field touches another or the header. */
static void fields_are_independent(void **state)
{
    const struct vmcs *v = *state;
    vmcs_set_revision(v, VMCS_REVISION | VMCS_SHADOW);
    vmcs_set_abort(v, 0x12345678);
    vmcs_set_launch_state(v, VMCS_LAUNCHED);
    for (int i = 0; i < VMCS_FIELDS; i++) {
        vmcs_set(v, (enum vmcs_index)i, UINT64_C(0xfedcba9876543210) + (uint64_t)i);
    }
    for (int i = 0; i < VMCS_FIELDS; i++) {
        static const uint64_t masks[] = {0xffff, UINT64_MAX, 0xffffffff, UINT64_MAX};
        uint64_t mask = masks[vmcs_fields[i].encoding >> 13];
        assert_int_equal(vmcs_get(v, (enum vmcs_index)i), (UINT64_C(0xfedcba9876543210) + (uint64_t)i) & mask);
    }
    assert_int_equal(vmcs_revision(v), VMCS_REVISION | VMCS_SHADOW);
    assert_int_equal(vmcs_launch_state(v), VMCS_LAUNCHED);
    assert_int_equal(physmem_read64(v->memory, (hv_hpa){REGION + 4}) >> 32, 0x12345678);
    assert_int_equal(physmem_read64(v->memory, (hv_hpa){REGION - 8}), 0);
    assert_int_equal(physmem_read64(v->memory, (hv_hpa){REGION + VMCS_REGION_BYTES}), 0);
}

static void high_accesses_reach_the_high_half(void **state)
{
    const struct vmcs *v = *state;
    vmcs_write(v, 0x201a, UINT64_C(0x1122334455667788));
    assert_int_equal(vmcs_read(v, 0x201a), UINT64_C(0x1122334455667788));
    assert_int_equal(vmcs_read(v, 0x201b), 0x11223344);
    vmcs_write(v, 0x201b, 0xaabbccdd);
    assert_int_equal(VMCS_GET(v, eptp), UINT64_C(0xaabbccdd55667788));
    vmcs_write(v, 0x201a, 1);
    assert_int_equal(vmcs_read(v, 0x201b), 0);
    vmcs_write(v, 0x4002, UINT64_C(0xffffffff12345678));
    assert_int_equal(vmcs_read(v, 0x4002), 0x12345678);
    vmcs_write(v, 0x0802, 0x54321);
    assert_int_equal(vmcs_read(v, 0x0802), 0x4321);
}

/* What software makes of the region by its own stores is no reason to fail. */
static void a_scribbled_launch_state_is_clear(void **state)
{
    const struct vmcs *v = *state;
    physmem_write64(v->memory, (hv_hpa){REGION + 8}, 0xdeadbeef);
    assert_int_equal(vmcs_launch_state(v), VMCS_CLEAR);
}

static void regions_are_aligned_and_in_memory(void **state)
{
    const struct vmcs *v = *state;
    assert_true(vmcs_region_valid(v->memory, 0, 46));
    assert_true(vmcs_region_valid(v->memory, MEMORY_BYTES - 4096, 46));
    assert_false(vmcs_region_valid(v->memory, MEMORY_BYTES, 46));
    assert_false(vmcs_region_valid(v->memory, 0x5800, 46));
    assert_false(vmcs_region_valid(v->memory, 0x80000, 19));
    assert_true(vmcs_region_valid(v->memory, 0x7f000, 19));
    assert_false(vmcs_region_valid(v->memory, UINT64_MAX, 52));
}

/* ---- Capabilities ---- */

static uint64_t msr(const struct vmx_caps *c, uint32_t index)
{
    uint64_t value = 0;
    print_message("MSR %#x\n", index);
    assert_true(vmx_caps_msr(c, index, &value));
    return value;
}

static struct vmx_caps all(void)
{
    struct vmx_caps c;
    vmx_caps_init(&c, 46, false);
    return c;
}

/* SDM Vol. 3D A.3 to A.5: a bit that has to be 1 may be 1, and the TRUE MSRs only let more bits be 0. */
static void what_must_be_may_be(void **state)
{
    (void)state;
    static const uint32_t pairs[][2] = {{0x481, 0x48d}, {0x482, 0x48e}, {0x483, 0x48f}, {0x484, 0x490}};
    struct vmx_caps c = all();
    for (size_t i = 0; i < HV_ARRAY_LEN(pairs); i++) {
        uint64_t old = msr(&c, pairs[i][0]), true_value = msr(&c, pairs[i][1]);
        assert_int_equal((old & UINT32_MAX) & ~(old >> 32), 0);
        assert_int_equal((true_value & UINT32_MAX) & ~(old & UINT32_MAX), 0);
        assert_int_equal(old >> 32, true_value >> 32);
    }
    assert_int_equal(msr(&c, 0x48b) & UINT32_MAX, 0);
}

/* The "default1" classes, and which of them the TRUE MSRs free, as every processor since Nehalem has them. */
static void default1_bits_are_the_manuals(void **state)
{
    (void)state;
    struct vmx_caps c = all();
    assert_int_equal(msr(&c, 0x481) & UINT32_MAX, 0x00000016);
    assert_int_equal(msr(&c, 0x482) & UINT32_MAX, 0x0401e172);
    assert_int_equal(msr(&c, 0x483) & UINT32_MAX, 0x00036dff);
    assert_int_equal(msr(&c, 0x484) & UINT32_MAX, 0x000011ff);
    assert_int_equal(msr(&c, 0x48d) & UINT32_MAX, 0x00000016);
    assert_int_equal(msr(&c, 0x48e) & UINT32_MAX, 0x04006172); /* CR3-load and CR3-store exiting are free */
    assert_int_equal(msr(&c, 0x48f) & UINT32_MAX, 0x00036dfb); /* save debug controls is */
    assert_int_equal(msr(&c, 0x490) & UINT32_MAX, 0x000011fb); /* load debug controls is */
}

static void capability_msrs_are_consistent(void **state)
{
    (void)state;
    struct vmx_caps c = all();
    uint64_t basic = msr(&c, 0x480);
    assert_int_equal(basic & 0xffffffff, VMCS_REVISION);
    assert_int_equal(basic >> 31 & 1, 0);
    assert_int_equal(basic >> 32 & 0x1fff, 4096);
    assert_int_equal(basic >> 50 & 15, 6); /* write-back */
    assert_int_equal(basic >> 54 & 3, 3);
    assert_int_equal(basic >> 57, 0);
    assert_int_equal(msr(&c, 0x485) >> 16 & 511, 4);
    assert_int_equal(msr(&c, 0x486), 0x80000021);
    assert_int_equal(msr(&c, 0x487), 0xffffffff);
    assert_int_equal(msr(&c, 0x488), 0x2000);
    assert_int_equal(msr(&c, 0x489), 0x3ff6fff);
    assert_int_equal(msr(&c, 0x48a), 0x29 << 1); /* 2052H has the highest index */
    assert_int_equal(msr(&c, 0x491), 1);
    struct vmx_caps with_la57;
    vmx_caps_init(&with_la57, 52, true);
    assert_int_equal(msr(&with_la57, 0x489), 0x3ff7fff);
    uint64_t value;
    assert_false(vmx_caps_msr(&c, 0x47f, &value));
    assert_false(vmx_caps_msr(&c, 0x494, &value));
}

/* The secondary VM-exit controls do not exist, and nothing says that they can be activated. */
static void secondary_exit_controls_are_not_offered(void **state)
{
    (void)state;
    struct vmx_caps c = all();
    uint64_t value;
    assert_false(vmx_caps_msr(&c, 0x493, &value));
    assert_int_equal(msr(&c, 0x48f) >> 63, 0);
}

/* A control of each word, its MSR, and the bit of the 1-settings there. */
struct known_control {
    const char *name;
    uint32_t msr;
    unsigned bit;
};

static const struct known_control known_controls[] = {
    {"pin.external_interrupt_exiting", 0x48d, 32 + 0},
    {"pin.process_posted_interrupts", 0x48d, 32 + 7},
    {"primary.interrupt_window_exiting", 0x48e, 32 + 2},
    {"primary.activate_secondary_controls", 0x48e, 32 + 31},
    {"secondary.unrestricted_guest", 0x48b, 32 + 7},
    {"secondary.enable_ept", 0x48b, 32 + 1},
    {"secondary.vmcs_shadowing", 0x48b, 32 + 14},
    {"tertiary.ipi_virtualization", 0x492, 4},
    {"exit.save_preemption_timer", 0x48f, 32 + 22},
    {"exit.conceal_vmx_from_pt", 0x48f, 32 + 24},
    {"entry.load_bndcfgs", 0x490, 32 + 16},
    {"entry.load_pkrs", 0x490, 32 + 22},
};

/* A processor without a control says so in one bit and in no other. */
static void a_control_can_be_missing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HV_ARRAY_LEN(known_controls); i++) {
        const struct known_control *known = &known_controls[i];
        struct vmx_caps c = all();
        struct hv_err err = {""};
        print_message("%s\n", known->name);
        uint64_t before = msr(&c, known->msr);
        assert_true(vmx_caps_without(&c, known->name, &err));
        assert_int_equal(before ^ msr(&c, known->msr), UINT64_C(1) << known->bit);
        assert_true(vmx_caps_without(&c, known->name, &err)); /* a second time changes nothing */
    }
}

/* SDM Vol. 3D A.3, A.10, A.11: these MSRs exist only where something needs them. */
static void msrs_go_with_their_controls(void **state)
{
    (void)state;
    struct hv_err err = {""};
    uint64_t value;
    struct vmx_caps c = all();
    assert_true(vmx_caps_msr(&c, 0x48c, &value));
    assert_true(vmx_caps_without(&c, "secondary.enable_ept", &err));
    assert_true(vmx_caps_msr(&c, 0x48c, &value)); /* VPIDs are left */
    assert_true(vmx_caps_without(&c, "secondary.enable_vpid", &err));
    assert_false(vmx_caps_msr(&c, 0x48c, &value));
    assert_true(vmx_caps_msr(&c, 0x491, &value));
    assert_true(vmx_caps_without(&c, "primary.activate_secondary_controls", &err));
    assert_false(vmx_caps_msr(&c, 0x48b, &value));
    assert_false(vmx_caps_msr(&c, 0x491, &value));
    assert_true(vmx_caps_msr(&c, 0x492, &value));
    assert_true(vmx_caps_without(&c, "primary.activate_tertiary_controls", &err));
    assert_false(vmx_caps_msr(&c, 0x492, &value));
}

static void unknown_controls_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *control, *sentence;
    } rows[] = {
        {"secondary.unrestricted_gest",
         "there is no secondary processor-based control \"unrestricted_gest\"; did you mean "
         "\"secondary.unrestricted_guest\"?"},
        {"pin.xyzzy", "there is no pin-based control \"xyzzy\"; see hvsim list controls"},
        {"unrestricted_guest", "\"unrestricted_guest\" is no control; write WORD.NAME, such as "
         "secondary.unrestricted_guest, with WORD one of pin, primary, secondary, tertiary, exit, entry"},
        {"", "\"\" is no control; write WORD.NAME, such as secondary.unrestricted_guest, with WORD one of pin, primary, "
         "secondary, tertiary, exit, entry"},
        {"primary.cr3_load_exiting",
         "primary.cr3_load_exiting is in every processor with VMX and cannot be missing"},
    };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct vmx_caps c = all(), before = c;
        struct hv_err err = {""};
        assert_false(vmx_caps_without(&c, rows[i].control, &err));
        assert_string_equal(err.text, rows[i].sentence);
        assert_memory_equal(&c, &before, sizeof(c));
    }
}

/* Of a word, no two controls have a bit or a name in common, and each fits its field. */
static void controls_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < vmx_control_count; i++) {
        const struct vmx_control *a = &vmx_controls[i];
        enum vmcs_index field = vmx_word_fields[a->word];
        assert_int_equal(vmx_word_of(field), a->word);
        assert_true(vmcs_width_mask(vmcs_encoding_width(vmcs_fields[field].encoding)) >> a->bit & 1);
        assert_ptr_equal(vmx_control_named(a->word, a->name), a);
        assert_ptr_equal(vmx_control_at(a->word, a->bit), a);
    }
    assert_int_equal(vmx_word_of(VMCS_INDEX_guest_rip), VMX_WORDS);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest fields[] = {
        cmocka_unit_test(encodings_are_the_manuals),
        cmocka_unit_test(encodings_ascend),
        cmocka_unit_test(unknown_encodings_are_no_fields),
        cmocka_unit_test(high_halves_are_of_64_bit_fields),
    };
    static const struct CMUnitTest regions[] = {
        cmocka_unit_test_setup_teardown(fields_are_independent, make_region, drop_region),
        cmocka_unit_test_setup_teardown(high_accesses_reach_the_high_half, make_region, drop_region),
        cmocka_unit_test_setup_teardown(a_scribbled_launch_state_is_clear, make_region, drop_region),
        cmocka_unit_test_setup_teardown(regions_are_aligned_and_in_memory, make_region, drop_region),
    };
    static const struct CMUnitTest caps[] = {
        cmocka_unit_test(what_must_be_may_be),
        cmocka_unit_test(default1_bits_are_the_manuals),
        cmocka_unit_test(capability_msrs_are_consistent),
        cmocka_unit_test(secondary_exit_controls_are_not_offered),
        cmocka_unit_test(a_control_can_be_missing),
        cmocka_unit_test(msrs_go_with_their_controls),
        cmocka_unit_test(unknown_controls_are_told),
        cmocka_unit_test(controls_are_told_apart),
    };
    const struct gtest_suite suites[] = {
        GTEST_SUITE("VmcsField", fields),
        GTEST_SUITE("VmcsRegion", regions),
        GTEST_SUITE("VmxCaps", caps),
    };
    return gtest_main_suites(argc, argv, suites, HV_ARRAY_LEN(suites));
}
