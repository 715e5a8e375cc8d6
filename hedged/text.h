/* SPDX-License-Identifier: MIT
 * text: a growing buffer that replies, metrics and log lines are written into. */
#ifndef HEDGED_TEXT_H
#define HEDGED_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct text {
    char *bytes; /* NUL-terminated once anything was put */
    size_t n, capacity;
    bool failed; /* no room and no memory for more; nothing is put any more */
    bool fixed;  /* the bytes are the caller's: neither grown nor freed */
} text;

/* A text in the caller's bytes, which fails when they are full. */
text text_in(char *bytes, size_t capacity);
void text_free(text *t);
void text_put(text *t, const char *bytes, size_t n);
void text_puts(text *t, const char *s);
void text_printf(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* JSON values. A string is escaped, and bytes that are not UTF-8 become
 * U+FFFD; a double is the shortest text that reads back to it; one that is
 * not finite becomes null. */
void text_json_string(text *t, const char *s);
void text_json_double(text *t, double v);
/* Length of the UTF-8 sequence at s (which ends with NUL), 0 if it is not one. */
size_t text_utf8_length(const unsigned char *s);
/* Copies s as UTF-8 that fits: what is not UTF-8 becomes '?', and no character
 * is cut in two. */
void text_copy_utf8(char *out, size_t capacity, const char *s);
void text_hex(text *t, const uint8_t *bytes, size_t n);

/* `"name": ` with a comma before it unless it opens an object or a list. */
void text_name(text *t, const char *name);
void text_member_string(text *t, const char *name, const char *s);
void text_member_double(text *t, const char *name, double v);
void text_member_int(text *t, const char *name, int64_t v);
void text_member_bool(text *t, const char *name, bool v);
void text_member_hex(text *t, const char *name, const uint8_t *bytes, size_t n);
/* The member `flags`: the names of a decision's flags. */
void text_member_flags(text *t, uint32_t flags);

#endif
