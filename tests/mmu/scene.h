/* SPDX-License-Identifier: MIT */
/*
 * One translation with every entry of its path in the hand of the test.
 *
 * A scene holds a value for each entry that a two-dimensional walk can read: one per level of the guest's tables, and
 * for each of the addresses that the second level translates (the guest's tables 1..5, and the data page, 0) one per
 * level of the second level's. scene_check() writes them to memory, asks the oracle, lets the simulator walk with no
 * cache at all and then with every cache, and compares everything: result or fault in all its parts, the number of
 * references, and what hardware wrote back.
 *
 *     gPA of the table of guest level t = t * 512 GiB + t * 4 KiB
 *     gPA of the data page              = 6 * 512 GiB + the address within its 1 GiB
 *
 * so each has a path of its own below the root of the second level.
 */
#ifndef HV_TESTS_MMU_SCENE_H
#define HV_TESTS_MMU_SCENE_H

#include "oracle.h"
#include "rig.h"

enum { SCENE_DATA = 0, SCENE_TARGETS = 6 };

enum scene_mode { SCENE_NATIVE, SCENE_EPT, SCENE_NPT };

struct scene {
    uint64_t guest[6];               /* by level */
    uint64_t host[SCENE_TARGETS][6]; /* by target and level; level 5 is one entry, that of target 0 */
    uint64_t gva;
    struct mmu_regs regs; /* eptp without its walk length, which host_levels says */
    enum scene_mode mode;
    enum hv_access_kind access;
    unsigned guest_levels, host_levels;
    unsigned guest_leaf;               /* level of the guest's leaf entry: 1, 2 or 3 */
    unsigned host_leaf[SCENE_TARGETS]; /* and of the second level's, by target */
    unsigned maxphyaddr;
    bool ept_execute_only, mode_based_execute;
};

/* What a scene starts from: all rights, all flags set, 4-level tables of 4 KiB pages, a load by the supervisor. */
void scene_default(struct scene *s, enum scene_mode mode);

/* Puts valid entries for the shape (levels and leaves) that the scene says. */
void scene_fill(struct scene *s);

struct scene_bench;

struct scene_bench *scene_bench_new(void);
void scene_bench_free(struct scene_bench *b);

/* How much of memory is compared after a walk: the entries of the path, or all of it. */
enum scene_extent { SCENE_PATH, SCENE_ALL_MEMORY };

/* Fails the test on any difference. */
void scene_check(struct scene_bench *b, const struct scene *s, enum scene_extent extent);

/*
 * The same with caches that are warm: translates twice, and then in every other kind and mode without a flush; since
 * software changes nothing meanwhile, each answer must be that of the oracle.
 */
void scene_check_warm(struct scene_bench *b, const struct scene *s);

/* How often scenes ended how, so that a test can tell that it has tried what it meant to. */
uint64_t scene_outcomes(const struct scene_bench *b, enum hv_fault_kind kind);

#endif
