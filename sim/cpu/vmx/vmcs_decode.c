/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmcs_decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cpu/state.h"
#include "cpu/vmx/vmx_caps.h"

enum bit_group { NO_BITS, CR0, CR4, EFER, RFLAGS, DEBUGCTL, INTERRUPTIBILITY, PENDING_DEBUG, VMFUNC };

static const struct bit_name {
    enum bit_group group;
    unsigned bit;
    const char *name;
} bit_names[] = {
#define B(group, bit, name) {group, bit, name},
#include "cpu/vmx/vmcs_bits.def"
#undef B
};

static enum bit_group group_of(enum vmcs_index field)
{
    switch (field) {
    case VMCS_INDEX_host_cr0:
    case VMCS_INDEX_guest_cr0: return CR0;
    case VMCS_INDEX_host_cr4:
    case VMCS_INDEX_guest_cr4: return CR4;
    case VMCS_INDEX_host_efer:
    case VMCS_INDEX_guest_efer: return EFER;
    case VMCS_INDEX_guest_rflags: return RFLAGS;
    case VMCS_INDEX_guest_debugctl: return DEBUGCTL;
    case VMCS_INDEX_guest_interruptibility_state: return INTERRUPTIBILITY;
    case VMCS_INDEX_guest_pending_debug_exceptions: return PENDING_DEBUG;
    case VMCS_INDEX_vm_function_controls: return VMFUNC;
    default: return NO_BITS;
    }
}

/* Adds an item to a list that is separated by commas; what does not fit is left out. */
static void add(char text[VMCS_DECODE_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char text[VMCS_DECODE_BYTES], const char *format, ...)
{
    size_t used = strlen(text);
    if (used > 0) {
        used += (size_t)snprintf(text + used, VMCS_DECODE_BYTES - used, ", ");
    }
    if (used < VMCS_DECODE_BYTES) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text + used, VMCS_DECODE_BYTES - used, format, arguments);
        va_end(arguments);
    }
}

static const char *name_of(enum vmcs_index field, unsigned bit)
{
    enum vmx_word word = vmx_word_of(field);
    if (word != VMX_WORDS) {
        const struct vmx_control *control = vmx_control_at(word, bit);
        return control == NULL ? NULL : control->name;
    }
    enum bit_group group = group_of(field);
    for (size_t i = 0; i < HV_ARRAY_LEN(bit_names) && group != NO_BITS; i++) {
        if (bit_names[i].group == group && bit_names[i].bit == bit) {
            return bit_names[i].name;
        }
    }
    return NULL;
}

static void add_bits(char text[VMCS_DECODE_BYTES], enum vmcs_index field, uint64_t bits)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = name_of(field, bit);
        if ((bits >> bit & 1) != 0 && name != NULL) {
            add(text, "%s", name);
        } else if ((bits >> bit & 1) != 0) {
            add(text, "bit %u", bit);
        }
    }
}

void vmcs_decode_bits(enum vmcs_index field, uint64_t bits, char text[VMCS_DECODE_BYTES])
{
    text[0] = '\0';
    add_bits(text, field, bits);
}

static void decode_access_rights(uint64_t value, char text[VMCS_DECODE_BYTES])
{
    static const struct {
        uint64_t mask;
        const char *name;
    } flags[] = {{CPU_AR_P, "P"}, {CPU_AR_AVL, "AVL"}, {CPU_AR_L, "L"}, {CPU_AR_DB, "D/B"}, {CPU_AR_G, "G"}};
    if ((value & CPU_AR_UNUSABLE) != 0) {
        add(text, "unusable");
    }
    add(text, "type %u", (unsigned)(value & CPU_AR_TYPE));
    if ((value & CPU_AR_S) != 0) {
        add(text, "S");
    }
    add(text, "DPL %u", (unsigned)(value >> CPU_AR_DPL_SHIFT & 3));
    for (size_t i = 0; i < HV_ARRAY_LEN(flags); i++) {
        if ((value & flags[i].mask) != 0) {
            add(text, "%s", flags[i].name);
        }
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        if (((CPU_AR_RESERVED_LOW | CPU_AR_RESERVED_HIGH) >> bit & value >> bit & 1) != 0) {
            add(text, "bit %u", bit);
        }
    }
}

static void decode_event(uint64_t value, char text[VMCS_DECODE_BYTES])
{
    static const char *const types[] = {"external interrupt", "reserved type 1", "NMI", "hardware exception",
                                        "software interrupt", "privileged software exception", "software exception",
                                        "other event"};
    if ((value >> 31 & 1) == 0) {
        add(text, "no event");
        return;
    }
    add(text, "%s", types[value >> 8 & 7]);
    add(text, "vector %u", (unsigned)(value & 255));
    add(text, "%s error code", (value >> 11 & 1) != 0 ? "with" : "without");
    for (unsigned bit = 12; bit < 31; bit++) {
        if ((value >> bit & 1) != 0) {
            add(text, "bit %u", bit);
        }
    }
}

static void decode_eptp(uint64_t value, char text[VMCS_DECODE_BYTES])
{
    add(text, "memory type %u", (unsigned)(value & 7));
    add(text, "%u levels", (unsigned)(value >> 3 & 7) + 1);
    if ((value >> 6 & 1) != 0) {
        add(text, "accessed and dirty flags");
    }
    for (unsigned bit = 7; bit < 12; bit++) {
        if ((value >> bit & 1) != 0) {
            add(text, "bit %u", bit);
        }
    }
}

static void decode_selector(uint64_t value, char text[VMCS_DECODE_BYTES])
{
    add(text, "index %u", (unsigned)(value >> 3));
    if ((value & 4) != 0) {
        add(text, "TI");
    }
    add(text, "RPL %u", (unsigned)(value & 3));
}

static bool is_segment_part(enum vmcs_index field, enum vmcs_index first)
{
    return field >= first && field < first + CPU_SEGMENTS;
}

static void decode_other(enum vmcs_index field, uint64_t value, char text[VMCS_DECODE_BYTES])
{
    static const char *const activities[] = {"active", "HLT", "shutdown", "wait-for-SIPI"};
    bool host_selector = field >= VMCS_INDEX_host_es_selector && field <= VMCS_INDEX_host_tr_selector;
    if (field == VMCS_INDEX_guest_activity_state && value < HV_ARRAY_LEN(activities)) {
        add(text, "%s", activities[value]);
    } else if (field == VMCS_INDEX_entry_interruption_information) {
        decode_event(value, text);
    } else if (field == VMCS_INDEX_eptp) {
        decode_eptp(value, text);
    } else if (is_segment_part(field, VMCS_INDEX_guest_es_access_rights)) {
        decode_access_rights(value, text);
    } else if (host_selector || is_segment_part(field, VMCS_INDEX_guest_es_selector)) {
        decode_selector(value, text);
    }
}

void vmcs_decode(enum vmcs_index field, uint64_t value, char text[VMCS_DECODE_BYTES])
{
    enum vmx_word word = vmx_word_of(field);
    text[0] = '\0';
    if (word != VMX_WORDS) {
        add_bits(text, field, value & ~vmx_reserved_ones(word));
    } else if (group_of(field) != NO_BITS) {
        add_bits(text, field, value);
    } else {
        decode_other(field, value, text);
    }
}
