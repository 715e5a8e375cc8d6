/* SPDX-License-Identifier: MIT
 * base64url: bytes as tokens and keys write them (RFC 4648, 5; no padding). */
#ifndef HEDGED_BASE64URL_H
#define HEDGED_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes n characters into out. False: a character of another alphabet,
 * padding, a length no text of bytes has, unused bits that are not 0 (so that
 * there is one way to write each text of bytes), or more than `capacity`. */
bool base64url_decode(const char *from, size_t n, uint8_t *out, size_t capacity, size_t *out_n);

#endif
