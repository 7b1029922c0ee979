/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU's registers as a table, one row of iommu_regs.def each, and what commands have latched of them.
 */
#ifndef HV_IOMMU_IOMMU_REGS_H
#define HV_IOMMU_IOMMU_REGS_H

#include "mmu/walkers.h"

/*
 * Offsets. Software finds IVA by ECAP.IRO and the fault records, of 16 bytes each, by CAP.FRO. They lie behind the
 * first page, so that all 256 that CAP.NFR can tell fit.
 */
enum iommu_offset {
#define R(offset, name, bytes, kind, reset, writable, w1c, offered, text) IOMMU_##name = offset,
#define B(name, bits, offered)
#include "iommu/iommu_regs.def"
#undef R
#undef B
    IOMMU_FRCD_BYTES = 16,
    IOMMU_FRCD_MAX = 256,
    IOMMU_WINDOW_BYTES = IOMMU_FRCD_LOW + IOMMU_FRCD_BYTES * IOMMU_FRCD_MAX,
};

/* GCMD and GSTS. */
#define IOMMU_GSTS_TES (UINT32_C(1) << 31)   /* translation */
#define IOMMU_GSTS_RTPS (UINT32_C(1) << 30)  /* root-table pointer */
#define IOMMU_GSTS_QIES (UINT32_C(1) << 26)  /* queued invalidation */
#define IOMMU_GSTS_IRES (UINT32_C(1) << 25)  /* interrupt remapping */
#define IOMMU_GSTS_IRTPS (UINT32_C(1) << 24) /* interrupt-remapping table pointer */
#define IOMMU_GSTS_CFIS (UINT32_C(1) << 23)  /* interrupts in the compatibility format pass */

/* FSTS. */
#define IOMMU_FSTS_PFO (UINT32_C(1) << 0) /* primary fault overflow */
#define IOMMU_FSTS_PPF (UINT32_C(1) << 1) /* primary pending fault */
#define IOMMU_FSTS_IQE (UINT32_C(1) << 4) /* invalidation queue error */
#define IOMMU_FSTS_ICE (UINT32_C(1) << 5) /* invalidation completion error */
#define IOMMU_FSTS_ITE (UINT32_C(1) << 6) /* invalidation time-out error */
enum { IOMMU_FSTS_FRI_SHIFT = 8 };        /* fault record index */

/* FECTL, IECTL and PECTL, which data, address and upper address follow. */
#define IOMMU_EVENT_IM (UINT32_C(1) << 31) /* masked */
#define IOMMU_EVENT_IP (UINT32_C(1) << 30) /* pending */

#define IOMMU_ICS_IWC UINT32_C(1) /* an invalidation wait descriptor that interrupts is complete */
#define IOMMU_PRS_PPR UINT32_C(1) /* pending page request */
#define IOMMU_PRS_PRO UINT32_C(2) /* page request overflow */
#define IOMMU_PMEN_EPM (UINT32_C(1) << 31)
#define IOMMU_PMEN_PRS UINT32_C(1)

/* CCMD and IOTLB: the command, what is asked for (CIRG, IIRG) and what was done (CAIG, IAIG). */
#define IOMMU_INVALIDATE (UINT64_C(1) << 63) /* ICC, IVT */
enum {
    IOMMU_CIRG_SHIFT = 61, IOMMU_CAIG_SHIFT = 59,
    IOMMU_IIRG_SHIFT = 60, IOMMU_IAIG_SHIFT = 57,
    IOMMU_IVA_AM = 0x3f, IOMMU_IVA_IH = 1 << 6,
};

/* CAP and ECAP, the fields that the IOMMU itself looks at. */
enum { IOMMU_MAX_ADDRESS_MASK = 18 /* CAP.MAMV: 1 GiB at a time */, IOMMU_MAX_HANDLE_MASK = 15 /* ECAP.MHMV */ };

/* IQERCD.IQEI. */
enum iommu_queue_error {
    IOMMU_QUEUE_FINE,
    IOMMU_QUEUE_TAIL,       /* the tail is behind the queue's end */
    IOMMU_QUEUE_FETCH,      /* the descriptor could not be read */
    IOMMU_QUEUE_TYPE,       /* there is no descriptor of that type */
    IOMMU_QUEUE_RESERVED,   /* a reserved field or value */
    IOMMU_QUEUE_WIDTH,      /* 128-bit descriptors in scalable mode */
    IOMMU_QUEUE_ALIGNMENT,  /* the tail of a queue of 256-bit descriptors is odd */
    IOMMU_QUEUE_TABLE_MODE, /* RTADDR.TTM is reserved */
};

/* RTADDR.TTM: which tables the root-table address leads to. */
enum iommu_table_mode { IOMMU_LEGACY, IOMMU_SCALABLE, IOMMU_TABLE_RESERVED, IOMMU_ABORT_DMA };

struct iommu_regs {
    /* What the last commands latched. */
    bool translation_on;     /* GSTS.TES */
    bool remapping_on;       /* GSTS.IRES */
    bool compatibility_on;   /* GSTS.CFIS */
    bool queue_on;           /* GSTS.QIES */
    bool extended_interrupts; /* IRTA.EIME */
    uint8_t table_mode;      /* enum iommu_table_mode */
    uint32_t interrupt_entries;
    uint64_t root_table, interrupt_table; /* addresses */

    bool processing;         /* the queue is at work: a wire called back */
    bool fetched;            /* and holds the line that its head is in */
    uint32_t next_record;    /* the fault record that comes next */
    hv_cycles context_done, iotlb_done; /* when the last register-based invalidation is complete */
    hv_cycles busy_until;    /* the end of the last command or descriptor */
    struct walkers invalidator; /* one: the times for which the hardware that invalidates is taken */
    uint32_t cell[IOMMU_WINDOW_BYTES / 4];
};

static inline uint32_t iommu_reg32(const struct iommu_regs *r, uint32_t offset)
{
    return r->cell[offset / 4];
}

static inline uint64_t iommu_reg64(const struct iommu_regs *r, uint32_t offset)
{
    return (uint64_t)r->cell[offset / 4 + 1] << 32 | r->cell[offset / 4];
}

static inline void iommu_set_reg32(struct iommu_regs *r, uint32_t offset, uint32_t value)
{
    r->cell[offset / 4] = value;
}

static inline void iommu_set_reg64(struct iommu_regs *r, uint32_t offset, uint64_t value)
{
    r->cell[offset / 4] = (uint32_t)value;
    r->cell[offset / 4 + 1] = (uint32_t)(value >> 32);
}

#endif
