/* SPDX-License-Identifier: MIT */
/*
 * Sixteen virtual machines, each with a function of a device, all of them busy, and four of them malicious: no DMA and
 * no interrupt crosses from one to another.
 *
 * Each page of host memory has an owner, whose number is in each of its lines. A function reads and writes by what the
 * IOMMU answers; each line that it touches has to be its owner's. Meanwhile the hypervisor takes pages from one virtual
 * machine, invalidates, and gives them to another. Interrupts are told apart by their destination, which is the number
 * of the virtual machine, and by the descriptor that they are posted in.
 */
#include "cloud.h"

#include "apic/posted.h"

#include "gtest.h"

enum { ROUNDS = 60000 };

static bool rogue(unsigned vm)
{
    return vm % (VMS / ROGUES) == VMS / ROGUES - 1;
}

/* --- Devices ----------------------------------------------------------------------------------------------------- */

/* A blocked request is recorded with the function that made it. */
static void check_record(struct cloud *c, uint16_t source)
{
    uint64_t status = iommu_read(c->iommu, 0x34, 4, c->now);
    uint32_t at =
        (uint32_t)(iommu_read(c->iommu, 8, 8, c->now) >> 24 & 0x3ff) * 16 + 16 * (uint32_t)(status >> 8 & 255);
    assert_int_equal(status & 3, 2);
    assert_int_equal(iommu_read(c->iommu, at + 8, 8, c->now) & 0xffff, source);
    iommu_write(c->iommu, at + 8, 8, UINT64_C(1) << 63, c->now);
    c->blocked++;
}

/* Touches a line as the IOMMU allows it, which has to be the virtual machine's own. */
static bool dma(struct cloud *c, unsigned n, const struct iommu_request *request)
{
    struct iommu_reply reply = iommu_translate(c->iommu, request, c->now);
    if (!reply.ok) {
        check_record(c, request->source);
        return false;
    }
    uint64_t line = reply.address & ~UINT64_C(63), page = (line - OWNED) / HV_PAGE_BYTES;
    assert_true(line >= OWNED && page < OWNED_PAGES);
    assert_int_equal(c->owner[page], n);
    if (request->access == IOMMU_WRITE) {
        cloud_put(c, line, n);
        c->writes++;
    } else {
        assert_int_equal(cloud_get(c, line), n);
        c->reads++;
    }
    return true;
}

static struct iommu_request own_request(struct cloud *c, unsigned n, unsigned page)
{
    bool with_pasid = c->scalable && cloud_below(c, 2) != 0;
    return (struct iommu_request){
        .source = c->vm[n].source,
        .has_pasid = with_pasid,
        .pasid = with_pasid ? c->vm[n].pasid : 0,
        .address = cloud_page_address(n, page) + 64 * cloud_below(c, 64),
        .bytes = 64,
        .access = cloud_below(c, 2) != 0 ? IOMMU_WRITE : IOMMU_READ,
    };
}

static void work(struct cloud *c, unsigned n)
{
    unsigned page = (unsigned)cloud_below(c, PAGES);
    struct iommu_request request = own_request(c, n, page);
    assert_int_equal(dma(c, n, &request), c->vm[n].page[page] != 0);
}

/* A malicious function's DMA: whatever it does, it is blocked. */
static void attack(struct cloud *c, unsigned n)
{
    unsigned victim = (n + 1 + (unsigned)cloud_below(c, VMS - 1)) % VMS, page = (unsigned)cloud_below(c, PAGES);
    struct iommu_request request = own_request(c, n, page);
    switch (cloud_below(c, 6)) {
    case 0: /* an address of another */ request.address = cloud_page_address(victim, page); break;
    case 1: /* a host address, of memory or of tables */
        request.address = cloud_below(c, 2) != 0 ? c->vm[victim].page[page] | 64 : cloud_below(c, OWNED);
        break;
    case 2: /* another's PASID; without PASIDs, there is none to use */
        request.has_pasid = true;
        request.pasid = c->vm[victim].pasid;
        request.address = cloud_page_address(victim, page);
        break;
    case 3: /* an address that is said to be translated already */
        request.type = IOMMU_TRANSLATED;
        request.has_pasid = false;
        request.address = OWNED + cloud_below(c, OWNED_PAGES) * HV_PAGE_BYTES;
        break;
    case 4: /* a requester that nobody has assigned */
        request.source = (uint16_t)(0x20 + VMS + cloud_below(c, 64));
        break;
    default: /* any address at all, but its own */ request.address = rng_next(&c->rng) | HV_GIB(2); break;
    }
    if (request.address >> 20 != 0xfee) {
        assert_false(dma(c, n, &request));
    }
}

static struct iommu_interrupt interrupt(struct cloud *c, unsigned n, unsigned handle, uint64_t format)
{
    c->posting = n;
    uint64_t address = 0xfee00000 | format | (uint64_t)handle << 5;
    struct iommu_interrupt i = iommu_interrupt(c->iommu, c->vm[n].source, address, 0, c->now);
    if (!i.ok) {
        check_record(c, c->vm[n].source);
    } else if (!i.posted) {
        assert_int_equal(i.destination, n);
        assert_int_equal(i.vector, 0x40 + n);
        c->remapped++;
    } else {
        c->posted++;
    }
    return i;
}

static void signal_own(struct cloud *c, unsigned n)
{
    assert_true(interrupt(c, n, n * 2 * HANDLES + (unsigned)cloud_below(c, 2 * HANDLES), 0x10).ok);
}

/* Another's handle, one that is not there, and the format that carries its destination itself. */
static void forge(struct cloud *c, unsigned n)
{
    unsigned victim = (n + 1 + (unsigned)cloud_below(c, VMS - 1)) % VMS;
    unsigned handle = victim * 2 * HANDLES + (unsigned)cloud_below(c, 2 * HANDLES);
    bool compatibility = cloud_below(c, 4) == 0, outside = cloud_below(c, 4) == 0;
    assert_false(interrupt(c, n, outside ? 128 + (unsigned)cloud_below(c, 1024) : handle, compatibility ? 0 : 0x10).ok);
}

static void run(bool scalable)
{
    struct cloud *c = cloud_new(scalable);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = round % VMS;
        c->now += 10;
        work(c, n);
        if (cloud_below(c, 8) == 0) {
            signal_own(c, n);
        }
        if (rogue(n)) {
            attack(c, n);
            forge(c, n);
        }
        if (cloud_below(c, 40) == 0) {
            cloud_take_and_give(c);
        }
    }
    assert_true(c->reads > ROUNDS / 4 && c->writes > ROUNDS / 4 && c->remapped > 1000 && c->posted > 1000);
    for (unsigned page = 0; page < OWNED_PAGES; page++) {
        for (uint64_t line = 0; line < HV_PAGE_BYTES && c->owner[page] != NOBODY; line += 64) {
            assert_int_equal(cloud_get(c, OWNED + page * HV_PAGE_BYTES + line), c->owner[page]);
        }
    }
    /* Nobody's posted interrupts are in another's descriptor. */
    for (unsigned n = 0; n < VMS; n++) {
        struct vector_set set = posted_take(&c->memory, (hv_hpa){DESCRIPTORS + 64 * n});
        for (unsigned vector = 0; vector < 256; vector++) {
            assert_int_equal(vector_set_has(&set, (uint8_t)vector), vector == 0x40 + n);
        }
    }
    cloud_free(c);
}

static void sixteen_vms_legacy(void **state)
{
    (void)state;
    run(false);
}

static void sixteen_vms_scalable(void **state)
{
    (void)state;
    run(true);
}

GTEST_MAIN("Isolation", cmocka_unit_test(sixteen_vms_legacy), cmocka_unit_test(sixteen_vms_scalable))
