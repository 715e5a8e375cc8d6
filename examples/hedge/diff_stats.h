/* SPDX-License-Identifier: MIT
 * diff_stats.h: what changes when another policy decides the same: counts, sizes, pictures. */
#ifndef HEDGE_CLI_DIFF_STATS_H
#define HEDGE_CLI_DIFF_STATS_H

#include <hedge/hedge.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIFF_LARGEST = 10,
    DIFF_ASSETS_MAX = 2048, /* names; the rest are counted together */
    DIFF_BINS = 100,        /* hedges, a per cent each (100 % with the last) */
    DIFF_DELTA_BINS = 2001, /* differences from -1 to 1, a thousandth each */
    DIFF_TIME_BINS = 256
};

/* One side's answer. */
typedef struct diff_side {
    int32_t status;
    double hedge_pct, notional_usd, confidence;
} diff_side;

/* One decision, decided twice. */
typedef struct diff_pair {
    diff_side old, new;
    int64_t ts_ns;
} diff_pair;

typedef struct diff_counts {
    uint64_t decisions;
    uint64_t changed;                           /* status, hedge or confidence */
    uint64_t hedge_changed, confidence_changed; /* where both decide */
    uint64_t newly_rejected, newly_decided, rejected_otherwise;
    double sum_delta_hedge, max_delta_hedge; /* where both decide; the largest by size */
    double sum_delta_notional;
} diff_counts;

typedef struct diff_asset {
    char name[HEDGE_ASSET_NAME_MAX + 1];
    diff_counts counts;
} diff_asset;

/* The sizes of what changed: |difference|, one a decision. */
typedef struct diff_series {
    double *sizes;
    size_t n, capacity;
    double sum, sum_of_sizes;
} diff_series;

typedef struct diff_spread {
    double mean, mean_size, median_size, p95_size, p99_size, max_size, sum, sum_of_sizes;
} diff_spread;

typedef struct diff_large {
    hedge_record record;
    diff_side old, new;
} diff_large;

/* How differences lie over time: columns of equal width that double when time
 * goes beyond them, so that neither the number of decisions nor their span
 * matters. */
typedef struct diff_times {
    bool any;
    int64_t first_ns, last_ns, width_ns;
    uint32_t (*bins)[DIFF_DELTA_BINS]; /* DIFF_TIME_BINS of them */
    double sum[DIFF_TIME_BINS];
    uint64_t n[DIFF_TIME_BINS];
} diff_times;

typedef struct diff_stats {
    diff_counts all;
    diff_asset *assets;
    size_t asset_count;
    uint64_t rejected_by[HEDGE_BREAKER_COUNT];  /* newly, by the new policy's breaker */
    uint64_t decided_from[HEDGE_BREAKER_COUNT]; /* newly, by the old one's */
    diff_series hedge, notional;                /* where both decide and the hedge changes */
    diff_large largest[DIFF_LARGEST];           /* by |difference of notional|, descending */
    size_t largest_count;
    uint64_t (*density)[DIFF_BINS + 1]; /* [new][old], where both decide */
    diff_times times;
} diff_stats;

/* False: out of memory. Free in either case. */
bool diff_stats_new(diff_stats *s);
void diff_stats_free(diff_stats *s);

/* Counts one decision; false: out of memory. */
bool diff_stats_add(diff_stats *s, const hedge_record *record, const diff_pair *pair);

/* What a pair's kind of change is. */
bool diff_both_decide(const diff_pair *p);
bool diff_hedge_changes(const diff_pair *p);

/* Sorts the series and takes its measures; zeros where it is empty. */
diff_spread diff_series_spread(diff_series *s);
/* Sorts the assets by name. */
void diff_stats_sort(diff_stats *s);

#endif
