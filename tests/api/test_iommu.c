/* SPDX-License-Identifier: MIT */
/* Devices of a library machine, with an IOMMU and without: registers, DMAs, interrupts, page requests, events. */
#include <string.h>

#include "rig.h"

enum { CARD = 0x0300, STRANGER = 0x0310, PAGE = 4096, VECTOR = 0x61, EVENT = 0x71, QUEUE_EVENT = 0x81, POSTED = 0x44,
       NOTIFY = 0xf2 };

#define IOVA UINT64_C(0x10000)
#define REMAPPABLE UINT64_C(0xfee00010)
#define TES (UINT32_C(1) << 31)
#define SRTP (UINT32_C(1) << 30)
#define QIE (UINT32_C(1) << 26)
#define IRE (UINT32_C(1) << 25)
#define SIRTP (UINT32_C(1) << 24)

struct scene {
    struct rig r;
    uint64_t buffers, leaf, interrupts; /* two pages; the leaf entry of the first; the remapping table */
};

static void put(struct scene *s, uint64_t hpa, uint64_t word)
{
    assert_true(hv_write(s->r.machine, hpa, &word, sizeof(word)));
}

static uint64_t get(const struct scene *s, uint64_t hpa)
{
    uint64_t word = 0;
    assert_true(hv_read(s->r.machine, hpa, &word, sizeof(word)));
    return word;
}

/* Legacy mode, 3 levels: IOVA and the page behind it are the card's buffers, which lie in the other order. */
static void make_tables(struct scene *s)
{
    uint64_t root = hv_pages(s->r.machine, 5), context = root + PAGE, table = root + 2 * PAGE;
    s->leaf = table + 2 * PAGE + 8 * (IOVA / PAGE);
    put(s, root + 16 * (CARD >> 8), context | 1);
    put(s, context + 16 * (CARD & 255), table | 1 | 1 << 2); /* device TLB allowed */
    put(s, context + 16 * (CARD & 255) + 8, 1 | 7 << 8);
    put(s, table, (table + PAGE) | 3);
    put(s, table + PAGE, (table + 2 * PAGE) | 3);
    put(s, s->leaf, (s->buffers + PAGE) | 3);
    put(s, s->leaf + 8, s->buffers | 3);
    hv_iommu_write(s->r.cpu, HV_IOMMU_RTADDR, 8, root);
    hv_iommu_write(s->r.cpu, HV_IOMMU_GCMD, 4, SRTP);
}

static void begin(struct scene *s)
{
    char error[HV_ERROR_BYTES] = "";
    memset(s, 0, sizeof(*s));
    rig_init(&s->r);
    s->buffers = hv_pages(s->r.machine, 2);
    assert_true(hv_iommu_attach(s->r.machine, error));
    make_tables(s);
    s->interrupts = hv_pages(s->r.machine, 1);
    hv_iommu_write(s->r.cpu, HV_IOMMU_IRTA, 8, s->interrupts | 7); /* 256 entries, 8-bit destinations */
    hv_iommu_write(s->r.cpu, HV_IOMMU_GCMD, 4, SIRTP);
    hv_iommu_write(s->r.cpu, HV_IOMMU_GCMD, 4, TES);
    hv_iommu_write(s->r.cpu, HV_IOMMU_GCMD, 4, TES | IRE);
}

static void end(struct scene *s)
{
    rig_fini(&s->r);
}

static struct hv_dma dma_of(uint16_t source, uint64_t address, void *data, size_t bytes, bool write)
{
    return (struct hv_dma){.source = source, .address = address, .data = data, .bytes = bytes, .write = write};
}

/* ---- Registers -------------------------------------------------------------------------------------------------- */

static void registers(void **state)
{
    (void)state;
    char error[HV_ERROR_BYTES] = "";
    struct hv_machine *m = rig_machine();
    struct hv_cpu *cpu = hv_machine_cpu(m, 1);
    assert_int_equal(hv_iommu_read(cpu, HV_IOMMU_VER, 4), 0); /* nobody there */
    hv_iommu_write(cpu, HV_IOMMU_FEDATA, 4, 0x55);
    assert_int_equal(hv_iommu_busy_until(m), 0);
    assert_true(hv_iommu_attach(m, error));
    assert_false(hv_iommu_attach(m, error));
    assert_non_null(strstr(error, "already"));
    uint64_t before = hv_now(cpu);
    assert_int_equal(hv_iommu_read(cpu, HV_IOMMU_VER, 4), 0x60);
    assert_int_equal(hv_now(cpu), before + 1);
    hv_iommu_write(cpu, HV_IOMMU_FEDATA, 4, 0x55);
    assert_int_equal(hv_iommu_read(hv_machine_cpu(m, 0), HV_IOMMU_FEDATA, 4), 0x55); /* one for all processors */
    assert_int_equal(hv_iommu_read(cpu, HV_IOMMU_FEDATA, 2), 0);
    assert_int_equal(hv_iommu_read(cpu, 0xffffff00, 8), 0);
    assert_int_equal(hv_ioapic_read(cpu, 1), 0x170020); /* still there */
    assert_string_equal(hv_fault_words(HV_FAULT_LCT_2), "the context entry is not present");
    assert_null(hv_fault_words(0xff));
    hv_machine_free(m);
}

/* The EPT entry that maps a guest-physical page, found as the processor finds it. */
static uint64_t ept_leaf(struct scene *s, uint64_t gpa)
{
    uint64_t table = hv_vcpu_field(s->r.vcpu, HV_VMCS_eptp) & ~UINT64_C(0xfff);
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        table = get(s, table + 8 * (gpa >> shift & 511)) & UINT64_C(0xffffffffff000);
    }
    return table + 8 * (gpa >> 12 & 511);
}

/* A guest whose EPT leads to the registers reads and writes them, 4 and 8 bytes at a time. */
static void a_guest_reaches_them(void **state)
{
    (void)state;
    static const struct hv_operation program[] = {
        {.op = HV_OP_load, .reg = HV_RBX, .address = 0x3000 + HV_IOMMU_VER, .size = 4},
        {.op = HV_OP_load, .reg = HV_RCX, .address = 0x3000 + HV_IOMMU_CAP, .size = 8},
        {.op = HV_OP_store, .reg = HV_RAX, .address = 0x3000 + HV_IOMMU_IEDATA, .size = 4},
        {.op = HV_OP_vmcall},
    };
    struct scene s;
    begin(&s);
    uint64_t leaf = ept_leaf(&s, 0x3000);
    put(&s, leaf, (get(&s, leaf) & 0xfff) | HV_IOMMU);
    rig_program(&s.r, program, RIG_COUNT(program));
    hv_vcpu_set(s.r.vcpu, HV_RAX, 0x1234);
    rig_expect(&s.r, HV_EXIT_vmcall);
    assert_int_equal(hv_vcpu_get(s.r.vcpu, HV_RBX), 0x60);
    assert_int_equal(hv_vcpu_get(s.r.vcpu, HV_RCX), hv_iommu_read(s.r.cpu, HV_IOMMU_CAP, 8));
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_IEDATA, 4), 0x1234);
    end(&s);
}

/* ---- DMAs ------------------------------------------------------------------------------------------------------- */

/* Two pages in a row that lie apart, from the middle of one to the middle of the other, there and back. */
static void data_moves(void **state)
{
    (void)state;
    struct scene s;
    static char out[PAGE], in[PAGE], memory[2 * PAGE];
    begin(&s);
    memset(out, 0x5a, sizeof(out));
    struct hv_dma dma = dma_of(CARD, IOVA + PAGE / 2, out, PAGE, true);
    struct hv_dma_reply r = hv_dma(s.r.cpu, &dma);
    assert_true(r.ok && r.fault == 0);
    assert_int_equal(r.moved, PAGE);
    assert_int_equal(r.hpa, s.buffers);
    assert_true(r.done > hv_now(s.r.cpu));
    assert_true(hv_read(s.r.machine, s.buffers, memory, sizeof(memory)));
    for (unsigned i = 0; i < 2 * PAGE; i++) { /* the first half of the first, the second of the second */
        assert_int_equal(memory[i], i < PAGE / 2 || i >= 2 * PAGE - PAGE / 2 ? 0x5a : 0);
    }
    dma = dma_of(CARD, IOVA + PAGE / 2, in, PAGE, false);
    assert_true(hv_dma(s.r.cpu, &dma).ok);
    assert_memory_equal(in, out, PAGE);
    dma.data = NULL; /* the time alone */
    assert_int_equal(hv_dma(s.r.cpu, &dma).moved, PAGE);
    end(&s);
}

static void blocked(void **state)
{
    (void)state;
    struct scene s;
    static char out[2 * PAGE];
    begin(&s);
    struct hv_dma dma = dma_of(STRANGER, IOVA, out, 8, true);
    struct hv_dma_reply r = hv_dma(s.r.cpu, &dma);
    assert_false(r.ok);
    assert_int_equal(r.fault, HV_FAULT_LCT_2);
    uint64_t record = hv_iommu_read(s.r.cpu, HV_IOMMU_FRCD_HIGH, 8);
    assert_int_equal(record & 0xffff, STRANGER);
    assert_int_equal(record >> 32 & 0xff, HV_FAULT_LCT_2);
    dma = dma_of(CARD, IOVA + PAGE, out, 2 * PAGE, true); /* its second page is not mapped */
    r = hv_dma(s.r.cpu, &dma);
    assert_false(r.ok);
    assert_int_equal(r.fault, HV_FAULT_LGN_2);
    assert_int_equal(r.moved, PAGE);
    dma = dma_of(CARD, IOVA, out, 8, false);
    dma.has_pasid = true;
    assert_int_equal(hv_dma(s.r.cpu, &dma).fault, HV_FAULT_RTA_2);
    dma.type = (enum hv_dma_type)3;
    assert_false(hv_dma(s.r.cpu, &dma).ok);
    end(&s);
}

/* A device that keeps translations asks for one, and uses it. */
static void translations(void **state)
{
    (void)state;
    struct scene s;
    char in[8] = "";
    begin(&s);
    put(&s, s.buffers + PAGE + 0x40, 0x1122334455667788);
    struct hv_dma dma = dma_of(CARD, IOVA + 0x40, NULL, 0, true);
    dma.type = HV_DMA_TRANSLATION_REQUEST;
    struct hv_dma_reply r = hv_dma(s.r.cpu, &dma);
    assert_true(r.ok && r.may_read && r.may_write);
    assert_int_equal(r.hpa, s.buffers + PAGE + 0x40);
    assert_int_equal(r.size_log2, 12);
    assert_int_equal(r.moved, 0);
    dma = dma_of(CARD, r.hpa, in, sizeof(in), false);
    dma.type = HV_DMA_TRANSLATED;
    assert_true(hv_dma(s.r.cpu, &dma).ok);
    assert_int_equal((unsigned char)in[0], 0x88);
    end(&s);
}

/* Without an IOMMU a device's addresses are host-physical; beyond memory reads are all ones. */
static void no_iommu(void **state)
{
    (void)state;
    struct hv_machine *m = rig_machine();
    struct hv_cpu *cpu = hv_machine_cpu(m, 0);
    uint64_t page = hv_pages(m, 1);
    char text[] = "card", back[5] = "";
    struct hv_dma dma = dma_of(CARD, page, text, sizeof(text), true);
    assert_true(hv_dma(cpu, &dma).ok);
    assert_true(hv_read(m, page, back, sizeof(back)));
    assert_string_equal(back, "card");
    dma = dma_of(CARD, UINT64_C(1) << 40, back, 4, false);
    assert_true(hv_dma(cpu, &dma).ok);
    assert_int_equal((unsigned char)back[0], 0xff);
    dma.write = true;
    assert_true(hv_dma(cpu, &dma).ok); /* lost */
    dma.type = HV_DMA_TRANSLATED;
    assert_false(hv_dma(cpu, &dma).ok);
    hv_machine_free(m);
}

/* check.stale: an entry that was used after software had changed it without an invalidation. */
static void forgotten_invalidation(void **state)
{
    (void)state;
    char error[HV_ERROR_BYTES] = "";
    const char *settings[] = {"machine.memory=64MiB", "check.stale=true", NULL};
    struct scene s = {.r.machine = hv_machine_new(NULL, settings, error)};
    assert_non_null(s.r.machine);
    s.r.cpu = hv_machine_cpu(s.r.machine, 0);
    s.buffers = hv_pages(s.r.machine, 2);
    assert_true(hv_iommu_attach(s.r.machine, error));
    make_tables(&s);
    hv_iommu_write(s.r.cpu, HV_IOMMU_GCMD, 4, TES);
    struct hv_dma dma = dma_of(CARD, IOVA, NULL, 8, false);
    assert_true(hv_dma(s.r.cpu, &dma).ok);
    put(&s, s.leaf, 0);
    assert_true(hv_dma(s.r.cpu, &dma).ok);
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(hv_report(s.r.machine, out), 1);
    fclose(out);
    hv_iommu_write(s.r.cpu, HV_IOMMU_IOTLB, 8, UINT64_C(1) << 63 | UINT64_C(1) << 60);
    assert_true(hv_iommu_busy_until(s.r.machine) > hv_now(s.r.cpu));
    assert_int_equal(hv_dma(s.r.cpu, &dma).fault, HV_FAULT_LGN_3);
    hv_machine_free(s.r.machine);
}

/* ---- Interrupts ------------------------------------------------------------------------------------------------- */

static const struct hv_operation sleeper[] = {{.op = HV_OP_hlt}, {.op = HV_OP_vmcall}};

/* Halts in the guest until an interrupt makes it leave. */
static void sleep_until_interrupt(struct scene *s, uint8_t vector)
{
    rig_program(&s->r, sleeper, RIG_COUNT(sleeper));
    uint64_t primary = hv_vcpu_field(s->r.vcpu, HV_VMCS_primary_controls);
    assert_true(hv_vcpu_set_field(s->r.vcpu, HV_VMCS_primary_controls,
                                  primary & ~HV_BIT(HV_CONTROL_PRIMARY_hlt_exiting)));
    struct hv_vm_exit exit = rig_expect(&s->r, HV_EXIT_external_interrupt);
    assert_int_equal(exit.interruption, UINT32_C(0x80000000) | vector);
}

static void remapped_interrupt(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    put(&s, s.interrupts + 16 * 5, VECTOR << 16 | 1); /* to APIC 0 */
    put(&s, s.interrupts + 16 * 5 + 8, UINT64_C(1) << 18 | CARD);
    struct hv_msi_reply r = hv_msi(s.r.cpu, STRANGER, REMAPPABLE | 5 << 5, 0);
    assert_false(r.ok);
    assert_int_equal(r.fault, HV_FAULT_INTERRUPT_SOURCE);
    r = hv_msi(s.r.cpu, CARD, 0xfee00000, VECTOR); /* not remapped: blocked */
    assert_int_equal(r.fault, HV_FAULT_INTERRUPT_COMPATIBILITY);
    r = hv_msi(s.r.cpu, CARD, REMAPPABLE | 5 << 5, 0);
    assert_true(r.ok && !r.posted);
    assert_int_equal(r.vector, VECTOR);
    assert_int_equal(r.destination, 0);
    assert_true(r.arrives >= hv_now(s.r.cpu) + 500); /* apic.msi_cycles */
    sleep_until_interrupt(&s, VECTOR);
    assert_true(hv_now(s.r.cpu) >= r.arrives);
    end(&s);
}

/* Without an IOMMU the message is the interrupt. */
static void plain_interrupt(void **state)
{
    (void)state;
    struct scene s;
    memset(&s, 0, sizeof(s));
    rig_init(&s.r);
    assert_false(hv_msi(s.r.cpu, CARD, 0xfed00000, VECTOR).ok);
    struct hv_msi_reply r = hv_msi(s.r.cpu, STRANGER, 0xfee00000, VECTOR);
    assert_true(r.ok);
    assert_int_equal(r.vector, VECTOR);
    assert_int_equal(r.arrives, hv_now(s.r.cpu) + 500);
    sleep_until_interrupt(&s, VECTOR);
    rig_fini(&s.r);
}

/* A posted one is in the descriptor; one notification for it, and none while that is outstanding. */
static void posted_interrupt(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    uint64_t descriptor = hv_pages(s.r.machine, 1);
    put(&s, descriptor + 32, (uint64_t)NOTIFY << 16);
    put(&s, s.interrupts + 16 * 6, descriptor << 32 | POSTED << 16 | 1 << 15 | 1);
    put(&s, s.interrupts + 16 * 6 + 8, (descriptor & UINT64_C(0xffffffff00000000)) | UINT64_C(1) << 18 | CARD);
    struct hv_msi_reply r = hv_msi(s.r.cpu, CARD, REMAPPABLE | 6 << 5, 0);
    assert_true(r.ok && r.posted && r.notified);
    assert_int_equal(r.vector, NOTIFY);
    assert_int_equal(get(&s, descriptor + POSTED / 64 * 8), UINT64_C(1) << POSTED % 64);
    assert_int_equal(get(&s, descriptor + 32) & 1, 1); /* ON */
    r = hv_msi(s.r.cpu, CARD, REMAPPABLE | 6 << 5, 0);
    assert_true(r.ok && r.posted && !r.notified);
    sleep_until_interrupt(&s, NOTIFY);
    end(&s);
}

/* The fault event: a blocked DMA interrupts whoever FEDATA and FEADDR name, once until it is served. */
static void fault_event(void **state)
{
    (void)state;
    struct scene s;
    begin(&s);
    hv_iommu_write(s.r.cpu, HV_IOMMU_FEDATA, 4, EVENT);
    hv_iommu_write(s.r.cpu, HV_IOMMU_FEADDR, 4, 0xfee00000);
    hv_iommu_write(s.r.cpu, HV_IOMMU_FECTL, 4, 0);
    struct hv_dma dma = dma_of(STRANGER, IOVA, NULL, 8, true);
    assert_false(hv_dma(s.r.cpu, &dma).ok);
    sleep_until_interrupt(&s, EVENT);
    hv_eoi(s.r.cpu);
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_FSTS, 4) & 2, 2);
    assert_false(hv_dma(s.r.cpu, &dma).ok); /* no other event before the first is served */
    hv_work(s.r.cpu, 10000);
    struct hv_vm_exit exit;
    assert_int_equal(hv_vcpu_run(s.r.vcpu, &exit), HV_IDLE);
    for (unsigned i = 0; i < 2; i++) {
        hv_iommu_write(s.r.cpu, HV_IOMMU_FRCD_HIGH + 16 * i, 8, UINT64_C(1) << 63);
    }
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_FSTS, 4) & 2, 0);
    assert_false(hv_dma(s.r.cpu, &dma).ok);
    sleep_until_interrupt(&s, EVENT);
    end(&s);
}

/* What a device writes to the interrupt address range is an interrupt, or with another size a mistake: reason 29H. */
static void dma_to_interrupts(void **state)
{
    (void)state;
    struct scene s;
    uint64_t word = 0;
    begin(&s);
    struct hv_dma dma = dma_of(CARD, REMAPPABLE, &word, 4, true);
    struct hv_dma_reply r = hv_dma(s.r.cpu, &dma);
    assert_true(!r.ok && r.fault == 0 && r.moved == 0);
    dma.bytes = sizeof(word);
    r = hv_dma(s.r.cpu, &dma);
    assert_false(r.ok);
    assert_int_equal(r.fault, HV_FAULT_INTERRUPT_FORMAT);
    end(&s);
}

/* ---- Page requests ---------------------------------------------------------------------------------------------- */

/* Scalable mode, with the second stage of make_tables(), for the card without PASID, which may ask for pages. */
static void make_scalable_tables(struct scene *s)
{
    uint64_t root = hv_pages(s->r.machine, 4), context = root + PAGE, directory = context + PAGE,
             pasids = directory + PAGE, second = (s->leaf & ~UINT64_C(0xfff)) - 2 * PAGE;
    put(s, root + 16 * (CARD >> 8), context | 1);
    put(s, context + 32 * (CARD & 255), directory | 1 | 1 << 2 | 1 << 4); /* DTE, PRE */
    put(s, directory, pasids | 1);
    put(s, pasids, second | 1 | 1 << 2 | 2 << 6); /* 3 levels, second stage alone */
    put(s, pasids + 8, 9);
    hv_iommu_write(s->r.cpu, HV_IOMMU_RTADDR, 8, root | 1 << 10);
    hv_iommu_write(s->r.cpu, HV_IOMMU_GCMD, 4, TES | IRE | SRTP);
}

static void begin_with_queues(struct scene *s, uint64_t *requests, uint64_t *commands)
{
    begin(s);
    make_scalable_tables(s);
    *requests = hv_pages(s->r.machine, 2);
    *commands = *requests + PAGE;
    hv_iommu_write(s->r.cpu, HV_IOMMU_PQA, 8, *requests);
    hv_iommu_write(s->r.cpu, HV_IOMMU_PEDATA, 4, EVENT);
    hv_iommu_write(s->r.cpu, HV_IOMMU_PEADDR, 4, 0xfee00000);
    hv_iommu_write(s->r.cpu, HV_IOMMU_PECTL, 4, 0);
    hv_iommu_write(s->r.cpu, HV_IOMMU_IQA, 8, *commands | 1 << 11); /* descriptors of 32 bytes */
    hv_iommu_write(s->r.cpu, HV_IOMMU_IEDATA, 4, QUEUE_EVENT);
    hv_iommu_write(s->r.cpu, HV_IOMMU_IEADDR, 4, 0xfee00000);
    hv_iommu_write(s->r.cpu, HV_IOMMU_IECTL, 4, 0);
    hv_iommu_write(s->r.cpu, HV_IOMMU_GCMD, 4, TES | IRE | QIE);
}

/* The device asks, software is interrupted, maps and answers; the queue's completion is an interrupt as well. */
static void page_request(void **state)
{
    (void)state;
    struct scene s;
    uint64_t requests, commands;
    struct hv_page_response response;
    begin_with_queues(&s, &requests, &commands);
    struct hv_page_request q = {
        .source = CARD, .read = true, .write = true, .last = true, .address = IOVA + 2 * PAGE, .group = 5,
    };
    hv_page_request(s.r.cpu, &q);
    assert_false(hv_page_response(s.r.machine, &response));
    sleep_until_interrupt(&s, EVENT);
    hv_eoi(s.r.cpu);
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_PRS, 4), 1);
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_PQT, 8), 32);
    assert_int_equal(get(&s, requests), 1 | CARD << 16);
    assert_int_equal(get(&s, requests + 8), q.address | 5 << 3 | 7);
    hv_iommu_write(s.r.cpu, HV_IOMMU_PQH, 8, 32);
    hv_iommu_write(s.r.cpu, HV_IOMMU_PRS, 4, 1);
    put(&s, s.leaf + 16, s.buffers | 3);
    put(&s, commands, 9 | CARD << 16); /* page group response: success */
    put(&s, commands + 8, 5 << 3);
    put(&s, commands + 32, 5 | 1 << 4); /* wait: an interrupt */
    hv_iommu_write(s.r.cpu, HV_IOMMU_IQT, 8, 64);
    assert_true(hv_page_response(s.r.machine, &response));
    assert_int_equal(response.source, CARD);
    assert_int_equal(response.group, 5);
    assert_int_equal(response.code, 0);
    assert_false(hv_page_response(s.r.machine, &response));
    sleep_until_interrupt(&s, QUEUE_EVENT);
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_ICS, 4), 1);
    struct hv_dma dma = dma_of(CARD, q.address, NULL, 8, true);
    struct hv_dma_reply r = hv_dma(s.r.cpu, &dma);
    assert_true(r.ok);
    assert_int_equal(r.hpa, s.buffers);
    end(&s);
}

/* Whom software gave nothing the IOMMU answers, and records; of more answers than fit the oldest are lost. */
static void page_request_blocked(void **state)
{
    (void)state;
    struct scene s;
    uint64_t requests, commands;
    struct hv_page_response response;
    begin_with_queues(&s, &requests, &commands);
    struct hv_page_request q = {.source = STRANGER, .read = true, .last = true, .address = IOVA, .group = 0};
    for (; q.group < 600; q.group++) {
        hv_page_request(s.r.cpu, &q);
    }
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_PQT, 8), 0);
    assert_int_equal(hv_iommu_read(s.r.cpu, HV_IOMMU_FRCD_HIGH, 8) >> 32 & 0xff, HV_FAULT_SCT_2);
    for (unsigned i = 600 - 512; i < 600; i++) {
        assert_true(hv_page_response(s.r.machine, &response));
        assert_int_equal(response.source, STRANGER);
        assert_int_equal(response.group, i & 0x1ff);
        assert_int_equal(response.code, 1);
    }
    assert_false(hv_page_response(s.r.machine, &response));
    end(&s);
    struct hv_machine *m = rig_machine(); /* nobody to ask */
    hv_page_request(hv_machine_cpu(m, 0), &q);
    assert_false(hv_page_response(m, &response));
    hv_machine_free(m);
}

GTEST_MAIN("ApiIommu", cmocka_unit_test(registers), cmocka_unit_test(a_guest_reaches_them),
           cmocka_unit_test(data_moves), cmocka_unit_test(blocked), cmocka_unit_test(translations),
           cmocka_unit_test(no_iommu), cmocka_unit_test(forgotten_invalidation), cmocka_unit_test(remapped_interrupt),
           cmocka_unit_test(plain_interrupt), cmocka_unit_test(posted_interrupt), cmocka_unit_test(fault_event),
           cmocka_unit_test(dma_to_interrupts), cmocka_unit_test(page_request), cmocka_unit_test(page_request_blocked))
