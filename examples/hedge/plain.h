/* SPDX-License-Identifier: MIT
 * plain.h: text of records, policies and servers, made safe to show on a terminal. */
#ifndef HEDGE_CLI_PLAIN_H
#define HEDGE_CLI_PLAIN_H

#include <stddef.h>

/* The text with each control character (C0, DEL, C1) and each byte that is not UTF-8 as \xNN, so
 * that it can neither move the cursor nor hide what stands around it. What is longer than 1,000
 * bytes ends in "...". Good until eight others were asked for; the main thread alone. */
const char *plain(const char *text);

/* The bytes of the UTF-8 character at p, which a NUL ends; 0: there is none. */
size_t plain_utf8_length(const unsigned char *p);

#endif
