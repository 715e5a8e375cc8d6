/* SPDX-License-Identifier: MIT
 * route_decisions: GET /decisions, the journal in order. */
#include "app.h"

#include "clock.h"
#include "hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000
#define LIMIT_DEFAULT 100

static const char *kind_name(int32_t kind)
{
    static const char *const names[] = {"decision", "start",          "stop",
                                        "policy",   "policy_refused", "halt",
                                        "resume",   "shadow",         "shadow_policy"};

    return kind >= HEDGE_RECORD_DECISION && kind <= HEDGE_RECORD_SHADOW_POLICY ? names[kind - 1]
                                                                               : "unknown";
}

static void write_request(const hedge_request *r, text *out)
{
    text_name(out, "request");
    text_puts(out, "{");
    text_member_double(out, "amount_usd", r->amount_usd);
    if (r->flags & HEDGE_REQUEST_OVERRIDE)
        text_member_double(out, "override_score", r->override_score);
    text_puts(out, "}");
}

static void write_quote(const hedge_quote *q, text *out)
{
    text_name(out, "quote");
    text_puts(out, "{");
    text_member_bool(out, "halted", (q->flags & HEDGE_QUOTE_HALTED) != 0);
    if (q->flags & HEDGE_QUOTE_SCORE) {
        text_member_double(out, "score", q->score);
        text_member_double(out, "confidence", q->confidence);
        text_member_int(out, "ts_ms", q->score_ts_ns / NS_PER_MS);
    }
    if (q->flags & HEDGE_QUOTE_PREVIOUS)
        text_member_double(out, "previous_score", q->previous_score);
    if (q->flags & HEDGE_QUOTE_DEPTH) {
        text_member_double(out, "depth1pct_usd", q->depth1pct_usd);
        text_member_int(out, "depth_ts_ms", q->depth_ts_ns / NS_PER_MS);
    }
    text_puts(out, "}");
}

static void write_decision(const hedge_decision *d, text *out)
{
    text_name(out, "decision");
    text_puts(out, "{");
    text_member_double(out, "hedge_pct", d->hedge_pct);
    text_member_double(out, "notional_usd", d->notional_usd);
    text_member_double(out, "confidence", d->confidence);
    text_member_double(out, "score", d->score);
    text_member_double(out, "liquidity_weight", d->liquidity_weight);
    text_member_double(out, "effective_score", d->effective_score);
    text_member_double(out, "liquidity_quality", d->liquidity_quality);
    text_member_int(out, "score_age_ms", d->score_age_ns / NS_PER_MS);
    text_member_int(out, "depth_age_ms", d->depth_age_ns / NS_PER_MS);
    text_puts(out, "}");
}

static void write_row(const journal_row *row, text *out)
{
    hedge_record r = HEDGE_INIT(hedge_record);
    const bool readable = hedge_record_decode(row->record, row->n, &r) == HEDGE_OK;
    char id[37];

    text_puts(out, "{");
    text_member_int(out, "seq", (int64_t)row->seq);
    if (!readable) text_member_string(out, "kind", "unreadable");
    if (readable) {
        text_member_string(out, "kind", kind_name(r.kind));
        text_member_int(out, "ts_ms", r.ts_ns / NS_PER_MS);
        text_member_hex(out, "policy", r.policy_hash, sizeof(r.policy_hash));
        text_member_string(out, "version", r.build);
        text_member_string(out, "asset", r.asset);
        text_member_string(out, "note", r.note);
    }
    if (readable && (r.kind == HEDGE_RECORD_DECISION || r.kind == HEDGE_RECORD_SHADOW)) {
        hedge_record_id(r.writer, r.seq, id);
        text_member_string(out, "decision_id", id);
        text_member_string(out, "status", hedge_status_name(r.decision.status));
        text_member_flags(out, r.decision.flags);
        write_request(&r.request, out);
        write_quote(&r.quote, out);
        write_decision(&r.decision, out);
    }
    text_member_hex(out, "hash", row->hash, sizeof(row->hash));
    text_member_hex(out, "record", row->record, row->n);
    text_puts(out, "}");
}

static bool read_asset(const http_request *request, char name[64], bool *given, problem *p)
{
    const int found = http_query(request, "asset", name, 64);

    *given = found == 1;
    return found >= 0 || problem_set(p, 400, "bad_query", "asset", "not an asset's name");
}

static void write_page(app *a, const journal_row *rows, size_t n, uint64_t next_after, text *out)
{
    journal_state state;

    journal_read_state(a->journal, &state);
    text_puts(out, "{");
    text_name(out, "writer");
    text_printf(out, "\"%016" PRIx64 "\"", state.writer);
    journal_head_write(out, "base", &state.base);
    journal_head_write(out, "head", &state.head);
    text_name(out, "records");
    text_puts(out, "[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0) text_puts(out, ",");
        write_row(&rows[i], out);
    }
    text_puts(out, "]");
    text_member_int(out, "next_after", (int64_t)next_after);
    text_puts(out, "}");
}

/* GET /policies/{hash}: what a record names, so that it can be decided again. */
void route_policy(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    uint8_t hash[HEDGE_HASH_SIZE];
    char *policy = NULL;
    problem p;

    if (hex_read(request->name, sizeof(hash), hash) &&
        !journal_policy_text(a->journal, hash, &policy)) {
        problem_set(&p, 503, "journal_failed", NULL, "the policy's text cannot be read now");
        p.retry_after_s = 1;
        http_reply_problem(reply, &p);
        return;
    }
    if (policy == NULL) {
        problem_set(&p, 404, "not_found", NULL, "the journal holds no policy of that hash");
        http_reply_problem(reply, &p);
        return;
    }
    reply->content_type = "application/yaml";
    text_puts(&reply->body, policy);
    free(policy);
}

void route_decisions(void *context, const http_request *request, http_reply *reply)
{
    static const char *const names[] = {"after", "limit", "asset", NULL};
    app *a = context;
    uint64_t after = 0, limit = LIMIT_DEFAULT, next_after;
    char asset[64], message[JOURNAL_MESSAGE_MAX];
    journal_row *rows;
    bool given;
    size_t n;
    problem p;

    if (!http_query_known(request, names, &p) ||
        !http_query_number(request, "after", 0, INT64_MAX - JOURNAL_SCAN_MAX, &after, &p) ||
        !http_query_number(request, "limit", 1, LIMIT_MAX, &limit, &p) ||
        !read_asset(request, asset, &given, &p)) {
        http_reply_problem(reply, &p);
        return;
    }
    if (!journal_rows(a->journal, after, given ? asset : NULL, (size_t)limit, &rows, &n,
                      &next_after, message)) {
        problem_set(&p, 503, "journal_failed", NULL, "the journal cannot be read: %.200s", message);
        p.retry_after_s = 1;
        http_reply_problem(reply, &p);
        return;
    }
    write_page(a, rows, n, next_after, &reply->body);
    free(rows);
}
