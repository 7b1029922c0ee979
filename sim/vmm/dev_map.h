/* SPDX-License-Identifier: MIT */
/*
 * The software that owns AMD's Device Exclusion Vector: a vector of bits in simulated memory for each protection
 * domain, the registers that say where they are, and a domain for each device (bus and unit) that has memory.
 *
 * Domain 0, of all devices that nothing names, reaches nothing; so does a new domain. A vector covers no more than it
 * has to, and protects what is beyond. Hardware may keep parts of vectors: changes wait for dev_map_invalidate().
 *
 * Source: AMD64 APM Vol. 2 "External Access Protection" (15.24).
 *
 * MODEL: software waits for an invalidation by reading DEV_CR every 100 cycles; no other access to configuration space
 * takes time.
 */
#ifndef HV_VMM_DEV_MAP_H
#define HV_VMM_DEV_MAP_H

#include "iommu/dev_vector.h"
#include "vmm/frames.h"

struct dev_map {
    struct dev_vector *hardware;
    struct physmem *memory;
    struct frames *frames;
    unsigned size;     /* of DEV_BASE: vectors cover 4 GiB * 2^size */
    uint32_t domains, maps; /* that the hardware has */
    uint32_t used;     /* domains in use, 0 included */
    uint64_t vectors[DEV_VECTOR_MAX_DOMAINS];
};

struct dev_map_config {
    struct physmem *memory;
    struct frames *frames; /* of host memory, nothing given back to it: vectors come from here in one piece */
    uint64_t end;          /* no device is to reach what lies from here on */
};

/* Makes domain 0 and turns protection on. Fails with a sentence when memory is too small. */
bool dev_map_init(struct dev_map *m, struct dev_vector *hardware, const struct dev_map_config *config,
                  struct hv_err *err);

/*
 * The domain of a device, a new one when it has none. Functions of one bus and unit share it: the hardware cannot tell
 * them apart. Fails with a sentence when domains, registers or memory are used up.
 */
bool dev_map_place(struct dev_map *m, uint16_t source, uint32_t *domain, struct hv_err *err);

/* Lets the devices of a domain reach all pages of a range, or keeps them out. */
void dev_map_allow(struct dev_map *m, uint32_t domain, uint64_t address, uint64_t bytes);
void dev_map_exclude(struct dev_map *m, uint32_t domain, uint64_t address, uint64_t bytes);

/* Empties the hardware's cache; returns when software has seen that it is empty. */
hv_cycles dev_map_invalidate(struct dev_map *m, hv_cycles now);

#endif
