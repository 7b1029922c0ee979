/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupts and posted interrupts: the pseudocode of SDM Vol. 3C 30.1, 30.2 and 30.6 (29.x in editions before
 * 2022) once more, on arrays of booleans, and random sequences of everything that can happen to a virtual APIC.
 */
#include "vlab.h"

#include <string.h>

#include "base/rng.h"

struct model {
    bool virr[256], visr[256], pir[256], eoi_exits[256];
    bool on, sn, window, recognized;
    unsigned vtpr, vppr, rvi, svi;
};

static unsigned top(const bool *set)
{
    for (unsigned i = 255; i > 0; i--) {
        if (set[i]) {
            return i;
        }
    }
    return 0;
}

static void model_ppr(struct model *m)
{
    m->vppr = m->vtpr / 16 >= m->svi / 16 ? m->vtpr : m->svi / 16 * 16;
}

static void model_evaluate(struct model *m)
{
    m->recognized = !m->window && m->rvi / 16 > m->vppr / 16;
}

static void model_tpr(struct model *m, unsigned value)
{
    m->vtpr = value;
    model_ppr(m);
    model_evaluate(m);
}

/* Returns the vector of the VM exit, or -1. */
static int model_eoi(struct model *m)
{
    unsigned vector = m->svi;
    m->visr[vector] = false;
    m->svi = top(m->visr);
    model_ppr(m);
    if (m->eoi_exits[vector]) {
        return (int)vector;
    }
    model_evaluate(m);
    return -1;
}

static void model_self_ipi(struct model *m, unsigned vector)
{
    m->virr[vector] = true;
    m->rvi = vector > m->rvi ? vector : m->rvi;
    model_evaluate(m);
}

static unsigned model_deliver(struct model *m)
{
    unsigned vector = m->rvi;
    m->visr[vector] = true;
    m->svi = vector;
    m->vppr = vector / 16 * 16;
    m->virr[vector] = false;
    m->rvi = top(m->virr);
    m->recognized = false;
    return vector;
}

static bool model_post(struct model *m, unsigned vector)
{
    bool notify = !m->on && !m->sn;
    m->pir[vector] = true;
    m->on |= notify;
    return notify;
}

static void model_process(struct model *m)
{
    for (unsigned i = 0; i < 256; i++) {
        if (m->pir[i]) {
            m->virr[i] = true;
            m->rvi = i > m->rvi ? i : m->rvi;
        }
        m->pir[i] = false;
    }
    m->on = false;
    model_evaluate(m);
}

static bool page_bit(const struct vlab *lab, uint32_t base, unsigned vector)
{
    return (vlab_get(lab, base + vector / 32 * 16) >> vector % 32 & 1) != 0;
}

static const uint64_t *descriptor(const struct vlab *lab)
{
    return (const uint64_t *)(const void *)(lab->memory.bytes + VLAB_DESCRIPTORS);
}

static void assert_same(const struct vlab *lab, const struct model *m)
{
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(page_bit(lab, 0x200, i), m->virr[i]);
        assert_int_equal(page_bit(lab, 0x100, i), m->visr[i]);
        assert_int_equal(descriptor(lab)[i / 64] >> i % 64 & 1, m->pir[i]);
    }
    assert_int_equal(descriptor(lab)[4], (m->on ? 1 : 0) | (m->sn ? 2 : 0) | 0xf2u << 16 | UINT64_C(0x700) << 32);
    assert_int_equal(vlab_get(lab, 0x80), m->vtpr);
    assert_int_equal(vlab_get(lab, 0xa0), m->vppr);
    assert_int_equal(lab->v.rvi, m->rvi);
    assert_int_equal(lab->v.svi, m->svi);
    assert_int_equal(lab->v.recognized, m->recognized);
}

static void do_post(struct vlab *lab, struct model *m, uint8_t vector)
{
    struct posted_notification n =
        posted_post(&lab->memory, lab->v.controls.posted_descriptor, vector, POSTED_NORMAL);
    assert_int_equal(n.send, model_post(m, vector));
    if (n.send) {
        assert_int_equal(n.vector, 0xf2);
        assert_int_equal(n.ndst, 0x700);
    }
}

static void do_eoi(struct vlab *lab, struct model *m, bool by_msr)
{
    struct vapic_result r = by_msr ? vapic_write_msr(&lab->v, 0x80b, 0) : vapic_emulate_write(&lab->v, 0xb0);
    int exit = model_eoi(m);
    assert_int_equal(r.action, exit < 0 ? VAPIC_DONE : VAPIC_EXIT_EOI);
    assert_int_equal(r.qualification, exit < 0 ? 0 : (unsigned)exit);
}

/* The three ways to a TPR. */
static void do_tpr(struct vlab *lab, struct model *m, uint8_t value, unsigned way)
{
    struct vapic_access access = {.offset = 0x80, .bytes = 4, .kind = VAPIC_WRITE};
    switch (way) {
    case 0: assert_int_equal(vapic_write_cr8(&lab->v, value >> 4).action, VAPIC_DONE); break;
    case 1:
        assert_int_equal(vapic_access(&lab->v, &access, 0xabcdef00u | value).action, VAPIC_EMULATE);
        assert_int_equal(vapic_emulate_write(&lab->v, 0x80).action, VAPIC_DONE);
        break;
    default: assert_int_equal(vapic_write_msr(&lab->v, 0x808, value).action, VAPIC_DONE); break;
    }
    model_tpr(m, way == 0 ? value & 0xf0u : value);
}

static void do_self_ipi(struct vlab *lab, struct model *m, uint8_t vector, bool by_msr)
{
    if (by_msr) {
        assert_int_equal(vapic_write_msr(&lab->v, 0x83f, vector).action, VAPIC_DONE);
    } else {
        vlab_set(lab, 0x300, 0x44000u | vector);
        assert_int_equal(vapic_emulate_write(&lab->v, 0x300).action, VAPIC_DONE);
    }
    model_self_ipi(m, vector);
}

static void do_entry(struct vlab *lab, struct model *m, struct hv_rng *rng)
{
    m->window = rng_below(rng, 4) == 0;
    lab->v.controls.interrupt_window_exiting = m->window;
    assert_int_equal(vapic_enter(&lab->v).action, VAPIC_DONE);
    model_ppr(m);
    model_evaluate(m);
}

static void step(struct vlab *lab, struct model *m, struct hv_rng *rng)
{
    uint8_t vector = (uint8_t)(16 + rng_below(rng, 240));
    bool coin = rng_below(rng, 2) == 0;
    switch (rng_below(rng, 8)) {
    case 0: do_self_ipi(lab, m, vector, coin); break;
    case 1:
    case 2: do_eoi(lab, m, coin); break;
    case 3: do_tpr(lab, m, coin ? 0 : (uint8_t)rng_next(rng), (unsigned)rng_below(rng, 3)); break;
    case 4: do_post(lab, m, (uint8_t)rng_next(rng)); break;
    case 5:
        vapic_process_posted(&lab->v);
        model_process(m);
        break;
    case 6: do_entry(lab, m, rng); break;
    default:
        if (lab->v.recognized) {
            assert_int_equal(vapic_deliver(&lab->v), model_deliver(m));
        }
        break;
    }
}

static void prepare(struct vlab *lab, struct model *m, struct hv_rng *rng)
{
    memset(m, 0, sizeof(*m));
    vlab_controls(lab, VLAB_TPR | VLAB_REGISTERS | VLAB_DELIVERY | VLAB_X2APIC);
    m->sn = rng_below(rng, 4) == 0;
    uint64_t control = (m->sn ? 2 : 0) | 0xf2u << 16 | UINT64_C(0x700) << 32;
    memcpy(lab->memory.bytes + VLAB_DESCRIPTORS + 32, &control, sizeof(control));
    for (unsigned i = 0; i < 256; i++) {
        m->eoi_exits[i] = rng_below(rng, 10) == 0;
        if (m->eoi_exits[i]) {
            vector_set_add(&lab->v.controls.eoi_exit_bitmap, (uint8_t)i);
        }
    }
}

static void random_sequences_match_the_model(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 23);
    for (unsigned run = 0; run < 60; run++) {
        struct vlab lab;
        struct model m;
        vlab_init(&lab);
        prepare(&lab, &m, &rng);
        for (unsigned i = 0; i < 2000; i++) {
            step(&lab, &m, &rng);
            if (i % 16 == 0) {
                assert_same(&lab, &m);
            }
        }
        assert_same(&lab, &m);
        assert_true(lab.v.stats.delivered > 50);
        vlab_fini(&lab);
    }
}

/* 30.1.3 and 30.2.1 for every VTPR, every class in service and every class requested. */
static void priorities_decide_on_recognition(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    vlab_controls(&lab, VLAB_TPR | VLAB_DELIVERY);
    for (unsigned vtpr = 0; vtpr < 256; vtpr++) {
        for (unsigned service = 0; service < 16; service++) {
            for (unsigned request = 0; request < 16; request++) {
                for (unsigned window = 0; window < 2; window++) {
                    lab.v.svi = (uint8_t)(service << 4 | 3);
                    lab.v.rvi = (uint8_t)(request << 4 | 12);
                    lab.v.controls.interrupt_window_exiting = window != 0;
                    vlab_set(&lab, 0x80, vtpr);
                    vapic_enter(&lab.v);
                    unsigned above = vtpr >> 4 >= service ? vtpr >> 4 : service;
                    assert_int_equal(vlab_get(&lab, 0xa0), vtpr >> 4 >= service ? vtpr : service << 4);
                    assert_int_equal(lab.v.recognized, window == 0 && request > above);
                }
            }
        }
    }
    vlab_fini(&lab);
}

/* Posting: ON and SN decide on the notification; an urgent one is not suppressed (VT-d 5.2.3). */
static void notifications_are_sent_once(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 8; bits++) {
        struct vlab lab;
        vlab_init(&lab);
        bool on = (bits & 1) != 0, sn = (bits & 2) != 0, urgent = (bits & 4) != 0;
        uint64_t control = (bits & 3) | 0x31u << 16 | UINT64_C(0xdead0042) << 32;
        memcpy(lab.memory.bytes + VLAB_DESCRIPTORS + 32, &control, sizeof(control));
        struct posted_notification n = posted_post(&lab.memory, (hv_hpa){VLAB_DESCRIPTORS}, 200,
                                                   urgent ? POSTED_URGENT : POSTED_NORMAL);
        bool send = !on && (!sn || urgent);
        assert_int_equal(n.send, send);
        assert_int_equal(descriptor(&lab)[4], control | (send ? 1 : 0));
        assert_int_equal(descriptor(&lab)[3], UINT64_C(1) << (200 - 192));
        if (send) {
            assert_int_equal(n.vector, 0x31);
            assert_int_equal(n.ndst, 0xdead0042);
        }
        vlab_fini(&lab);
    }
}

/* The story of one posted interrupt, from the post to the EOI. */
static void a_posted_interrupt_is_delivered(void **state)
{
    (void)state;
    struct vlab lab;
    vlab_init(&lab);
    vlab_controls(&lab, VLAB_TPR | VLAB_DELIVERY);
    vapic_enter(&lab.v);
    posted_post(&lab.memory, lab.v.controls.posted_descriptor, 0x61, POSTED_NORMAL);
    posted_post(&lab.memory, lab.v.controls.posted_descriptor, 0x35, POSTED_NORMAL);
    assert_false(lab.v.recognized);
    vapic_process_posted(&lab.v);
    assert_int_equal(lab.v.rvi, 0x61);
    assert_true(lab.v.recognized);
    assert_int_equal(vapic_deliver(&lab.v), 0x61);
    assert_false(lab.v.recognized);
    assert_int_equal(lab.v.rvi, 0x35);
    assert_int_equal(vapic_emulate_write(&lab.v, 0xb0).action, VAPIC_DONE);
    assert_true(lab.v.recognized);
    assert_int_equal(vapic_deliver(&lab.v), 0x35);
    assert_int_equal(lab.v.stats.posted_moved, 2);
    assert_int_equal(lab.v.stats.posted_processed, 1);
    vlab_fini(&lab);
}

GTEST_MAIN("VirtualApicEvents", cmocka_unit_test(random_sequences_match_the_model),
           cmocka_unit_test(priorities_decide_on_recognition), cmocka_unit_test(notifications_are_sent_once),
           cmocka_unit_test(a_posted_interrupt_is_delivered))
