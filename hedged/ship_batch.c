/* SPDX-License-Identifier: MIT
 * ship_batch: what has been read of the journal and is on its way to Postgres. */
#include "ship_batch.h"

#include "clock.h"
#include "log.h"
#include "ship_fault.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MOST 1000
#define READ_MOST 250    /* rows at once: the journal's writer waits meanwhile */
#define REFUSED_MOST 100 /* rows in a row */

bool ship_batch_init(ship_batch *b, journal *j)
{
    journal_state state;

    journal_read_state(j, &state);
    *b = (ship_batch){.journal = j, .writer = state.writer};
    b->window = BATCH_MOST;
    b->rows = malloc(BATCH_MOST * sizeof(*b->rows));
    return b->rows != NULL;
}

void ship_batch_free(ship_batch *b)
{
    ship_rows_free(&b->out);
    free(b->rows);
}

void ship_batch_begin(ship_batch *b, const ship_stand *stand)
{
    ship_batch_move(b, stand);
    b->policies = (ship_policies){0};
    if (b->refused > 0) b->window = 1;
}

void ship_batch_move(ship_batch *b, const ship_stand *stand)
{
    b->done = stand->next_after;
    b->held = stand->before;
    b->upto = stand->upto;
    b->at = b->n = 0;
}

bool ship_batch_is_filled(const ship_batch *b)
{
    return b->upto != 0 && b->done.seq >= b->upto;
}

bool ship_batch_read(ship_batch *b, bool *empty, char message[JOURNAL_MESSAGE_MAX])
{
    uint64_t after = b->done.seq, next;

    *empty = false;
    if (b->at < b->n) return true;
    b->at = b->n = 0;
    while (b->n + READ_MOST <= BATCH_MOST) {
        journal_row *rows;
        size_t n;

        if (!journal_rows(b->journal, after, NULL, READ_MOST, &rows, &n, &next, message))
            return false;
        memcpy(b->rows + b->n, rows, n * sizeof(*rows));
        free(rows);
        b->n += n;
        if (n < READ_MOST || (b->upto != 0 && b->rows[b->n - 1].seq >= b->upto)) break;
        after = b->rows[b->n - 1].seq;
    }
    while (b->upto != 0 && b->n > 0 && b->rows[b->n - 1].seq > b->upto)
        b->n--;
    *empty = b->n == 0;
    return true;
}

/* Makes a transaction of up to `window` rows; those behind one that is no record wait. *why: why
 * the first one is none. */
static postgres_answer gather(ship_batch *b, postgres_link *link, const char **why)
{
    uint8_t policy[HEDGE_HASH_SIZE] = {0};
    journal_head before = b->done;

    *why = NULL;
    ship_rows_clear(&b->out, b->writer);
    for (size_t i = b->at; i < b->n && b->out.n < b->window; i++) {
        const journal_row *row = &b->rows[i];
        hedge_record record;

        *why = ship_rows_read(row, &before, b->writer, &record);
        if (*why != NULL) break;
        if (b->out.n == 0 || memcmp(policy, record.policy_hash, sizeof(policy)) != 0) {
            const postgres_answer answer =
                ship_policies_send(&b->policies, link, b->journal, record.policy_hash);

            if (answer != POSTGRES_OK) return answer;
            memcpy(policy, record.policy_hash, sizeof(policy));
        }
        ship_rows_add(&b->out, row, &record);
        before.seq = row->seq;
        memcpy(before.hash, row->hash, sizeof(before.hash));
    }
    return POSTGRES_OK;
}

static void go_on(ship_batch *b, size_t n)
{
    const journal_row *last = &b->rows[b->at + n - 1];

    b->done.seq = last->seq;
    memcpy(b->done.hash, last->hash, sizeof(last->hash));
    b->at += n;
}

/* Puts the next row aside. */
static ship_step park(ship_batch *b, const char *reason)
{
    const journal_row *row = &b->rows[b->at];

    if (!journal_park(b->journal, row, b->done.hash, reason)) return SHIP_STEP_JOURNAL;
    LOG(LOG_WARN, "row_parked", LOG_NUMBER("seq", row->seq), LOG_TEXT("reason", reason));
    go_on(b, 1);
    return SHIP_STEP_PARKED;
}

/* The rows of a transaction were refused for what they are. */
static ship_step refuse(ship_batch *b, const char *reason)
{
    if (b->out.n > 1) {
        b->window = b->out.n / 2;
        return SHIP_STEP_FEWER;
    }
    b->window = 1;
    if (b->refused >= REFUSED_MOST) return SHIP_STEP_REFUSED;
    b->refused++;
    return park(b, reason);
}

/* True: the rows are to blame for a refusal. A row that is there already may be one of ours whose
 * answer was lost: the next connection finds out, and does not come here again with it. */
static bool blames_rows(ship_batch *b, const postgres_link *link)
{
    ship_fault fault;

    switch (ship_cause_of(link->sqlstate, &fault)) {
    case SHIP_CAUSE_ROW:
        return true;
    case SHIP_CAUSE_CLASH:
        if (b->clash == b->out.first_seq) return true;
        b->clash = b->out.first_seq;
        return false;
    default:
        return false;
    }
}

static const char *why_refused(const postgres_link *link)
{
    if (strcmp(link->sqlstate, SHIP_STATE_DROPPED) != 0) return link->fault;
    return "the database took it and does not hold it: a trigger or rule drops it";
}

static bool is_slow(postgres_answer answer, const postgres_link *link)
{
    ship_fault fault;

    return (answer == POSTGRES_BROKEN && link->timed_out) ||
           (answer == POSTGRES_REFUSED && ship_cause_of(link->sqlstate, &fault) == SHIP_CAUSE_SLOW);
}

/* A transaction took longer than a statement may. The connection is good for another try, unless it
 * is broken; one row alone waits for the next one. */
static ship_step slow_down(ship_batch *b, postgres_answer answer)
{
    const size_t n = b->out.n;

    b->window = n > 1 ? n / 2 : 1;
    return answer == POSTGRES_REFUSED && n > 1 ? SHIP_STEP_SLOW : SHIP_STEP_FAILED;
}

/* Takes so many rows that a transaction ends well before it would be ended. */
static void pace(ship_batch *b, int64_t took_ns)
{
    const int64_t limit_ns = POSTGRES_LINK_STATEMENT_MS * NS_PER_MS;

    if (took_ns > limit_ns / 2)
        b->window = b->out.n > 1 ? b->out.n / 2 : 1;
    else if (took_ns < limit_ns / 4)
        b->window = b->window * 2 < BATCH_MOST ? b->window * 2 : BATCH_MOST;
}

ship_step ship_batch_send(ship_batch *b, postgres_link *link, postgres_answer *answer)
{
    int64_t begin_ns, took_ns;
    const char *why;

    *answer = gather(b, link, &why);
    if (*answer != POSTGRES_OK) return SHIP_STEP_FAILED;
    if (b->out.n == 0) return park(b, why);
    begin_ns = clock_steady_ns();
    *answer = ship_rows_send(&b->out, link, &b->held);
    took_ns = clock_steady_ns() - begin_ns;
    if (*answer == POSTGRES_REFUSED && blames_rows(b, link)) return refuse(b, why_refused(link));
    if (is_slow(*answer, link)) return slow_down(b, *answer);
    if (*answer != POSTGRES_OK) return SHIP_STEP_FAILED;
    b->refused = 0;
    go_on(b, b->out.n);
    b->held = b->out.last;
    pace(b, took_ns);
    return SHIP_STEP_SENT;
}
