/* SPDX-License-Identifier: MIT
 * diff_stats.c: what changes when another policy decides the same: counts, sizes, pictures. */
#include "diff_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WIDTH_NS INT64_C(1000000)

bool diff_stats_new(diff_stats *s)
{
    *s = (diff_stats){0};
    s->assets = calloc(DIFF_ASSETS_MAX, sizeof *s->assets);
    s->density = calloc(DIFF_BINS + 1, sizeof *s->density);
    s->times.bins = calloc(DIFF_TIME_BINS, sizeof *s->times.bins);
    s->times.width_ns = FIRST_WIDTH_NS;
    return s->assets != NULL && s->density != NULL && s->times.bins != NULL;
}

void diff_stats_free(diff_stats *s)
{
    free(s->assets);
    free(s->density);
    free(s->times.bins);
    free(s->hedge.sizes);
    free(s->notional.sizes);
}

bool diff_both_decide(const diff_pair *p)
{
    return p->old.status == HEDGE_OK && p->new.status == HEDGE_OK;
}

bool diff_hedge_changes(const diff_pair *p)
{
    return diff_both_decide(p) && p->old.hedge_pct != p->new.hedge_pct;
}

/* ---- counts ------------------------------------------------------------------ */

static void count(diff_counts *c, const diff_pair *p)
{
    const double delta = p->new.hedge_pct - p->old.hedge_pct;
    const bool both = diff_both_decide(p), hedge = diff_hedge_changes(p);
    const bool confidence = both && p->old.confidence != p->new.confidence;
    const bool status = p->old.status != p->new.status;

    c->decisions++;
    c->changed += hedge || confidence || status;
    c->hedge_changed += hedge;
    c->confidence_changed += confidence;
    if (status && p->old.status == HEDGE_OK)
        c->newly_rejected++;
    else if (status && p->new.status == HEDGE_OK)
        c->newly_decided++;
    else if (status)
        c->rejected_otherwise++;
    if (!both) return;
    c->sum_delta_hedge += delta;
    c->sum_delta_notional += p->new.notional_usd - p->old.notional_usd;
    if (fabs(delta) > fabs(c->max_delta_hedge)) c->max_delta_hedge = delta;
}

/* Assets come again and again, and few are there: they are looked for one by
 * one, the first ones first. Names without end (of assets that no policy
 * knows) share the last place. */
static diff_counts *counts_of(diff_stats *s, const char *name)
{
    diff_asset *made;

    for (size_t i = 0; i < s->asset_count; i++)
        if (strcmp(s->assets[i].name, name) == 0) return &s->assets[i].counts;
    if (s->asset_count == DIFF_ASSETS_MAX) return &s->assets[DIFF_ASSETS_MAX - 1].counts;
    made = &s->assets[s->asset_count++];
    strcpy(made->name, s->asset_count == DIFF_ASSETS_MAX ? "(others)" : name);
    return &made->counts;
}

static void count_reason(diff_stats *s, const diff_pair *p)
{
    const bool rejected = p->old.status == HEDGE_OK && p->new.status != HEDGE_OK;
    const bool decided = p->old.status != HEDGE_OK && p->new.status == HEDGE_OK;
    const int32_t status = rejected ? p->new.status : p->old.status;
    uint32_t breaker;

    /* A record can hold any number in place of a status. */
    if (status > HEDGE_TRIP_HALTED || status <= HEDGE_TRIP_HALTED - HEDGE_BREAKER_COUNT) return;
    breaker = HEDGE_BREAKER(status);
    s->rejected_by[breaker] += rejected;
    s->decided_from[breaker] += decided;
}

/* ---- sizes ------------------------------------------------------------------- */

static bool series_add(diff_series *s, double difference)
{
    if (s->n == s->capacity) {
        const size_t capacity = s->capacity == 0 ? 1024 : 2 * s->capacity;
        double *grown = realloc(s->sizes, capacity * sizeof *grown);

        if (grown == NULL) return false;
        s->sizes = grown;
        s->capacity = capacity;
    }
    s->sizes[s->n++] = fabs(difference);
    s->sum += difference;
    s->sum_of_sizes += fabs(difference);
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    /* What is no number, out of a forged record, comes last: an order needs a place for all. */
    if (isnan(x) || isnan(y)) return (isnan(x) ? 1 : 0) - (isnan(y) ? 1 : 0);
    return (x > y) - (x < y);
}

/* The least size that so many of a hundred do not exceed. */
static double quantile(const diff_series *s, double share)
{
    const double rank = ceil(share * (double)s->n);

    return s->sizes[rank < 1 ? 0 : (size_t)rank - 1];
}

diff_spread diff_series_spread(diff_series *s)
{
    diff_spread out = {0};

    if (s->n == 0) return out;
    qsort(s->sizes, s->n, sizeof *s->sizes, compare_doubles);
    out.mean = s->sum / (double)s->n;
    out.mean_size = s->sum_of_sizes / (double)s->n;
    out.median_size = quantile(s, 0.5);
    out.p95_size = quantile(s, 0.95);
    out.p99_size = quantile(s, 0.99);
    out.max_size = s->sizes[s->n - 1];
    out.sum = s->sum;
    out.sum_of_sizes = s->sum_of_sizes;
    return out;
}

/* ---- the largest --------------------------------------------------------------- */

static double notional_change(const diff_side *old, const diff_side *new)
{
    return fabs(new->notional_usd - old->notional_usd);
}

static bool larger(const diff_pair *p, const diff_large *than)
{
    const double a = notional_change(&p->old, &p->new);
    const double b = notional_change(&than->old, &than->new);

    if (a != b) return a > b;
    return fabs(p->new.hedge_pct - p->old.hedge_pct) >
           fabs(than->new.hedge_pct - than->old.hedge_pct);
}

static void keep_if_large(diff_stats *s, const hedge_record *record, const diff_pair *p)
{
    size_t at = s->largest_count;

    while (at > 0 && larger(p, &s->largest[at - 1]))
        at--;
    if (at == DIFF_LARGEST) return;
    if (s->largest_count < DIFF_LARGEST) s->largest_count++;
    memmove(s->largest + at + 1, s->largest + at, (s->largest_count - 1 - at) * sizeof *s->largest);
    s->largest[at] = (diff_large){*record, p->old, p->new};
}

/* ---- pictures ------------------------------------------------------------------ */

static size_t bin_of(double share, size_t last)
{
    const double at = floor(share * (double)last + 0.5);

    return !(at > 0) ? 0 : at >= (double)last ? last : (size_t)at;
}

/* Each column takes its neighbour in. */
static void halve(diff_times *t)
{
    for (size_t i = 0; i < DIFF_TIME_BINS; i++) {
        const bool there = 2 * i + 1 < DIFF_TIME_BINS;
        const size_t a = 2 * i, b = 2 * i + 1;

        for (size_t k = 0; k < DIFF_DELTA_BINS; k++)
            t->bins[i][k] = there ? t->bins[a][k] + t->bins[b][k] : 0;
        t->sum[i] = there ? t->sum[a] + t->sum[b] : 0;
        t->n[i] = there ? t->n[a] + t->n[b] : 0;
    }
    t->width_ns *= 2;
}

static void times_add(diff_times *t, int64_t ts_ns, double delta)
{
    uint64_t at;

    if (!t->any) t->first_ns = t->last_ns = ts_ns;
    t->any = true;
    /* A clock that was set back: such decisions stand in the first column. */
    if (ts_ns > t->last_ns) t->last_ns = ts_ns;
    at = ts_ns > t->first_ns ? (uint64_t)ts_ns - (uint64_t)t->first_ns : 0;
    while (at / (uint64_t)t->width_ns >= DIFF_TIME_BINS)
        halve(t);
    at /= (uint64_t)t->width_ns;
    t->bins[at][bin_of((delta + 1) / 2, DIFF_DELTA_BINS - 1)]++;
    t->sum[at] += delta;
    t->n[at]++;
}

bool diff_stats_add(diff_stats *s, const hedge_record *record, const diff_pair *p)
{
    count(&s->all, p);
    count(counts_of(s, record->asset), p);
    count_reason(s, p);
    if (!diff_both_decide(p)) return true;
    s->density[bin_of(p->new.hedge_pct, DIFF_BINS)][bin_of(p->old.hedge_pct, DIFF_BINS)]++;
    times_add(&s->times, p->ts_ns, p->new.hedge_pct - p->old.hedge_pct);
    if (!diff_hedge_changes(p)) return true;
    keep_if_large(s, record, p);
    return series_add(&s->hedge, p->new.hedge_pct - p->old.hedge_pct) &&
           series_add(&s->notional, p->new.notional_usd - p->old.notional_usd);
}

static int compare_names(const void *a, const void *b)
{
    const diff_asset *x = a, *y = b;

    return strcmp(x->name, y->name);
}

void diff_stats_sort(diff_stats *s)
{
    qsort(s->assets, s->asset_count, sizeof *s->assets, compare_names);
}
