/* SPDX-License-Identifier: MIT
 * route_status: GET /healthz, /readyz and /metrics. */
#include "app.h"

#include "clock.h"
#include "log.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static void put_reason(text *out, const char *code, const char *asset, const char *detail)
{
    if (out->n > 1) text_puts(out, ",");
    text_puts(out, "{");
    text_member_string(out, "code", code);
    if (asset != NULL) text_member_string(out, "asset", asset);
    text_member_string(out, "detail", detail);
    text_puts(out, "}");
}

/* Writes the assets' reasons; returns how many assets can be decided. */
static size_t put_assets(app *a, text *out)
{
    live_policy *policy = live_acquire(a->live);
    size_t able = 0;

    for (size_t i = 0; i < hedge_policy_asset_count(policy->policy); i++) {
        const int32_t code = probe(a, policy, (int32_t)i);

        if (code == HEDGE_OK)
            able++;
        else
            put_reason(out, hedge_status_name(code),
                       hedge_policy_asset_name(policy->policy, (int32_t)i),
                       hedge_status_text(code));
    }
    live_release(policy);
    return able;
}

static void put_refusal(text *out, const char *code, const policy_watch_state *state,
                        const char *effect)
{
    char detail[640];

    if (state->ok) return;
    snprintf(detail, sizeof(detail), "%s:%d: %s%s%s; %s", state->error.file, state->error.line,
             state->error.field, state->error.field[0] != '\0' ? ": " : "", state->error.message,
             effect);
    put_reason(out, code, NULL, detail);
}

static void put_policies(app *a, text *out)
{
    policy_watch_state state;

    policy_watch_read_state(a->watch, &state);
    put_refusal(out, "policy_refused", &state, "the old policy stays live");
    if (a->shadow == NULL) return;
    shadow_read_state(a->shadow, &state);
    put_refusal(out, "shadow_policy_refused", &state, "the old shadow stays");
}

static void put_redis(app *a, text *out)
{
    feed_redis_state state;

    if (a->redis == NULL) return;
    feed_redis_read_state(a->redis, &state);
    if (!state.connected)
        put_reason(out, "redis_disconnected", NULL, "no connection to HEDGE_REDIS_URL");
}

/* Decisions go on without Postgres: these never make the daemon unready. */
static void put_ship(app *a, const journal_state *kept, text *out)
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

void route_readyz(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    journal_state state;
    text reasons = {0};
    size_t able;

    (void)request;
    journal_read_state(a->journal, &state);
    text_puts(&reasons, "[");
    if (state.failing) put_reason(&reasons, "journal_failed", NULL, state.fault);
    put_policies(a, &reasons);
    put_redis(a, &reasons);
    put_ship(a, &state, &reasons);
    able = put_assets(a, &reasons);
    const bool ready = able > 0 && !state.failing && !reasons.failed;
    const bool degraded = reasons.n > 1;

    reply->status = ready ? 200 : 503;
    if (!ready) reply->retry_after_s = 1;
    text_puts(&reply->body, "{");
    text_member_string(&reply->body, "status",
                       !ready     ? "unready"
                       : degraded ? "degraded"
                                  : "ready");
    text_name(&reply->body, "reasons");
    if (!reasons.failed) text_put(&reply->body, reasons.bytes, reasons.n);
    text_puts(&reply->body, "]");
    journal_head_write(&reply->body, "journal", &state.head);
    text_puts(&reply->body, "}");
    text_free(&reasons);
}

/* ---- metrics ---------------------------------------------------------------------- */

static uint64_t head_bits(const uint8_t hash[HEDGE_HASH_SIZE])
{
    uint64_t bits = 0;

    for (int i = 0; i < 8; i++)
        bits = bits << 8 | hash[i];
    return bits >> 12;
}

static void write_journal(app *a, text *out)
{
    journal_state s;

    journal_read_state(a->journal, &s);
    metrics_single(out, "hedge_journal_lost_total", "counter",
                   "Records acknowledged and then not written. Must be 0.", (double)s.lost);
    metrics_single(out, "hedge_journal_records_total", "counter",
                   "Records written since the start.", (double)s.records);
    metrics_single(out, "hedge_journal_commits_total", "counter", "Transactions committed.",
                   (double)s.commits);
    metrics_single(out, "hedge_journal_failures_total", "counter",
                   "Transactions that the disk refused.", (double)s.failures);
    metrics_single(out, "hedge_journal_refused_total", "counter",
                   "Records refused because the queue was full.", (double)s.refused);
    metrics_single(out, "hedge_journal_queued", "gauge", "Records waiting for their commit.",
                   (double)s.queued);
    metrics_single(out, "hedge_journal_ok", "gauge", "1: the last commit went well.",
                   s.failing ? 0 : 1);
    metrics_single(out, "hedge_journal_head_seq", "gauge", "The newest committed record.",
                   (double)s.head.seq);
    /* 52 bits pass through a sample, and are enough of an anchor. */
    metrics_single(out, "hedge_journal_head_hash", "gauge",
                   "The first 52 bits of its hash, as a whole number: an anchor for `hedge verify "
                   "--head`.",
                   (double)head_bits(s.head.hash));
    metrics_single(out, "hedge_journal_base_seq", "gauge",
                   "The newest record that has left the file for Postgres.", (double)s.base.seq);
}

static void write_policy(app *a, text *out)
{
    live_policy *policy = live_acquire(a->live);
    policy_watch_state s;
    char labels[96];

    policy_watch_read_state(a->watch, &s);
    metrics_single(out, "hedge_policy_ok", "gauge",
                   "1: the policy's files say what is live; 0: they are refused.", s.ok ? 1 : 0);
    metrics_family(out, "hedge_policy_info", "gauge", "The live policy, by its hash.");
    snprintf(labels, sizeof(labels), "policy=\"%s\"", hedge_policy_hash_hex(policy->policy));
    metrics_sample(out, "hedge_policy_info", labels, 1);
    metrics_family(out, "hedge_policy_reloads_total", "counter", "Looks at the policy's files.");
    metrics_sample(out, "hedge_policy_reloads_total", "result=\"ok\"", (double)s.loads);
    metrics_sample(out, "hedge_policy_reloads_total", "result=\"refused\"", (double)s.refusals);
    live_release(policy);
}

static void write_age(text *out, const char *asset, const char *input, bool held, int64_t ts_ns)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "asset=\"%s\",input=\"%s\"", asset, input);
    metrics_sample(out, "hedge_quote_age_seconds", labels,
                   held ? (double)(clock_wall_ns() - ts_ns) / NS_PER_S : (double)NAN);
}

static void write_ages(app *a, text *out)
{
    live_policy *policy = live_acquire(a->live);

    metrics_family(out, "hedge_quote_age_seconds", "gauge",
                   "Age of what is held of an asset; NaN where nothing has arrived.");
    for (size_t i = 0; i < hedge_policy_asset_count(policy->policy); i++) {
        const hedge_quote q = live_quote(a->live, policy, (int32_t)i);
        const char *name = hedge_policy_asset_name(policy->policy, (int32_t)i);

        write_age(out, name, "score", (q.flags & HEDGE_QUOTE_SCORE) != 0, q.score_ts_ns);
        write_age(out, name, "depth", (q.flags & HEDGE_QUOTE_DEPTH) != 0, q.depth_ts_ns);
    }
    live_release(policy);
}

static void write_redis(app *a, text *out)
{
    static const char family[] = "hedge_redis_messages_total";
    feed_redis_state s;

    if (a->redis == NULL) return;
    feed_redis_read_state(a->redis, &s);
    metrics_single(out, "hedge_redis_connected", "gauge", "1: subscribed.", s.connected ? 1 : 0);
    metrics_single(out, "hedge_redis_connects_total", "counter", "Connections that came up.",
                   (double)s.connects);
    metrics_single(out, "hedge_redis_losses_total", "counter", "Connections that were lost.",
                   (double)s.losses);
    metrics_family(out, family, "counter", "Scores from Redis by what became of them.");
    metrics_sample(out, family, "result=\"applied\"", (double)s.applied);
    metrics_sample(out, family, "result=\"older\"", (double)s.older);
    metrics_sample(out, family, "result=\"malformed\"", (double)s.malformed);
    metrics_sample(out, family, "result=\"unknown_asset\"", (double)s.unknown_asset);
}

static void write_ship(app *a, text *out)
{
    static const char family[] = "hedge_ship_fault";
    journal_state kept;
    ship_postgres_state s;

    if (a->ship == NULL) return;
    ship_postgres_read_state(a->ship, &s);
    journal_read_state(a->journal, &kept);
    metrics_single(out, "hedge_ship_up", "gauge", "1: connected to Postgres and shipping.",
                   s.connected ? 1 : 0);
    metrics_single(out, "hedge_ship_records_total", "counter", "Records that Postgres confirmed.",
                   (double)s.records);
    metrics_single(out, "hedge_ship_batches_total", "counter", "Transactions that brought them.",
                   (double)s.batches);
    metrics_single(out, "hedge_ship_failures_total", "counter",
                   "Connections and transactions that failed.", (double)s.failures);
    metrics_single(out, "hedge_ship_lag_records", "gauge",
                   "Records in the journal that are not in Postgres; before the first connection, "
                   "those since the start.",
                   (double)s.lag_records);
    metrics_single(out, "hedge_ship_lag_seconds", "gauge", "Age of the oldest of them.", s.lag_s);
    metrics_single(out, "hedge_ship_shipped_seq", "gauge",
                   "The record up to which all are in Postgres, or parked; 0: not known yet.",
                   (double)s.shipped_seq);
    metrics_single(out, "hedge_ship_parked", "gauge",
                   "Records kept aside because Postgres refuses them.", (double)kept.parked);
    metrics_single(out, "hedge_ship_unparked_total", "counter",
                   "Records that Postgres has taken after all.", (double)s.unparked);
    metrics_single(out, "hedge_ship_forgotten_total", "counter",
                   "Records that have left the journal.", (double)s.forgotten);
    metrics_family(out, family, "gauge", "1: shipping has stopped for this reason.");
    for (int i = SHIP_FAULT_NONE + 1; i < SHIP_FAULT_COUNT; i++) {
        char labels[48];

        snprintf(labels, sizeof(labels), "fault=\"%s\"", ship_fault_name((ship_fault)i));
        metrics_sample(out, family, labels, s.fault == (ship_fault)i ? 1 : 0);
    }
}

/* Resident memory of the process, 0 where the kernel does not say. */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long total = 0, resident = 0;

    if (file == NULL) return 0;
    if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

void route_metrics(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    text *out = &reply->body;
    char labels[128];

    (void)request;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_family(out, "hedge_build_info", "gauge", "The build.");
    snprintf(labels, sizeof(labels), "version=\"%s\"", hedge_version());
    metrics_sample(out, "hedge_build_info", labels, 1);
    metrics_single(out, "hedge_uptime_seconds", "gauge", "Since the start.",
                   (double)(clock_steady_ns() - a->started_ns) / NS_PER_S);
    metrics_single(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                   resident_bytes());
    metrics_single(out, "hedge_log_suppressed_total", "counter",
                   "Log lines held back by the bound on their rate.", (double)log_suppressed());
    metrics_write(&a->metrics, out);
    write_journal(a, out);
    write_policy(a, out);
    if (a->shadow != NULL) shadow_write(a->shadow, out);
    write_ages(a, out);
    write_redis(a, out);
    write_ship(a, out);
}
