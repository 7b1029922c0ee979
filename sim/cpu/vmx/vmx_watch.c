/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_watch.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/processor.h"

enum { KEPT = 64, SENTENCE_BYTES = 256, INACTIVE = -1 };

const char *const vmx_mistake_names[] = {
    "active_elsewhere", "changed_by_stores", "never_cleared", "left_active", NULL,
};

/* A VMCS that some processor has used. */
struct watched {
    uint64_t address;
    int processor;                     /* on which it is active, or INACTIVE */
    bool cleared;                      /* it has been VMCLEARed at least once */
    uint8_t copy[VMCS_REGION_BYTES];   /* the region as its processor left it */
};

struct vmx_watch {
    struct watched *items;
    size_t item_count, item_room;
    uint64_t counts[VMX_MISTAKES];
    char kept[KEPT][SENTENCE_BYTES];
    size_t kept_count;
};

struct vmx_watch *vmx_watch_new(void)
{
    struct vmx_watch *w = calloc(1, sizeof(*w));
    HV_ASSERT(w != NULL, "out of memory");
    return w;
}

void vmx_watch_free(struct vmx_watch *w)
{
    if (w != NULL) {
        free(w->items);
        free(w);
    }
}

uint64_t vmx_watch_count(const struct vmx_watch *w, enum vmx_mistake mistake)
{
    return w->counts[mistake];
}

size_t vmx_watch_report(const struct vmx_watch *w, FILE *out)
{
    for (size_t i = 0; i < w->kept_count; i++) {
        fprintf(out, "%s\n", w->kept[i]);
    }
    return w->kept_count;
}

static void __attribute__((format(printf, 3, 4))) find(struct vmx_watch *w, enum vmx_mistake mistake,
                                                       const char *format, ...)
{
    w->counts[mistake]++;
    if (w->kept_count < KEPT) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(w->kept[w->kept_count++], SENTENCE_BYTES, format, arguments);
        va_end(arguments);
    }
}

/* --- the VMCSs ---------------------------------------------------------------------------------------------------- */

static struct watched *known(const struct vmx_watch *w, uint64_t address)
{
    for (size_t i = 0; w != NULL && i < w->item_count; i++) {
        if (w->items[i].address == address) {
            return &w->items[i];
        }
    }
    return NULL;
}

static struct watched *item_of(struct vmx_watch *w, uint64_t address)
{
    struct watched *item = known(w, address);
    if (item != NULL) {
        return item;
    }
    if (w->item_count == w->item_room) {
        w->item_room = w->item_room == 0 ? 16 : 2 * w->item_room;
        w->items = realloc(w->items, w->item_room * sizeof(w->items[0]));
        HV_ASSERT(w->items != NULL, "out of memory");
    }
    item = &w->items[w->item_count++];
    memset(item, 0, sizeof(*item));
    item->address = address;
    item->processor = INACTIVE;
    return item;
}

/* The region in memory, or NULL when a VMCS cannot lie there. */
static const uint8_t *region_of(const struct processor *p, uint64_t address)
{
    return physmem_pointer(p->memory, (hv_hpa){address}, VMCS_REGION_BYTES);
}

static void take_copy(struct watched *item, const struct processor *p)
{
    const uint8_t *region = region_of(p, item->address);
    if (region != NULL) {
        memcpy(item->copy, region, sizeof(item->copy));
    }
}

/* --- changes by ordinary stores ----------------------------------------------------------------------------------- */

/* What the processor writes on its own while the guest runs, and so is no sign of a store. */
static bool is_processors(enum vmcs_index field)
{
    return field == VMCS_INDEX_pml_index || field == VMCS_INDEX_guest_interrupt_status || field == VMCS_INDEX_eptp ||
           field == VMCS_INDEX_eptp_index;
}

/* The first field that differs, or VMCS_FIELDS. */
static enum vmcs_index changed_field(const struct watched *item, const struct processor *p)
{
    uint8_t bytes[VMCS_REGION_BYTES] __attribute__((aligned(8)));
    memcpy(bytes, item->copy, sizeof(bytes));
    struct physmem past = {bytes, sizeof(bytes)};
    const struct vmcs then = {&past, 0}, now = {p->memory, item->address};
    unsigned field = 0;
    while (field < VMCS_FIELDS && (is_processors(field) || vmcs_get(&then, field) == vmcs_get(&now, field))) {
        field++;
    }
    return (enum vmcs_index)field;
}

static bool header_changed(const struct watched *item, const uint8_t *region)
{
    enum { HEADER_BYTES = 16 };
    return memcmp(item->copy, region, HEADER_BYTES) != 0;
}

void vmx_watch_look(struct vmx_watch *w, const struct processor *p, uint64_t address)
{
    struct watched *item = known(w, address);
    const uint8_t *region = region_of(p, address);
    if (item == NULL || region == NULL || item->processor == INACTIVE ||
        memcmp(item->copy, region, sizeof(item->copy)) == 0) {
        return;
    }
    enum vmcs_index field = changed_field(item, p);
    if (field < VMCS_FIELDS || header_changed(item, region)) {
        find(w, VMX_MISTAKE_STORED,
             "processor %u, cycle %llu: the region of the active VMCS at %#llx was changed by an ordinary store (%s); "
             "use VMWRITE", p->number, (unsigned long long)p->now, (unsigned long long)address,
             field < VMCS_FIELDS ? vmcs_fields[field].name : "its header");
    }
    take_copy(item, p);
}

void vmx_watch_wrote(struct vmx_watch *w, const struct processor *p, uint64_t address)
{
    struct watched *item = known(w, address);
    if (item != NULL) {
        take_copy(item, p);
    }
}

/* --- VMCLEAR, VMPTRLD, VMXOFF ------------------------------------------------------------------------------------- */

static void check_elsewhere(struct vmx_watch *w, const struct watched *item, const struct processor *p,
                            const char *what)
{
    if (item->processor != INACTIVE && item->processor != (int)p->number) {
        find(w, VMX_MISTAKE_ACTIVE_ELSEWHERE,
             "processor %u, cycle %llu: %s of the VMCS at %#llx, which is active on processor %d; VMCLEAR it there "
             "first", p->number, (unsigned long long)p->now, what, (unsigned long long)item->address, item->processor);
    }
}

void vmx_watch_vmclear(struct vmx_watch *w, const struct processor *p, uint64_t address)
{
    if (w == NULL) {
        return;
    }
    struct watched *item = item_of(w, address);
    check_elsewhere(w, item, p, "VMCLEAR");
    vmx_watch_look(w, p, address);
    item->processor = INACTIVE;
    item->cleared = true;
}

void vmx_watch_vmptrld(struct vmx_watch *w, const struct processor *p)
{
    if (w == NULL) {
        return;
    }
    struct watched *item = item_of(w, p->vmx.current.address);
    check_elsewhere(w, item, p, "VMPTRLD");
    if (!item->cleared) {
        find(w, VMX_MISTAKE_NEVER_CLEARED,
             "processor %u, cycle %llu: VMPTRLD of the region at %#llx, which was never initialized by VMCLEAR",
             p->number, (unsigned long long)p->now, (unsigned long long)item->address);
        item->cleared = true;
    }
    if (item->processor == INACTIVE) {
        take_copy(item, p);
    }
    vmx_watch_look(w, p, item->address);
    item->processor = (int)p->number;
}

void vmx_watch_vmxoff(struct vmx_watch *w, const struct processor *p)
{
    for (size_t i = 0; w != NULL && i < w->item_count; i++) {
        struct watched *item = &w->items[i];
        if (item->processor == (int)p->number) {
            find(w, VMX_MISTAKE_LEFT_ACTIVE,
                 "processor %u, cycle %llu: VMXOFF while the VMCS at %#llx is active; VMCLEAR it before", p->number,
                 (unsigned long long)p->now, (unsigned long long)item->address);
            item->processor = INACTIVE;
        }
    }
}
