/* SPDX-License-Identifier: MIT */
#include "apic/msi.h"

enum {
    MSI_PREFIX = 0xfee, MSI_PREFIX_SHIFT = 20,
    MSI_DESTINATION_SHIFT = 12,
    MSI_REMAPPABLE = 1 << 4,
    MSI_REDIRECT = 1 << 3,
    MSI_LOGICAL = 1 << 2,
    MSI_MODE_SHIFT = 8,
    MSI_ASSERT = 1 << 14,
    MSI_LEVEL = 1 << 15,
};

bool msi_is_address(uint64_t address)
{
    return address >> MSI_PREFIX_SHIFT == MSI_PREFIX;
}

bool msi_is_remappable(const struct msi *msi)
{
    return msi_is_address(msi->address) && (msi->address & MSI_REMAPPABLE) != 0;
}

bool msi_decode(const struct msi *msi, struct interrupt_message *message)
{
    bool level = (msi->data & MSI_LEVEL) != 0;
    if (!msi_is_address(msi->address) || (level && (msi->data & MSI_ASSERT) == 0)) {
        return false;
    }
    uint32_t destination = (uint32_t)(msi->address >> MSI_DESTINATION_SHIFT) & 0xff;
    *message = (struct interrupt_message){
        .vector = (uint8_t)msi->data,
        .mode = (enum interrupt_mode)(msi->data >> MSI_MODE_SHIFT & 7),
        .trigger = level ? INTERRUPT_LEVEL : INTERRUPT_EDGE,
        .destination_mode = (msi->address & MSI_LOGICAL) != 0 ? INTERRUPT_LOGICAL : INTERRUPT_PHYSICAL,
        .destination = destination,
    };
    if (message->destination_mode == INTERRUPT_PHYSICAL && destination == 0xff) {
        message->destination = INTERRUPT_BROADCAST;
    }
    if ((msi->address & MSI_REDIRECT) != 0 && message->mode == INTERRUPT_FIXED) {
        message->mode = INTERRUPT_LOWEST_PRIORITY;
    }
    return true;
}
