/* SPDX-License-Identifier: MIT
 * diff.c: `hedge diff`, what another policy would have decided on past decisions. */
#include "diff.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "moment.h"
#include "number.h"
#include "options.h"
#include "outcome.h"
#include "plain.h"
#include "policy_file.h"
#include "walk.h"

/* What judging one batch finds: a pair for each row that is a decision. */
typedef struct findings {
    const char *fault;
    uint64_t bad_seq;
    size_t n;
    uint16_t row[WALK_ROWS];
    diff_pair pairs[WALK_ROWS];
} findings;

/* ---- deciding ---------------------------------------------------------------- */

/* The recorded inputs, decided by a policy; the asset is found by its name. */
static diff_side decide(const hedge_policy *policy, const hedge_record *record)
{
    hedge_request request = record->request;
    hedge_decision d = HEDGE_INIT(hedge_decision);
    int32_t code;

    request.asset = hedge_policy_asset(policy, record->asset);
    if (request.asset < 0) request.asset = -1;
    code = hedge_size(policy, &request, &record->quote, record->decision.ts_ns, &d);
    /* Flags that this build does not know: they could ask for anything. */
    if (code == HEDGE_E_ARG) return (diff_side){.status = code};
    return (diff_side){d.status, d.hedge_pct, d.notional_usd, d.confidence};
}

static bool is_wanted(const diff *d, const hedge_record *record)
{
    return record->kind == HEDGE_RECORD_DECISION &&
           (d->asset == NULL || strcmp(d->asset, record->asset) == 0) &&
           (d->since == NULL || record->decision.ts_ns >= d->since_ns);
}

static void judge(void *context, walk_batch *batch)
{
    const diff *d = context;
    findings *f = batch->findings;

    for (size_t i = 0; i < batch->n; i++) {
        hedge_record record = HEDGE_INIT(hedge_record);
        const source_row *row = &batch->rows[i];
        diff_pair *pair = &f->pairs[f->n];

        if (row->malformed || row->record == NULL ||
            hedge_record_decode(row->record, row->record_size, &record) != HEDGE_OK) {
            f->fault = "changed";
            f->bad_seq = row->seq;
            return;
        }
        if (!is_wanted(d, &record)) continue;
        pair->ts_ns = record.decision.ts_ns;
        pair->new = decide(d->new, &record);
        if (d->old != NULL)
            pair->old = decide(d->old, &record);
        else
            pair->old = (diff_side){record.decision.status, record.decision.hedge_pct,
                                    record.decision.notional_usd, record.decision.confidence};
        f->row[f->n++] = (uint16_t)i;
    }
}

static bool fail(diff *d, const char *fault, uint64_t seq, const char *message)
{
    d->fault = fault;
    d->bad_seq = seq;
    snprintf(d->message, sizeof d->message, "%s", message);
    return false;
}

static bool take(void *context, walk_batch *batch)
{
    diff *d = context;
    const findings *f = batch->findings;

    for (size_t i = 0; i < f->n; i++) {
        hedge_record record = HEDGE_INIT(hedge_record);
        const source_row *row = &batch->rows[f->row[i]];

        if (hedge_record_decode(row->record, row->record_size, &record) != HEDGE_OK ||
            !diff_stats_add(&d->stats, &record, &f->pairs[i]))
            return fail(d, "unreadable", 0, "out of memory");
    }
    d->bad_writer = batch->rows[0].writer;
    return f->fault == NULL || fail(d, f->fault, f->bad_seq, "changed: its bytes are not a record");
}

static bool compare(diff *d, const source_options *options)
{
    if (!diff_stats_new(&d->stats)) return fail(d, "unreadable", 0, "out of memory");
    if (!source_open(options, false, &d->from)) return fail(d, d->from.fault, 0, d->from.message);
    for (size_t i = 0; i < d->from.chain_count && d->fault == NULL; i++) {
        const walk_job job = {.from = &d->from,
                              .chain = &d->from.chains[i],
                              .findings_size = sizeof(findings),
                              .context = d,
                              .judge = judge,
                              .take = take};

        if (!walk_run(&job) && d->fault == NULL) return fail(d, d->from.fault, 0, d->from.message);
    }
    d->hedge = diff_series_spread(&d->stats.hedge);
    d->notional = diff_series_spread(&d->stats.notional);
    diff_stats_sort(&d->stats);
    return d->fault == NULL;
}

/* ---- the command --------------------------------------------------------------- */

void diff_old_name(const diff *d, char *text, size_t capacity)
{
    if (d->old == NULL)
        snprintf(text, capacity, "what was recorded");
    else
        snprintf(text, capacity, "policy %.12s", hedge_policy_hash_hex(d->old));
}

static int cannot_write(const command *self, bool as_json, const char *path)
{
    char message[SOURCE_MESSAGE_MAX];

    snprintf(message, sizeof message, "cannot write %.400s: %s", path, strerror(errno));
    if (as_json)
        return outcome_show(self, true, &(outcome){.fault = "unwritable", .message = message});
    fprintf(stderr, "hedge diff: %s\n", plain(message));
    return RESULT_USAGE;
}

static int write_svg(const command *self, bool as_json, const diff *d, const char *path)
{
    const bool standard = strcmp(path, "-") == 0;
    FILE *out = standard ? stdout : fopen(path, "w");
    bool failed = out == NULL;

    if (!failed) {
        diff_svg(d, out);
        failed = ferror(out) != 0;
        if (!standard && fclose(out) != 0) failed = true;
    }
    return failed ? cannot_write(self, as_json, path) : RESULT_OK;
}

static int show(const command *self, const diff *d, const char *svg, bool as_json)
{
    if (svg != NULL && write_svg(self, as_json, d, svg) != RESULT_OK) return RESULT_USAGE;
    if (svg != NULL && strcmp(svg, "-") == 0) return RESULT_OK;
    if (as_json) {
        diff_json(d, stdout);
        return RESULT_OK;
    }
    diff_text(d, stdout);
    if (svg == NULL && d->stats.times.any && !diff_terminal(d, stdout)) {
        fputs("hedge diff: out of memory\n", stderr);
        return RESULT_USAGE;
    }
    return RESULT_OK;
}

static int show_fault(const command *self, bool as_json, const diff *d)
{
    const outcome o = {.path = d->from.name,
                       .fault = d->fault,
                       .several = d->from.chain_count > 1,
                       .writer = d->bad_writer,
                       .seq = d->bad_seq,
                       .message = d->message};

    return outcome_show(self, as_json, &o);
}

/* NULL: said already. A policy's text is not the journal's: its fault has a name of its own. */
static hedge_policy *load_policy(const command *self, bool as_json, const char *path, int *result)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    char text[SOURCE_MESSAGE_MAX];

    if (!as_json) return policy_file_load(self, path, result);
    if (hedge_policy_load(path, &error, &policy) == HEDGE_OK) return policy;
    *result = policy_error_result(&error);
    policy_error_write(&error, text, sizeof text);
    outcome_show(self, true,
                 &(outcome){.fault = *result == RESULT_USAGE ? "unreadable" : "bad_policy",
                            .message = text});
    return NULL;
}

/* The policies stand first: one, or two where a third argument or an option
 * names the source. */
static bool take_policies(const command *self, bool as_json, diff *d, const source_options *from,
                          int argc, char **argv, int *taken, int *result)
{
    const int files = from->url == NULL && from->db == NULL ? 1 : 0;

    *result = RESULT_USAGE;
    *taken = argc - files >= 2 ? 2 : 1;
    if (argc < 1) {
        outcome_usage(self, as_json, "NEW.yaml and FILE are missing (or --url or --db)");
        return false;
    }
    d->new_path = argv[*taken - 1];
    if (*taken == 2) {
        d->old_path = argv[0];
        d->old = load_policy(self, as_json, d->old_path, result);
        if (d->old == NULL) return false;
    }
    d->new = load_policy(self, as_json, d->new_path, result);
    return d->new != NULL;
}

static int run(const command *self, int argc, char **argv)
{
    static diff d; /* large */
    source_options from = {0};
    const char *svg = NULL;
    bool as_json = false;
    const option options[] = {SOURCE_OPTIONS(from),
                              {"since", &d.since, NULL},
                              {"asset", &d.asset, NULL},
                              {"svg", &svg, NULL},
                              {"json", NULL, &as_json}};
    char message[SOURCE_MESSAGE_MAX];
    int result, taken;

    d = (diff){0};
    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (d.since != NULL && !moment_read(d.since, &d.since_ns))
        return outcome_usage(self, as_json,
                             "--since: '%.200s' is not a time as 2026-07-14, 2026-07-14T08:00:00Z "
                             "or seconds since 1970",
                             d.since);
    if (as_json && svg != NULL && strcmp(svg, "-") == 0)
        return outcome_usage(self, as_json, "--svg -: --json writes to standard output too");
    if (take_policies(self, as_json, &d, &from, argc, argv, &taken, &result)) {
        if (!source_choose(&from, argc, argv, taken, message))
            result = outcome_usage(self, as_json, "%s", message);
        else
            result =
                compare(&d, &from) ? show(self, &d, svg, as_json) : show_fault(self, as_json, &d);
        source_close(&d.from);
        diff_stats_free(&d.stats);
    }
    hedge_policy_free(d.new);
    hedge_policy_free(d.old);
    return result;
}

const command diff_command = {
    .name = "diff",
    .summary = "show what another policy would have decided on past decisions",
    .help =
        "Example:\n"
        "  hedge diff new.yaml hedge-journal.db\n"
        "  hedge diff old.yaml new.yaml --url http://127.0.0.1:8000 --since 2026-07-14\n"
        "\n"
        "Decides every recorded decision again by NEW.yaml: the same request, quote and time, the\n"
        "asset found by its name. Compares with what was recorded, or, where OLD.yaml is given,\n"
        "with what that one decides. Shows how many change and how, by how much, by asset, the "
        "ten\n"
        "largest by notional, and a picture: the old hedge against the new one.\n"
        "\n"
        "Sizes are of decisions that both make and whose hedge differs. A rejection means that "
        "the\n"
        "caller keeps the hedge it has: it is counted, and has no size.\n"
        "\n"
        "Usage: hedge diff [OPTION...] [OLD.yaml] NEW.yaml " HELP_SOURCE_USAGE "\n"
        "\n"
        "Options:\n" HELP_SOURCE
        "  --since TIME       from then on: 2026-07-14, 2026-07-14T08:00:00Z, or seconds\n"
        "  --asset NAME       of this asset alone\n"
        "  --svg FILE         write the pictures as a standalone SVG ('-': to standard output)\n"
        "  --json             one JSON object\n" HELP_SOURCE_EXIT_CODES,
    .run = run,
};
