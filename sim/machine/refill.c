/* SPDX-License-Identifier: MIT */
#include "machine/refill.h"

#include <stdlib.h>

#include "base/relay.h"

/* What the second thread is told: whose batch to decode. */
struct order {
    struct machine_task *task;
};

/* A thread begins with what was asked for; false: the other one has. */
static bool begin(struct machine_task *t)
{
    return !__atomic_exchange_n(&t->begun, true, __ATOMIC_SEQ_CST);
}

/* In the second thread, unless the first has not waited for it. */
static void decode_ahead(void *ctx, void *block)
{
    struct machine_task *t = ((const struct order *)block)->task;
    (void)ctx;
    if (begin(t)) {
        t->ahead_err = (struct hv_err){""};
        t->ahead_count = workload_next(t->workload, t->ahead, MACHINE_BATCH, &t->ahead_err);
    }
}

static bool ask(struct machine *m, struct machine_task *t)
{
    if (t->ahead == NULL) {
        t->ahead = calloc(MACHINE_BATCH, sizeof(*t->ahead));
    }
    if (t->ahead == NULL) {
        return false;
    }
    __atomic_store_n(&t->begun, false, __ATOMIC_SEQ_CST);
    *(struct order *)relay_block(m->refiller) = (struct order){t};
    relay_pass(m->refiller);
    return true;
}

/* Takes the batch that was asked for. A host too busy to have begun with it does not keep this thread from it. */
static void take_ahead(struct machine *m, struct machine_task *t, struct hv_err *err)
{
    if (begin(t)) {
        t->count = workload_next(t->workload, t->batch, MACHINE_BATCH, err);
        return;
    }
    relay_settle(m->refiller);
    struct hv_access *batch = t->ahead;
    t->ahead = t->batch;
    t->batch = batch;
    t->count = t->ahead_count;
    if (t->count == (size_t)-1) {
        *err = t->ahead_err;
    }
}

bool refill_task(struct machine *m, struct machine_task *t, struct hv_err *err)
{
    if (t->asked) {
        take_ahead(m, t, err);
    } else {
        t->count = workload_next(t->workload, t->batch, MACHINE_BATCH, err);
    }
    t->next = 0;
    t->over = t->count == 0;
    bool whole = t->count != (size_t)-1;
    t->asked = m->refiller != NULL && whole && !t->over && ask(m, t);
    return whole;
}

void refill_ahead(struct machine *m)
{
    if (m->refiller == NULL) {
        m->refiller = relay_new(sizeof(struct order), decode_ahead, NULL);
    }
}

void refill_fini(struct machine *m)
{
    relay_free(m->refiller);
    m->refiller = NULL;
}
