/* SPDX-License-Identifier: MIT
 * eval.c: `hedge eval`, scores in and hedges out, as arguments or as a stream. */
#include <hedge/hedge.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "options.h"
#include "policy_file.h"
#include "table.h"

typedef struct eval {
    const command *self;
    const hedge_policy *policy;
    const hedge_curve *curve;
    int32_t asset;
    bool inverse;
    bool slope;
    bool json;
} eval;

/* Numbers in, numbers out. */
typedef struct series {
    double *in;
    double *out;
    size_t n;
} series;

static void evaluate(const eval *e, const series *s)
{
    if (!e->inverse) {
        hedge_curve_eval_n(e->curve, s->in, s->out, s->n);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        s->out[i] = hedge_curve_inverse(e->curve, s->in[i]);
}

/* The slope belongs to the score, whichever side it stands on. */
static double slope_of(const eval *e, const series *s, size_t i)
{
    return hedge_curve_slope(e->curve, e->inverse ? s->out[i] : s->in[i]);
}

static void write_lines(const eval *e, const series *s)
{
    char line[2 * NUMBER_TEXT_MAX + 2];

    for (size_t i = 0; i < s->n; i++) {
        size_t n = number_write(s->out[i], line);

        if (e->slope) {
            line[n++] = '\t';
            n += number_write(slope_of(e, s, i), line + n);
        }
        line[n++] = '\n';
        fwrite(line, 1, n, stdout);
    }
}

/* ---- arguments --------------------------------------------------------------- */

static void open_json(const eval *e, json *j)
{
    json_open_object(j, NULL);
    json_text(j, "asset", hedge_policy_asset_name(e->policy, e->asset));
    json_text(j, "method", hedge_method_name(hedge_curve_method(e->curve)));
    json_text(j, "policy", hedge_policy_hash_hex(e->policy));
    json_text(j, "version", hedge_version());
    json_open_array(j, "points");
}

static void close_json(json *j)
{
    json_close_array(j);
    json_close_object(j);
    putc('\n', stdout);
}

static void write_json(const eval *e, const series *s)
{
    json j = {stdout, false};

    open_json(e, &j);
    for (size_t i = 0; i < s->n; i++) {
        json_open_object(&j, NULL);
        json_number(&j, "score", e->inverse ? s->out[i] : s->in[i]);
        json_number(&j, "hedge", e->inverse ? s->in[i] : s->out[i]);
        if (e->slope) json_number(&j, "slope", slope_of(e, s, i));
        json_close_object(&j);
    }
    close_json(&j);
}

static int eval_arguments(const eval *e, int argc, char **argv)
{
    series s = {.in = malloc((size_t)argc * sizeof *s.in),
                .out = malloc((size_t)argc * sizeof *s.out)};
    int result = RESULT_OK;

    if (s.in == NULL || s.out == NULL) {
        fputs("hedge eval: out of memory\n", stderr);
        result = RESULT_USAGE;
    }
    for (int i = 0; i < argc && result == RESULT_OK; i++)
        if (!number_read(argv[i], &s.in[s.n++]))
            result = usage_error(e->self, "'%s' is not a number", argv[i]);
    if (result == RESULT_OK) {
        evaluate(e, &s);
        if (e->json)
            write_json(e, &s);
        else
            write_lines(e, &s);
    }
    free(s.in);
    free(s.out);
    return result;
}

/* ---- a stream ---------------------------------------------------------------- */

typedef struct eval_batch {
    double in[TABLE_BATCH];
    double out[TABLE_BATCH];
} eval_batch;

/* What an answer is. */
enum { ANSWER_OUT, ANSWER_SLOPE, ANSWER_IN };

typedef struct eval_table {
    eval of;
    table t;
    table_answerer answerer;
    int answer[3]; /* by their order in a row */
    const char *column;
} eval_table;

static bool take_score(const void *context, void *memory, size_t i, const field *fields, char *why)
{
    const eval_table *e = context;
    eval_batch *b = memory;

    b->in[i] = 0;
    return field_number(&fields[0], e->t.in == ROW_PLAIN ? NULL : e->column, &b->in[i], why);
}

static void decide(const void *context, void *memory, size_t n)
{
    const eval_table *e = context;
    eval_batch *b = memory;

    evaluate(&e->of, &(series){b->in, b->out, n});
}

static size_t write_answer(const void *context, const void *memory, size_t i, size_t answer,
                           row_format format, char *out)
{
    const eval_table *e = context;
    const eval_batch *b = memory;
    double number = b->out[i];

    if (e->answer[answer] == ANSWER_IN) number = b->in[i];
    if (e->answer[answer] == ANSWER_SLOPE)
        number = hedge_curve_slope(e->of.curve, e->of.inverse ? b->out[i] : b->in[i]);
    if (format != ROW_JSONL || isfinite(number)) return number_write(number, out);
    memcpy(out, "null", 4);
    return 4;
}

static void add_answer(eval_table *e, const char *name, int answer)
{
    e->answer[e->answerer.answers] = answer;
    e->answerer.answer[e->answerer.answers++] = name;
}

static void choose_answers(eval_table *e)
{
    const bool inverse = e->of.inverse;

    if (e->of.json) add_answer(e, "score", inverse ? ANSWER_OUT : ANSWER_IN);
    if (e->of.json)
        add_answer(e, "hedge", inverse ? ANSWER_IN : ANSWER_OUT);
    else
        add_answer(e, inverse ? "score" : "hedge", ANSWER_OUT);
    if (e->of.slope) add_answer(e, "slope", ANSWER_SLOPE);
}

/* One JSON object for the whole stream: held back until all of it is known. */
static int eval_to_json(eval_table *e)
{
    bytes points = {0};
    json j = {stdout, false};
    int result;

    e->t.held = &points;
    e->t.out = ROW_JSONL;
    e->t.row_end = ',';
    result = table_run(&e->t);
    if (result == RESULT_OK) {
        open_json(&e->of, &j);
        if (points.n > 0) fwrite(points.at, 1, points.n - 1, stdout); /* without the last comma */
        close_json(&j);
    }
    bytes_free(&points);
    return result;
}

static int eval_stream(const eval *of, const table_options *given)
{
    static const char *const slots[] = {"score"};
    static const char *const inverse_slots[] = {"hedge"};
    static eval_table e;
    int result = RESULT_USAGE;

    e.of = *of;
    e.answerer = (table_answerer){.slot = of->inverse ? inverse_slots : slots,
                                  .slots = 1,
                                  .needed = 1,
                                  .batch_size = sizeof(eval_batch),
                                  .context = &e,
                                  .take = take_score,
                                  .decide = decide,
                                  .write = write_answer};
    choose_answers(&e);
    e.column = given->columns != NULL ? given->columns : e.answerer.slot[0];
    e.t.answerer = &e.answerer;
    if (table_take_options(&e.t, of->self, given) && table_column(&e.t, given->columns)) {
        if (of->json && e.t.in != ROW_PLAIN)
            usage_error(of->self, "--json is for --format plain; jsonl answers with JSON");
        else
            result = of->json ? eval_to_json(&e) : table_run(&e.t);
    }
    if (result == RESULT_OK && given->keep_going && e.t.faults > 0) result = RESULT_BAD_DATA;
    table_free(&e.t);
    return result;
}

/* True if an option was given that only a stream has a use for. */
static bool is_for_stream(const table_options *given)
{
    return given->format != NULL || given->columns != NULL || given->prefix != NULL ||
           given->on_error != NULL || given->threads != NULL || given->header ||
           given->answer_only || given->chunk_header;
}

static int run(const command *self, int argc, char **argv)
{
    const char *path = NULL;
    const char *asset = NULL;
    eval e = {.self = self};
    table_options rows = {0};
    const option options[] = {
        {"policy", &path, NULL},         {"asset", &asset, NULL},
        {"json", NULL, &e.json},         {"inverse", NULL, &e.inverse},
        {"slope", NULL, &e.slope},       {"keep-going", NULL, &rows.keep_going},
        {"column", &rows.columns, NULL}, TABLE_OPTIONS(rows),
    };
    hedge_policy *policy;
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (argc > 0 && is_for_stream(&rows))
        return usage_error(self, "'%s': scores come either as arguments or in a stream", argv[0]);
    policy = policy_file_load(self, path, &result);
    if (policy == NULL) return result;
    e.policy = policy;
    e.asset = policy_file_asset(self, policy, asset);
    result = RESULT_USAGE;
    if (e.asset >= 0) {
        e.curve = hedge_policy_curve(policy, e.asset);
        result = argc > 0 ? eval_arguments(&e, argc, argv) : eval_stream(&e, &rows);
    }
    hedge_policy_free(policy);
    return result;
}

const command eval_command = {
    .name = "eval",
    .summary = "scores in, hedges out, as arguments or as a stream",
    .help =
        "Example:\n"
        "  hedge eval 0.1 0.62\n"
        "  hedge eval --asset BTC <scores.txt >hedges.txt\n"
        "  hedge eval --asset BTC --format csv --header --column score <in.csv >out.csv\n"
        "\n"
        "Prints the hedge (a share, 0 to 1) of each effective score: the policy's curve, before\n"
        "max_hedge_pct and without any check of data; 'hedge size' makes the whole decision.\n"
        "Without a SCORE it reads rows from standard input and answers each in its turn, as soon\n"
        "as it is there: one score a line, or with --format a table, of which each row is kept\n"
        "as it is and answered by a last column, hedge. Numbers are written so that they read\n"
        "back to the same bits. nan gives nan (in JSON: null); a missing score is an error.\n"
        "\n"
        "Usage: hedge eval [OPTION...] [SCORE...]\n"
        "\n"
        "Options:\n" HELP_POLICY
        "  --asset NAME    the asset whose curve to use; not needed where all are the same\n"
        "  --inverse       hedges in, out comes the least score that reaches each (nan: none)\n"
        "  --slope         add the curve's slope at the score\n"
        "  --keep-going    as --on-error null, but the exit code is 1 if there was a bad row\n"
        "  --json          one JSON object; it is written only if every line was a number\n"
        "                  (or with --keep-going)\n"
        "  --column C      where the scores are: a name with --header or jsonl (score), else a\n"
        "                  number from 1 (1)\n" HELP_TABLE_FORMATS
        ", or plain, one\n                  score a line (the default)\n" HELP_TABLE
            HELP_EXIT_CODES,
    .run = run,
};
