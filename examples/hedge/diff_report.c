/* SPDX-License-Identifier: MIT
 * diff_report.c: the numbers of a comparison as tables and as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "canvas.h"
#include "diff.h"
#include "json.h"
#include "moment.h"
#include "number.h"
#include "outcome.h"
#include "plain.h"
#include "terminal.h"

enum { ASSETS_SHOWN = 20 };

/* ---- text ---------------------------------------------------------------------- */

static void print_count(const diff *d, const char *name, uint64_t n, FILE *out)
{
    char text[NUMBER_TEXT_MAX];

    number_write_grouped(n, text);
    fprintf(out, "  %-28s %14s", name, text);
    if (d->stats.all.decisions > 0)
        fprintf(out, "  %7.3f %%", 100.0 * (double)n / (double)d->stats.all.decisions);
    putc('\n', out);
}

static void print_reasons(const uint64_t by[HEDGE_BREAKER_COUNT], const char *word, FILE *out)
{
    for (int32_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        char text[NUMBER_TEXT_MAX];

        if (by[i] == 0) continue;
        number_write_grouped(by[i], text);
        fprintf(out, "      %s %-20s %14s\n", word, hedge_status_name(HEDGE_TRIP_HALTED - i), text);
    }
}

static void print_counts(const diff *d, FILE *out)
{
    const diff_counts *c = &d->stats.all;

    print_count(d, "changed", c->changed, out);
    print_count(d, "  another hedge", c->hedge_changed, out);
    print_count(d, "  another confidence", c->confidence_changed, out);
    print_count(d, "  newly rejected", c->newly_rejected, out);
    print_reasons(d->stats.rejected_by, "by  ", out);
    print_count(d, "  newly decided", c->newly_decided, out);
    print_reasons(d->stats.decided_from, "from", out);
    print_count(d, "  rejected otherwise", c->rejected_otherwise, out);
}

/* Whole dollars with their sign; cents are noise here. */
static void write_usd(double usd, char text[NUMBER_TEXT_MAX + 2])
{
    const double size = usd < 0 ? -usd : usd;

    text[0] = usd < 0 ? '-' : '+';
    if (size < 9e15)
        number_write_grouped((uint64_t)(size + 0.5), text + 1);
    else
        number_write(size, text + 1);
}

static void print_spread(const diff *d, FILE *out)
{
    const diff_spread *h = &d->hedge, *n = &d->notional;
    char mean[NUMBER_TEXT_MAX + 2], mean_size[NUMBER_TEXT_MAX + 2], median[NUMBER_TEXT_MAX + 2];
    char p95[NUMBER_TEXT_MAX + 2], p99[NUMBER_TEXT_MAX + 2], most[NUMBER_TEXT_MAX + 2];

    if (d->stats.all.hedge_changed == 0) return;
    fprintf(out, "\n  where the hedge differs     mean    mean |.|  median |.|     p95 |.|     "
                 "p99 |.|     max |.|\n");
    fprintf(out, "  hedge, points     %+14.4f %11.4f %11.4f %11.4f %11.4f %11.4f\n", 100 * h->mean,
            100 * h->mean_size, 100 * h->median_size, 100 * h->p95_size, 100 * h->p99_size,
            100 * h->max_size);
    write_usd(n->mean, mean);
    write_usd(n->mean_size, mean_size);
    write_usd(n->median_size, median);
    write_usd(n->p95_size, p95);
    write_usd(n->p99_size, p99);
    write_usd(n->max_size, most);
    fprintf(out, "  notional, USD     %14s %11s %11s %11s %11s %11s\n", mean, mean_size + 1,
            median + 1, p95 + 1, p99 + 1, most + 1);
    write_usd(n->sum, mean);
    write_usd(n->sum_of_sizes, most);
    fprintf(out, "  notional, USD, in sum %s, in sum of sizes %s\n", mean, most + 1);
}

static void print_asset(const diff_asset *a, FILE *out)
{
    const diff_counts *c = &a->counts;
    const uint64_t both =
        c->decisions - c->newly_rejected - c->newly_decided - c->rejected_otherwise;
    char decisions[NUMBER_TEXT_MAX], changed[NUMBER_TEXT_MAX], rejected[NUMBER_TEXT_MAX];
    char decided[NUMBER_TEXT_MAX], usd[NUMBER_TEXT_MAX + 2];

    number_write_grouped(c->decisions, decisions);
    number_write_grouped(c->changed, changed);
    number_write_grouped(c->newly_rejected, rejected);
    number_write_grouped(c->newly_decided, decided);
    write_usd(c->sum_delta_notional, usd);
    fprintf(out, "  %-12s %12s %12s %10s %10s %+9.4f %+9.4f %16s\n", plain(a->name), decisions,
            changed, rejected, decided, both > 0 ? 100 * c->sum_delta_hedge / (double)both : 0.0,
            100 * c->max_delta_hedge, usd);
}

static void print_assets(const diff *d, FILE *out)
{
    const size_t n = d->stats.asset_count;

    if (n == 0) return;
    fprintf(out, "\n  %-12s %12s %12s %10s %10s %9s %9s %16s\n", "asset", "decisions", "changed",
            "rejected", "decided", "mean pts", "max pts", "sum of USD");
    for (size_t i = 0; i < n && i < ASSETS_SHOWN; i++)
        print_asset(&d->stats.assets[i], out);
    if (n > ASSETS_SHOWN) fprintf(out, "  and %zu more (--json has all)\n", n - ASSETS_SHOWN);
}

static void print_large(const diff *d, const diff_large *l, FILE *out)
{
    const hedge_record *r = &l->record;
    char id[37] = "", time[MOMENT_TEXT_MAX], usd[NUMBER_TEXT_MAX + 2], amount[NUMBER_TEXT_MAX];
    char score[NUMBER_TEXT_MAX], depth[NUMBER_TEXT_MAX];

    hedge_record_id(r->writer, r->seq, id);
    moment_write(r->decision.ts_ns, time);
    write_usd(l->new.notional_usd - l->old.notional_usd, usd);
    number_write(r->request.amount_usd, amount);
    number_write((r->request.flags & HEDGE_REQUEST_OVERRIDE) != 0 ? r->request.override_score
                                                                  : r->quote.score,
                 score);
    number_write(r->quote.depth1pct_usd, depth);
    fprintf(out, "  %s USD  %.5f -> %.5f  %s\n", usd, l->old.hedge_pct, l->new.hedge_pct,
            plain(r->asset));
    fprintf(out, "    %s  record %" PRIu64, id, r->seq);
    if (d->from.chain_count > 1) fprintf(out, " of writer %016" PRIx64, r->writer);
    fprintf(out, "  %s\n", time);
    fprintf(out, "    amount_usd %s, %s %s, depth1pct_usd %s\n", amount,
            (r->request.flags & HEDGE_REQUEST_OVERRIDE) != 0 ? "override_score" : "score", score,
            depth);
}

void diff_text(const diff *d, FILE *out)
{
    char old[64], decisions[NUMBER_TEXT_MAX];

    diff_old_name(d, old, sizeof old);
    number_write_grouped(d->stats.all.decisions, decisions);
    fprintf(out, "%s: %s decisions by policy %.12s, compared with %s\n\n", plain(d->from.name),
            decisions, hedge_policy_hash_hex(d->new), old);
    print_counts(d, out);
    print_spread(d, out);
    print_assets(d, out);
    if (d->stats.largest_count > 0)
        fprintf(out, "\n  the largest %zu by notional\n", d->stats.largest_count);
    for (size_t i = 0; i < d->stats.largest_count; i++)
        print_large(d, &d->stats.largest[i], out);
}

/* ---- the terminal ---------------------------------------------------------------- */

static void draw_pairs(canvas *c, const diff_stats *s)
{
    for (size_t new = 0; new <= DIFF_BINS; new ++)
        for (size_t old = 0; old <= DIFF_BINS; old++)
            if (s->density[new][old] > 0)
                canvas_dot(c, canvas_column(c, (double)old / DIFF_BINS),
                           canvas_row(c, (double)new / DIFF_BINS));
}

/* Where both are equal. */
static void draw_diagonal(canvas *c)
{
    for (int x = 0; x < c->columns; x++)
        canvas_mark(c, x * c->across, canvas_row(c, (double)x / (c->columns - 1)), CANVAS_LINE);
}

bool diff_terminal(const diff *d, FILE *out)
{
    const bool ascii = !terminal_is_utf8();
    const canvas_look l = canvas_choose_look(ascii, terminal_wants_colour());
    canvas c;

    if (!canvas_new(&c, terminal_columns(), 20, ascii)) return false;
    draw_diagonal(&c);
    draw_pairs(&c, &d->stats);
    fprintf(out, "\nnew hedge upwards, old hedge across; %s%s%s: where they are equal\n\n", l.dim,
            l.line_text, l.off);
    canvas_print(&c, &l, d->old == NULL ? "recorded hedge" : "old hedge", out);
    canvas_free(&c);
    return true;
}

/* ---- JSON ------------------------------------------------------------------------ */

static void write_counts(json *j, const diff_counts *c)
{
    json_integer(j, "decisions", (int64_t)c->decisions);
    json_integer(j, "changed", (int64_t)c->changed);
    json_integer(j, "hedge_changed", (int64_t)c->hedge_changed);
    json_integer(j, "confidence_changed", (int64_t)c->confidence_changed);
    json_integer(j, "newly_rejected", (int64_t)c->newly_rejected);
    json_integer(j, "newly_decided", (int64_t)c->newly_decided);
    json_integer(j, "rejected_otherwise", (int64_t)c->rejected_otherwise);
}

static void write_reasons(json *j, const char *name, const uint64_t by[HEDGE_BREAKER_COUNT])
{
    json_open_object(j, name);
    for (int32_t i = 0; i < HEDGE_BREAKER_COUNT; i++)
        if (by[i] > 0) json_integer(j, hedge_status_name(HEDGE_TRIP_HALTED - i), (int64_t)by[i]);
    json_close_object(j);
}

static void write_spread(json *j, const char *name, const diff_spread *s)
{
    json_open_object(j, name);
    json_number(j, "mean", s->mean);
    json_number(j, "mean_abs", s->mean_size);
    json_number(j, "median_abs", s->median_size);
    json_number(j, "p95_abs", s->p95_size);
    json_number(j, "p99_abs", s->p99_size);
    json_number(j, "max_abs", s->max_size);
    json_number(j, "sum", s->sum);
    json_number(j, "sum_abs", s->sum_of_sizes);
    json_close_object(j);
}

static void write_side(json *j, const char *name, const diff_side *s)
{
    json_open_object(j, name);
    json_text(j, "status", hedge_status_name(s->status));
    json_number(j, "hedge_pct", s->hedge_pct);
    json_number(j, "notional_usd", s->notional_usd);
    json_number(j, "confidence", s->confidence);
    json_close_object(j);
}

static void write_large(json *j, const diff_large *l)
{
    const hedge_record *r = &l->record;
    char text[MOMENT_TEXT_MAX] = "";

    json_open_object(j, NULL);
    hedge_record_id(r->writer, r->seq, text);
    json_text(j, "decision_id", text);
    outcome_write_writer(j, r->writer);
    json_integer(j, "seq", (int64_t)r->seq);
    moment_write(r->decision.ts_ns, text);
    json_text(j, "time", text);
    json_text(j, "asset", r->asset);
    json_number(j, "amount_usd", r->request.amount_usd);
    if ((r->request.flags & HEDGE_REQUEST_OVERRIDE) != 0)
        json_number(j, "override_score", r->request.override_score);
    if ((r->quote.flags & HEDGE_QUOTE_SCORE) != 0) {
        json_number(j, "score", r->quote.score);
        json_number(j, "confidence", r->quote.confidence);
    }
    if ((r->quote.flags & HEDGE_QUOTE_DEPTH) != 0)
        json_number(j, "depth1pct_usd", r->quote.depth1pct_usd);
    write_side(j, "old", &l->old);
    write_side(j, "new", &l->new);
    json_close_object(j);
}

static void write_policy(json *j, const char *name, const hedge_policy *policy, const char *path)
{
    json_open_object(j, name);
    json_text(j, "file", path);
    json_text(j, "policy", hedge_policy_hash_hex(policy));
    json_close_object(j);
}

static void write_assets(json *j, const diff *d)
{
    json_open_array(j, "assets");
    for (size_t i = 0; i < d->stats.asset_count; i++) {
        const diff_asset *a = &d->stats.assets[i];

        json_open_object(j, NULL);
        json_text(j, "asset", a->name);
        write_counts(j, &a->counts);
        json_number(j, "sum_hedge_pct", a->counts.sum_delta_hedge);
        json_number(j, "max_hedge_pct", a->counts.max_delta_hedge);
        json_number(j, "sum_notional_usd", a->counts.sum_delta_notional);
        json_close_object(j);
    }
    json_close_array(j);
}

void diff_json(const diff *d, FILE *out)
{
    json j = {out, false};

    json_open_object(&j, NULL);
    json_text(&j, "path", d->from.name);
    json_bool(&j, "ok", true);
    write_policy(&j, "new", d->new, d->new_path);
    if (d->old != NULL) write_policy(&j, "old", d->old, d->old_path);
    json_text(&j, "since", d->since);
    json_text(&j, "asset", d->asset);
    write_counts(&j, &d->stats.all);
    write_reasons(&j, "newly_rejected_by", d->stats.rejected_by);
    write_reasons(&j, "newly_decided_from", d->stats.decided_from);
    write_spread(&j, "hedge_pct", &d->hedge);
    write_spread(&j, "notional_usd", &d->notional);
    write_assets(&j, d);
    json_open_array(&j, "largest");
    for (size_t i = 0; i < d->stats.largest_count; i++)
        write_large(&j, &d->stats.largest[i]);
    json_close_array(&j);
    json_close_object(&j);
    putc('\n', out);
}
