/* SPDX-License-Identifier: MIT */
#include "report/base64.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"

json_t *base64_to_json(const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = bytes;
    char *text = malloc(size / 3 * 4 + 5), *out = text;
    HV_ASSERT(text != NULL, "out of memory");
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t second = left > 1 ? in[i + 1] : 0, third = left > 2 ? in[i + 2] : 0;
        uint32_t three = (uint32_t)in[i] << 16 | second << 8 | third;
        *out++ = digits[three >> 18];
        *out++ = digits[three >> 12 & 63];
        *out++ = left > 1 ? digits[three >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[three & 63] : '=';
    }
    json_t *json = json_stringn(text, (size_t)(out - text));
    free(text);
    return json;
}
