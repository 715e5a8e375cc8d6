/* SPDX-License-Identifier: MIT
 * metrics: what the daemon counts, as Prometheus reads it. */
#ifndef HEDGED_METRICS_H
#define HEDGED_METRICS_H

#include "text.h"

#include <hedge/hedge.h>

#include <stdatomic.h>

#define METRICS_ROUTES_MAX 16
#define METRICS_BUCKETS 14
#define METRICS_CLASSES 6 /* of statuses: 1xx to 5xx */

/* Durations of one route. */
typedef struct metrics_route {
    const char *name; /* a literal; NULL: unused */
    atomic_ullong by_class[METRICS_CLASSES];
    atomic_ullong buckets[METRICS_BUCKETS + 1]; /* the last: over all bounds */
    atomic_ullong sum_ns;
} metrics_route;

typedef struct metrics {
    metrics_route routes[METRICS_ROUTES_MAX];
    atomic_ullong decided, rejected;
    atomic_ullong trips[HEDGE_BREAKER_COUNT]; /* every trip, whatever its action */
    atomic_ullong older_puts, replays;
} metrics;

/* Any thread. */
void metrics_decision(metrics *m, const hedge_decision *decision);
void metrics_replay(metrics *m); /* an answer given again for its key */
void metrics_request(metrics *m, size_t route, int status, int64_t duration_ns);

/* Writes the counters above. */
void metrics_write(const metrics *m, text *out);

/* `# HELP` and `# TYPE` of a family, then its samples with the next two.
 * labels without braces, or NULL. */
void metrics_family(text *out, const char *name, const char *type, const char *help);
void metrics_sample(text *out, const char *name, const char *labels, double value);
/* A histogram's samples: n bounds, n + 1 counts (the last: over all bounds), and the sum.
 * labels without braces, or "". */
void metrics_histogram(text *out, const char *name, const char *labels, const double *limits,
                       size_t n, const atomic_ullong *counts, double sum);
/* A family with one sample. */
void metrics_single(text *out, const char *name, const char *type, const char *help, double value);

#endif
