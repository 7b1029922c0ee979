/* SPDX-License-Identifier: MIT */
/*
 * The I/O bitmaps and MSR bitmaps of a VMCS: SDM Vol. 3C 25.6.4 and 25.6.9 (24.6.4 and 24.6.9 in editions before
 * 2022).
 */
#include "cpu/execute/operations.h"

enum { PORTS_OF_A_BITMAP = 0x8000, PORTS = 0x10000, MSRS_OF_A_RANGE = 0x2000, MSR_BITMAP_BYTES = 1024 };
#define MSR_HIGH_RANGE 0xc0000000u

static bool bit(const struct processor *p, uint64_t bitmap, uint32_t number)
{
    return (cpu_physical_byte(p, bitmap + number / 8) >> number % 8 & 1) != 0;
}

/*
 * 26.1.3 (25.1.3), "IN, INS...": with bitmaps, an access to a port whose bit is 1 exits, and so does one that wraps
 * around the 16 bits of the port number; the other control does not matter then.
 */
bool cpu_io_exits(const struct processor *p, uint16_t port, size_t bytes)
{
    if (!VMX_ON(p, PRIMARY, use_io_bitmaps)) {
        return VMX_ON(p, PRIMARY, unconditional_io_exiting);
    }
    if (port + bytes > PORTS) {
        return true;
    }
    for (uint32_t each = port; each < port + bytes; each++) {
        if (bit(p, p->vmx.io_bitmap[each / PORTS_OF_A_BITMAP], each % PORTS_OF_A_BITMAP)) {
            return true;
        }
    }
    return false;
}

/* Four bitmaps of 1 KiB: reads of low MSRs, reads of high ones, writes of low, writes of high. Others always exit. */
bool cpu_msr_exits(const struct processor *p, uint32_t index, bool write)
{
    bool high = index >= MSR_HIGH_RANGE;
    uint32_t number = high ? index - MSR_HIGH_RANGE : index;
    if (!VMX_ON(p, PRIMARY, use_msr_bitmaps) || number >= MSRS_OF_A_RANGE) {
        return true;
    }
    return bit(p, p->vmx.msr_bitmaps + MSR_BITMAP_BYTES * ((uint64_t)high + 2 * (uint64_t)write), number);
}
