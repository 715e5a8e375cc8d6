/* SPDX-License-Identifier: MIT
 * size_table.c: `hedge size` as a filter, a decision a row. */
#include "size_table.h"

#include <hedge/hedge.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "policy_file.h"

/* The columns that can be read. */
enum {
    IN_AMOUNT,
    IN_ASSET,
    IN_SCORE,
    IN_CONFIDENCE,
    IN_SCORE_TS,
    IN_PREVIOUS,
    IN_DEPTH,
    IN_DEPTH_TS,
    IN_OVERRIDE,
    IN_HALTED,
    IN_NOW,
    IN_COUNT
};
static const char *const in_names[IN_COUNT] = {
    [IN_AMOUNT] = "amount_usd",     [IN_ASSET] = "asset",          [IN_SCORE] = "score",
    [IN_CONFIDENCE] = "confidence", [IN_SCORE_TS] = "score_ts_ns", [IN_PREVIOUS] = "previous_score",
    [IN_DEPTH] = "depth1pct_usd",   [IN_DEPTH_TS] = "depth_ts_ns", [IN_OVERRIDE] = "override_score",
    [IN_HALTED] = "halted",         [IN_NOW] = "now_ns",
};

/* The answers that can be given. */
enum {
    OUT_HEDGE,
    OUT_NOTIONAL,
    OUT_CONFIDENCE,
    OUT_STATUS,
    OUT_FLAGS,
    OUT_STATUS_CODE,
    OUT_FLAG_BITS,
    OUT_SCORE,
    OUT_WEIGHT,
    OUT_EFFECTIVE,
    OUT_QUALITY,
    OUT_SCORE_AGE,
    OUT_DEPTH_AGE,
    OUT_COUNT
};
static const char *const out_names[OUT_COUNT] = {
    [OUT_HEDGE] = "hedge_pct",
    [OUT_NOTIONAL] = "notional_usd",
    [OUT_CONFIDENCE] = "hedge_confidence",
    [OUT_STATUS] = "status",
    [OUT_FLAGS] = "flags",
    [OUT_STATUS_CODE] = "status_code",
    [OUT_FLAG_BITS] = "flag_bits",
    [OUT_SCORE] = "score_used",
    [OUT_WEIGHT] = "liquidity_weight",
    [OUT_EFFECTIVE] = "effective_score",
    [OUT_QUALITY] = "liquidity_quality",
    [OUT_SCORE_AGE] = "score_age_ns",
    [OUT_DEPTH_AGE] = "depth_age_ns",
};
static const char default_answers[] = "hedge_pct,notional_usd,hedge_confidence,status,flags";

typedef struct size_table {
    const hedge_policy *policy;
    const char *asset_all; /* NULL: each row has its own */
    int32_t asset_all_index;
    bool has_now; /* --now-ns */
    int64_t now_ns;
    table t;
    table_answerer answerer;
    int answer[TABLE_ANSWERS_MAX]; /* OUT_…, by their order in a row */
} size_table;

/* A batch in columns, as hedge_size_n takes it. */
typedef struct size_batch {
    int32_t asset[TABLE_BATCH];
    double amount[TABLE_BATCH], override[TABLE_BATCH], score[TABLE_BATCH], confidence[TABLE_BATCH],
        previous[TABLE_BATCH], depth[TABLE_BATCH];
    int64_t score_ts[TABLE_BATCH], depth_ts[TABLE_BATCH], now[TABLE_BATCH];
    uint32_t request_flags[TABLE_BATCH], quote_flags[TABLE_BATCH];
    int32_t status[TABLE_BATCH];
    uint32_t flags[TABLE_BATCH];
    double number[OUT_COUNT][TABLE_BATCH];
    int64_t age[2][TABLE_BATCH];
} size_batch;

/* ---- a row in ------------------------------------------------------------------ */

static bool given(const field *f)
{
    return f->kind != FIELD_ABSENT && f->kind != FIELD_MISSING;
}

/* Reads a number that may be missing; then *there is false. */
static bool take_optional(const field *fields, int in, double *out, bool *there, char *why)
{
    *out = 0;
    *there = given(&fields[in]);
    return !*there || field_number(&fields[in], in_names[in], out, why);
}

/* Reads a time; without a column for it, it is `fallback`. */
static bool take_time(const field *fields, int in, int64_t fallback, int64_t *out, char *why)
{
    *out = fallback;
    return fields[in].kind == FIELD_ABSENT || field_int64(&fields[in], in_names[in], out, why);
}

static bool take_asset(const size_table *s, const field *f, int32_t *out, char *why)
{
    char name[HEDGE_ASSET_NAME_MAX + 2];
    size_t n;

    if (f->kind == FIELD_ABSENT && s->asset_all != NULL) {
        *out = s->asset_all_index;
        return true;
    }
    if (!given(f) || f->kind == FIELD_NESTED)
        return field_refuse(f, in_names[IN_ASSET], "an asset's name", why);
    *out = HEDGE_E_NOT_FOUND;
    n = field_decode(f, name, sizeof name);
    /* A name that no policy could hold is unknown like any other: one that is
     * too long, or has a NUL inside, be it raw or as an escape. */
    if (n < sizeof name && memchr(name, '\0', n) == NULL)
        *out = hedge_policy_asset(s->policy, name);
    return true;
}

static bool take_score(const field *fields, size_batch *b, size_t i, char *why)
{
    bool there;

    b->score_ts[i] = b->now[i];
    b->confidence[i] = 1;
    if (!take_optional(fields, IN_SCORE, &b->score[i], &there, why)) return false;
    if (there) {
        b->quote_flags[i] |= HEDGE_QUOTE_SCORE;
        if (!take_time(fields, IN_SCORE_TS, b->now[i], &b->score_ts[i], why)) return false;
        if (fields[IN_CONFIDENCE].kind != FIELD_ABSENT &&
            !field_number(&fields[IN_CONFIDENCE], in_names[IN_CONFIDENCE], &b->confidence[i], why))
            return false;
    }
    if (!take_optional(fields, IN_PREVIOUS, &b->previous[i], &there, why)) return false;
    if (there) b->quote_flags[i] |= HEDGE_QUOTE_PREVIOUS;
    return true;
}

static bool take_depth(const field *fields, size_batch *b, size_t i, char *why)
{
    bool there;

    b->depth_ts[i] = b->now[i];
    if (!take_optional(fields, IN_DEPTH, &b->depth[i], &there, why)) return false;
    if (!there) return true;
    b->quote_flags[i] |= HEDGE_QUOTE_DEPTH;
    return take_time(fields, IN_DEPTH_TS, b->now[i], &b->depth_ts[i], why);
}

static bool take_now(const size_table *s, const field *fields, int64_t *now, char *why)
{
    const bool times = given(&fields[IN_SCORE_TS]) || given(&fields[IN_DEPTH_TS]);

    /* Without any time every quote is of the moment, whenever that is. */
    if (fields[IN_NOW].kind == FIELD_ABSENT && !s->has_now && times) {
        snprintf(why, FIELD_WHY_MAX,
                 "column now_ns: a value is missing, as there are times (or give --now-ns)");
        return false;
    }
    return take_time(fields, IN_NOW, s->now_ns, now, why);
}

static bool take_row(const void *context, void *memory, size_t i, const field *fields, char *why)
{
    const size_table *s = context;
    size_batch *b = memory;
    const field *halted = &fields[IN_HALTED];
    bool flag = false;

    b->request_flags[i] = b->quote_flags[i] = 0;
    b->asset[i] = HEDGE_E_NOT_FOUND;
    b->amount[i] = 0;
    if (!take_asset(s, &fields[IN_ASSET], &b->asset[i], why) ||
        !field_number(&fields[IN_AMOUNT], in_names[IN_AMOUNT], &b->amount[i], why) ||
        !take_now(s, fields, &b->now[i], why) || !take_score(fields, b, i, why) ||
        !take_depth(fields, b, i, why) ||
        !take_optional(fields, IN_OVERRIDE, &b->override[i], &flag, why))
        return false;
    if (flag) b->request_flags[i] |= HEDGE_REQUEST_OVERRIDE;
    flag = false;
    if (halted->kind != FIELD_ABSENT && !field_bool(halted, in_names[IN_HALTED], &flag, why))
        return false;
    if (flag) b->quote_flags[i] |= HEDGE_QUOTE_HALTED;
    return true;
}

/* ---- decisions ------------------------------------------------------------------ */

static void decide(const void *context, void *memory, size_t n)
{
    const size_table *s = context;
    size_batch *b = memory;
    hedge_size_in in = HEDGE_INIT(hedge_size_in);
    hedge_size_out out = HEDGE_INIT(hedge_size_out);
    int32_t code;

    in.asset = b->asset;
    in.amount_usd = b->amount;
    in.override_score = b->override;
    in.request_flags = b->request_flags;
    in.score = b->score;
    in.confidence = b->confidence;
    in.score_ts_ns = b->score_ts;
    in.previous_score = b->previous;
    in.depth1pct_usd = b->depth;
    in.depth_ts_ns = b->depth_ts;
    in.quote_flags = b->quote_flags;
    in.now_ns = b->now;
    out.status = b->status;
    out.flags = b->flags;
    out.hedge_pct = b->number[OUT_HEDGE];
    out.notional_usd = b->number[OUT_NOTIONAL];
    out.confidence = b->number[OUT_CONFIDENCE];
    out.score = b->number[OUT_SCORE];
    out.liquidity_weight = b->number[OUT_WEIGHT];
    out.effective_score = b->number[OUT_EFFECTIVE];
    out.liquidity_quality = b->number[OUT_QUALITY];
    out.score_age_ns = b->age[0];
    out.depth_age_ns = b->age[1];
    code = hedge_size_n(s->policy, &in, n, &out);
    /* It fails as a whole only on arguments that are not ours. */
    for (size_t i = 0; i < n && code != HEDGE_OK; i++)
        b->status[i] = code;
}

/* ---- a row out ------------------------------------------------------------------ */

static size_t write_text(const char *text, bool quoted, char *out)
{
    const size_t n = strlen(text);

    memcpy(out + (quoted ? 1 : 0), text, n);
    if (!quoted) return n;
    out[0] = out[n + 1] = '"';
    return n + 2;
}

/* Names between bars; in JSON an array. */
static size_t write_flags(uint32_t flags, bool json, char *out)
{
    size_t n = 0;

    if (json) out[n++] = '[';
    for (uint32_t bit = 0, any = 0; flags >> bit != 0; bit++) {
        const char *name = hedge_flag_name(bit);

        if ((flags >> bit & 1) == 0 || name == NULL) continue;
        if (any++ > 0) out[n++] = json ? ',' : '|';
        n += write_text(name, json, out + n);
        if (bit == 31) break;
    }
    if (json) out[n++] = ']';
    return n;
}

static size_t write_number(double number, bool json, char *out)
{
    return json && !isfinite(number) ? write_text("null", false, out) : number_write(number, out);
}

static size_t write_answer(const void *context, const void *memory, size_t i, size_t answer,
                           row_format format, char *out)
{
    const size_table *s = context;
    const size_batch *b = memory;
    const bool json = format == ROW_JSONL;
    const int what = s->answer[answer];

    switch (what) {
    case OUT_STATUS:
        return write_text(hedge_status_name(b->status[i]), json, out);
    case OUT_FLAGS:
        return write_flags(b->flags[i], json, out);
    case OUT_STATUS_CODE:
        return number_write_int64(b->status[i], out);
    case OUT_FLAG_BITS:
        return number_write_int64(b->flags[i], out);
    case OUT_SCORE_AGE:
    case OUT_DEPTH_AGE:
        return number_write_int64(b->age[what - OUT_SCORE_AGE][i], out);
    default:
        return write_number(b->number[what][i], json, out);
    }
}

/* ---- the command ----------------------------------------------------------------- */

static bool add_answer(size_table *s, const command *self, const char *name, size_t n)
{
    for (int what = 0; what < OUT_COUNT; what++) {
        if (strlen(out_names[what]) != n || memcmp(out_names[what], name, n) != 0) continue;
        for (size_t k = 0; k < s->answerer.answers; k++)
            if (s->answer[k] == what) {
                usage_error(self, "--answers: '%s' is there twice", out_names[what]);
                return false;
            }
        s->answer[s->answerer.answers] = what;
        s->answerer.answer[s->answerer.answers++] = out_names[what];
        return true;
    }
    usage_error(self, "--answers: '%.*s' is no answer of 'hedge size'", (int)n, name);
    return false;
}

static bool choose_answers(size_table *s, const command *self, const char *list)
{
    const char *at = list != NULL ? list : default_answers;

    for (;;) {
        const size_t n = strcspn(at, ",");

        if (!add_answer(s, self, at, n)) return false;
        if (at[n] == '\0') return true;
        at += n + 1;
    }
}

static bool take_all_rows_values(size_table *s, const command *self, const size_table_options *o)
{
    s->asset_all = o->asset;
    if (o->asset != NULL) {
        s->asset_all_index = policy_file_asset(self, s->policy, o->asset);
        if (s->asset_all_index < 0) return false;
    }
    s->has_now = o->now_ns != NULL;
    if (o->now_ns == NULL || number_read_int64(o->now_ns, strlen(o->now_ns), &s->now_ns))
        return true;
    usage_error(self, "--now-ns: '%s' is not a whole number of 64 bits", o->now_ns);
    return false;
}

int size_table_run(const command *self, const size_table_options *o)
{
    static size_table s;
    hedge_policy *policy;
    int result = RESULT_USAGE;

    s.answerer = (table_answerer){.slot = in_names,
                                  .slots = IN_COUNT,
                                  .needed = o->asset != NULL ? 1 : 2,
                                  .batch_size = sizeof(size_batch),
                                  .context = &s,
                                  .take = take_row,
                                  .decide = decide,
                                  .write = write_answer};
    s.t.answerer = &s.answerer;
    if (!choose_answers(&s, self, o->answers) || !table_take_options(&s.t, self, &o->rows))
        return RESULT_USAGE;
    if (s.t.in == ROW_PLAIN)
        return usage_error(self, "a stream of decisions needs --format csv, tsv or jsonl");
    policy = policy_file_load(self, o->policy, &result);
    if (policy == NULL) return result;
    s.policy = policy;
    result = RESULT_USAGE;
    if (take_all_rows_values(&s, self, o) && table_columns_list(&s.t, o->rows.columns))
        result = table_run(&s.t);
    table_free(&s.t);
    hedge_policy_free(policy);
    return result;
}
