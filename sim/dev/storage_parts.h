/* SPDX-License-Identifier: MIT */
/* What the files of the storage device share: storage.c (commands, time) and storage_registers.c. */
#ifndef HV_DEV_STORAGE_PARTS_H
#define HV_DEV_STORAGE_PARTS_H

#include "dev/storage.h"

/* Parts of the agenda; one for each command that is under way from STORAGE_SLOTS on. */
enum storage_part { STORAGE_FETCH, STORAGE_VECTOR, STORAGE_SLOTS };

static inline bool storage_runs(const struct storage *s)
{
    return s->enabled && s->error == STORAGE_RUNNING;
}

/* Forgets all that is under way, except interrupts. */
void storage_abandon(struct storage *s);

/* Stops for an error, with an interrupt. */
void storage_stop(struct storage *s, enum storage_error error, hv_cycles now);

/* The completion queue has more room. */
void storage_completion_room(struct storage *s, hv_cycles now);

#endif
