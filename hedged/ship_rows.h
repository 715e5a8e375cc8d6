/* SPDX-License-Identifier: MIT
 * ship_rows: records of the journal as one transaction for Postgres. */
#ifndef HEDGED_SHIP_ROWS_H
#define HEDGED_SHIP_ROWS_H

#include "journal.h"
#include "postgres_link.h"

enum { SHIP_DECISIONS, SHIP_SHADOWS, SHIP_EVENTS, SHIP_TABLES };

/* A record that the database holds; seq 0: none. */
typedef struct ship_place {
    journal_head head;
    int64_t ts_ns; /* tells the server which partition to look into */
} ship_place;

typedef struct ship_rows {
    text streams[SHIP_TABLES]; /* a COPY each */
    size_t counts[SHIP_TABLES];
    size_t n;
    uint64_t writer, first_seq;
    int64_t first_ts_ns, last_ts_ns; /* the earliest and the latest: clocks may step */
    ship_place last;
    text checks; /* of single ones */
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

/* The same, and has that one checked by itself: they need not follow each other then. */
void ship_rows_add_single(ship_rows *r, const journal_row *row, const hedge_record *record);

/* Writes them in one transaction, which is undone unless the database then holds each of them once:
 * SHIP_STATE_DIVERGED, SHIP_STATE_DROPPED. `before` (NULL: single ones): they are a piece of the
 * chain without gaps; the last one must have its hash, and `before`, which the database held, must
 * still be there: SHIP_STATE_LACKS. POSTGRES_REFUSED without an SQLSTATE: the server's own count is
 * wrong. */
postgres_answer ship_rows_send(ship_rows *r, postgres_link *link, const ship_place *before);

/* Asks whether the database holds exactly the last one added. */
postgres_answer ship_rows_is_there(const ship_rows *r, postgres_link *link);

#endif
