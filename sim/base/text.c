/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* Decodes one UTF-8 character; returns its length, or 0 when it is malformed, overlong or a surrogate. */
static size_t decode(const unsigned char *c, uint32_t *point)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = c[0] < 0x80 ? 1 : c[0] >> 5 == 0x6 ? 2 : c[0] >> 4 == 0xe ? 3 : c[0] >> 3 == 0x1e ? 4 : 0;
    if (length == 0) {
        return 0;
    }
    *point = length == 1 ? c[0] : c[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (c[i] & 0x3fu);
    }
    bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
    return *point < least[length] || *point > 0x10ffff || surrogate ? 0 : length;
}

static bool is_printable(uint32_t point)
{
    bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool separator = point == 0x2028 || point == 0x2029 || point == 0xfeff;
    bool noncharacter = point == 0xfffe || point == 0xffff;
    return !control && !separator && !noncharacter;
}

bool text_is_printable(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c != '\0') {
        uint32_t point;
        size_t length = decode(c, &point);
        if (length == 0 || !is_printable(point)) {
            return false;
        }
        c += length;
    }
    return true;
}
