/* SPDX-License-Identifier: MIT */
#ifndef HV_REPORT_BASE64_H
#define HV_REPORT_BASE64_H

#include <jansson.h>

/* Bytes as the text that a data: address takes (RFC 4648). */
json_t *base64_to_json(const void *bytes, size_t size);

#endif
