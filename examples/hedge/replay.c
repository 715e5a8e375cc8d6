/* SPDX-License-Identifier: MIT
 * replay.c: `hedge replay`, decides every recorded decision again and compares the bits. */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "json.h"
#include "moment.h"
#include "number.h"
#include "options.h"
#include "outcome.h"
#include "plain.h"
#include "policy_set.h"
#include "recompute.h"
#include "source.h"
#include "walk.h"

enum { BUILDS_IN_BATCH = 16, BUILDS_MAX = 256 };

/* What one build of the daemon decided. */
typedef struct build_count {
    char build[64];
    uint64_t decisions, shadows, differences;
} build_count;

/* A record that does not decide the same again, or what ended the walk. */
typedef struct replay_fault {
    const char *name; /* NULL: none; "differs", or why it cannot be decided */
    uint64_t writer, seq;
    hedge_record record;
    recomputed again;
    char message[SOURCE_MESSAGE_MAX];
} replay_fault;

/* What judging one batch finds. */
typedef struct findings {
    uint64_t records;
    size_t builds;
    build_count build[BUILDS_IN_BATCH];
    replay_fault first; /* that differs */
    replay_fault stop;  /* where it ended: not every record was looked at */
} findings;

typedef struct replay {
    source from;
    policy_set policies;
    uint64_t records;
    size_t builds;
    build_count build[BUILDS_MAX];
    replay_fault first, stop;
    double seconds;
} replay;

/* ---- one batch ------------------------------------------------------------- */

static build_count *build_of(build_count *builds, size_t *n, size_t most, const char *name)
{
    for (size_t i = *n; i > 0; i--)
        if (strcmp(builds[i - 1].build, name) == 0) return &builds[i - 1];
    if (*n == most) name = "others"; /* of so many builds, the rest are counted together */
    if (*n == most) {
        snprintf(builds[most - 1].build, sizeof builds->build, "%s", name);
        return &builds[most - 1];
    }
    builds[*n] = (build_count){0};
    snprintf(builds[*n].build, sizeof builds->build, "%s", name);
    return &builds[(*n)++];
}

/* Notes what is in the way of deciding a record again; always false. */
static bool cannot(findings *f, const source_row *row, const char *name, const char *message)
{
    f->stop.name = name;
    f->stop.writer = row->writer;
    f->stop.seq = row->seq;
    snprintf(f->stop.message, sizeof f->stop.message, "%s", message);
    return false;
}

static void differs(findings *f, const source_row *row, const hedge_record *record,
                    const hedge_policy *policy)
{
    if (f->first.name != NULL) return;
    f->first.name = "differs";
    f->first.writer = row->writer;
    f->first.seq = row->seq;
    f->first.record = *record;
    recompute(record, policy, &f->first.again);
}

/* `known`: the policy of the record before. False: the record cannot be decided again. */
static bool judge_row(replay *r, const source_row *row, const policy_entry **known, findings *f)
{
    hedge_record record = HEDGE_INIT(hedge_record);
    char message[SOURCE_MESSAGE_MAX];
    build_count *build;

    if (row->malformed || row->record == NULL ||
        hedge_record_decode(row->record, row->record_size, &record) != HEDGE_OK)
        return cannot(f, row, "changed", "changed: its bytes are not a record");
    if (record.kind != HEDGE_RECORD_DECISION && record.kind != HEDGE_RECORD_SHADOW) return true;
    if (*known == NULL || memcmp((*known)->hash, record.policy_hash, HEDGE_HASH_SIZE) != 0)
        *known = policy_set_find(&r->policies, record.policy_hash, message);
    if (*known == NULL) return cannot(f, row, "policy", message);
    build = build_of(f->build, &f->builds, BUILDS_IN_BATCH, record.build);
    if (record.kind == HEDGE_RECORD_DECISION)
        build->decisions++;
    else
        build->shadows++;
    if (recompute(&record, (*known)->policy, NULL)) return true;
    build->differences++;
    differs(f, row, &record, (*known)->policy);
    return true;
}

static void judge(void *context, walk_batch *batch)
{
    findings *f = batch->findings;
    const policy_entry *known = NULL;

    while (f->records < batch->n && judge_row(context, &batch->rows[f->records], &known, f))
        f->records++;
}

static bool take(void *context, walk_batch *batch)
{
    replay *r = context;
    const findings *f = batch->findings;

    r->records += f->records;
    for (size_t i = 0; i < f->builds; i++) {
        build_count *build = build_of(r->build, &r->builds, BUILDS_MAX, f->build[i].build);

        build->decisions += f->build[i].decisions;
        build->shadows += f->build[i].shadows;
        build->differences += f->build[i].differences;
    }
    if (r->first.name == NULL) r->first = f->first;
    r->stop = f->stop;
    return f->stop.name == NULL;
}

/* ---- all of it ------------------------------------------------------------- */

/* The source broke, perhaps after some records. */
static bool fail(replay *r)
{
    if (r->stop.name != NULL) return false;
    r->stop.name = r->from.fault;
    snprintf(r->stop.message, sizeof r->stop.message, "%s", r->from.message);
    return false;
}

static bool replay_all(replay *r, const source_options *options)
{
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (!source_open(options, false, &r->from) || !policy_set_open(&r->policies, &r->from, true))
        return fail(r);
    for (size_t i = 0; i < r->from.chain_count; i++) {
        const walk_job job = {.from = &r->from,
                              .chain = &r->from.chains[i],
                              .findings_size = sizeof(findings),
                              .context = r,
                              .judge = judge,
                              .take = take};

        if (!walk_run(&job)) return fail(r);
        if (r->stop.name != NULL) return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    r->seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    return r->first.name == NULL;
}

static build_count sum(const replay *r)
{
    build_count all = {0};

    for (size_t i = 0; i < r->builds; i++) {
        all.decisions += r->build[i].decisions;
        all.shadows += r->build[i].shadows;
        all.differences += r->build[i].differences;
    }
    return all;
}

/* ---- what is said about it ------------------------------------------------- */

static outcome place_of(const replay *r, const replay_fault *f)
{
    return (outcome){.path = r->from.name,
                     .fault = f->name,
                     .several = r->from.chain_count > 1,
                     .writer = f->writer,
                     .seq = f->seq,
                     .message = f->message};
}

static void print_difference(const replay *r)
{
    const replay_fault *f = &r->first;
    const outcome place = place_of(r, f);
    const build_count all = sum(r);
    char time[MOMENT_TEXT_MAX], many[NUMBER_TEXT_MAX], of[NUMBER_TEXT_MAX], id[37] = "";

    moment_write(f->record.decision.ts_ns, time);
    hedge_record_id(f->record.writer, f->record.seq, id);
    outcome_print_place(&place);
    fputs(f->again.refused ? "its inputs cannot be decided: no daemon made this record\n"
                           : "its inputs and its policy give another answer\n",
          stderr);
    fprintf(stderr, "  %s %s, %s, %s, decided by %s\n", source_kind_name(f->record.kind), id,
            plain(f->record.asset), time, plain(f->record.build));
    for (size_t i = 0; i < f->again.count; i++)
        fprintf(stderr, "  %-17s recorded %s, recomputed %s\n", f->again.differences[i].member,
                f->again.differences[i].recorded, f->again.differences[i].recomputed);
    number_write_grouped(all.differences, many);
    number_write_grouped(all.decisions + all.shadows, of);
    fprintf(stderr, "  %s of %s differ\n", many, of);
}

/* Where and why it ended, and how far it had come. */
static void print_stop(const replay *r)
{
    const outcome place = place_of(r, &r->stop);
    const build_count all = sum(r);
    char records[NUMBER_TEXT_MAX], decided[NUMBER_TEXT_MAX];

    outcome_print_place(&place);
    fprintf(stderr, "%s\n", plain(r->stop.message));
    if (r->records == 0 && r->stop.seq == 0) return;
    number_write_grouped(r->records, records);
    number_write_grouped(all.decisions + all.shadows, decided);
    fprintf(stderr,
            "  it ends here: of %s records before, %s were decided again; no more is said\n",
            records, decided);
}

static void print_counts(const replay *r)
{
    const build_count all = sum(r);
    char text[NUMBER_TEXT_MAX], differ[NUMBER_TEXT_MAX];

    number_write_grouped(r->records, text);
    printf("  records     %s\n", text);
    number_write_grouped(all.decisions, text);
    printf("  decisions   %s\n", text);
    number_write_grouped(all.shadows, text);
    printf("  shadows     %s\n", text);
    printf("  policies    %zu\n", r->policies.count);
    for (size_t i = 0; i < r->builds; i++) {
        number_write_grouped(r->build[i].decisions + r->build[i].shadows, text);
        number_write_grouped(r->build[i].differences, differ);
        printf("  build       %s: %s, of which %s differ\n", plain(r->build[i].build), text,
               differ);
    }
    if (r->seconds > 0) {
        number_write_grouped((uint64_t)((double)r->records / r->seconds), text);
        printf("  took        %.2f s, %s records a second\n", r->seconds, text);
    }
}

static void print_text(const replay *r)
{
    if (r->first.name != NULL) print_difference(r);
    if (r->stop.name != NULL) print_stop(r);
    if (r->first.name == NULL && r->stop.name == NULL)
        printf("%s: every decision gives the same bits again\n", plain(r->from.name));
    if (r->first.name != NULL || r->stop.name == NULL) print_counts(r);
}

static void write_first(json *j, const replay_fault *f)
{
    char text[MOMENT_TEXT_MAX];

    json_open_object(j, "first");
    outcome_write_writer(j, f->writer);
    json_integer(j, "seq", (int64_t)f->seq);
    if (hedge_record_id(f->record.writer, f->record.seq, text) == HEDGE_OK)
        json_text(j, "decision_id", text);
    json_text(j, "kind", source_kind_name(f->record.kind));
    json_text(j, "asset", f->record.asset);
    moment_write(f->record.decision.ts_ns, text);
    json_text(j, "time", text);
    json_text(j, "version", f->record.build);
    json_bool(j, "decidable", !f->again.refused);
    json_open_array(j, "members");
    for (size_t i = 0; i < f->again.count; i++) {
        json_open_object(j, NULL);
        json_text(j, "member", f->again.differences[i].member);
        json_text(j, "recorded", f->again.differences[i].recorded);
        json_text(j, "recomputed", f->again.differences[i].recomputed);
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}

static void write_place(json *j, const replay_fault *f)
{
    if (f->seq > 0) {
        outcome_write_writer(j, f->writer);
        json_integer(j, "seq", (int64_t)f->seq);
    }
    json_text(j, "message", f->message);
}

/* A difference is told first; where it ended stands beside it. */
static void write_faults(json *j, const replay *r)
{
    const bool differs = r->first.name != NULL;

    if (differs || r->stop.name != NULL)
        json_text(j, "fault", differs ? r->first.name : r->stop.name);
    if (differs)
        write_first(j, &r->first);
    else if (r->stop.name != NULL)
        write_place(j, &r->stop);
    json_bool(j, "complete", r->stop.name == NULL);
    if (r->stop.name == NULL) return;
    json_open_object(j, "stopped");
    json_text(j, "fault", r->stop.name);
    write_place(j, &r->stop);
    json_close_object(j);
}

static void write_counts(json *j, const build_count *c)
{
    json_integer(j, "decisions", (int64_t)c->decisions);
    json_integer(j, "shadows", (int64_t)c->shadows);
    json_integer(j, "differences", (int64_t)c->differences);
}

static void write_json(const replay *r)
{
    const build_count all = sum(r);
    json j = {stdout, false};

    json_open_object(&j, NULL);
    json_text(&j, "path", r->from.name);
    json_bool(&j, "ok", r->first.name == NULL && r->stop.name == NULL);
    write_faults(&j, r);
    json_integer(&j, "records", (int64_t)r->records);
    write_counts(&j, &all);
    json_integer(&j, "policies", (int64_t)r->policies.count);
    json_open_array(&j, "builds");
    for (size_t i = 0; i < r->builds; i++) {
        json_open_object(&j, NULL);
        json_text(&j, "version", r->build[i].build);
        write_counts(&j, &r->build[i]);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_close_object(&j);
    putchar('\n');
}

static int run(const command *self, int argc, char **argv)
{
    static replay r; /* large */
    source_options from = {0};
    bool as_json = false;
    const option options[] = {SOURCE_OPTIONS(from), {"json", NULL, &as_json}};
    char message[SOURCE_MESSAGE_MAX];
    int result;

    r = (replay){0};
    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (!source_choose(&from, argc, argv, 0, message))
        return outcome_usage(self, as_json, "%s", message);
    result = replay_all(&r, &from)  ? RESULT_OK
             : r.first.name != NULL ? RESULT_BAD_DATA
                                    : source_fault_result(r.stop.name);
    if (as_json)
        write_json(&r);
    else
        print_text(&r);
    policy_set_free(&r.policies);
    source_close(&r.from);
    return result;
}

const command replay_command = {
    .name = "replay",
    .summary = "decide every recorded decision again and compare the bits",
    .help =
        "Example:\n"
        "  hedge replay hedge-journal.db\n"
        "  hedge replay --url http://127.0.0.1:8000 --json\n"
        "\n"
        "Takes each decision's own recorded inputs (request, quote, time) and the policy that\n"
        "its hash names, decides again, and compares every output with the recorded one, bit by\n"
        "bit; shadows too. Names the first record that differs and each member of it, and counts\n"
        "by the build that decided. A policy that this build would word otherwise is used as it\n"
        "was written. The chain is not looked at: `hedge verify` does that.\n"
        "\n"
        "Usage: hedge replay [OPTION...] " HELP_SOURCE_USAGE "\n"
        "\n"
        "Options:\n" HELP_SOURCE "  --json             one JSON object\n" HELP_SOURCE_EXIT_CODES,
    .run = run,
};
