/* SPDX-License-Identifier: MIT
 * ship_rows: records of the journal as one transaction for Postgres. */
#ifndef HEDGED_SHIP_ROWS_H
#define HEDGED_SHIP_ROWS_H

#include "journal.h"
#include "postgres_link.h"

enum { SHIP_DECISIONS, SHIP_SHADOWS, SHIP_EVENTS, SHIP_TABLES };

typedef struct ship_rows {
    text streams[SHIP_TABLES]; /* a COPY each */
    size_t counts[SHIP_TABLES];
    size_t n;
    uint64_t writer, first_seq, last_seq;
    int64_t first_ts_ns, last_ts_ns; /* the earliest and the latest: clocks may step */
    uint8_t last_hash[HEDGE_HASH_SIZE];
} ship_rows;

/* Decodes a row that follows the record `before` in the chain. NULL, or why it cannot: what does
 * not verify is not sent. */
const char *ship_rows_read(const journal_row *row, const journal_head *before, uint64_t writer,
                           hedge_record *record);

/* Empties it, and keeps its memory. */
void ship_rows_clear(ship_rows *r, uint64_t writer);
void ship_rows_free(ship_rows *r);

/* Adds a record, which is `row` decoded. */
void ship_rows_add(ship_rows *r, const journal_row *row, const hedge_record *record);

/* Writes them in one transaction. `follows`: they are a piece of the chain without gaps, and the
 * transaction is undone (SQLSTATE HE001) unless the database then holds each of them once, with
 * the last one's hash; otherwise each is only counted. POSTGRES_REFUSED without an SQLSTATE: the
 * count is wrong. */
postgres_answer ship_rows_send(ship_rows *r, postgres_link *link, bool follows);

/* Asks whether the database holds exactly the last one added. */
postgres_answer ship_rows_is_there(const ship_rows *r, postgres_link *link);

#endif
