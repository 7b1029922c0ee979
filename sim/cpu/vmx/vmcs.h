/* SPDX-License-Identifier: MIT */
/*
 * A VMCS in memory: the 4 KiB region that software hands to VMPTRLD.
 *
 * SDM Vol. 3C "Format of the VMCS Region" (25.2; 24.2 in editions before 2022): bytes 3:0 are the revision identifier
 * with the shadow-VMCS indicator in bit 31, bytes 7:4 the VMX-abort indicator, and the rest is the processor's own
 * format. Here: the launch state, then each field of vmcs_fields.def in 8 bytes. As on silicon, software that writes
 * the region by ordinary stores gets what it deserves.
 *
 * MODEL: the processor keeps no copy of an active VMCS; the region is always up to date, where silicon may need
 * VMCLEAR before memory is. Software that relies on a missing VMCLEAR is not caught by its data.
 */
#ifndef HV_CPU_VMX_VMCS_H
#define HV_CPU_VMX_VMCS_H

#include "cpu/vmx/vmcs_field.h"
#include "mem/physmem.h"

enum {
    VMCS_REGION_BYTES = 4096,
    VMCS_REVISION = 0x48560001, /* hvsim's format; bit 31 is clear */
};

#define VMCS_SHADOW (UINT32_C(1) << 31)
#define VMCS_NONE UINT64_MAX /* as the current-VMCS pointer: there is none */

enum vmcs_launch_state { VMCS_CLEAR, VMCS_LAUNCHED };

/* A VMCS by the address of its region, which is aligned and lies within memory (vmcs_region_valid). */
struct vmcs {
    struct physmem *memory;
    uint64_t address;
};

/* Whether a region can lie at an address: 4 KiB-aligned, within the physical-address width and the memory. */
bool vmcs_region_valid(const struct physmem *memory, uint64_t address, unsigned physical_bits);

/* The revision identifier as software wrote it, shadow indicator included. */
uint32_t vmcs_revision(const struct vmcs *v);
void vmcs_set_revision(const struct vmcs *v, uint32_t revision);

void vmcs_set_abort(const struct vmcs *v, uint32_t indicator);

enum vmcs_launch_state vmcs_launch_state(const struct vmcs *v);
void vmcs_set_launch_state(const struct vmcs *v, enum vmcs_launch_state state);

/*
 * The VMX operation, by its number, in which the VMCS was launched; a later one may not resume it (error 6).
 *
 * MODEL: so a VMRESUME on a processor that did not launch the VMCS fails too; on silicon what it does is undefined.
 */
uint32_t vmcs_launch_session(const struct vmcs *v);
void vmcs_set_launch_session(const struct vmcs *v, uint32_t session);

/* A whole field, by index. What is beyond the field's width is not stored. */
uint64_t vmcs_get(const struct vmcs *v, enum vmcs_index field);
void vmcs_set(const struct vmcs *v, enum vmcs_index field, uint64_t value);

/* All of them. */
void vmcs_get_all(const struct vmcs *v, uint64_t fields[VMCS_FIELDS]);

/* The field, or the half of it, that an encoding of VMREAD or VMWRITE names; the encoding has been found. */
uint64_t vmcs_read(const struct vmcs *v, uint32_t encoding);
void vmcs_write(const struct vmcs *v, uint32_t encoding, uint64_t value);

#define VMCS_GET(v, name) vmcs_get(v, VMCS_INDEX_##name)
#define VMCS_SET(v, name, value) vmcs_set(v, VMCS_INDEX_##name, value)

#endif
