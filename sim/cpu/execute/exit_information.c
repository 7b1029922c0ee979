/* SPDX-License-Identifier: MIT */
/*
 * VM-exit instruction information: SDM Vol. 3C "Information for VM Exits Due to Instruction Execution" (28.2.5;
 * 27.2.5 in editions before 2022), tables 28-8 to 28-15. Fields that a table leaves undefined are 0.
 */
#include "cpu/execute/exit.h"

enum {
    REG1_SHIFT = 3, ADDRESS_SIZE_SHIFT = 7, IN_REGISTER = 1 << 10, OPERAND_32 = 1 << 11, OPERAND_SIZE_SHIFT = 11,
    SEGMENT_SHIFT = 15, INDEX_SHIFT = 18, NO_INDEX = 1 << 22, BASE_SHIFT = 23, NO_BASE = 1 << 27, IDENTITY_SHIFT = 28,
};

static uint32_t address_size(const struct cpu_memory_operand *memory)
{
    uint32_t size = memory->address_size_log2 == 1 ? 0 : memory->address_size_log2 == 2 ? 1 : 2;
    return size << ADDRESS_SIZE_SHIFT;
}

/* Scaling, address size, segment, index and base. */
static uint32_t memory_operand(const struct cpu_memory_operand *memory)
{
    bool index = memory->index < CPU_REGISTERS, base = memory->base < CPU_REGISTERS;
    return (index ? memory->scale_log2 & 3u : 0) | address_size(memory) |
           (uint32_t)(memory->segment & 7) << SEGMENT_SHIFT |
           (index ? (uint32_t)memory->index << INDEX_SHIFT : (uint32_t)NO_INDEX) |
           (base ? (uint32_t)memory->base << BASE_SHIFT : (uint32_t)NO_BASE);
}

/* A memory operand, or (bit 10) register reg1. */
static uint32_t either_operand(const struct cpu_instruction *i)
{
    return i->in_memory ? memory_operand(&i->memory) : IN_REGISTER | (uint32_t)(i->reg1 & 15) << REG1_SHIFT;
}

static uint32_t table_access(const struct processor *p, const struct cpu_instruction *i, uint32_t identity)
{
    bool wide = !cpu_64_bit_mode(&p->state) && i->size != 2;
    return memory_operand(&i->memory) | (wide ? (uint32_t)OPERAND_32 : 0) | identity << IDENTITY_SHIFT;
}

static uint32_t sized_register(const struct cpu_instruction *i)
{
    uint32_t size = i->size == 2 ? 0 : i->size == 8 ? 2 : 1;
    return (uint32_t)(i->reg1 & 15) << REG1_SHIFT | size << OPERAND_SIZE_SHIFT;
}

static uint32_t string_operand(const struct cpu_instruction *i)
{
    uint32_t segment = i->op == CPU_OP_out ? (uint32_t)(i->memory.segment & 7) << SEGMENT_SHIFT : 0;
    return i->string ? address_size(&i->memory) | segment : 0;
}

uint32_t cpu_instruction_information(const struct processor *p, const struct cpu_instruction *i)
{
    uint32_t reg2 = (uint32_t)(i->reg2 & 15) << 28;
    switch (i->op) {
    case CPU_OP_in:
    case CPU_OP_out: return string_operand(i);
    case CPU_OP_invept:
    case CPU_OP_invpcid:
    case CPU_OP_invvpid: return memory_operand(&i->memory) | reg2;
    case CPU_OP_sgdt: return table_access(p, i, 0);
    case CPU_OP_sidt: return table_access(p, i, 1);
    case CPU_OP_lgdt: return table_access(p, i, 2);
    case CPU_OP_lidt: return table_access(p, i, 3);
    case CPU_OP_sldt: return either_operand(i);
    case CPU_OP_str: return either_operand(i) | 1u << IDENTITY_SHIFT;
    case CPU_OP_lldt: return either_operand(i) | 2u << IDENTITY_SHIFT;
    case CPU_OP_ltr: return either_operand(i) | 3u << IDENTITY_SHIFT;
    case CPU_OP_rdrand:
    case CPU_OP_rdseed:
    case CPU_OP_tpause:
    case CPU_OP_umwait: return sized_register(i);
    case CPU_OP_vmclear:
    case CPU_OP_vmptrld:
    case CPU_OP_vmptrst:
    case CPU_OP_vmxon:
    case CPU_OP_xrstors:
    case CPU_OP_xsaves: return memory_operand(&i->memory);
    case CPU_OP_vmread: return either_operand(i) | reg2;
    /* The instruction's rows have the encoding in reg1 and the source in reg2 for VMWRITE: the table's Reg2 is the
     * encoding's register for both. */
    case CPU_OP_vmwrite: {
        struct cpu_instruction source = *i;
        source.reg1 = i->reg2;
        return either_operand(&source) | (uint32_t)(i->reg1 & 15) << 28;
    }
    case CPU_OP_loadiwkey: return (uint32_t)(i->reg1 & 15) << REG1_SHIFT | reg2;
    default: return 0;
    }
}
