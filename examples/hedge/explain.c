/* SPDX-License-Identifier: MIT
 * explain.c: `hedge explain`, why one decision came out as it did, step by step. */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "explanation.h"
#include "number.h"
#include "options.h"
#include "outcome.h"
#include "policy_set.h"
#include "source.h"

/* What is asked for: a record's number, or writer and number out of a decision_id. */
typedef struct wanted {
    bool with_writer;
    uint64_t writer, seq;
} wanted;

/* The way back from hedge_record_id, which is asked whether it agrees. */
static bool read_id(const char *text, wanted *out)
{
    char digits[33], again[37] = "";
    uint8_t b[16];
    uint64_t high = 0, low = 0;
    size_t n = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '-') continue;
        if (n == 32) return false;
        digits[n++] = *p;
    }
    digits[n] = '\0';
    if (!number_read_hex(digits, sizeof b, b)) return false;
    for (size_t i = 0; i < 8; i++) {
        high = high << 8 | b[i];
        low = low << 8 | b[i + 8];
    }
    *out = (wanted){.with_writer = true,
                    .writer = high >> 16 << 12 | (high & 0xfff),
                    .seq = low & ((UINT64_C(1) << 62) - 1)};
    /* Letters may be of either case. */
    return hedge_record_id(out->writer, out->seq, again) == HEDGE_OK &&
           strcasecmp(text, again) == 0;
}

static const source_chain *choose_chain(source *from, const wanted *w)
{
    for (size_t i = 0; i < from->chain_count; i++)
        if (!w->with_writer || from->chains[i].writer == w->writer) {
            if (w->with_writer || from->chain_count == 1) return &from->chains[i];
            source_fail(from, "usage", "several writers are here: give a decision_id, or --writer");
            return NULL;
        }
    source_fail(from, "usage", "no record of writer %016" PRIx64 " is here", w->writer);
    return NULL;
}

/* ---- finding it ------------------------------------------------------------------ */

/* Notes a fault of one record; always false. */
static bool fail_at(explanation *x, source *from, uint64_t seq, const char *fault,
                    const char *message)
{
    x->bad_seq = seq;
    return source_fail(from, fault, "%s", message);
}

static bool take_row(explanation *x, source *from, const source_row *row)
{
    x->record = (hedge_record)HEDGE_INIT(hedge_record);
    if (row->malformed || row->record == NULL ||
        hedge_record_decode(row->record, row->record_size, &x->record) != HEDGE_OK)
        return fail_at(x, from, row->seq, "changed", "its bytes are not a record");
    memcpy(x->hash, row->hash, sizeof x->hash);
    if (x->linked) {
        uint8_t hash[HEDGE_HASH_SIZE];

        hedge_record_chain(x->previous, row->record, row->record_size, hash);
        x->follows = memcmp(hash, row->hash, sizeof hash) == 0;
    }
    x->decided = x->record.kind == HEDGE_RECORD_DECISION || x->record.kind == HEDGE_RECORD_SHADOW;
    return true;
}

/* The record behind a decision may be its shadow. */
static void take_shadow(explanation *x, const source_row *row)
{
    x->shadow = (hedge_record)HEDGE_INIT(hedge_record);
    x->shadowed = x->record.kind == HEDGE_RECORD_DECISION && !row->malformed &&
                  row->record != NULL && row->seq == x->record.seq + 1 &&
                  hedge_record_decode(row->record, row->record_size, &x->shadow) == HEDGE_OK &&
                  x->shadow.kind == HEDGE_RECORD_SHADOW;
}

/* Reads from the record before the wanted one to the one behind it. */
static bool find(explanation *x, source *from, const source_chain *chain, uint64_t seq)
{
    const uint64_t first = chain->base.given ? chain->base.seq + 1 : 1;
    source_row row = {0};
    bool found = false;
    source_step step;

    if (chain->base.given && seq < first)
        return source_fail(from, "left",
                           "record %" PRIu64 " has left for Postgres: ask there (--db)", seq);
    x->linked = seq == first;
    if (x->linked) memcpy(x->previous, chain->base.hash, sizeof x->previous);
    if (seq == 0) return source_fail(from, "usage", "records are numbered from 1");
    if (!from->ops->start(from, chain, seq > first ? seq - 2 : first - 1, true)) return false;
    while ((step = from->ops->next(from, &row)) == SOURCE_ROW && row.seq <= seq + 1) {
        if (row.seq + 1 == seq && !row.malformed) {
            x->linked = true;
            memcpy(x->previous, row.hash, sizeof x->previous);
        }
        if (found) {
            take_shadow(x, &row);
            return true;
        }
        if (row.seq == seq && !take_row(x, from, &row)) return false;
        found = row.seq == seq;
    }
    if (step == SOURCE_FAILED && !found) return false;
    if (!found && chain->head.given && seq <= chain->head.seq)
        return source_fail(from, "missing",
                           "missing: no record %" PRIu64
                           " is here, but the head is record %" PRIu64,
                           seq, chain->head.seq);
    return found || source_fail(from, "usage", "no record %" PRIu64 " is here", seq);
}

/* ---- the command ------------------------------------------------------------------ */

static bool explain(explanation *x, source *from, policy_set *policies, const wanted *w)
{
    const source_chain *chain = choose_chain(from, w);
    const policy_entry *entry;
    char message[SOURCE_MESSAGE_MAX];

    if (chain == NULL) return false;
    x->writer = chain->writer;
    if (!find(x, from, chain, w->seq)) return false;
    if (!x->decided) return true;
    if (!policy_set_open(policies, from, true)) return false;
    entry = policy_set_find(policies, x->record.policy_hash, message);
    if (entry == NULL) return fail_at(x, from, w->seq, "policy", message);
    explanation_make(x, entry->policy);
    if (!x->shadowed) return true;
    entry = policy_set_find(policies, x->shadow.policy_hash, message);
    x->shadow_known = entry != NULL;
    x->shadow_same = entry != NULL && recompute(&x->shadow, entry->policy, NULL);
    return true;
}

static int show_fault(const command *self, bool as_json, const source *from, const explanation *x)
{
    const outcome o = {.path = from->name,
                       .fault = from->fault,
                       .several = from->chain_count > 1,
                       .writer = x->writer,
                       .seq = x->bad_seq,
                       .message = from->message};

    return outcome_show(self, as_json, &o);
}

static int run(const command *self, int argc, char **argv)
{
    static explanation x; /* large */
    source from;
    policy_set policies = {0};
    source_options chosen = {0};
    wanted w = {0};
    bool as_json = false;
    char message[SOURCE_MESSAGE_MAX];
    const option options[] = {SOURCE_OPTIONS(chosen), {"json", NULL, &as_json}};
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (argc == 0)
        return outcome_usage(self, as_json, "ID is missing: a decision_id or a record's number");
    if (!read_id(argv[0], &w) && !number_read_whole(argv[0], 0, INT64_MAX - 1, &w.seq))
        return outcome_usage(self, as_json,
                             "'%.200s' is neither a decision_id nor a record's number", argv[0]);
    if (!source_choose(&chosen, argc, argv, 1, message))
        return outcome_usage(self, as_json, "%s", message);
    x = (explanation){0};
    if (!source_open(&chosen, false, &from) || !explain(&x, &from, &policies, &w)) {
        result = show_fault(self, as_json, &from, &x);
    } else {
        if (as_json)
            explanation_json(&x, from.name, stdout);
        else
            explanation_text(&x, from.name, stdout);
        result = x.decided && !x.same ? RESULT_BAD_DATA : RESULT_OK;
    }
    policy_set_free(&policies);
    source_close(&from);
    return result;
}

const command explain_command = {
    .name = "explain",
    .summary = "show step by step why a decision came out as it did",
    .help =
        "Example:\n"
        "  hedge explain 48211 hedge-journal.db\n"
        "  hedge explain 01234567-89ab-8cde-8000-00000000bc53 --url http://127.0.0.1:8000\n"
        "\n"
        "ID is a decision_id, as every answer has one, or a record's number. Shows the record and\n"
        "its place in the chain, the inputs, each breaker with its value, limit and margin, the\n"
        "weight, the effective score, the piece of the curve and its four operations, floor and\n"
        "cap, the confidence, what a shadow policy said, and whether deciding again gives the "
        "same\n"
        "bits (else the exit code is 1). The steps are of its inputs: where they do not give what\n"
        "the record says, that stands beside them.\n"
        "\n"
        "Usage: hedge explain [OPTION...] ID " HELP_SOURCE_USAGE "\n"
        "\n"
        "Options:\n" HELP_SOURCE "  --json             one JSON object\n" HELP_SOURCE_EXIT_CODES,
    .run = run,
};
