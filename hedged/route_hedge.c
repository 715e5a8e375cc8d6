/* SPDX-License-Identifier: MIT
 * route_hedge: POST /hedge and POST /hedge/batch.
 *
 * A request becomes a record: what was asked, what the market said, what came
 * out. The record is journalled, and the reply is written from it. */
#include "app.h"

#include "clock.h"
#include "json.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 1000
#define OWN_KEY_MAX (AUTH_NAME_MAX + 1 + JOURNAL_KEY_MAX + 1)

/* What a request decides with, from its beginning to its end. */
typedef struct policies {
    live_policy *live, *shadow; /* shadow NULL: none */
} policies;

static policies acquire(app *a)
{
    return (policies){.live = live_acquire(a->live),
                      .shadow = a->shadow != NULL ? shadow_acquire(a->shadow) : NULL};
}

static void release(const policies *with)
{
    live_release(with->live);
    live_release(with->shadow);
}

/* ---- asking --------------------------------------------------------------- */

/* Reads what a caller asks. False: problem, and nothing to record. */
static bool read_ask(const cJSON *object, const live_policy *policy, const auth_caller *caller,
                     hedge_record *record, problem *p)
{
    static const char *const names[] = {"asset", "amount_usd", "override_score", NULL};
    hedge_request *request = &record->request;
    const char *asset;
    bool override;

    if (!json_check_members(object, names, p) || !json_string(object, "asset", &asset, p) ||
        !json_number(object, "amount_usd", NULL, &request->amount_usd, p) ||
        !json_number(object, "override_score", &override, &request->override_score, p))
        return false;
    if (override && !auth_may(caller, AUTH_OVERRIDE, p)) return false;
    if (strlen(asset) > HEDGE_ASSET_NAME_MAX || asset[0] == '\0')
        return problem_set(p, 422, "bad_value", "asset", "a name has 1 to %d characters",
                           HEDGE_ASSET_NAME_MAX);
    strcpy(record->asset, asset); /* fits: checked above */
    request->asset = hedge_policy_asset(policy->policy, asset);
    request->flags = override ? HEDGE_REQUEST_OVERRIDE : 0;
    return true;
}

/* A decision's note is who asked for it. */
static void start_record(hedge_record *record, const live_policy *policy, const auth_caller *caller)
{
    *record = (hedge_record)HEDGE_INIT(hedge_record);
    record->kind = HEDGE_RECORD_DECISION;
    record->request = (hedge_request)HEDGE_INIT(hedge_request);
    record->decision = (hedge_decision)HEDGE_INIT(hedge_decision);
    hedge_policy_hash(policy->policy, record->policy_hash);
    snprintf(record->build, sizeof(record->build), "%s", hedge_version());
    snprintf(record->note, sizeof(record->note), "%s", caller->name);
}

/* The instant is read after the quote, so that a quote of this very moment is
 * not from the future. */
static void decide(const live_policy *policy, hedge_record *record, hedge_quote quote,
                   int64_t now_ns)
{
    record->quote = quote;
    record->ts_ns = now_ns;
    /* hedge_size refuses only what no code of ours may pass. */
    if (hedge_size(policy->policy, &record->request, &record->quote, record->ts_ns,
                   &record->decision) != record->decision.status)
        abort();
}

/* Decides, and puts the shadow's decision behind where there is one. Returns how
 * many records that makes. */
static size_t decide_both(const policies *with, hedge_record *records, hedge_quote quote,
                          int64_t now_ns)
{
    decide(with->live, records, quote, now_ns);
    if (with->shadow == NULL) return 1;
    shadow_decide(with->shadow, records, records + 1);
    return 2;
}

/* ---- answering -------------------------------------------------------------- */

static void write_answer(const hedge_record *r, text *out)
{
    const hedge_decision *d = &r->decision;
    char id[37];

    hedge_record_id(r->writer, r->seq, id);
    text_puts(out, "{");
    text_member_double(out, "hedge_pct", d->hedge_pct);
    text_member_double(out, "notional_usd", d->notional_usd);
    text_member_double(out, "confidence", d->confidence);
    text_member_string(out, "version", r->build);
    text_member_int(out, "ts_ms", d->ts_ns / NS_PER_MS);
    text_member_string(out, "decision_id", id);
    text_member_string(out, "asset", r->asset);
    text_member_double(out, "amount_usd", r->request.amount_usd);
    text_member_double(out, "score", d->score);
    text_member_double(out, "effective_score", d->effective_score);
    text_member_double(out, "liquidity_weight", d->liquidity_weight);
    text_member_hex(out, "policy", r->policy_hash, sizeof(r->policy_hash));
    text_member_flags(out, d->flags);
    text_puts(out, "}");
}

/* 422: another request would do. 503: waiting would; not so for a halt, which
 * lasts until somebody ends it. */
static int http_status_of(int32_t trip)
{
    switch (trip) {
    case HEDGE_TRIP_UNKNOWN_ASSET:
    case HEDGE_TRIP_BAD_AMOUNT:
    case HEDGE_TRIP_MAX_AMOUNT:
    case HEDGE_TRIP_BAD_OVERRIDE:
    case HEDGE_TRIP_EXTREME_SCORE:
        return 422;
    default:
        return 503;
    }
}

static const char *member_of(int32_t trip)
{
    switch (trip) {
    case HEDGE_TRIP_UNKNOWN_ASSET:
        return "asset";
    case HEDGE_TRIP_BAD_AMOUNT:
    case HEDGE_TRIP_MAX_AMOUNT:
        return "amount_usd";
    case HEDGE_TRIP_BAD_OVERRIDE:
        return "override_score";
    default:
        return "";
    }
}

static void rejection(const hedge_record *r, problem *p)
{
    const int32_t trip = r->decision.status;

    problem_set(p, http_status_of(trip), hedge_status_name(trip), member_of(trip),
                "%s: %s; keep the hedge you have", r->asset, hedge_status_text(trip));
    p->breaker = p->code;
    if (p->status == 503 && trip != HEDGE_TRIP_HALTED) p->retry_after_s = 1;
    hedge_record_id(r->writer, r->seq, p->decision_id);
}

static void journal_problem(journal_result result, problem *p)
{
    switch (result) {
    case JOURNAL_FULL:
        problem_set(p, 503, "journal_full", NULL,
                    "the journal's queue is full; nothing was decided");
        break;
    case JOURNAL_CLOSING:
        problem_set(p, 503, "stopping", NULL, "the daemon is stopping");
        break;
    default:
        problem_set(p, 503, "journal_failed", NULL,
                    "the journal cannot be written, so this was not decided; see the log");
        break;
    }
    p->retry_after_s = 1;
}

/* After the journal took them: counts and, where asked for, logs. */
static void announce(app *a, const hedge_record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const hedge_record *r = &records[i];
        char id[37];

        if (r->kind == HEDGE_RECORD_SHADOW) {
            shadow_count(a->shadow, r - 1, r);
            continue;
        }
        metrics_decision(&a->metrics, &r->decision);
        if (!a->settings->log_decisions) continue;
        hedge_record_id(r->writer, r->seq, id);
        LOG(LOG_INFO, "decision", LOG_TEXT("decision_id", id), LOG_NUMBER("seq", r->seq),
            LOG_TEXT("caller", r->note), LOG_TEXT("asset", r->asset),
            LOG_NUMBER("amount_usd", r->request.amount_usd),
            LOG_TEXT("status", hedge_status_name(r->decision.status)),
            LOG_NUMBER("hedge_pct", r->decision.hedge_pct),
            LOG_NUMBER("confidence", r->decision.confidence));
    }
}

/* ---- one ---------------------------------------------------------------------- */

/* Decides, journals and answers. A rejection is a problem that is recorded. */
static bool answer_new(app *a, const policies *with, hedge_record records[2], const char *key,
                       http_reply *reply, problem *p)
{
    journal_result result;
    size_t n;

    do { /* once more, should a halt come between the quote and the record */
        const uint32_t halts = journal_halts(a->journal);
        const hedge_quote quote = live_quote(a->live, with->live, records->request.asset);

        n = decide_both(with, records, quote, clock_wall_ns());
        result = journal_append_decisions(a->journal, records, n, key, halts);
    } while (result == JOURNAL_HALTED);
    if (result != JOURNAL_OK) {
        journal_problem(result, p);
        return false;
    }
    announce(a, records, n);
    if (records->decision.status != HEDGE_OK) {
        rejection(records, p);
        if (key != NULL) p->retry_after_s = 0; /* it would get the same again */
        return false;
    }
    write_answer(records, &reply->body);
    return true;
}

/* Gives the recorded answer again, if it is one to this very request. */
static bool answer_again(app *a, const hedge_record *asked, const hedge_record *before,
                         http_reply *reply, problem *p)
{
    const hedge_request *x = &asked->request, *y = &before->request;

    if (strcmp(asked->note, before->note) != 0 || strcmp(asked->asset, before->asset) != 0 ||
        x->amount_usd != y->amount_usd || x->flags != y->flags ||
        ((x->flags & HEDGE_REQUEST_OVERRIDE) && x->override_score != y->override_score))
        return problem_set(p, 422, "key_reused", "Idempotency-Key",
                           "this key belongs to another request; draw a new one for each");
    metrics_replay(&a->metrics);
    reply->replayed = true;
    if (before->decision.status == HEDGE_OK) {
        write_answer(before, &reply->body);
        return true;
    }
    rejection(before, p);
    p->retry_after_s = 0;
    return false;
}

/* A key is its caller's own: what the journal knows it by has both. Neither
 * holds a space, so no two of them meet. */
static void own_key(const char *caller, const char *key, char out[OWN_KEY_MAX])
{
    snprintf(out, OWN_KEY_MAX, "%.*s%s%s", AUTH_NAME_MAX, caller, caller[0] != '\0' ? " " : "",
             key);
}

static bool answer_keyed(app *a, const policies *with, hedge_record records[2], const char *header,
                         http_reply *reply, problem *p)
{
    char shown[JOURNAL_KEY_MAX + 1], key[OWN_KEY_MAX];
    hedge_record before = HEDGE_INIT(hedge_record);
    idempotency_turn turn;
    bool ok;

    if (!idempotency_read_key(header, shown, p)) return false;
    own_key(records->note, shown, key);
    idempotency_enter(&a->idempotency, &turn, key);
    switch (journal_find_key(a->journal, key, &before)) {
    case 0:
        ok = answer_new(a, with, records, key, reply, p);
        break;
    case 1:
        ok = answer_again(a, records, &before, reply, p);
        break;
    default: /* whether it was answered before cannot be known */
        journal_problem(JOURNAL_FAILED, p);
        ok = false;
        break;
    }
    idempotency_leave(&a->idempotency, &turn);
    return ok;
}

static bool size_one(app *a, const http_request *request, const policies *with, http_reply *reply,
                     problem *p)
{
    cJSON *object = json_read_object(request->body, request->body_size, p);
    hedge_record records[2]; /* the second is the shadow's */
    bool ok;

    if (object == NULL) return false;
    start_record(records, with->live, &request->caller);
    ok = read_ask(object, with->live, &request->caller, records, p);
    cJSON_Delete(object);
    if (!ok) return false;
    if (request->idempotency_key != NULL)
        return answer_keyed(a, with, records, request->idempotency_key, reply, p);
    return answer_new(a, with, records, NULL, reply, p);
}

void route_hedge(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    const policies with = acquire(a);
    problem p;

    if (!size_one(a, request, &with, reply, &p)) http_reply_problem(reply, &p);
    release(&with);
}

/* ---- a batch -------------------------------------------------------------------- */

/* What became of each request of a batch: a record, or a problem before one. */
typedef struct batch {
    size_t n, recorded;
    hedge_record *records; /* packed */
    problem *problems;
    size_t *record_of;   /* index into records, SIZE_MAX: a problem */
    hedge_quote *quotes; /* of every asset, as they all were at one instant */
    hedge_quote none;    /* of an unknown asset */
} batch;

static void batch_free(batch *b)
{
    free(b->records);
    free(b->problems);
    free(b->record_of);
    free(b->quotes);
}

static bool batch_new(batch *b, size_t n, size_t assets)
{
    *b = (batch){.n = n,
                 .records = malloc(2 * n * sizeof(hedge_record)), /* the shadow's, too */
                 .problems = malloc(n * sizeof(problem)),
                 .record_of = malloc(n * sizeof(size_t)),
                 .quotes = malloc(assets * sizeof(hedge_quote)),
                 .none = HEDGE_INIT(hedge_quote)};
    if (b->records != NULL && b->problems != NULL && b->record_of != NULL && b->quotes != NULL)
        return true;
    batch_free(b);
    return false;
}

static void batch_decide(app *a, const policies *with, const auth_caller *caller,
                         const cJSON *requests, batch *b)
{
    const cJSON *item = requests->child;
    int64_t now_ns;

    live_quotes(a->live, with->live, b->quotes);
    now_ns = clock_wall_ns();
    b->recorded = 0;
    for (size_t i = 0; i < b->n; i++, item = item->next) {
        hedge_record *record = &b->records[b->recorded];
        int32_t asset;
        bool ok = cJSON_IsObject(item);

        if (!ok) problem_set(&b->problems[i], 422, "bad_value", "requests", "must be an object");
        start_record(record, with->live, caller);
        ok = ok && read_ask(item, with->live, caller, record, &b->problems[i]);
        b->record_of[i] = ok ? b->recorded : SIZE_MAX;
        if (!ok) continue;
        asset = record->request.asset;
        b->recorded += decide_both(with, record, asset >= 0 ? b->quotes[asset] : b->none, now_ns);
    }
}

static void batch_write(batch *b, text *out)
{
    text_puts(out, "{\"decisions\":[");
    for (size_t i = 0; i < b->n; i++) {
        const hedge_record *r = b->record_of[i] != SIZE_MAX ? &b->records[b->record_of[i]] : NULL;

        if (i > 0) text_puts(out, ",");
        if (r != NULL && r->decision.status == HEDGE_OK) {
            write_answer(r, out);
            continue;
        }
        if (r != NULL) rejection(r, &b->problems[i]);
        problem_write(&b->problems[i], out);
    }
    text_puts(out, "]}");
}

static bool size_batch(app *a, const cJSON *requests, const policies *with,
                       const auth_caller *caller, http_reply *reply, problem *p)
{
    const int n = cJSON_GetArraySize(requests);
    journal_result result;
    batch b;

    if (!cJSON_IsArray(requests) || n < 1 || n > BATCH_MAX)
        return problem_set(p, 422, "bad_value", "requests", "must be a list of 1 to %d requests",
                           BATCH_MAX);
    if (!batch_new(&b, (size_t)n, hedge_policy_asset_count(with->live->policy)))
        return problem_set(p, 503, "out_of_memory", NULL, "no memory for the batch");
    do {
        const uint32_t halts = journal_halts(a->journal);

        batch_decide(a, with, caller, requests, &b);
        result = b.recorded == 0
                     ? JOURNAL_OK
                     : journal_append_decisions(a->journal, b.records, b.recorded, NULL, halts);
    } while (result == JOURNAL_HALTED);
    if (result == JOURNAL_OK) {
        announce(a, b.records, b.recorded);
        batch_write(&b, &reply->body);
    } else {
        journal_problem(result, p);
    }
    batch_free(&b);
    return result == JOURNAL_OK;
}

void route_hedge_batch(void *context, const http_request *request, http_reply *reply)
{
    static const char *const names[] = {"requests", NULL};
    app *a = context;
    problem p;
    cJSON *object = json_read_object(request->body, request->body_size, &p);
    const policies with = acquire(a);
    bool ok = object != NULL && json_check_members(object, names, &p);

    ok = ok && size_batch(a, cJSON_GetObjectItemCaseSensitive(object, "requests"), &with,
                          &request->caller, reply, &p);
    if (!ok) http_reply_problem(reply, &p);
    release(&with);
    cJSON_Delete(object);
}
