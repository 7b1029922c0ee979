/* SPDX-License-Identifier: MIT */
#include "iommu/iommu_reference.h"

#include "base/print_table.h"
#include "base/types.h"
#include "iommu/iommu_faults.h"

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
} registers[] = {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) {offset, bytes, #name, #kind, text},
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
};

static void fill_register(size_t index, struct print_row *row)
{
    const struct iommu_register *r = &registers[index];
    PRINT_CELL(0, "0x%03x", r->offset);
    PRINT_CELL(1, "%s", r->name);
    PRINT_CELL(2, "%u", r->bytes);
    PRINT_CELL(3, "%s", r->kind);
    PRINT_CELL(4, "%s", r->text);
}

void iommu_print_faults(enum print_format format, FILE *out)
{
    const struct print_table table = {{"number", "name", "area", "recorded", "help"}, iommu_fault_count, fill_fault};
    print_table(&table, format, out);
}

void iommu_print_registers(enum print_format format, FILE *out)
{
    static const struct print_table table = {
        {"offset", "name", "bytes", "kind", "help"}, HV_ARRAY_LEN(registers), fill_register,
    };
    print_table(&table, format, out);
}
