/* SPDX-License-Identifier: MIT */
/* Text that can be shown, and written to YAML and read back unchanged. */
#ifndef HV_BASE_TEXT_H
#define HV_BASE_TEXT_H

#include <stdbool.h>

/* Is this valid UTF-8 without control characters, line separators, byte order marks and noncharacters? */
bool text_is_printable(const char *text);

#endif
