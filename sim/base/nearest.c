/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <string.h>

#include "base/param.h"

#define TEXT_LIMIT 128

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > TEXT_LIMIT || b_length > TEXT_LIMIT) {
        return NEAREST_FAR;
    }
    /* Row i holds the distances between the first i letters of a and each beginning of b; a swap looks two rows up. */
    unsigned rows[3][TEXT_LIMIT + 1];
    for (unsigned j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= a_length; i++) {
        const unsigned *two_up = rows[(i + 1) % 3], *up = rows[(i + 2) % 3];
        unsigned *row = rows[i % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = up[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(up[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], two_up[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

unsigned edit_distance_limit(const char *text)
{
    return 1 + (unsigned)(strlen(text) / 4);
}

const char *nearest_name(const char *text, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    unsigned nearest_distance = least(edit_distance_limit(text), NEAREST_FAR - 1) + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = edit_distance(text, names[i]);
        /* One letter replaced by another is no likeness: every name would be near to it. */
        if (distance < nearest_distance && distance < strlen(names[i])) {
            nearest_distance = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
