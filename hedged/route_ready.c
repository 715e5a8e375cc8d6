/* SPDX-License-Identifier: MIT
 * route_ready: GET /healthz and GET /readyz. */
#include "app.h"

#include "clock.h"
#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void route_healthz(void *context, const http_request *request, http_reply *reply)
{
    (void)context, (void)request;
    text_puts(&reply->body, "{\"status\":\"alive\"}");
}

/* ---- readiness ------------------------------------------------------------------ */

/* What a request for asset i would get this instant: HEDGE_OK, or the trip. */
static int32_t probe(app *a, const live_policy *policy, int32_t asset)
{
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_decision decision = HEDGE_INIT(hedge_decision);
    const hedge_quote quote = live_quote(a->live, policy, asset);

    request.asset = asset;
    return hedge_size(policy->policy, &request, &quote, clock_wall_ns(), &decision);
}

/* What is amiss, as a list in JSON. */
typedef struct reasons {
    text list;
    bool whole; /* with assets and details; else each code once */
} reasons;

/* Among codes alone, of which none is another's beginning with its quotes. */
static bool is_told(const reasons *r, const char *code)
{
    char quoted[64];
    const int n = snprintf(quoted, sizeof(quoted), "\"%s\"", code);

    return r->list.n > 0 && memmem(r->list.bytes, r->list.n, quoted, (size_t)n) != NULL;
}

static void put_reason(reasons *r, const char *code, const char *asset, const char *detail)
{
    if (!r->whole && is_told(r, code)) return;
    if (r->list.n > 1) text_puts(&r->list, ",");
    text_puts(&r->list, "{");
    text_member_string(&r->list, "code", code);
    if (r->whole && asset != NULL) text_member_string(&r->list, "asset", asset);
    if (r->whole) text_member_string(&r->list, "detail", detail);
    text_puts(&r->list, "}");
}

/* Who halted and why is for those who may read: GET /halt. */
static void put_halts(const halt_state *halts, reasons *out)
{
    if (halts->all)
        put_reason(out, hedge_status_name(HEDGE_TRIP_HALTED), NULL,
                   "all assets are halted; GET /halt says why");
    if (halts->unlatched > 0)
        put_reason(out, "halt_not_latched", NULL,
                   "a halt is not in the journal and would not survive a restart; it is tried each "
                   "second");
}

/* Writes the assets' reasons; returns how many assets can be decided. A halt of
 * all has been named already. */
static size_t put_assets(app *a, bool all_halted, reasons *out)
{
    live_policy *policy = live_acquire(a->live);
    size_t able = 0;

    for (size_t i = 0; i < hedge_policy_asset_count(policy->policy); i++) {
        const int32_t code = probe(a, policy, (int32_t)i);

        if (code == HEDGE_OK)
            able++;
        else if (code != HEDGE_TRIP_HALTED || !all_halted)
            put_reason(out, hedge_status_name(code),
                       hedge_policy_asset_name(policy->policy, (int32_t)i),
                       hedge_status_text(code));
    }
    live_release(policy);
    return able;
}

static void put_refusal(reasons *out, const char *code, const policy_watch_state *state,
                        const char *effect)
{
    char detail[640];

    if (state->ok) return;
    snprintf(detail, sizeof(detail), "%s:%d: %s%s%s; %s", state->error.file, state->error.line,
             state->error.field, state->error.field[0] != '\0' ? ": " : "", state->error.message,
             effect);
    put_reason(out, code, NULL, detail);
}

static void put_policies(app *a, reasons *out)
{
    policy_watch_state state;

    policy_watch_read_state(a->watch, &state);
    put_refusal(out, "policy_refused", &state, "the old policy stays live");
    if (a->shadow == NULL) return;
    shadow_read_state(a->shadow, &state);
    put_refusal(out, "shadow_policy_refused", &state, "the old shadow stays");
}

static void put_keys(app *a, reasons *out)
{
    char message[AUTH_MESSAGE_MAX], detail[AUTH_MESSAGE_MAX + 40];

    if (a->auth == NULL || auth_keys_are_good(a->auth, message)) return;
    snprintf(detail, sizeof(detail), "%s; the old keys stay in use", message);
    put_reason(out, "jwt_keys_refused", NULL, detail);
}

static void put_redis(app *a, reasons *out)
{
    feed_redis_state state;

    if (a->redis == NULL) return;
    feed_redis_read_state(a->redis, &state);
    if (!state.connected)
        put_reason(out, "redis_disconnected", NULL, "no connection to HEDGE_REDIS_URL");
}

/* Decisions go on without Postgres: these never make the daemon unready. */
static void put_ship(app *a, const journal_state *kept, reasons *out)
{
    ship_postgres_state state;
    char code[48], detail[POSTGRES_FAULT_MAX + 200];

    if (a->ship == NULL) return;
    ship_postgres_read_state(a->ship, &state);
    if (state.fault != SHIP_FAULT_NONE) {
        snprintf(code, sizeof(code), "postgres_%s", ship_fault_name(state.fault));
        snprintf(detail, sizeof(detail), "%s; %s", state.words, ship_fault_advice(state.fault));
        put_reason(out, code, NULL, detail);
    } else if (!state.connected) {
        put_reason(out, "postgres_unreachable", NULL,
                   state.words[0] != '\0' ? state.words : "no connection to HEDGE_DB_DSN yet");
    }
    if (kept->parked == 0) return;
    snprintf(detail, sizeof(detail), "%" PRIu64 " records that the database refuses", kept->parked);
    put_reason(out, "records_parked", NULL, detail);
}

/* A number, or a word where there is none. */
static void write_price(char out[32], bool has, double price)
{
    snprintf(out, 32, has ? "%.15g" : "none", price);
}

/* Books that are there and have no depth, whatever is still held of them. */
static void put_books(app *a, reasons *out)
{
    live_policy *policy = live_acquire(a->live);

    for (int32_t i = 0; (size_t)i < hedge_policy_asset_count(policy->policy); i++) {
        const char *name = hedge_policy_asset_name(policy->policy, i);
        feed_clickhouse_book book;
        char bid[32], ask[32], detail[160];

        if (!feed_clickhouse_read_book(a->clickhouse, policy, i, &book)) continue;
        write_price(bid, book.has_bid, book.best_bid);
        write_price(ask, book.has_ask, book.best_ask);
        snprintf(detail, sizeof(detail), "best bid %s, best ask %s; its depth is not taken", bid,
                 ask);
        if (book.result == FEED_CLICKHOUSE_CROSSED) put_reason(out, "crossed_book", name, detail);
        if (book.result == FEED_CLICKHOUSE_ONE_SIDED)
            put_reason(out, "one_sided_book", name, detail);
        if (book.result == FEED_CLICKHOUSE_FUTURE)
            put_reason(out, "future_book", name,
                       "its time is in the future by more than max_clock_skew_ms");
    }
    live_release(policy);
}

static void put_clickhouse(app *a, reasons *out)
{
    feed_clickhouse_state state;

    if (a->clickhouse == NULL) return;
    feed_clickhouse_read_state(a->clickhouse, &state);
    if (!state.connected) put_reason(out, "clickhouse_unreachable", NULL, state.fault);
    put_books(a, out);
}

/* Whoever reads this has a connection already; new ones are what is at stake. */
static void put_tls(app *a, reasons *out)
{
    tls_watch_state state;
    tls_facts facts;
    char detail[TLS_MESSAGE_MAX + 80];

    if (a->tls == NULL) return;
    tls_watch_read_state(a->tls_watch, &state);
    tls_read_facts(a->tls, &facts);
    if (!state.ok) {
        snprintf(detail, sizeof(detail), "%s; what was taken before stays in use", state.fault);
        put_reason(out, "tls_refused", NULL, detail);
    }
    if (facts.not_after_s <= clock_wall_ns() / NS_PER_S)
        put_reason(out, "tls_expired", NULL, "clients refuse the certificate in HEDGE_TLS_CERT");
    if (facts.next_update_s != 0 && facts.next_update_s <= clock_wall_ns() / NS_PER_S)
        put_reason(out, "tls_list_expired", NULL,
                   "no client gets in until HEDGE_TLS_CLIENT_CRL is a new list");
}

void route_readyz(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    journal_state state;
    halt_state halts;
    /* How many assets there are, which, what is written how fast, and where from: not for
     * strangers, who may know no more than a balancer needs. */
    reasons told = {.whole = (request->caller.scopes & AUTH_READ) != 0};
    size_t able;

    journal_read_state(a->journal, &state);
    halt_read_state(a->halt, &halts);
    text_puts(&told.list, "[");
    if (state.failing) put_reason(&told, "journal_failed", NULL, state.fault);
    put_halts(&halts, &told);
    put_policies(a, &told);
    put_keys(a, &told);
    put_redis(a, &told);
    put_clickhouse(a, &told);
    put_ship(a, &state, &told);
    put_tls(a, &told);
    able = put_assets(a, halts.all, &told);
    if (told.list.failed) {
        problem p;

        text_free(&told.list);
        problem_set(&p, 503, "out_of_memory", NULL, "no memory to tell the reasons");
        p.retry_after_s = 1;
        http_reply_problem(reply, &p);
        return;
    }
    const bool ready = able > 0 && !halts.all && !state.failing;
    const bool degraded = told.list.n > 1;

    reply->status = ready ? 200 : 503;
    if (!ready && !halts.all) reply->retry_after_s = 1; /* a halt does not end by itself */
    text_puts(&reply->body, "{");
    text_member_string(&reply->body, "status",
                       !ready     ? "unready"
                       : degraded ? "degraded"
                                  : "ready");
    text_name(&reply->body, "reasons");
    text_put(&reply->body, told.list.bytes, told.list.n);
    text_puts(&reply->body, "]");
    if (told.whole) journal_head_write(&reply->body, "journal", &state.head);
    text_puts(&reply->body, "}");
    text_free(&told.list);
}
