/* SPDX-License-Identifier: MIT */
#include "iommu/iommu_reference.h"

#include <inttypes.h>

#include "base/print_table.h"
#include "base/types.h"
#include "iommu/iommu_faults.h"
#include "iommu/iommu_regs.h"

static void fill_fault(size_t index, struct print_row *row)
{
    const struct iommu_fault_row *f = &iommu_fault_rows[index];
    PRINT_CELL(0, "%02XH", f->number);
    PRINT_CELL(1, "%s", f->code);
    PRINT_CELL(2, "%s", f->area == IOMMU_AREA_DMA ? "address" : "interrupt");
    PRINT_CELL(3, "%s", f->qualified ? "not with FPD" : "always");
    PRINT_CELL(4, "%s", f->words);
}

static const struct iommu_register {
    unsigned offset, bytes;
    const char *name, *kind, *text;
    uint64_t reset, writable, w1c;
} registers[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) \
    {offset, bytes, #name, #kind, text, UINT64_C(reset), UINT64_C(writable), UINT64_C(w1c)},
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

/* Bits of registers that need a capability. */
static const struct { unsigned offset; uint64_t bits; } optional_bits[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text)
#define B(name, bits, offered) {IOMMU_##name, bits},
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

/* With every capability; those that the host's address width takes away are in it. */
static uint64_t writable_of(const struct iommu_register *r)
{
    uint64_t bits = r->writable;
    for (size_t i = 0; i < HV_ARRAY_LEN(optional_bits); i++) {
        bits |= optional_bits[i].offset == r->offset ? optional_bits[i].bits : 0;
    }
    return bits;
}

static bool says_parameters(const struct iommu_register *r)
{
    return r->offset == IOMMU_VER || r->offset == IOMMU_CAP || r->offset == IOMMU_ECAP;
}

static void fill_register(size_t index, struct print_row *row)
{
    const struct iommu_register *r = &registers[index];
    PRINT_CELL(0, "0x%03x", r->offset);
    PRINT_CELL(1, "%s", r->name);
    PRINT_CELL(2, "%u", r->bytes);
    PRINT_CELL(3, "%s", r->kind);
    if (says_parameters(r)) {
        PRINT_CELL(4, "iommu.*");
    } else {
        PRINT_CELL(4, "0x%" PRIx64, r->reset);
    }
    PRINT_CELL(5, "0x%" PRIx64, writable_of(r));
    PRINT_CELL(6, "0x%" PRIx64, r->w1c);
    PRINT_CELL(7, "%s", r->text);
}

void iommu_print_faults(enum print_format format, FILE *out)
{
    const struct print_table table = {{"number", "name", "area", "recorded", "help"}, iommu_fault_count, fill_fault};
    print_table(&table, format, out);
}

void iommu_print_registers(enum print_format format, FILE *out)
{
    static const struct print_table table = {
        {"offset", "name", "bytes", "kind", "reset", "writable", "w1c", "help"}, HV_ARRAY_LEN(registers), fill_register,
    };
    print_table(&table, format, out);
}
