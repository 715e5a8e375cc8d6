/* SPDX-License-Identifier: MIT
 * postgres_row.c: one row of Postgres as a row of a chain, each column compared with the record. */
#include "postgres_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

/* What every row has, in the order of rows_sql(). */
enum { SEQ, KIND, TS_NS, ASSET, RECORD, HASH, ID, WRITER, TS, VERSION, NOTE, POLICY, COMMON };

/* The columns of decisions and shadow_decisions alone. */
enum {
    STATUS = COMMON,
    FLAGS,
    AMOUNT,
    SCORE,
    LIQUIDITY_DEPTH,
    HEDGE_PCT,
    CONFIDENCE,
    NOTIONAL,
    OVERRIDE,
    EFFECTIVE_SCORE,
    LIQUIDITY_WEIGHT,
    LIQUIDITY_QUALITY,
    QUOTE_SCORE,
    QUOTE_CONFIDENCE,
    PREVIOUS_SCORE,
    HALTED,
    SCORE_TS_NS,
    DEPTH_TS_NS,
    SCORE_AGE_NS,
    DEPTH_AGE_NS,
    COLUMNS
};

/* A numeric and an array are compared as text, so that nothing is rounded or left out. */
static const char decision_columns[] =
    "status, flags::text AS flags, amount_usd::text AS amount_usd, score, liquidity_depth, "
    "hedge_pct, confidence, notional_usd, override_score, effective_score, liquidity_weight, "
    "liquidity_quality, quote_score, quote_confidence, previous_score, halted, score_ts_ns, "
    "depth_ts_ns, score_age_ns, depth_age_ns";
static const char event_columns[] =
    "NULL::text, NULL::text, NULL::text, NULL::float8, NULL::float8, NULL::float8, NULL::float8, "
    "NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8, "
    "NULL::float8, NULL::float8, NULL::boolean, NULL::bigint, NULL::bigint, NULL::bigint, "
    "NULL::bigint";

/* Of each record: what replay, explain and diff need. The other columns stand behind. */
static const char first_columns[] = "ts_ns, asset, record, hash";
static const char common_columns[] = "id, writer, ts, version, note, policy";

void postgres_row_sql(bool all, const char *schema, uint64_t writer, uint64_t after,
                      char sql[POSTGRES_ROW_SQL_MAX])
{
    char from[64] = "", decision[1024] = ", writer", event[1024] = ", writer";

    /* From the start on, a record numbered 0 or less is to be seen too. */
    if (after > 0) snprintf(from, sizeof from, " AND seq > '%" PRIu64 "'::int8", after);
    if (all) {
        snprintf(decision, sizeof decision, ", %s, %s", common_columns, decision_columns);
        snprintf(event, sizeof event, ", %s, %s", common_columns, event_columns);
    }
    snprintf(sql, POSTGRES_ROW_SQL_MAX,
             "DECLARE hedge_rows BINARY NO SCROLL CURSOR FOR SELECT * FROM ("
             "SELECT seq, 'decision'::text AS kind, %s%s FROM %s.decisions UNION ALL "
             "SELECT seq, 'shadow'::text, %s%s FROM %s.shadow_decisions UNION ALL "
             "SELECT seq, kind, %s%s FROM %s.events) AS rows "
             "WHERE writer = '%" PRId64 "'::int8%s ORDER BY seq",
             first_columns, decision, schema, first_columns, decision, schema, first_columns, event,
             schema, (int64_t)writer, from);
}

void postgres_row_writers_sql(const char *schema, char sql[POSTGRES_WRITERS_SQL_MAX])
{
    char rows[POSTGRES_WRITERS_SQL_MAX / 3];

    snprintf(rows, sizeof rows,
             "(SELECT writer FROM %s.decisions UNION ALL SELECT writer FROM %s.shadow_decisions "
             "UNION ALL SELECT writer FROM %s.events) AS rows",
             schema, schema, schema);
    snprintf(sql, POSTGRES_WRITERS_SQL_MAX,
             "WITH RECURSIVE w(writer) AS (SELECT min(writer) FROM %s UNION ALL "
             "SELECT (SELECT min(rows.writer) FROM %s WHERE rows.writer > w.writer) "
             "FROM w WHERE w.writer IS NOT NULL) SELECT writer FROM w WHERE writer IS NOT NULL",
             rows, rows);
}

/* ---- values as they come ------------------------------------------------------ */

/* One row. Integers come most significant byte first. */
typedef struct cells {
    const PGresult *rows;
    int i;
} cells;

static bool is_null(const cells *c, int column)
{
    return PQgetisnull(c->rows, c->i, column) != 0;
}

static const char *at(const cells *c, int column)
{
    return PQgetvalue(c->rows, c->i, column);
}

static size_t length(const cells *c, int column)
{
    return (size_t)PQgetlength(c->rows, c->i, column);
}

static int64_t integer(const cells *c, int column)
{
    const uint8_t *bytes_at = (const uint8_t *)at(c, column);
    uint64_t value = 0;

    for (size_t i = 0; i < length(c, column) && i < 8; i++)
        value = value << 8 | bytes_at[i];
    return (int64_t)value;
}

static bool is_integer(const cells *c, int column, int64_t expected)
{
    return !is_null(c, column) && length(c, column) == 8 && integer(c, column) == expected;
}

/* To the bit: -0 is not 0. */
static bool is_double(const cells *c, int column, double expected)
{
    int64_t bits;

    memcpy(&bits, &expected, sizeof bits);
    return is_integer(c, column, bits);
}

/* NULL where the inputs have none. */
static bool is_double_if(const cells *c, int column, bool there, double expected)
{
    return there ? is_double(c, column, expected) : is_null(c, column);
}

static bool is_integer_if(const cells *c, int column, bool there, int64_t expected)
{
    return there ? is_integer(c, column, expected) : is_null(c, column);
}

static bool is_text(const cells *c, int column, const char *expected)
{
    return !is_null(c, column) && length(c, column) == strlen(expected) &&
           memcmp(at(c, column), expected, strlen(expected)) == 0;
}

static bool is_bytes(const cells *c, int column, const uint8_t *expected, size_t n)
{
    return !is_null(c, column) && length(c, column) == n && memcmp(at(c, column), expected, n) == 0;
}

/* ---- values as they should be -------------------------------------------------- */

/* The digits of a decimal number, and the power of ten of the first one: equal
 * numbers have equal ones. */
typedef struct decimal {
    bool negative;
    char digits[512];
    size_t n;
    long power;
} decimal;

static bool read_decimal(const char *text, decimal *out)
{
    long point = 0;
    bool seen_point = false;
    double exponent = 0;

    *out = (decimal){.negative = *text == '-'};
    text += *text == '-' || *text == '+';
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !seen_point); text++) {
        if (*text == '.') {
            seen_point = true;
            continue;
        }
        if (seen_point) point--;
        if (out->n == 0 && *text == '0') continue;
        if (out->n == sizeof out->digits) return false;
        out->digits[out->n++] = *text;
    }
    if ((*text == 'e' || *text == 'E') && !number_read(text + 1, &exponent)) return false;
    if (*text != '\0' && *text != 'e' && *text != 'E') return false;
    out->power = point + (long)exponent + (long)out->n;
    while (out->n > 0 && out->digits[out->n - 1] == '0')
        out->n--;
    if (out->n == 0) *out = (decimal){.negative = false};
    return true;
}

/* A numeric says what the double's shortest digits say: no more and no less. */
static bool is_amount(const cells *c, double expected)
{
    char text[NUMBER_TEXT_MAX];
    decimal a, b;

    if (is_null(c, AMOUNT)) return false;
    number_write(expected, text);
    if (expected != expected) return is_text(c, AMOUNT, "NaN");
    if (expected - expected != 0)
        return is_text(c, AMOUNT, expected > 0 ? "Infinity" : "-Infinity");
    return read_decimal(at(c, AMOUNT), &a) && read_decimal(text, &b) && a.negative == b.negative &&
           a.power == b.power && a.n == b.n && memcmp(a.digits, b.digits, a.n) == 0;
}

/* Microseconds since 2000, rounded down. */
static bool is_time(const cells *c, int64_t ts_ns)
{
    const int64_t us = ts_ns / 1000 - (ts_ns % 1000 < 0 ? 1 : 0);

    return is_integer(c, TS, us - INT64_C(946684800000000));
}

static bool is_id(const cells *c, const hedge_record *r)
{
    char id[37] = "", digits[33];
    size_t n = 0;

    if (hedge_record_id(r->writer, r->seq, id) != HEDGE_OK || length(c, ID) != 16) return false;
    for (const char *p = id; *p != '\0'; p++)
        if (*p != '-') digits[n++] = *p;
    digits[n] = '\0';
    uint8_t expected[16];
    return number_read_hex(digits, sizeof expected, expected) &&
           is_bytes(c, ID, expected, sizeof expected);
}

/* "{extreme_score,override}", in the order of the bits. */
static bool is_flags(const cells *c, uint32_t flags)
{
    char text[1024] = "{";
    size_t n = 1;

    for (uint32_t bit = 0; bit < 32; bit++) {
        const char *name = hedge_flag_name(bit);

        if ((flags >> bit & 1) == 0) continue;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n > 1 ? "," : "",
                              name != NULL ? name : "unknown");
    }
    snprintf(text + n, sizeof text - n, "}");
    return is_text(c, FLAGS, text);
}

/* ---- comparing ----------------------------------------------------------------- */

static const char *common_differs(const cells *c, const hedge_record *r)
{
    if (!is_id(c, r)) return "id";
    if (!is_time(c, r->ts_ns)) return "ts";
    if (!is_text(c, VERSION, r->build)) return "version";
    if (!is_text(c, NOTE, r->note)) return "note";
    if (!is_bytes(c, POLICY, r->policy_hash, sizeof r->policy_hash)) return "policy";
    return NULL;
}

static const char *inputs_differ(const cells *c, const hedge_record *r)
{
    const hedge_quote *q = &r->quote;
    const bool score = (q->flags & HEDGE_QUOTE_SCORE) != 0;
    const bool depth = (q->flags & HEDGE_QUOTE_DEPTH) != 0;
    const bool previous = (q->flags & HEDGE_QUOTE_PREVIOUS) != 0;
    const bool override = (r->request.flags & HEDGE_REQUEST_OVERRIDE) != 0;
    const char *halted = (q->flags & HEDGE_QUOTE_HALTED) != 0 ? "\1" : "";

    if (!is_amount(c, r->request.amount_usd)) return "amount_usd";
    if (!is_double_if(c, OVERRIDE, override, r->request.override_score)) return "override_score";
    if (!is_double_if(c, LIQUIDITY_DEPTH, depth, q->depth1pct_usd)) return "liquidity_depth";
    if (!is_double_if(c, QUOTE_SCORE, score, q->score)) return "quote_score";
    if (!is_double_if(c, QUOTE_CONFIDENCE, score, q->confidence)) return "quote_confidence";
    if (!is_double_if(c, PREVIOUS_SCORE, previous, q->previous_score)) return "previous_score";
    if (!is_bytes(c, HALTED, (const uint8_t *)halted, 1)) return "halted";
    if (!is_integer_if(c, SCORE_TS_NS, score, q->score_ts_ns)) return "score_ts_ns";
    if (!is_integer_if(c, DEPTH_TS_NS, depth, q->depth_ts_ns)) return "depth_ts_ns";
    return NULL;
}

static const char *outputs_differ(const cells *c, const hedge_decision *d)
{
    if (!is_text(c, STATUS, hedge_status_name(d->status))) return "status";
    if (!is_flags(c, d->flags)) return "flags";
    if (!is_double(c, SCORE, d->score)) return "score";
    if (!is_double(c, HEDGE_PCT, d->hedge_pct)) return "hedge_pct";
    if (!is_double(c, CONFIDENCE, d->confidence)) return "confidence";
    if (!is_double(c, NOTIONAL, d->notional_usd)) return "notional_usd";
    if (!is_double(c, EFFECTIVE_SCORE, d->effective_score)) return "effective_score";
    if (!is_double(c, LIQUIDITY_WEIGHT, d->liquidity_weight)) return "liquidity_weight";
    if (!is_double(c, LIQUIDITY_QUALITY, d->liquidity_quality)) return "liquidity_quality";
    if (!is_integer(c, SCORE_AGE_NS, d->score_age_ns)) return "score_age_ns";
    if (!is_integer(c, DEPTH_AGE_NS, d->depth_age_ns)) return "depth_age_ns";
    return NULL;
}

static const char *row_differs(const cells *c, const hedge_record *r)
{
    const char *column = common_differs(c, r);

    if (column != NULL || (r->kind != HEDGE_RECORD_DECISION && r->kind != HEDGE_RECORD_SHADOW))
        return column;
    column = inputs_differ(c, r);
    return column != NULL ? column : outputs_differ(c, &r->decision);
}

void postgres_row_read(const PGresult *rows, int i, bool all, source_row *row)
{
    const cells c = {rows, i};
    hedge_record record = HEDGE_INIT(hedge_record);
    char kind[32] = "";

    *row = (source_row){.seq = (uint64_t)integer(&c, SEQ)};
    row->malformed = length(&c, HASH) != HEDGE_HASH_SIZE;
    if (row->malformed) return;
    if (length(&c, KIND) < sizeof kind) memcpy(kind, at(&c, KIND), length(&c, KIND));
    row->kind = source_kind_of(kind);
    row->ts_ns = integer(&c, TS_NS);
    memcpy(row->hash, at(&c, HASH), sizeof row->hash);
    if (length(&c, ASSET) < sizeof row->asset)
        memcpy(row->asset, at(&c, ASSET), length(&c, ASSET));
    else
        row->differs = "asset";
    row->record = (const uint8_t *)at(&c, RECORD);
    row->record_size = length(&c, RECORD);
    if (hedge_record_decode(row->record, row->record_size, &record) != HEDGE_OK) return;
    row->writer = record.writer;
    if (all && row->differs == NULL && record.kind == row->kind)
        row->differs = row_differs(&c, &record);
}
