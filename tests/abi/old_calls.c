/* SPDX-License-Identifier: MIT
 * old_calls: every function that takes a public struct, called with one of any age. */
#include "old_calls.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW_NS INT64_C(1767225600000000000)

static const char good_text[] = "curve: {method: pchip, knots: [[0, .05], [.3, .25], [.7, .75], "
                                "[1, 1]]}\nassets: {BTC: {}}\n";
static const char bad_text[] = "curve: {method: pchip, knots: [[0, .05], [.3, .25], [.7, .2]]}\n";

static hedge_policy *policy;
static hedge_market *market;
static char good_path[256], bad_path[256]; /* files with the texts */

static hedge_request a_request(void)
{
    hedge_request r = HEDGE_INIT(hedge_request);

    r.amount_usd = 250000.0;
    return r;
}

static hedge_quote a_quote(void)
{
    hedge_quote q = HEDGE_INIT(hedge_quote);

    q.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH | HEDGE_QUOTE_PREVIOUS;
    q.score = 0.62;
    q.previous_score = 0.6;
    q.confidence = 0.9;
    q.score_ts_ns = NOW_NS - 1000000;
    q.depth1pct_usd = 2.5e6;
    q.depth_ts_ns = NOW_NS - 2000000;
    return q;
}

static bool write_file(char *path, const char *name, const char *text)
{
    const char *top = getenv("TMPDIR");
    FILE *file;
    int fd;

    snprintf(path, 256, "%.200s/hedge-%s-XXXXXX", top != NULL && *top ? top : "/tmp", name);
    fd = mkstemp(path);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

bool old_calls_begin(void)
{
    return hedge_policy_parse(good_text, strlen(good_text), NULL, &policy) == HEDGE_OK &&
           hedge_market_new(1, &market) == HEDGE_OK && hedge_market_add(market, "BTC") == 0 &&
           hedge_market_put_score(market, 0, 0.62, 0.9, NOW_NS) == HEDGE_OK &&
           write_file(good_path, "good", good_text) && write_file(bad_path, "bad", bad_text);
}

void old_calls_end(void)
{
    hedge_policy_free(policy);
    hedge_market_free(market);
    unlink(good_path);
    unlink(bad_path);
}

/* What the library writes must not depend on what lay there. */
static void fill_nothing(void *full)
{
    memset(full, 0x5a, OLD_ANSWER_MAX);
}

/* ---- hedge_error -------------------------------------------------------------- */

/* Whether the error was filled is all that shows of a refusal. Where its size is refused as too
 * short nothing behind it can be looked at, and the guard sees to it that nothing is written. */
static int32_t error_code(const void *error, int32_t code)
{
    uint32_t head[2];

    memcpy(head, error, sizeof(head[0]));
    if (head[0] < sizeof(hedge_error) && head[0] % 8 != 0) return HEDGE_E_STRUCT_SIZE;
    if (head[0] < sizeof(head) || head[0] > 4096) return HEDGE_E_STRUCT_SIZE;
    memcpy(head, error, sizeof(head));
    return head[1] == 0x5a5a5a5a ? HEDGE_E_STRUCT_SIZE : code;
}

static int32_t call_curve_new(void *theirs, void *answer)
{
    const double score[] = {0.0, 0.5, 0.25}, hedge[] = {0.0, 0.5, 1.0};
    hedge_curve *curve;

    (void)answer;
    return error_code(theirs, hedge_curve_new(HEDGE_METHOD_PCHIP, score, hedge, 3, theirs, &curve));
}

static int32_t call_parse(void *theirs, void *answer)
{
    hedge_policy *none;

    (void)answer;
    return error_code(theirs, hedge_policy_parse(bad_text, strlen(bad_text), theirs, &none));
}

static int32_t call_load(void *theirs, void *answer)
{
    hedge_policy *none;

    (void)answer;
    return error_code(theirs, hedge_policy_load(bad_path, theirs, &none));
}

static int32_t call_load_with_error(void *theirs, void *answer)
{
    hedge_policy *none;

    (void)answer;
    return error_code(theirs, hedge_policy_load_with(bad_path, NULL, theirs, &none));
}

/* ---- policies, curves, markets -------------------------------------------------- */

static void fill_overrides(void *full)
{
    hedge_policy_overrides o = HEDGE_INIT(hedge_policy_overrides);

    o.set = HEDGE_SET_MAX_HEDGE_PCT | HEDGE_SET_STALE_SCORE;
    o.max_hedge_pct = 0.5;
    o.stale_score_ms = 1234.0;
    memcpy(full, &o, sizeof(o));
}

static int32_t call_load_with(void *theirs, void *answer)
{
    hedge_policy *made;
    const int32_t code = hedge_policy_load_with(good_path, theirs, NULL, &made);

    if (code == HEDGE_OK) hedge_policy_hash(made, answer);
    hedge_policy_free(made);
    return code;
}

static int32_t call_rules(void *theirs, void *answer)
{
    (void)answer;
    return hedge_policy_rules(policy, 0, theirs);
}

static int32_t call_piece(void *theirs, void *answer)
{
    (void)answer;
    return hedge_curve_piece(hedge_policy_curve(policy, 0), 3, theirs);
}

/* The whole sweep takes a second; its beginning does as well. */
static int32_t stop(void *context, double done)
{
    (void)context;
    (void)done;
    return 1;
}

static int32_t call_certify(void *theirs, void *answer)
{
    (void)answer;
    return hedge_curve_certify(hedge_policy_curve(policy, 0), stop, NULL, theirs);
}

static int32_t call_read(void *theirs, void *answer)
{
    (void)answer;
    return hedge_market_read(market, 0, theirs);
}

/* ---- decisions -------------------------------------------------------------------- */

static void fill_request(void *full)
{
    const hedge_request r = a_request();

    memcpy(full, &r, sizeof(r));
}

static void fill_quote(void *full)
{
    const hedge_quote q = a_quote();

    memcpy(full, &q, sizeof(q));
}

static int32_t decide(const hedge_request *request, const hedge_quote *quote, void *answer)
{
    hedge_decision d = HEDGE_INIT(hedge_decision);
    const int32_t code = hedge_size(policy, request, quote, NOW_NS, &d);

    memcpy(answer, &d, sizeof(d));
    return code;
}

static int32_t call_size_request(void *theirs, void *answer)
{
    const hedge_quote q = a_quote();

    return decide(theirs, &q, answer);
}

static int32_t call_size_quote(void *theirs, void *answer)
{
    const hedge_request r = a_request();

    return decide(&r, theirs, answer);
}

static int32_t call_size_decision(void *theirs, void *answer)
{
    const hedge_request r = a_request();
    const hedge_quote q = a_quote();

    (void)answer;
    return hedge_size(policy, &r, &q, NOW_NS, theirs);
}

#define ROWS 3

static const double amount_usd[ROWS] = {1e5, 2e5, NAN}, score[ROWS] = {0.2, 0.5, 0.8};
static const double depth1pct_usd[ROWS] = {1e5, 1e6, 1e7};
static double hedge_pct[ROWS];
static int32_t status[ROWS];

static hedge_size_in a_size_in(void)
{
    hedge_size_in in = HEDGE_INIT(hedge_size_in);

    in.now_all_ns = NOW_NS;
    in.amount_usd = amount_usd;
    in.score = score;
    in.depth1pct_usd = depth1pct_usd;
    return in;
}

static hedge_size_out a_size_out(void)
{
    hedge_size_out out = HEDGE_INIT(hedge_size_out);

    out.status = status;
    out.hedge_pct = hedge_pct;
    return out;
}

static void fill_size_in(void *full)
{
    const hedge_size_in in = a_size_in();

    memcpy(full, &in, sizeof(in));
}

static void fill_size_out(void *full)
{
    const hedge_size_out out = a_size_out();

    memcpy(full, &out, sizeof(out));
}

static int32_t decide_rows(const hedge_size_in *in, const hedge_size_out *out, void *answer)
{
    int32_t code;

    memset(hedge_pct, 0, sizeof(hedge_pct));
    memset(status, 0, sizeof(status));
    code = hedge_size_n(policy, in, ROWS, out);
    memcpy(answer, hedge_pct, sizeof(hedge_pct));
    memcpy((char *)answer + sizeof(hedge_pct), status, sizeof(status));
    return code;
}

static int32_t call_size_in(void *theirs, void *answer)
{
    const hedge_size_out out = a_size_out();

    return decide_rows(theirs, &out, answer);
}

static int32_t call_size_out(void *theirs, void *answer)
{
    const hedge_size_in in = a_size_in();

    return decide_rows(&in, theirs, answer);
}

/* ---- records ------------------------------------------------------------------------ */

static void fill_record(void *full)
{
    hedge_record r = HEDGE_INIT(hedge_record);

    r.kind = HEDGE_RECORD_DECISION;
    r.seq = 7;
    r.ts_ns = NOW_NS;
    strcpy(r.build, "0.1.0");
    strcpy(r.asset, "BTC");
    r.request = a_request();
    r.quote = a_quote();
    memcpy(full, &r, sizeof(r));
}

static int32_t call_encode(void *theirs, void *answer)
{
    size_t n;

    return hedge_record_encode(theirs, answer, HEDGE_RECORD_MAX, &n);
}

static int32_t call_decode(void *theirs, void *answer)
{
    uint8_t bytes[HEDGE_RECORD_MAX];
    hedge_record r = HEDGE_INIT(hedge_record);
    size_t n;

    (void)answer;
    fill_record(&r);
    if (hedge_record_encode(&r, bytes, sizeof(bytes), &n) != HEDGE_OK) return HEDGE_E_RECORD;
    return hedge_record_decode(bytes, n, theirs);
}

#define READ(function, type, fill, call)                                                           \
    {                                                                                              \
#function, #type, sizeof(type), false, fill, call                                          \
    }
#define WRITTEN(function, type, call)                                                              \
    {                                                                                              \
#function, #type, sizeof(type), true, fill_nothing, call                                   \
    }

const old_call old_calls[] = {
    WRITTEN(hedge_curve_new, hedge_error, call_curve_new),
    WRITTEN(hedge_policy_parse, hedge_error, call_parse),
    WRITTEN(hedge_policy_load, hedge_error, call_load),
    WRITTEN(hedge_policy_load_with, hedge_error, call_load_with_error),
    READ(hedge_policy_load_with, hedge_policy_overrides, fill_overrides, call_load_with),
    WRITTEN(hedge_policy_rules, hedge_rules, call_rules),
    WRITTEN(hedge_curve_piece, hedge_piece, call_piece),
    WRITTEN(hedge_curve_certify, hedge_certificate, call_certify),
    WRITTEN(hedge_market_read, hedge_quote, call_read),
    READ(hedge_size, hedge_request, fill_request, call_size_request),
    READ(hedge_size, hedge_quote, fill_quote, call_size_quote),
    WRITTEN(hedge_size, hedge_decision, call_size_decision),
    READ(hedge_size_n, hedge_size_in, fill_size_in, call_size_in),
    READ(hedge_size_n, hedge_size_out, fill_size_out, call_size_out),
    READ(hedge_record_encode, hedge_record, fill_record, call_encode),
    WRITTEN(hedge_record_decode, hedge_record, call_decode),
};
const size_t old_call_count = sizeof(old_calls) / sizeof(old_calls[0]);
