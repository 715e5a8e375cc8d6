/* SPDX-License-Identifier: MIT
 * size.c: `hedge size`, one whole decision and the steps that led to it. */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "options.h"
#include "policy_file.h"
#include "size_table.h"

/* What the options say, as text; NULL: not given. */
typedef struct size_options {
    const char *policy, *asset, *amount, *score, *confidence, *depth, *override, *age_ms,
        *depth_age_ms, *previous_score;
    bool json;
} size_options;

typedef struct sizing {
    const hedge_policy *policy;
    const char *asset;
    hedge_request request;
    hedge_quote quote;
    hedge_decision decision;
    int32_t status;
} sizing;

/* NaN and infinities pass: that a breaker catches them is worth seeing. */
static bool take_number(const command *self, const char *name, const char *text, double *out)
{
    if (text == NULL || number_read(text, out)) return true;
    usage_error(self, "--%s: '%s' is not a number", name, text);
    return false;
}

static bool take_age(const command *self, const char *name, const char *text, int64_t *ns)
{
    const double most_ms = 1e12; /* some 30 years, well inside int64_t nanoseconds */
    double ms = 0;

    if (!take_number(self, name, text, &ms)) return false;
    if (!(ms >= -most_ms && ms <= most_ms)) {
        usage_error(self, "--%s: '%s' is not within 1e12 milliseconds", name, text);
        return false;
    }
    *ns = (int64_t)llround(ms * 1e6);
    return true;
}

static bool require(const command *self, const char *name, const char *text)
{
    if (text != NULL) return true;
    usage_error(self, "--%s is missing", name);
    return false;
}

/* Fills request and quote; false when an option is missing or no number. */
static bool take_inputs(const command *self, const size_options *given, int64_t now_ns, sizing *s)
{
    int64_t age_ns = 0;
    int64_t depth_age_ns = 0;

    if (!require(self, "asset", given->asset) || !require(self, "amount", given->amount) ||
        !require(self, "depth", given->depth))
        return false;
    if (given->override == NULL && !require(self, "score", given->score)) return false;

    s->asset = given->asset;
    s->quote.confidence = 1;
    if (!take_number(self, "amount", given->amount, &s->request.amount_usd) ||
        !take_number(self, "override", given->override, &s->request.override_score) ||
        !take_number(self, "score", given->score, &s->quote.score) ||
        !take_number(self, "confidence", given->confidence, &s->quote.confidence) ||
        !take_number(self, "previous-score", given->previous_score, &s->quote.previous_score) ||
        !take_number(self, "depth", given->depth, &s->quote.depth1pct_usd) ||
        !take_age(self, "age-ms", given->age_ms, &age_ns) ||
        !take_age(self, "depth-age-ms", given->depth_age_ms, &depth_age_ns))
        return false;

    s->quote.flags = HEDGE_QUOTE_DEPTH;
    if (given->score != NULL) s->quote.flags |= HEDGE_QUOTE_SCORE;
    if (given->previous_score != NULL) s->quote.flags |= HEDGE_QUOTE_PREVIOUS;
    if (given->override != NULL) s->request.flags = HEDGE_REQUEST_OVERRIDE;
    s->quote.score_ts_ns = given->score != NULL ? now_ns - age_ns : 0;
    s->quote.depth_ts_ns = now_ns - depth_age_ns;
    return true;
}

static void print_step(const char *name, double number, const char *unit)
{
    char text[NUMBER_TEXT_MAX];

    number_write(number, text);
    printf("  %-18s %s%s\n", name, text, unit);
}

static void print_flags(uint32_t flags)
{
    bool any = false;

    printf("  %-18s ", "flags");
    for (uint32_t bit = 0; bit < 32; bit++) {
        const char *name = hedge_flag_name(bit);

        if ((flags >> bit & 1) == 0 || name == NULL) continue;
        printf("%s%s", any ? ", " : "", name);
        any = true;
    }
    puts(any ? "" : "none");
}

static void print_text(const sizing *s)
{
    const hedge_decision *d = &s->decision;

    printf("%s: hedge %.2f %%, %.2f USD of %.2f USD\n\n", s->asset, d->hedge_pct * 100,
           d->notional_usd, s->request.amount_usd);
    print_step("score", d->score, (d->flags & HEDGE_MARK_OVERRIDE) != 0 ? "  (the override)" : "");
    print_step("liquidity weight", d->liquidity_weight, "");
    print_step("effective score", d->effective_score, "");
    if ((d->flags & (HEDGE_MARK_FLOOR | HEDGE_MARK_CAPPED)) != 0)
        print_step("curve",
                   hedge_curve_eval(hedge_policy_curve(s->policy, d->asset), d->effective_score),
                   "");
    print_step("hedge", d->hedge_pct,
               (d->flags & HEDGE_MARK_FLOOR) != 0    ? "  (a declared floor)"
               : (d->flags & HEDGE_MARK_CAPPED) != 0 ? "  (cut to max_hedge_pct)"
                                                     : "");
    print_step("notional", d->notional_usd, " USD");
    print_step("confidence", d->confidence, "");
    print_flags(d->flags);
    printf("  %-18s %s\n", "policy", hedge_policy_hash_hex(s->policy));
    printf("  %-18s %s\n", "version", hedge_version());
}

static void write_inputs(json *j, const sizing *s)
{
    json_number(j, "amount_usd", s->request.amount_usd);
    if ((s->request.flags & HEDGE_REQUEST_OVERRIDE) != 0)
        json_number(j, "override_score", s->request.override_score);
    json_open_object(j, "quote");
    if ((s->quote.flags & HEDGE_QUOTE_SCORE) != 0) {
        json_number(j, "score", s->quote.score);
        json_number(j, "confidence", s->quote.confidence);
    }
    if ((s->quote.flags & HEDGE_QUOTE_PREVIOUS) != 0)
        json_number(j, "previous_score", s->quote.previous_score);
    json_number(j, "depth1pct_usd", s->quote.depth1pct_usd);
    json_close_object(j);
}

static void write_json(const sizing *s)
{
    const hedge_decision *d = &s->decision;
    json j = {stdout, false};

    json_open_object(&j, NULL);
    json_text(&j, "status", hedge_status_name(s->status));
    json_integer(&j, "code", s->status);
    if (s->status != HEDGE_OK) json_text(&j, "message", hedge_status_text(s->status));
    json_text(&j, "asset", s->asset);
    write_inputs(&j, s);
    json_number(&j, "hedge_pct", d->hedge_pct);
    json_number(&j, "notional_usd", d->notional_usd);
    json_number(&j, "confidence", d->confidence);
    json_number(&j, "score", d->score);
    json_number(&j, "liquidity_weight", d->liquidity_weight);
    json_number(&j, "effective_score", d->effective_score);
    json_number(&j, "liquidity_quality", d->liquidity_quality);
    json_open_array(&j, "flags");
    for (uint32_t bit = 0; bit < 32; bit++)
        if ((d->flags >> bit & 1) != 0 && hedge_flag_name(bit) != NULL)
            json_text(&j, NULL, hedge_flag_name(bit));
    json_close_array(&j);
    json_integer(&j, "ts_ms", d->ts_ns / 1000000);
    json_text(&j, "policy", hedge_policy_hash_hex(s->policy));
    json_text(&j, "version", hedge_version());
    json_close_object(&j);
    putc('\n', stdout);
}

static int answer(const sizing *s, bool as_json)
{
    if (as_json)
        write_json(s);
    else if (s->status == HEDGE_OK)
        print_text(s);
    else
        fprintf(stderr, "hedge size: %s: %s\n", hedge_status_name(s->status),
                hedge_status_text(s->status));
    if (s->status == HEDGE_OK) return RESULT_OK;
    return s->status <= HEDGE_TRIP_HALTED ? RESULT_TRIP : RESULT_USAGE;
}

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Loads the policy and decides by it, for inputs that are taken already. */
static int decide(const command *self, const size_options *given, int64_t now_ns, sizing *s)
{
    int result;
    hedge_policy *policy = policy_file_load(self, given->policy, &result);

    if (policy == NULL) return result;
    s->policy = policy;
    s->request.asset = hedge_policy_asset(policy, given->asset);
    s->status = hedge_size(policy, &s->request, &s->quote, now_ns, &s->decision);
    result = answer(s, given->json);
    hedge_policy_free(policy);
    return result;
}

/* The option of one decision that was given, NULL: none. */
static const char *single_option(const size_options *given)
{
    if (given->amount != NULL) return "amount";
    if (given->score != NULL) return "score";
    if (given->confidence != NULL) return "confidence";
    if (given->depth != NULL) return "depth";
    if (given->override != NULL) return "override";
    if (given->age_ms != NULL) return "age-ms";
    if (given->depth_age_ms != NULL) return "depth-age-ms";
    if (given->previous_score != NULL) return "previous-score";
    return given->json ? "json" : NULL;
}

/* The option of a stream that was given, NULL: none. */
static const char *stream_option(const size_table_options *given)
{
    const table_options *rows = &given->rows;

    if (given->now_ns != NULL) return "now-ns";
    if (given->answers != NULL) return "answers";
    if (rows->columns != NULL) return "columns";
    if (rows->prefix != NULL) return "prefix";
    if (rows->on_error != NULL) return "on-error";
    if (rows->threads != NULL) return "threads";
    if (rows->header) return "header";
    if (rows->answer_only) return "answer-only";
    return rows->chunk_header ? "chunk-header" : NULL;
}

static int run_stream(const command *self, const size_options *given, size_table_options *rows)
{
    const char *single = single_option(given);

    if (single != NULL)
        return usage_error(self, "--%s is for one decision; with --format its column is read",
                           single);
    rows->policy = given->policy;
    rows->asset = given->asset;
    return size_table_run(self, rows);
}

static int run(const command *self, int argc, char **argv)
{
    size_options given = {0};
    size_table_options rows = {0};
    const option options[] = {
        {"policy", &given.policy, NULL},
        {"asset", &given.asset, NULL},
        {"amount", &given.amount, NULL},
        {"score", &given.score, NULL},
        {"confidence", &given.confidence, NULL},
        {"depth", &given.depth, NULL},
        {"override", &given.override, NULL},
        {"age-ms", &given.age_ms, NULL},
        {"depth-age-ms", &given.depth_age_ms, NULL},
        {"previous-score", &given.previous_score, NULL},
        {"json", NULL, &given.json},
        {"now-ns", &rows.now_ns, NULL},
        {"answers", &rows.answers, NULL},
        {"columns", &rows.rows.columns, NULL},
        TABLE_OPTIONS(rows.rows),
    };
    sizing s = {.request = HEDGE_INIT(hedge_request),
                .quote = HEDGE_INIT(hedge_quote),
                .decision = HEDGE_INIT(hedge_decision)};
    const int64_t now_ns = clock_ns();
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (argc > 0) return usage_error(self, "unexpected argument '%s'", argv[0]);
    if (rows.rows.format != NULL) return run_stream(self, &given, &rows);
    if (stream_option(&rows) != NULL)
        return usage_error(self, "--%s is for a stream: give --format", stream_option(&rows));
    if (!take_inputs(self, &given, now_ns, &s)) return RESULT_USAGE;
    return decide(self, &given, now_ns, &s);
}

const command size_command = {
    .name = "size",
    .summary = "one whole decision, with the steps that led to it",
    .help =
        "Example:\n"
        "  hedge size --asset BTC --amount 250000 --score 0.62 --confidence 0.9 --depth 78034.12\n"
        "  hedge size --format csv --header <quotes.csv >decisions.csv\n"
        "\n"
        "Decides how much of an exposure to hedge, as the daemon would for this quote, and shows\n"
        "each step. If a breaker rejects it, its name is on standard error and the exit code\n"
        "is 3. nan and inf are taken, so that a breaker can be seen to catch them.\n"
        "\n"
        "With --format it decides each row of standard input, as soon as it is there, and keeps\n"
        "the row as it is with the answers behind it; a trip is an answer (status), not an "
        "error.\n" HELP_SIZE_TABLE "\n"
        "Usage: hedge size --asset NAME --amount USD --score S --depth USD [OPTION...]\n"
        "       hedge size --format FORMAT [OPTION...] <rows >decisions\n"
        "\n"
        "Options:\n" HELP_POLICY "  --asset NAME          the asset, as the policy names it\n"
        "  --amount USD          the exposure\n"
        "  --score S             Swing Sustainability Score, 0 to 1 (not needed with --override)\n"
        "  --confidence C        the model's confidence, 0 to 1 (1)\n"
        "  --depth USD           what rests within 1 % of the mid price, both sides\n"
        "  --override S          a person's score in place of the quoted one\n"
        "  --previous-score S    the score before it, for the jump check\n"
        "  --age-ms N            how old the score is (0)\n"
        "  --depth-age-ms N      how old the depth is (0)\n"
        "  --json                one JSON object, also for a trip\n"
        "\n"
        "Options of a stream:\n" HELP_TABLE_FORMATS "\n"
        "  --columns LIST  what csv and tsv hold without --header, in order: amount_usd,_,asset\n"
        "                  ('_' skips one); every row has exactly so many\n" HELP_SIZE_ANSWERS
        "  --asset NAME    every row's asset, where there is no such column\n"
        "  --now-ns N      every row's now_ns, where there is no such column\n" HELP_TABLE
            HELP_EXIT_CODES,
    .run = run,
};
