/* SPDX-License-Identifier: MIT
 * ship_holes: which records the database lacks of those that it should hold. */
#include "ship_holes.h"

#include "ship_fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MOST 100000 /* records in one statement, which so stays far below its time */
#define PAGE 64

typedef struct search {
    postgres_link *link;
    journal *journal;
    uint64_t writer;
} search;

static postgres_answer say(postgres_link *link, const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* sqlstate "": it is no word of the server's. */
static postgres_answer say(postgres_link *link, const char *sqlstate, const char *format, ...)
{
    va_list arguments;

    snprintf(link->sqlstate, sizeof(link->sqlstate), "%s", sqlstate);
    va_start(arguments, format);
    vsnprintf(link->fault, sizeof(link->fault), format, arguments);
    va_end(arguments);
    return sqlstate[0] != '\0' ? POSTGRES_REFUSED : POSTGRES_BROKEN;
}

/* The number that a query gives; 0 where it gives no row. */
static postgres_answer ask(postgres_link *link, const text *sql, uint64_t *number)
{
    PGresult *result;
    postgres_answer answer;

    *number = 0;
    if (sql->failed) return say(link, "", "out of memory");
    answer = postgres_link_query(link, sql->bytes, &result);
    if (answer == POSTGRES_OK && PQntuples(result) > 0)
        *number = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return answer;
}

/* Leaves the parked ones behind `after` up to `upto` out of a query; *n: how many. */
static postgres_answer leave_out_parked(const search *s, uint64_t after, uint64_t upto, text *sql,
                                        uint64_t *n)
{
    char message[JOURNAL_MESSAGE_MAX];
    journal_row *rows;
    journal_state state;
    size_t got = PAGE;
    bool ok = true;

    *n = 0;
    journal_read_state(s->journal, &state);
    if (state.parked == 0) return POSTGRES_OK;
    rows = malloc(PAGE * sizeof(*rows));
    if (rows == NULL) return say(s->link, "", "out of memory");
    while (ok && got == PAGE && after < upto) {
        ok = journal_parked(s->journal, after, PAGE, rows, &got, message);
        for (size_t i = 0; ok && i < got && rows[i].seq <= upto; i++)
            text_printf(sql, "%s%" PRIu64, (*n)++ == 0 ? " AND seq <> ALL ('{" : ",", rows[i].seq);
        if (ok && got > 0) after = rows[got - 1].seq;
    }
    free(rows);
    if (*n > 0) text_puts(sql, "}')");
    return ok ? POSTGRES_OK : say(s->link, "", "the journal: %.250s", message);
}

/* How many records behind `after` up to `upto` are there, and how many should be. */
static postgres_answer count(const search *s, uint64_t after, uint64_t upto, uint64_t *there,
                             uint64_t *wanted)
{
    text sql = {0};
    uint64_t parked;
    postgres_answer answer;

    text_printf(&sql,
                "SELECT count(*) FROM chain WHERE writer = %" PRIu64 " AND seq > %" PRIu64
                " AND seq <= %" PRIu64,
                s->writer, after, upto);
    answer = leave_out_parked(s, after, upto, &sql, &parked);
    if (answer == POSTGRES_OK) answer = ask(s->link, &sql, there);
    *wanted = upto - after - parked;
    text_free(&sql);
    return answer;
}

/* Where in (after, upto], of which the count is wrong, it first is: by halving. */
static postgres_answer narrow(const search *s, uint64_t after, uint64_t upto, uint64_t *seq)
{
    uint64_t there, wanted;

    while (upto - after > 1) {
        const uint64_t middle = after + (upto - after) / 2;
        const postgres_answer answer = count(s, after, middle, &there, &wanted);

        if (answer != POSTGRES_OK) return answer;
        if (there == wanted)
            after = middle;
        else
            upto = middle;
    }
    *seq = upto;
    return POSTGRES_OK;
}

/* The hole that begins in (after, upto]. */
static postgres_answer measure(const search *s, uint64_t after, uint64_t upto, ship_hole *hole)
{
    text sql = {0};
    uint64_t there, wanted, first, behind;
    postgres_answer answer = narrow(s, after, upto, &first);

    if (answer == POSTGRES_OK) answer = count(s, first - 1, first, &there, &wanted);
    if (answer != POSTGRES_OK) return answer;
    if (there > wanted)
        return say(s->link, SHIP_STATE_DIVERGED,
                   "the database holds record %" PRIu64 " %" PRIu64 " times", first, there);
    text_printf(&sql,
                "SELECT seq FROM chain WHERE writer = %" PRIu64 " AND seq > %" PRIu64
                " ORDER BY seq LIMIT 1",
                s->writer, first);
    answer = ask(s->link, &sql, &behind);
    text_free(&sql);
    if (answer != POSTGRES_OK) return answer;
    if (behind == 0) return say(s->link, SHIP_STATE_LACKS, "the newest record went meanwhile");
    *hole = (ship_hole){.first = first, .last = behind - 1};
    return POSTGRES_OK;
}

postgres_answer ship_holes_find(postgres_link *link, journal *j, uint64_t after, uint64_t newest,
                                ship_hole *hole)
{
    search s = {.link = link, .journal = j};
    journal_state state;

    *hole = (ship_hole){0};
    journal_read_state(j, &state);
    s.writer = state.writer;
    while (after < newest) {
        const uint64_t upto = newest - after > COUNT_MOST ? after + COUNT_MOST : newest;
        uint64_t there, wanted;
        const postgres_answer answer = count(&s, after, upto, &there, &wanted);

        if (answer != POSTGRES_OK) return answer;
        if (there != wanted) return measure(&s, after, upto, hole);
        after = upto;
    }
    return POSTGRES_OK;
}

/* ---- before records leave --------------------------------------------------------- */

bool ship_holes_is_parked(journal *j, uint64_t seq, bool *parked, char message[JOURNAL_MESSAGE_MAX])
{
    journal_row row;
    size_t n;

    if (!journal_parked(j, seq - 1, 1, &row, &n, message)) return false;
    *parked = n == 1 && row.seq == seq;
    return true;
}

/* The next records of the journal; *due: the oldest was made before before_ns, or is none. */
static bool read_oldest(journal *j, uint64_t base, int64_t before_ns, journal_row **rows, size_t *n,
                        bool *due, char message[JOURNAL_MESSAGE_MAX])
{
    hedge_record record = HEDGE_INIT(hedge_record);
    uint64_t next;

    if (!journal_rows(j, base, NULL, 1, rows, n, &next, message)) return false;
    *due = *n == 1 && (hedge_record_decode((*rows)[0].record, (*rows)[0].n, &record) != HEDGE_OK ||
                       record.ts_ns < before_ns);
    if (!*due) return true;
    free(*rows);
    return journal_rows(j, base, NULL, JOURNAL_FORGET_MAX, rows, n, &next, message);
}

/* The newest of n rows up to `held` that is not parked, or NULL. */
static bool last_expected(journal *j, const journal_row *rows, size_t n, uint64_t held,
                          const journal_row **last, char message[JOURNAL_MESSAGE_MAX])
{
    bool parked = true;

    *last = NULL;
    while (n > 0 && rows[n - 1].seq > held)
        n--;
    for (; n > 0 && parked; n--) {
        if (!ship_holes_is_parked(j, rows[n - 1].seq, &parked, message)) return false;
        if (!parked) *last = &rows[n - 1];
    }
    return true;
}

static postgres_answer confirm(const search *s, uint64_t base, const journal_row *last)
{
    text sql = {0};
    uint64_t there, wanted, same;
    postgres_answer answer = count(s, base, last->seq, &there, &wanted);

    if (answer != POSTGRES_OK) return answer;
    if (there != wanted)
        return say(s->link, there < wanted ? SHIP_STATE_LACKS : SHIP_STATE_DIVERGED,
                   "of %" PRIu64 " records behind %" PRIu64 " up to %" PRIu64
                   " that would leave the journal the database holds %" PRIu64,
                   wanted, base, last->seq, there);
    text_printf(&sql,
                "SELECT count(*) FROM chain WHERE writer = %" PRIu64 " AND seq = %" PRIu64
                " AND hash = decode('",
                s->writer, last->seq);
    text_hex(&sql, last->hash, sizeof(last->hash));
    text_puts(&sql, "', 'hex')");
    answer = ask(s->link, &sql, &same);
    text_free(&sql);
    if (answer != POSTGRES_OK || same == 1) return answer;
    return say(s->link, SHIP_STATE_DIVERGED,
               "record %" PRIu64 " has another hash in the database than in the journal",
               last->seq);
}

postgres_answer ship_holes_none(postgres_link *link, journal *j, uint64_t held, int64_t before_ns,
                                uint64_t *upto)
{
    search s = {.link = link, .journal = j};
    char message[JOURNAL_MESSAGE_MAX];
    postgres_answer answer = POSTGRES_OK;
    const journal_row *last;
    journal_row *rows = NULL;
    journal_state state;
    bool due;
    size_t n;

    *upto = 0;
    journal_read_state(j, &state);
    s.writer = state.writer;
    if (held <= state.base.seq) return POSTGRES_OK;
    if (!read_oldest(j, state.base.seq, before_ns, &rows, &n, &due, message))
        return say(link, "", "the journal: %.250s", message);
    if (!due) goto cleanup;
    if (!last_expected(j, rows, n, held, &last, message)) {
        answer = say(link, "", "the journal: %.250s", message);
    } else if (last == NULL) { /* parked ones alone, which are kept aside */
        *upto = rows[n - 1].seq < held ? rows[n - 1].seq : held;
    } else {
        answer = confirm(&s, state.base.seq, last);
        if (answer == POSTGRES_OK) *upto = last->seq;
    }
cleanup:
    free(rows);
    return answer;
}
