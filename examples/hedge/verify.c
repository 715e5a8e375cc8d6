/* SPDX-License-Identifier: MIT
 * verify.c: `hedge verify`, walks a journal's chains and names the first record that is not whole.
 */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "anchor.h"
#include "chain_check.h"
#include "command.h"
#include "json.h"
#include "moment.h"
#include "number.h"
#include "options.h"
#include "outcome.h"
#include "plain.h"
#include "policy_set.h"
#include "source.h"

enum { HEX_MAX = 2 * HEDGE_HASH_SIZE + 1, CHAINS_SHOWN_MAX = 1000 };

typedef struct verification {
    const command *self;
    source from;
    policy_set policies;
    const char *base; /* where the chain begins, as given; NULL: where the source says */
    anchor kept[OPTION_LIST_MAX];
    size_t kept_count;
    chain_report reports[CHAINS_SHOWN_MAX]; /* of the first so many chains */
    size_t report_count;
    chain_report total;
    const char *fault; /* NULL: none; a stable name */
    uint64_t writer;   /* of the chain at fault */
    uint64_t bad_seq;  /* the record at fault, 0: none of them */
    const char *message;
} verification;

/* ---- the walk ----------------------------------------------------------- */

/* The anchors of one chain: those of its writer, and its own head. */
static void choose_anchors(const verification *v, const source_chain *chain, anchor_list *list)
{
    list->count = 0;
    for (size_t i = 0; i < v->kept_count; i++)
        if (v->kept[i].any_writer || v->kept[i].writer == chain->writer)
            list->at[list->count++] = v->kept[i];
    if (chain->head.given) {
        anchor *own = &list->at[list->count++];

        *own = (anchor){.own = true, .seq = chain->head.seq, .digits = 2 * HEDGE_HASH_SIZE};
        memcpy(own->hash, chain->head.hash, sizeof own->hash);
    }
}

static void add_report(verification *v, const chain_report *r)
{
    chain_report *t = &v->total;

    if (r->records > 0 && (t->records == 0 || r->first_ts_ns < t->first_ts_ns))
        t->first_ts_ns = r->first_ts_ns;
    if (r->records > 0 && (t->records == 0 || r->last_ts_ns > t->last_ts_ns))
        t->last_ts_ns = r->last_ts_ns;
    t->records += r->records;
    t->decisions += r->decisions;
    t->rejections += r->rejections;
    t->shadows += r->shadows;
    t->halts += r->halts;
    if (v->report_count < CHAINS_SHOWN_MAX) v->reports[v->report_count++] = *r;
}

static bool fail(verification *v, const char *fault, const char *message)
{
    v->fault = fault;
    v->message = message;
    return false;
}

static bool verify_chain(verification *v, const source_chain *chain)
{
    static chain_report report; /* its message outlives this call */
    anchor_list anchors;

    choose_anchors(v, chain, &anchors);
    if (!chain_check(&v->from, chain, &v->policies, &anchors, &report)) {
        v->writer = chain->writer;
        v->bad_seq = report.bad_seq;
        return fail(v, report.fault, report.message);
    }
    add_report(v, &report);
    return true;
}

/* A head without a writer is of the only chain; one with a writer has one. */
static bool check_anchors(verification *v)
{
    for (size_t i = 0; i < v->kept_count; i++) {
        bool found = v->kept[i].any_writer && v->from.chain_count == 1;

        for (size_t k = 0; k < v->from.chain_count && !v->kept[i].any_writer; k++)
            found = found || v->kept[i].writer == v->from.chains[k].writer;
        if (found) continue;
        v->bad_seq = 0;
        if (!v->kept[i].any_writer)
            return fail(v, "truncated", "no record of the kept head's writer is here");
        return v->from.chain_count == 0
                   ? fail(v, "truncated", "no record is here, but a head was kept")
                   : fail(v, "usage",
                          "--head: several writers are here; name one as WRITER:SEQ:HASH");
    }
    return true;
}

/* A policy says when it first went live; where all records are here, the first of them that names
 * it says it too. */
static bool check_dates(verification *v)
{
    static char message[SOURCE_MESSAGE_MAX]; /* outlives this call */
    const policy_entry *undated = policy_set_undated(&v->policies);
    char name[HEX_MAX];

    if (undated == NULL || v->from.chain_count != 1 || v->from.chains[0].base.given) return true;
    number_write_hex(undated->hash, sizeof undated->hash, name);
    snprintf(message, sizeof message,
             "policy %.12s: the first record that says it went live bears another time, or none is "
             "there",
             name);
    v->bad_seq = 0;
    return fail(v, "policy", message);
}

/* A database whose oldest months were dropped cannot say where its chain begins: an auditor who
 * kept that head can. */
static bool take_base(verification *v)
{
    if (v->base == NULL) return true;
    if (!v->from.ships) return fail(v, "usage", "--base: only --db takes it; others say it");
    if (v->from.chain_count != 1)
        return fail(v, "usage", "--base: it is of one writer's chain; name it with --writer");
    return source_read_place(v->base, &v->from.chains[0].base) ||
           fail(v, "usage", "--base: it is not SEQ:HASH with the hash's 64 hex digits");
}

static bool verify(verification *v, const source_options *options)
{
    if (!source_open(options, true, &v->from) || !policy_set_open(&v->policies, &v->from, false))
        return fail(v, v->from.fault, v->from.message);
    if (!take_base(v)) return false;
    if (!check_anchors(v)) return false;
    for (size_t i = 0; i < v->from.chain_count; i++)
        if (!verify_chain(v, &v->from.chains[i])) return false;
    return check_dates(v);
}

/* ---- what is said about it ---------------------------------------------- */

static void print_count(const char *name, uint64_t count)
{
    char text[NUMBER_TEXT_MAX];

    number_write_grouped(count, text);
    printf("  %-11s %s\n", name, text);
}

static void print_parked(const source_chain *chain)
{
    printf("  parked      %" PRIu64 " that Postgres refused", chain->parked);
    if (chain->parked_alone > 0)
        printf(", of which %" PRIu64 " have left the file: these copies are all there is\n",
               chain->parked_alone);
    else
        printf(" (copies; the records are here)\n");
}

static void print_chain(const verification *v, const chain_report *r)
{
    char first[MOMENT_TEXT_MAX], last[MOMENT_TEXT_MAX], hash[HEX_MAX];

    print_count("records", r->records);
    print_count("decisions", r->decisions);
    print_count("rejections", r->rejections);
    if (r->shadows > 0) print_count("shadows", r->shadows);
    if (r->halts > 0) print_count("halts", r->halts);
    if (v->from.chain_count == 1) {
        printf("  policies    %zu", v->policies.count);
        if (v->policies.reworded > 0)
            printf(" (%zu worded otherwise by this build, %s)", v->policies.reworded,
                   hedge_version());
        putchar('\n');
    }
    if (r->records > 0) {
        moment_write(r->first_ts_ns, first);
        moment_write(r->last_ts_ns, last);
        printf("  first       %s\n  last        %s\n", first, last);
    }
    printf("  writer      %016" PRIx64 "\n", r->chain.writer);
    if (r->chain.base.given)
        printf("  base        records 1 to %" PRIu64 " %s\n", r->chain.base.seq,
               v->from.ships               ? "were not looked at (--base)"
               : r->chain.parked_alone > 0 ? "have left for Postgres, but those parked"
                                           : "have left for Postgres");
    if (r->chain.parked > 0) print_parked(&r->chain);
    number_write_hex(r->hash, sizeof r->hash, hash);
    printf("  head        %" PRIu64 ":%s\n", r->seq, hash);
    for (size_t i = 0; i < v->kept_count; i++)
        if (v->kept[i].any_writer || v->kept[i].writer == r->chain.writer)
            printf("  kept head   %" PRIu64 ", in the chain\n", v->kept[i].seq);
}

static void print_text(const verification *v)
{
    printf("%s: whole\n", plain(v->from.name));
    if (v->from.chain_count != 1) {
        print_count("writers", v->from.chain_count);
        print_count("records", v->total.records);
        print_count("policies", v->policies.count);
    }
    for (size_t i = 0; i < v->report_count; i++) {
        if (v->from.chain_count > 1) putchar('\n');
        print_chain(v, &v->reports[i]);
    }
}

static void write_place(json *j, const char *name, uint64_t seq, const uint8_t *hash)
{
    char text[HEX_MAX];

    json_open_object(j, name);
    json_integer(j, "seq", (int64_t)seq);
    number_write_hex(hash, HEDGE_HASH_SIZE, text);
    json_text(j, "hash", text);
    json_close_object(j);
}

/* What is said of one chain, or of all together. */
static void write_counts(json *j, const chain_report *r)
{
    char text[MOMENT_TEXT_MAX];

    json_integer(j, "records", (int64_t)r->records);
    json_integer(j, "decisions", (int64_t)r->decisions);
    json_integer(j, "rejections", (int64_t)r->rejections);
    json_integer(j, "shadows", (int64_t)r->shadows);
    json_integer(j, "halts", (int64_t)r->halts);
    moment_write(r->first_ts_ns, text);
    json_text(j, "first_time", r->records > 0 ? text : NULL);
    moment_write(r->last_ts_ns, text);
    json_text(j, "last_time", r->records > 0 ? text : NULL);
}

static void write_chain(json *j, const chain_report *r)
{
    char text[NUMBER_TEXT_MAX];

    snprintf(text, sizeof text, "%016" PRIx64, r->chain.writer);
    json_text(j, "writer", text);
    if (r->chain.base.given) write_place(j, "base", r->chain.base.seq, r->chain.base.hash);
    json_integer(j, "parked", (int64_t)r->chain.parked);
    json_integer(j, "parked_alone", (int64_t)r->chain.parked_alone);
    write_place(j, "head", r->seq, r->hash);
}

static void write_whole(json *j, const verification *v)
{
    json_integer(j, "policies", (int64_t)v->policies.count);
    json_integer(j, "policies_reworded", (int64_t)v->policies.reworded);
    write_counts(j, &v->total);
    if (v->report_count == 1) write_chain(j, &v->reports[0]);
    json_integer(j, "kept_heads", (int64_t)v->kept_count);
    json_open_array(j, "chains");
    for (size_t i = 0; i < v->report_count; i++) {
        json_open_object(j, NULL);
        write_counts(j, &v->reports[i]);
        write_chain(j, &v->reports[i]);
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_json(const verification *v)
{
    json j = {stdout, false};

    json_open_object(&j, NULL);
    json_text(&j, "path", v->from.name);
    json_bool(&j, "ok", true);
    write_whole(&j, v);
    json_close_object(&j);
    putchar('\n');
}

/* ---- the command -------------------------------------------------------- */

static int show(const verification *v, bool as_json)
{
    const outcome o = {.path = v->from.name,
                       .fault = v->fault,
                       .several = v->from.chain_count > 1,
                       .writer = v->writer,
                       .seq = v->bad_seq,
                       .message = v->message};

    if (v->fault != NULL) return outcome_show(v->self, as_json, &o);
    if (as_json)
        write_json(v);
    else
        print_text(v);
    return RESULT_OK;
}

static int run(const command *self, int argc, char **argv)
{
    static verification v; /* large */
    source_options from = {0};
    bool as_json = false;
    option_list heads = {.name = "head"};
    const option options[] = {
        SOURCE_OPTIONS(from), {"base", &v.base, NULL}, {"json", NULL, &as_json}};
    char message[SOURCE_MESSAGE_MAX];
    int result;

    v = (verification){.self = self};
    if (!options_read_list(self, options, sizeof options / sizeof options[0], &heads, &argc, argv,
                           &result))
        return result;
    if (!source_choose(&from, argc, argv, 0, message))
        return outcome_usage(self, as_json, "%s", message);
    for (; v.kept_count < heads.count; v.kept_count++)
        if (!anchor_read(heads.values[v.kept_count], &v.kept[v.kept_count]))
            return outcome_usage(self, as_json,
                                 "--head: '%.200s' is not SEQ:HASH, a record's number and its hash "
                                 "as 64 hex digits or its first %d or more",
                                 heads.values[v.kept_count], ANCHOR_DIGITS_MIN);
    verify(&v, &from);
    result = show(&v, as_json);
    policy_set_free(&v.policies);
    source_close(&v.from);
    return result;
}

const command verify_command = {
    .name = "verify",
    .summary = "walk a journal's chain and find what was changed, removed or reordered",
    .help =
        "Example:\n"
        "  hedge verify hedge-journal.db\n"
        "  hedge verify hedge-journal.db --head 48211:5f0c1d7ab2c4…\n"
        "  hedge verify --url http://127.0.0.1:8000\n"
        "  hedge verify --db \"host=db dbname=hedge user=auditor\"\n"
        "\n"
        "Reads every record in order: none missing, each hash made of the one before and the\n"
        "record's bytes, each record what its row says (in Postgres: every column), each policy\n"
        "the text its hash names, each shadow of the decision before it, and no decision behind a\n"
        "halt of its asset and before its resume. Names the first record that is not whole. A\n"
        "journal cut off at its end, or rewritten with new hashes, is whole in itself: compare it\n"
        "with heads kept elsewhere (GET /readyz shows the head, and so do the metric\n"
        "hedge_journal_head_hash and this command).\n"
        "\n"
        "Nothing is written, and a journal left by a killed daemon is read with its -wal file. A\n"
        "running daemon owns its journal: ask it with --url. A file that records have left for\n"
        "Postgres begins where they end.\n"
        "\n"
        "Usage: hedge verify [OPTION...] " HELP_SOURCE_USAGE "\n"
        "\n"
        "Options:\n"
        "  --head [WRITER:]SEQ:HASH  a head kept elsewhere, which must be in the chain; 13 or "
        "more\n"
        "                     digits of the hash do; may be given several times\n"
        "  --base SEQ:HASH    with --db: the chain begins behind this record, which was a head;\n"
        "                     for a database whose oldest months were dropped\n" HELP_SOURCE
        "  --json             one JSON object\n" HELP_SOURCE_EXIT_CODES,
    .run = run,
};
