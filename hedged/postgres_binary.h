/* SPDX-License-Identifier: MIT
 * postgres_binary: values in PostgreSQL's binary form, as a COPY ... (FORMAT binary) takes them.
 *
 * Nothing is lost on the way: doubles go by their bits, numerics by all their digits. Each value is
 * its length in 4 bytes and then its bytes, all big endian. Failures stay in text.failed. */
#ifndef HEDGED_POSTGRES_BINARY_H
#define HEDGED_POSTGRES_BINARY_H

#include "text.h"

/* The stream's head, the head of a row of `columns`, and the stream's end. */
void postgres_binary_begin(text *out);
void postgres_binary_row(text *out, size_t columns);
void postgres_binary_end(text *out);

void postgres_binary_null(text *out);
void postgres_binary_bool(text *out, bool v);
void postgres_binary_int8(text *out, int64_t v);
void postgres_binary_float8(text *out, double v);
/* The shortest decimal number that reads back to v. A numeric knows no -0: it becomes 0. */
void postgres_binary_numeric(text *out, double v);
/* timestamptz: whole microseconds, rounded down. */
void postgres_binary_time(text *out, int64_t ts_ns);
void postgres_binary_text(text *out, const char *s);
void postgres_binary_bytes(text *out, const uint8_t *bytes, size_t n); /* bytea, uuid */
void postgres_binary_texts(text *out, const char *const *s, size_t n); /* text[] */

#endif
