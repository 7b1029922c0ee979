/* SPDX-License-Identifier: MIT */
/* A device behind an IOMMU, by hvsim.h alone: tables by hand, DMAs, a fault record, an interrupt for a guest. */
#include <hvsim.h>
#include <inttypes.h>
#include <string.h>

enum { CARD = 0x0300, STRANGER = 0x0310, PAGE = 4096, VECTOR = 0x61 };

#define BUS_ADDRESS UINT64_C(0x10000)

static void put(struct hv_machine *m, uint64_t hpa, uint64_t word)
{
    hv_write(m, hpa, &word, sizeof(word));
}

/* Legacy mode: the card's bus, its context entry, three levels of second-stage tables down to one page. */
static uint64_t make_tables(struct hv_machine *m, uint64_t buffer)
{
    uint64_t root = hv_pages(m, 5), context = root + PAGE, level3 = root + 2 * PAGE, level2 = root + 3 * PAGE,
             level1 = root + 4 * PAGE;
    put(m, root + 16 * (CARD >> 8), context | 1);
    put(m, context + 16 * (CARD & 255), level3 | 1);
    put(m, context + 16 * (CARD & 255) + 8, 1 | 7 << 8); /* 39-bit addresses, domain 7 */
    put(m, level3, level2 | 3);
    put(m, level2, level1 | 3);
    put(m, level1 + 8 * (BUS_ADDRESS / PAGE), buffer | 3);
    return root;
}

/* Turns translation and interrupt remapping on; entry 5 of the table is the card's. */
static void start(struct hv_machine *m, struct hv_cpu *cpu, uint64_t root)
{
    uint64_t table = hv_pages(m, 1);
    put(m, table + 16 * 5, VECTOR << 16 | 1);            /* vector, present; to APIC 0 */
    put(m, table + 16 * 5 + 8, UINT64_C(1) << 18 | CARD); /* from the card only */
    hv_iommu_write(cpu, HV_IOMMU_RTADDR, 8, root);
    hv_iommu_write(cpu, HV_IOMMU_GCMD, 4, UINT32_C(1) << 30);
    hv_iommu_write(cpu, HV_IOMMU_IRTA, 8, table | 7);
    hv_iommu_write(cpu, HV_IOMMU_GCMD, 4, UINT32_C(1) << 24);
    hv_iommu_write(cpu, HV_IOMMU_GCMD, 4, UINT32_C(1) << 31);
    hv_iommu_write(cpu, HV_IOMMU_GCMD, 4, UINT32_C(1) << 31 | UINT32_C(1) << 25);
}

static void reach(struct hv_cpu *cpu, const char *who, uint16_t source, uint64_t address)
{
    char greeting[] = "hello";
    struct hv_dma dma = {.source = source, .write = true, .address = address, .data = greeting, .bytes = 6};
    struct hv_dma_reply r = hv_dma(cpu, &dma);
    if (r.ok) {
        printf("%s: wrote %zu bytes to 0x%" PRIx64 "\n", who, r.moved, r.hpa);
    } else {
        printf("%s: blocked, reason %02xH: %s\n", who, r.fault, hv_fault_words(r.fault));
    }
}

/* The card's interrupt makes a guest leave; a forged one does not arrive. */
static void interrupt(struct hv_machine *m, struct hv_cpu *cpu)
{
    static const struct hv_operation sleep[] = {{.op = HV_OP_nop}, {.op = HV_OP_nop}, {.op = HV_OP_hlt}};
    struct hv_vm *vm = hv_vm_new(m);
    struct hv_vcpu *v = hv_vcpu_new(vm, cpu);
    struct hv_vm_exit exit;
    struct hv_msi_reply forged = hv_msi(cpu, STRANGER, 0xfee00010 | 5 << 5, 0);
    printf("forged: blocked, reason %02xH: %s\n", forged.fault, hv_fault_words(forged.fault));
    hv_vcpu_program(v, 0x1000, sleep, 3);
    hv_vcpu_set(v, HV_RIP, 0x1000);
    struct hv_msi_reply sent = hv_msi(cpu, CARD, 0xfee00010 | 5 << 5, 0);
    hv_work(cpu, sent.arrives - hv_now(cpu));
    hv_vcpu_run(v, &exit);
    printf("interrupt %02xH: the guest left, %s\n", sent.vector, hv_exit_name(exit.reason));
    hv_vm_free(vm);
}

int main(void)
{
    char error[HV_ERROR_BYTES], text[6];
    struct hv_machine *m = hv_machine_new("skylake", NULL, error);
    if (m == NULL || !hv_iommu_attach(m, error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    uint64_t buffer = hv_pages(m, 1);
    start(m, cpu, make_tables(m, buffer));
    reach(cpu, "the card", CARD, BUS_ADDRESS);
    hv_read(m, buffer, text, sizeof(text));
    printf("in memory: %s\n", text);
    reach(cpu, "another page", CARD, BUS_ADDRESS + PAGE);
    reach(cpu, "another device", STRANGER, BUS_ADDRESS);
    uint64_t record = hv_iommu_read(cpu, HV_IOMMU_FRCD_HIGH, 8);
    printf("first record: device %04x, reason %02xH\n", (unsigned)(record & 0xffff), (unsigned)(record >> 32 & 0xff));
    interrupt(m, cpu);
    hv_machine_free(m);
    return 0;
}
