/* SPDX-License-Identifier: MIT
 * ship_rows: records of the journal as one transaction for Postgres. */
#include "ship_rows.h"

#include "hex.h"
#include "postgres_binary.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DECISION_COLUMNS                                                                           \
    "id, ts, asset, amount_usd, score, liquidity_depth, hedge_pct, confidence, version, "          \
    "notional_usd, status, flags, override_score, effective_score, liquidity_weight, "             \
    "liquidity_quality, quote_score, quote_confidence, previous_score, halted, score_ts_ns, "      \
    "depth_ts_ns, score_age_ns, depth_age_ns, ts_ns, note, policy, writer, seq, record, hash"
#define DECISION_COLUMN_COUNT 31
#define EVENT_COLUMNS "id, ts, kind, asset, note, version, ts_ns, policy, writer, seq, record, hash"
#define EVENT_COLUMN_COUNT 12

static const char *const copies[SHIP_TABLES] = {
    "COPY decisions (" DECISION_COLUMNS ") FROM STDIN (FORMAT binary);",
    "COPY shadow_decisions (" DECISION_COLUMNS ") FROM STDIN (FORMAT binary);",
    "COPY events (" EVENT_COLUMNS ") FROM STDIN (FORMAT binary);"};

/* ---- one record ------------------------------------------------------------------ */

static const char *event_name(int32_t kind)
{
    switch (kind) {
    case HEDGE_RECORD_START:
        return "start";
    case HEDGE_RECORD_STOP:
        return "stop";
    case HEDGE_RECORD_POLICY:
        return "policy";
    case HEDGE_RECORD_POLICY_REFUSED:
        return "policy_refused";
    case HEDGE_RECORD_HALT:
        return "halt";
    case HEDGE_RECORD_RESUME:
        return "resume";
    case HEDGE_RECORD_SHADOW_POLICY:
        return "shadow_policy";
    default:
        return "unknown";
    }
}

static void put_id(text *out, const hedge_record *record)
{
    char id[37], digits[33];
    uint8_t bytes[16] = {0};
    size_t n = 0;

    hedge_record_id(record->writer, record->seq, id);
    for (const char *at = id; *at != '\0'; at++)
        if (*at != '-' && n < 32) digits[n++] = *at;
    digits[n] = '\0';
    hex_read(digits, sizeof(bytes), bytes);
    postgres_binary_bytes(out, bytes, sizeof(bytes));
}

static void put_flags(text *out, uint32_t flags)
{
    const char *names[32];
    size_t n = 0;

    for (uint32_t bit = 0; bit < 32; bit++)
        if (flags & UINT32_C(1) << bit && hedge_flag_name(bit) != NULL)
            names[n++] = hedge_flag_name(bit);
    postgres_binary_texts(out, names, n);
}

static void put_float8_if(text *out, bool known, double v)
{
    if (known)
        postgres_binary_float8(out, v);
    else
        postgres_binary_null(out);
}

static void put_int8_if(text *out, bool known, int64_t v)
{
    if (known)
        postgres_binary_int8(out, v);
    else
        postgres_binary_null(out);
}

/* What every table ends with. */
static void put_chain(text *out, const journal_row *row, const hedge_record *record)
{
    postgres_binary_bytes(out, record->policy_hash, sizeof(record->policy_hash));
    postgres_binary_int8(out, (int64_t)record->writer);
    postgres_binary_int8(out, (int64_t)record->seq);
    postgres_binary_bytes(out, row->record, row->n);
    postgres_binary_bytes(out, row->hash, sizeof(row->hash));
}

static void put_decision(text *out, const journal_row *row, const hedge_record *record)
{
    const hedge_decision *d = &record->decision;
    const hedge_quote *q = &record->quote;
    const bool score = (q->flags & HEDGE_QUOTE_SCORE) != 0;
    const bool depth = (q->flags & HEDGE_QUOTE_DEPTH) != 0;

    postgres_binary_row(out, DECISION_COLUMN_COUNT);
    put_id(out, record);
    postgres_binary_time(out, record->ts_ns);
    postgres_binary_text(out, record->asset);
    postgres_binary_numeric(out, record->request.amount_usd);
    postgres_binary_float8(out, d->score);
    put_float8_if(out, depth, q->depth1pct_usd);
    postgres_binary_float8(out, d->hedge_pct);
    postgres_binary_float8(out, d->confidence);
    postgres_binary_text(out, record->build);
    postgres_binary_float8(out, d->notional_usd);
    postgres_binary_text(out, hedge_status_name(d->status));
    put_flags(out, d->flags);
    put_float8_if(out, (record->request.flags & HEDGE_REQUEST_OVERRIDE) != 0,
                  record->request.override_score);
    postgres_binary_float8(out, d->effective_score);
    postgres_binary_float8(out, d->liquidity_weight);
    postgres_binary_float8(out, d->liquidity_quality);
    put_float8_if(out, score, q->score);
    put_float8_if(out, score, q->confidence);
    put_float8_if(out, (q->flags & HEDGE_QUOTE_PREVIOUS) != 0, q->previous_score);
    postgres_binary_bool(out, (q->flags & HEDGE_QUOTE_HALTED) != 0);
    put_int8_if(out, score, q->score_ts_ns);
    put_int8_if(out, depth, q->depth_ts_ns);
    postgres_binary_int8(out, d->score_age_ns);
    postgres_binary_int8(out, d->depth_age_ns);
    postgres_binary_int8(out, record->ts_ns);
    postgres_binary_text(out, record->note);
    put_chain(out, row, record);
}

static void put_event(text *out, const journal_row *row, const hedge_record *record)
{
    postgres_binary_row(out, EVENT_COLUMN_COUNT);
    put_id(out, record);
    postgres_binary_time(out, record->ts_ns);
    postgres_binary_text(out, event_name(record->kind));
    postgres_binary_text(out, record->asset);
    postgres_binary_text(out, record->note);
    postgres_binary_text(out, record->build);
    postgres_binary_int8(out, record->ts_ns);
    put_chain(out, row, record);
}

const char *ship_rows_read(const journal_row *row, const journal_head *before, uint64_t writer,
                           hedge_record *record)
{
    uint8_t hash[HEDGE_HASH_SIZE];

    *record = (hedge_record)HEDGE_INIT(hedge_record);
    if (hedge_record_decode(row->record, row->n, record) != HEDGE_OK)
        return "not a record of this format";
    if (record->seq != row->seq || record->writer != writer) return "a record of another place";
    hedge_record_chain(before->hash, row->record, row->n, hash);
    if (row->seq != before->seq + 1 || memcmp(hash, row->hash, sizeof(hash)) != 0)
        return "it does not follow the record before it in the chain";
    return NULL;
}

/* ---- all of them ----------------------------------------------------------------- */

/* The statement that fails unless the database holds `n` records from first_seq to `last`, each
 * once, and the one before them. The times, which the server rounds to microseconds, tell it which
 * partitions to look into. */
static void put_check(text *out, uint64_t writer, const ship_place *before, uint64_t first_seq,
                      const ship_place *last, int64_t first_ts_ns, int64_t last_ts_ns, size_t n)
{
    const bool known = before->head.seq != 0;

    text_printf(out, "SELECT hedge_check(%" PRIu64 ", %" PRIu64 ", %" PRId64 ", decode('", writer,
                before->head.seq, known ? before->ts_ns : first_ts_ns);
    text_hex(out, before->head.hash, sizeof(before->head.hash));
    text_printf(out, "', 'hex'), %" PRIu64 ", %" PRIu64 ", %" PRId64 ", %" PRId64 ", %zu, decode('",
                first_seq, last->head.seq, first_ts_ns, last_ts_ns, n);
    text_hex(out, last->head.hash, sizeof(last->head.hash));
    text_puts(out, "', 'hex'));");
}

void ship_rows_clear(ship_rows *r, uint64_t writer)
{
    for (int i = 0; i < SHIP_TABLES; i++) {
        if (r->streams[i].failed) text_free(&r->streams[i]); /* memory may be there again */
        r->streams[i].n = 0;
        r->counts[i] = 0;
    }
    if (r->checks.failed) text_free(&r->checks);
    r->checks.n = 0;
    r->n = 0;
    r->writer = writer;
}

void ship_rows_free(ship_rows *r)
{
    for (int i = 0; i < SHIP_TABLES; i++)
        text_free(&r->streams[i]);
    text_free(&r->checks);
}

void ship_rows_add(ship_rows *r, const journal_row *row, const hedge_record *record)
{
    const int table = record->kind == HEDGE_RECORD_DECISION ? SHIP_DECISIONS
                      : record->kind == HEDGE_RECORD_SHADOW ? SHIP_SHADOWS
                                                            : SHIP_EVENTS;
    text *out = &r->streams[table];

    if (r->counts[table]++ == 0) postgres_binary_begin(out);
    if (table == SHIP_EVENTS)
        put_event(out, row, record);
    else
        put_decision(out, row, record);
    if (r->n == 0) r->first_seq = row->seq;
    if (r->n == 0 || record->ts_ns < r->first_ts_ns) r->first_ts_ns = record->ts_ns;
    if (r->n == 0 || record->ts_ns > r->last_ts_ns) r->last_ts_ns = record->ts_ns;
    r->last = (ship_place){.head.seq = row->seq, .ts_ns = record->ts_ns};
    memcpy(r->last.head.hash, row->hash, sizeof(r->last.head.hash));
    r->n++;
}

void ship_rows_add_single(ship_rows *r, const journal_row *row, const hedge_record *record)
{
    ship_rows_add(r, row, record);
    put_check(&r->checks, r->writer, &(ship_place){0}, row->seq, &r->last, record->ts_ns,
              record->ts_ns, 1);
}

postgres_answer ship_rows_send(ship_rows *r, postgres_link *link, const ship_place *before)
{
    text streams[SHIP_TABLES], sql = {0};
    postgres_answer answer;
    uint64_t taken;
    size_t n = 0;

    for (int i = 0; i < SHIP_TABLES; i++) {
        if (r->counts[i] == 0) continue;
        postgres_binary_end(&r->streams[i]);
        text_puts(&sql, copies[i]);
        streams[n++] = r->streams[i];
    }
    if (before != NULL)
        put_check(&sql, r->writer, before, r->first_seq, &r->last, r->first_ts_ns, r->last_ts_ns,
                  r->n);
    else
        text_put(&sql, r->checks.bytes, r->checks.n);
    if (sql.failed || r->checks.failed) {
        text_free(&sql);
        snprintf(link->fault, sizeof(link->fault), "out of memory");
        return POSTGRES_BROKEN;
    }
    answer = postgres_link_copy(link, sql.bytes, streams, n, &taken);
    text_free(&sql);
    if (answer != POSTGRES_OK || taken == r->n) return answer;
    link->sqlstate[0] = '\0';
    snprintf(link->fault, sizeof(link->fault), "%zu records were sent and %" PRIu64 " taken", r->n,
             taken);
    return POSTGRES_REFUSED;
}

postgres_answer ship_rows_is_there(const ship_rows *r, postgres_link *link)
{
    text sql = {0};
    postgres_answer answer = POSTGRES_BROKEN;

    assert(r->n == 1);
    put_check(&sql, r->writer, &(ship_place){0}, r->first_seq, &r->last, r->last.ts_ns,
              r->last.ts_ns, 1);
    if (!sql.failed) answer = postgres_link_query(link, sql.bytes, NULL);
    text_free(&sql);
    return answer;
}
