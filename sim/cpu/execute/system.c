/* SPDX-License-Identifier: MIT */
/* System instructions with an effect of their own: CPUID, HLT, invalidations, MONITOR, random numbers, XSAVE state. */
#include "cpu/execute/operations.h"
#include "cpu/execute/wires.h"

enum { XSAVE_ALIGNMENT = 64, XSAVE_HEADER = 512, XSAVE_HEADER_BYTES = 64 };
#define XCR0_BITS UINT64_C(0x602e7) /* x87, SSE, AVX, AVX-512, PKRU and AMX */
#define XCR0_AVX UINT64_C(6)
#define XCR0_AVX512 UINT64_C(0xe0)
#define XCR0_AMX UINT64_C(0x60000)
#define XCOMP_COMPACTED (UINT64_C(1) << 63)

enum cpu_end do_cpuid(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    static const enum cpu_register order[] = {CPU_RAX, CPU_RBX, CPU_RCX, CPU_RDX};
    uint32_t values[HV_ARRAY_LEN(order)] = {0};
    const struct cpu_wires *w = p->wires;
    if (w != NULL && w->cpuid != NULL) {
        w->cpuid(w->ctx, (uint32_t)p->state.registers[CPU_RAX], cpu_ecx(p), values);
    }
    for (size_t r = 0; r < HV_ARRAY_LEN(order); r++) {
        p->state.registers[order[r]] = values[r];
    }
    return CPU_COMPLETED;
}

/* MODEL: no SMX; GETSEC[CAPABILITIES] says so, and other leaf functions are #GP(0). */
enum cpu_end do_getsec(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    if ((p->state.registers[CPU_RAX] & UINT32_MAX) != 0) {
        return cpu_gp(p);
    }
    p->state.registers[CPU_RAX] = 0;
    return CPU_COMPLETED;
}

enum cpu_end do_hlt(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    p->state.activity = CPU_HALTED;
    return CPU_COMPLETED;
}

enum cpu_end do_invlpg(struct processor *p, const struct cpu_instruction *i)
{
    mmu_invlpg(p->mmu, cpu_linear_address(p, &i->memory));
    return CPU_COMPLETED;
}

/* The type is in register reg2; the descriptor in memory, or for callers in C in `value` and `value_high`. */
enum cpu_end do_invpcid(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t descriptor[2] = {i->value, i->value_high};
    enum cpu_end end;
    if (i->in_memory && !cpu_read(p, i, descriptor, sizeof(descriptor), &end)) {
        return end;
    }
    uint64_t type = cpu_register_value(p, i->reg2);
    return mmu_invpcid(p->mmu, type, descriptor[0], (hv_gva){descriptor[1]}) ? CPU_COMPLETED : cpu_gp(p);
}

/* MODEL: the monitored range is not watched; MWAIT ends at once, as it may. */
enum cpu_end do_monitor(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    if (p->state.registers[CPU_RCX] != 0) {
        return cpu_gp(p);
    }
    p->progress.monitoring = true;
    return CPU_COMPLETED;
}

enum cpu_end do_mwait(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    if ((p->state.registers[CPU_RCX] & ~UINT64_C(1)) != 0) {
        return cpu_gp(p);
    }
    p->progress.monitoring = false;
    return CPU_COMPLETED;
}

/* MODEL: the numbers are a fixed sequence of each processor (splitmix64), so that runs repeat. */
enum cpu_end do_random(struct processor *p, const struct cpu_instruction *i)
{
    uint64_t z = ++p->progress.random * UINT64_C(0x9e3779b97f4a7c15) + p->number;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    cpu_register_set(p, i->reg1, z ^ z >> 31, i->size == 2 || i->size == 8 ? i->size : 4);
    p->state.rflags = (p->state.rflags & ~CPU_RFLAGS_STATUS) | CPU_RFLAGS_CF;
    return CPU_COMPLETED;
}

static bool xcr0_valid(uint64_t value)
{
    uint64_t avx512 = value & XCR0_AVX512, amx = value & XCR0_AMX;
    return (value & 1) != 0 && (value & ~XCR0_BITS) == 0 && (value & XCR0_AVX) != 4 &&
           (avx512 == 0 || (avx512 == XCR0_AVX512 && (value & XCR0_AVX) == XCR0_AVX)) && (amx == 0 || amx == XCR0_AMX);
}

enum cpu_end do_xsetbv(struct processor *p, const struct cpu_instruction *i)
{
    (void)i;
    if (cpu_ecx(p) != 0 || !xcr0_valid(cpu_edx_eax(p))) {
        return cpu_gp(p);
    }
    p->state.xcr0 = cpu_edx_eax(p);
    return CPU_COMPLETED;
}

/* Where the XSAVE header lies, after the faults that come before any access. */
static bool xsave_header(struct processor *p, const struct cpu_instruction *i, enum hv_access_kind kind,
                         hv_gva *header, enum cpu_end *end)
{
    hv_gva area;
    if ((p->state.cr0 & CPU_CR0_TS) != 0) {
        *end = processor_raise(p, CPU_NM);
        return false;
    }
    if (!cpu_segment_check(p, &i->memory, kind, XSAVE_HEADER + XSAVE_HEADER_BYTES, &area, end)) {
        return false;
    }
    if (area.v % XSAVE_ALIGNMENT != 0) {
        *end = cpu_gp(p);
        return false;
    }
    *header = (hv_gva){area.v + XSAVE_HEADER};
    return true;
}

/*
 * MODEL: there is no x87, vector or supervisor extended state, so XSAVES writes only the header of an area in which
 * every component is in its initial configuration, and XRSTORS reads it.
 */
enum cpu_end do_xsaves(struct processor *p, const struct cpu_instruction *i)
{
    hv_gva header;
    enum cpu_end end = CPU_COMPLETED;
    uint64_t words[2] = {0, XCOMP_COMPACTED | (cpu_edx_eax(p) & (p->state.xcr0 | p->state.msrs.xss))};
    if (xsave_header(p, i, HV_STORE, &header, &end)) {
        cpu_access(p, header, HV_STORE, words, sizeof(words), &end);
    }
    return end;
}

enum cpu_end do_xrstors(struct processor *p, const struct cpu_instruction *i)
{
    hv_gva header;
    enum cpu_end end;
    uint64_t words[XSAVE_HEADER_BYTES / 8], rest = 0;
    if (!xsave_header(p, i, HV_LOAD, &header, &end) || !cpu_access(p, header, HV_LOAD, words, sizeof(words), &end)) {
        return end;
    }
    for (size_t w = 2; w < HV_ARRAY_LEN(words); w++) {
        rest |= words[w]; /* bytes 63:16 have to be 0 */
    }
    uint64_t exists = p->state.xcr0 | p->state.msrs.xss;
    bool valid = (words[1] & XCOMP_COMPACTED) != 0 && (words[1] & ~XCOMP_COMPACTED & ~exists) == 0 &&
                 (words[0] & ~words[1]) == 0 && rest == 0;
    return valid ? CPU_COMPLETED : cpu_gp(p);
}
