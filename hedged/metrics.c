/* SPDX-License-Identifier: MIT
 * metrics: what the daemon counts, as Prometheus reads it. */
#include "metrics.h"

#include "clock.h"

#include <math.h>
#include <stdio.h>

/* Seconds. 0.0005 and 0.003 are the goals at 1 and 64 connections. */
static const double bounds[METRICS_BUCKETS] = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0};

static void add(atomic_ullong *counter, unsigned long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static double get(const atomic_ullong *counter)
{
    return (double)atomic_load_explicit((atomic_ullong *)(uintptr_t)counter, memory_order_relaxed);
}

void metrics_decision(metrics *m, const hedge_decision *decision)
{
    add(decision->status == HEDGE_OK ? &m->decided : &m->rejected, 1);
    for (uint32_t i = 0; i < HEDGE_BREAKER_COUNT; i++)
        if (decision->flags & UINT32_C(1) << i) add(&m->trips[i], 1);
}

void metrics_replay(metrics *m)
{
    add(&m->replays, 1);
}

void metrics_request(metrics *m, size_t route, int status, int64_t duration_ns)
{
    metrics_route *r = &m->routes[route];
    const double seconds = (double)duration_ns / NS_PER_S;
    size_t i = 0;

    while (i < METRICS_BUCKETS && seconds > bounds[i])
        i++;
    add(&r->buckets[i], 1);
    add(&r->sum_ns, (unsigned long long)duration_ns);
    if (status >= 100 && status < 600) add(&r->by_class[status / 100], 1);
}

void metrics_family(text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_sample(text *out, const char *name, const char *labels, double value)
{
    text_puts(out, name);
    if (labels != NULL) text_printf(out, "{%s}", labels);
    text_puts(out, " ");
    if (isfinite(value))
        text_json_double(out, value);
    else
        text_puts(out, "NaN");
    text_puts(out, "\n");
}

void metrics_single(text *out, const char *name, const char *type, const char *help, double value)
{
    metrics_family(out, name, type, help);
    metrics_sample(out, name, NULL, value);
}

void metrics_histogram(text *out, const char *name, const char *labels, const double *limits,
                       size_t n, const atomic_ullong *counts, double sum)
{
    const bool labelled = labels[0] != '\0';
    const char *open = labelled ? "{" : "", *close = labelled ? "}" : "";
    double total = 0.0;

    for (size_t i = 0; i <= n; i++) {
        total += get(&counts[i]);
        text_printf(out, "%s_bucket{%s%sle=\"", name, labels, labelled ? "," : "");
        if (i < n)
            text_json_double(out, limits[i]);
        else
            text_puts(out, "+Inf");
        text_printf(out, "\"} %.0f\n", total);
    }
    text_printf(out, "%s_sum%s%s%s ", name, open, labels, close);
    text_json_double(out, sum);
    text_printf(out, "\n%s_count%s%s%s %.0f\n", name, open, labels, close, total);
}

static void write_durations(const metrics_route *r, text *out)
{
    char labels[96];

    snprintf(labels, sizeof(labels), "route=\"%s\"", r->name);
    metrics_histogram(out, "hedge_request_duration_seconds", labels, bounds, METRICS_BUCKETS,
                      r->buckets, get(&r->sum_ns) / NS_PER_S);
}

static void write_routes(const metrics *m, text *out)
{
    metrics_family(out, "hedge_requests_total", "counter",
                   "Requests by route and class of status.");
    for (const metrics_route *r = m->routes; r < m->routes + METRICS_ROUTES_MAX; r++) {
        for (int i = 2; r->name != NULL && i < METRICS_CLASSES; i++) {
            char labels[96];

            if (i == 3) continue; /* nothing here redirects */
            snprintf(labels, sizeof(labels), "route=\"%s\",status=\"%dxx\"", r->name, i);
            metrics_sample(out, "hedge_requests_total", labels, get(&r->by_class[i]));
        }
    }
    metrics_family(out, "hedge_request_duration_seconds", "histogram",
                   "From the request's last byte to the reply's first, by route.");
    for (const metrics_route *r = m->routes; r < m->routes + METRICS_ROUTES_MAX; r++)
        if (r->name != NULL) write_durations(r, out);
}

void metrics_write(const metrics *m, text *out)
{
    metrics_family(out, "hedge_decisions_total", "counter", "Decisions by outcome.");
    metrics_sample(out, "hedge_decisions_total", "outcome=\"decided\"", get(&m->decided));
    metrics_sample(out, "hedge_decisions_total", "outcome=\"rejected\"", get(&m->rejected));
    metrics_family(out, "hedge_trips_total", "counter",
                   "Decisions in which a breaker tripped, whatever its action.");
    for (uint32_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        char labels[64];

        snprintf(labels, sizeof(labels), "breaker=\"%s\"", hedge_flag_name(i));
        metrics_sample(out, "hedge_trips_total", labels, get(&m->trips[i]));
    }
    metrics_single(out, "hedge_quotes_older_total", "counter",
                   "Quotes by PUT that were older than the one held.", get(&m->older_puts));
    metrics_single(out, "hedge_idempotent_replays_total", "counter",
                   "Answers given again to the Idempotency-Key they belong to.", get(&m->replays));
    write_routes(m, out);
}
