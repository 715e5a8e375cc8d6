/* SPDX-License-Identifier: MIT
 * eval.c: `hedge eval`, scores in and hedges out, as arguments or as a stream. */
#include <errno.h>
#include <hedge/hedge.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "number.h"
#include "options.h"
#include "policy_file.h"
#include "score_stream.h"

typedef struct eval {
    const command *self;
    const hedge_policy *policy;
    const hedge_curve *curve;
    int32_t asset;
    bool inverse;
    bool slope;
    bool json;
    bool keep_going;
} eval;

/* The numbers of one run, in and out. Only --json holds more than a block. */
typedef struct series {
    double *in;
    double *out;
    size_t n;
    size_t capacity;
} series;

static bool series_reserve(series *s, size_t extra)
{
    size_t capacity = s->capacity > 0 ? s->capacity : SCORE_STREAM_BLOCK;
    double *in;
    double *out;

    while (capacity - s->n < extra)
        capacity *= 2;
    if (capacity == s->capacity) return true;
    in = realloc(s->in, capacity * sizeof *in);
    if (in != NULL) s->in = in;
    out = realloc(s->out, capacity * sizeof *out);
    if (out != NULL) s->out = out;
    if (in == NULL || out == NULL) {
        fputs("hedge eval: out of memory\n", stderr);
        return false;
    }
    s->capacity = capacity;
    return true;
}

static void series_free(series *s)
{
    free(s->in);
    free(s->out);
}

static void evaluate(const eval *e, series *s)
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

static void write_json(const eval *e, const series *s)
{
    json j = {stdout, false};

    json_open_object(&j, NULL);
    json_text(&j, "asset", hedge_policy_asset_name(e->policy, e->asset));
    json_text(&j, "method", hedge_method_name(hedge_curve_method(e->curve)));
    json_text(&j, "policy", hedge_policy_hash_hex(e->policy));
    json_text(&j, "version", hedge_version());
    json_open_array(&j, "points");
    for (size_t i = 0; i < s->n; i++) {
        json_open_object(&j, NULL);
        json_number(&j, "score", e->inverse ? s->out[i] : s->in[i]);
        json_number(&j, "hedge", e->inverse ? s->in[i] : s->out[i]);
        if (e->slope) json_number(&j, "slope", slope_of(e, s, i));
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
    putc('\n', stdout);
}

static int eval_arguments(const eval *e, int argc, char **argv, series *s)
{
    if (!series_reserve(s, (size_t)argc)) return RESULT_USAGE;
    for (int i = 0; i < argc; i++)
        if (!number_read(argv[i], &s->in[s->n++]))
            return usage_error(e->self, "'%s' is not a number", argv[i]);
    evaluate(e, s);
    if (e->json)
        write_json(e, s);
    else
        write_lines(e, s);
    return RESULT_OK;
}

/* Reads one block behind what the series holds; a bad line under --keep-going
 * becomes a NaN, so that line n of the output still answers line n. */
static stream_result read_block(const eval *e, score_stream *stream, series *s, int *result)
{
    const char *bad = NULL;
    size_t n = 0;
    const stream_result got = score_stream_read(stream, s->in + s->n, &n, &bad);

    s->n += n;
    if (got == STREAM_FAILED) {
        fprintf(stderr, "hedge eval: cannot read standard input: %s\n", strerror(errno));
        *result = RESULT_USAGE;
    } else if (got == STREAM_BAD_LINE) {
        fprintf(stderr, "hedge eval: line %" PRIu64 ": '%s' is not a number\n", stream->line, bad);
        *result = RESULT_BAD_DATA;
        if (e->keep_going) s->in[s->n++] = NAN;
    }
    return got;
}

static int eval_stream(const eval *e, series *s)
{
    static score_stream stream;
    stream_result got;
    int result = RESULT_OK;
    bool go_on;

    do {
        if (!series_reserve(s, SCORE_STREAM_BLOCK + 1)) return RESULT_USAGE;
        got = read_block(e, &stream, s, &result);
        go_on = got == STREAM_MORE || (got == STREAM_BAD_LINE && e->keep_going);
        if (!e->json) {
            evaluate(e, s);
            write_lines(e, s);
            /* Before waiting for more, hand over what is known. */
            if (fflush(stdout) != 0) go_on = false;
            s->n = 0;
        }
    } while (go_on);
    if (e->json && got == STREAM_END) {
        evaluate(e, s);
        write_json(e, s);
    }
    return result;
}

static int run(const command *self, int argc, char **argv)
{
    const char *path = NULL;
    const char *asset = NULL;
    eval e = {.self = self};
    const option options[] = {
        {"policy", &path, NULL},   {"asset", &asset, NULL},
        {"json", NULL, &e.json},   {"inverse", NULL, &e.inverse},
        {"slope", NULL, &e.slope}, {"keep-going", NULL, &e.keep_going},
    };
    series s = {0};
    hedge_policy *policy;
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    policy = policy_file_load(self, path, &result);
    if (policy == NULL) return result;
    e.policy = policy;
    e.asset = policy_file_asset(self, policy, asset);
    result = RESULT_USAGE;
    if (e.asset >= 0) {
        e.curve = hedge_policy_curve(policy, e.asset);
        result = argc > 0 ? eval_arguments(&e, argc, argv, &s) : eval_stream(&e, &s);
    }
    series_free(&s);
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
        "\n"
        "Prints the hedge (a share, 0 to 1) of each effective score: the policy's curve, before\n"
        "max_hedge_pct and without any check of data; 'hedge size' makes the whole decision.\n"
        "Without a SCORE it reads one a line from standard input and writes one hedge a line.\n"
        "Numbers are written so that they read back to the same bits. nan gives nan.\n"
        "\n"
        "Usage: hedge eval [OPTION...] [SCORE...]\n"
        "\n"
        "Options:\n" HELP_POLICY
        "  --asset NAME    the asset whose curve to use; not needed where all are the same\n"
        "  --inverse       hedges in, out comes the least score that reaches each (nan: none)\n"
        "  --slope         add a tab and the curve's slope at the score\n"
        "  --keep-going    answer a line that is not a number with nan and go on; the exit\n"
        "                  code is still 1 (by default it stops there)\n"
        "  --json          one JSON object; it is written only if every line was a number\n"
        "                  (or with --keep-going)\n" HELP_EXIT_CODES,
    .run = run,
};
