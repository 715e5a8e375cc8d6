/* SPDX-License-Identifier: MIT
 * ship_parked: records that the database refused, tried again. */
#include "ship_parked.h"

#include "log.h"
#include "ship_fault.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 64

typedef struct round {
    postgres_link *link;
    journal *journal;
    ship_policies *policies;
    ship_rows *out;
    uint64_t writer;
    uint64_t taken;
    int refusals; /* in a row */
} round;

static bool read_row(const round *r, const journal_row *row, hedge_record *record)
{
    journal_head before = {.seq = row->seq - 1};

    memcpy(before.hash, row->previous, sizeof(before.hash));
    return ship_rows_read(row, &before, r->writer, record) == NULL;
}

/* Sends n records in one transaction; those that are none are left out, and stay where they are. */
static postgres_answer send_rows(round *r, const journal_row *rows, size_t n)
{
    postgres_answer answer = POSTGRES_OK;

    ship_rows_clear(r->out, r->writer);
    for (size_t i = 0; i < n && answer == POSTGRES_OK; i++) {
        hedge_record record;

        if (!read_row(r, &rows[i], &record)) continue;
        answer = ship_policies_send(r->policies, r->link, r->journal, record.policy_hash);
        ship_rows_add_single(r->out, &rows[i], &record);
    }
    if (answer != POSTGRES_OK || r->out->n == 0) return answer;
    return ship_rows_send(r->out, r->link, NULL);
}

static void take_off(round *r, const journal_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hedge_record record;

        if (!read_row(r, &rows[i], &record)) continue;
        r->refusals = 0;
        if (journal_unpark(r->journal, rows[i].seq)) r->taken++;
    }
}

/* What a refusal of n records means: *fewer, try half of them; else the one is passed over, or it
 * turns out to be there already, because an answer was lost. */
static postgres_answer judge(round *r, const journal_row *rows, size_t n, bool *fewer)
{
    ship_fault fault;
    const ship_cause cause = ship_cause_of(r->link->sqlstate, &fault);
    const bool counted = r->link->sqlstate[0] == '\0'; /* by us: something else drops rows */
    const bool other = fault == SHIP_FAULT_DIVERGED;   /* another row has its place */

    *fewer = n > 1;
    if (cause != SHIP_CAUSE_ROW && cause != SHIP_CAUSE_CLASH && !counted && !other)
        return POSTGRES_REFUSED;
    if (*fewer) return POSTGRES_OK;
    r->refusals++;
    if (cause != SHIP_CAUSE_CLASH) return POSTGRES_OK;
    switch (ship_rows_is_there(r->out, r->link)) {
    case POSTGRES_OK:
        take_off(r, rows, 1);
        return POSTGRES_OK;
    case POSTGRES_REFUSED:
        return POSTGRES_OK;
    default:
        return POSTGRES_BROKEN;
    }
}

static postgres_answer try_page(round *r, const journal_row *rows, size_t n)
{
    size_t window = n;

    for (size_t at = 0; at < n && r->refusals < SHIP_PARKED_REFUSALS;) {
        const size_t now = window < n - at ? window : n - at;
        postgres_answer answer = send_rows(r, rows + at, now);
        bool fewer = false;

        if (postgres_link_stopping(r->link)) return answer;
        if (answer == POSTGRES_OK)
            take_off(r, rows + at, now);
        else if (answer == POSTGRES_REFUSED)
            answer = judge(r, rows + at, now, &fewer);
        if (answer != POSTGRES_OK) return answer;
        if (!fewer) at += now;
        window = fewer ? now / 2 : window * 2;
    }
    return POSTGRES_OK;
}

static postgres_answer try_all(round *r, journal_row rows[PAGE])
{
    char message[JOURNAL_MESSAGE_MAX];
    uint64_t after = 0;
    size_t n;

    while (r->refusals < SHIP_PARKED_REFUSALS && !postgres_link_stopping(r->link)) {
        postgres_answer answer;

        if (!journal_parked(r->journal, after, PAGE, rows, &n, message)) {
            LOG(LOG_WARN, "parked_unreadable", LOG_TEXT("message", message));
            return POSTGRES_OK;
        }
        if (n == 0) return POSTGRES_OK;
        after = rows[n - 1].seq;
        answer = try_page(r, rows, n);
        if (answer != POSTGRES_OK) return answer;
    }
    return POSTGRES_OK;
}

postgres_answer ship_parked_retry(postgres_link *link, journal *j, ship_policies *policies,
                                  ship_rows *out, uint64_t *taken)
{
    round r = {.link = link, .journal = j, .policies = policies, .out = out};
    journal_row *rows = malloc(PAGE * sizeof(*rows));
    postgres_answer answer = POSTGRES_OK;
    journal_state state;

    *taken = 0;
    journal_read_state(j, &state);
    r.writer = state.writer;
    if (rows != NULL && state.parked > 0) answer = try_all(&r, rows);
    free(rows);
    *taken = r.taken;
    if (r.taken > 0) LOG(LOG_INFO, "rows_unparked", LOG_NUMBER("rows", r.taken));
    return answer;
}
