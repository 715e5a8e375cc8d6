/* SPDX-License-Identifier: MIT
 * route_metrics: GET /metrics. */
#include "app.h"

#include "clock.h"
#include "log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static void write_halts(app *a, text *out)
{
    live_policy *policy = live_acquire(a->live);
    halt_state s;

    halt_read_state(a->halt, &s);
    metrics_single(out, "hedge_halted_all", "gauge", "1: all assets are halted at once.",
                   s.all ? 1 : 0);
    metrics_family(out, "hedge_halted", "gauge",
                   "1: the asset is halted, by itself or with all others.");
    for (size_t i = 0; i < hedge_policy_asset_count(policy->policy); i++) {
        const hedge_quote q = live_quote(a->live, policy, (int32_t)i);
        char labels[64];

        snprintf(labels, sizeof(labels), "asset=\"%s\"",
                 hedge_policy_asset_name(policy->policy, (int32_t)i));
        metrics_sample(out, "hedge_halted", labels, (q.flags & HEDGE_QUOTE_HALTED) != 0 ? 1 : 0);
    }
    metrics_single(out, "hedge_halts_unlatched", "gauge",
                   "Halts that the journal does not hold: a restart would end them. Must be 0.",
                   (double)s.unlatched);
    metrics_single(out, "hedge_halts_total", "counter", "Halts that were taken.", (double)s.halts);
    metrics_single(out, "hedge_resumes_total", "counter", "Halts that were ended.",
                   (double)s.resumes);
    live_release(policy);
}

static void write_age(text *out, const char *asset, const char *input, bool held, int64_t ts_ns)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "asset=\"%s\",input=\"%s\"", asset, input);
    metrics_sample(out, "hedge_quote_age_seconds", labels,
                   held ? (double)clock_age_ns(clock_wall_ns(), ts_ns) / NS_PER_S : (double)NAN);
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

static void write_clickhouse(app *a, text *out)
{
    static const char polls[] = "hedge_clickhouse_polls_total";
    static const char books[] = "hedge_clickhouse_books_total";
    feed_clickhouse_state s;
    char label[48];

    if (a->clickhouse == NULL) return;
    feed_clickhouse_read_state(a->clickhouse, &s);
    metrics_single(out, "hedge_clickhouse_up", "gauge", "1: the last poll went well.",
                   s.connected ? 1 : 0);
    metrics_family(out, polls, "counter", "Polls for depth by how they ended.");
    metrics_sample(out, polls, "result=\"ok\"", (double)(s.polls - s.failures));
    metrics_sample(out, polls, "result=\"failed\"", (double)s.failures);
    metrics_family(out, books, "counter", "Books from ClickHouse by what became of them.");
    for (feed_clickhouse_result i = 0; i < FEED_CLICKHOUSE_RESULTS; i++) {
        snprintf(label, sizeof(label), "result=\"%s\"", feed_clickhouse_result_name(i));
        metrics_sample(out, books, label, (double)s.books[i]);
    }
    metrics_single(out, "hedge_clickhouse_query_seconds", "gauge",
                   "How long the last good poll took; NaN before the first.",
                   s.query_seconds > 0.0 ? s.query_seconds : (double)NAN);
}

static void write_tls(app *a, text *out)
{
    static const char reloads[] = "hedge_tls_reloads_total";
    tls_watch_state s;
    tls_facts facts;
    tls_counts counts;

    if (a->tls == NULL) return;
    tls_watch_read_state(a->tls_watch, &s);
    tls_read_facts(a->tls, &facts);
    counts = tls_read_counts(a->tls);
    metrics_single(out, "hedge_tls_ok", "gauge",
                   "1: the files say what is used; 0: they are refused.", s.ok ? 1 : 0);
    metrics_family(out, reloads, "counter", "New certificates in the files since the start.");
    metrics_sample(out, reloads, "result=\"ok\"", (double)s.loads);
    metrics_sample(out, reloads, "result=\"refused\"", (double)s.refusals);
    metrics_single(out, "hedge_tls_certificate_not_after_seconds", "gauge",
                   "Unix time at which the certificate in use expires.", (double)facts.not_after_s);
    if (facts.next_update_s != 0)
        metrics_single(out, "hedge_tls_list_next_update_seconds", "gauge",
                       "Unix time at which the first list of revoked certificates expires.",
                       (double)facts.next_update_s);
    metrics_single(out, "hedge_tls_handshakes_total", "counter", "Handshakes that went well.",
                   (double)counts.handshakes);
    metrics_single(out, "hedge_tls_clients_refused_total", "counter",
                   "Client certificates that were refused, and requests for their names.",
                   (double)counts.refused);
    metrics_single(out, "hedge_tls_handshakes_limited_total", "counter",
                   "Connections dropped before their handshake: too many of one address.",
                   (double)counts.limited);
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
    write_halts(a, out);
    if (a->shadow != NULL) shadow_write(a->shadow, out);
    if (a->auth != NULL) auth_write(a->auth, out);
    write_ages(a, out);
    write_redis(a, out);
    write_clickhouse(a, out);
    write_ship(a, out);
    write_tls(a, out);
}
