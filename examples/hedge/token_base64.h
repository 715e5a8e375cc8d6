/* SPDX-License-Identifier: MIT
 * token_base64.h: bytes as tokens and keys write them (base64url without padding). */
#ifndef HEDGE_CLI_TOKEN_BASE64_H
#define HEDGE_CLI_TOKEN_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Appends n bytes as text. False: out of memory. */
bool token_base64_append(bytes *out, const uint8_t *from, size_t n);
/* False: not base64url, or more bytes than capacity. */
bool token_base64_decode(const char *from, size_t n, uint8_t *out, size_t capacity, size_t *out_n);

#endif
