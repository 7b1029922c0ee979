/* SPDX-License-Identifier: MIT */
/*
 * A device's registers as a table: one row of a .def file each.
 *
 * An access has 4 or 8 bytes, is aligned and lies in the window. 8 bytes reach the one register that is there, also
 * when it has only 4; 4 bytes reach either half of one that has 8.
 */
#ifndef HV_DEV_DEV_REGISTERS_H
#define HV_DEV_DEV_REGISTERS_H

#include "base/types.h"

/* DEV_DO: a write does something, and what is read is not what was written. */
enum dev_access { DEV_RW, DEV_RO, DEV_W1C, DEV_DO };

struct dev_register {
    uint32_t offset;
    unsigned width; /* in bytes: 4 or 8 */
    enum dev_access access;
    uint64_t writable;
};

#define DEV_REGISTER(offset, width, name, access, writable, text) {offset, width, DEV_##access, writable},

static inline bool dev_register_is_access(uint32_t offset, unsigned bytes, uint32_t window_bytes)
{
    return (bytes == 4 || bytes == 8) && offset % bytes == 0 && offset <= window_bytes - bytes;
}

/* The register that an offset lies in, or NULL. */
static inline const struct dev_register *dev_register_find(const struct dev_register *rows, size_t count,
                                                           uint32_t offset)
{
    for (size_t i = 0; i < count; i++) {
        if (offset >= rows[i].offset && offset < rows[i].offset + rows[i].width) {
            return &rows[i];
        }
    }
    return NULL;
}

/* By how many bits an access at this offset is above the register's lowest. */
static inline unsigned dev_register_shift(const struct dev_register *r, uint32_t offset)
{
    return r->width == 8 && offset % 8 != 0 ? 32 : 0;
}

/* What an access reads of the register's value. */
static inline uint64_t dev_register_read(const struct dev_register *r, uint64_t value, uint32_t offset, unsigned bytes)
{
    value >>= dev_register_shift(r, offset);
    return bytes == 4 ? (uint32_t)value : value;
}

/* The register's whole value after a write, its bits that cannot be written cleared. */
static inline uint64_t dev_register_write(const struct dev_register *r, uint64_t before, uint32_t offset,
                                          unsigned bytes, uint64_t value)
{
    unsigned shift = dev_register_shift(r, offset);
    uint64_t mask = (bytes == 8 ? UINT64_MAX : UINT32_MAX) << shift;
    return ((before & ~mask) | (value << shift & mask)) & r->writable;
}

#endif
