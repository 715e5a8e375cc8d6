/* SPDX-License-Identifier: MIT
 * chain_check.c: proves one chain whole, record by record. */
#include "chain_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "halt_check.h"
#include "walk.h"

typedef struct check {
    const source_chain *chain;
    policy_set *policies;
    const anchor_list *anchors;
    chain_report *report;
    halt_check halted; /* behind the newest batch that was taken */
} check;

/* What judging one batch finds. */
typedef struct findings {
    uint64_t decisions, rejections, shadows, halts, resumes;
    bool recommends[WALK_ROWS]; /* which of the rows is a decision, or a shadow, that gives a hedge
                                 */
    const char *fault;
    uint64_t bad_seq;
    char message[SOURCE_MESSAGE_MAX];
} findings;

static bool fault(findings *f, const char *name, uint64_t seq, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Notes the first fault of a batch; always false. */
static bool fault(findings *f, const char *name, uint64_t seq, const char *format, ...)
{
    va_list arguments;

    f->fault = name;
    f->bad_seq = seq;
    va_start(arguments, format);
    vsnprintf(f->message, sizeof f->message, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- one record ------------------------------------------------------------ */

static bool check_place(const source_row *row, uint64_t expected, bool shipped, findings *f)
{
    const int64_t seq = (int64_t)row->seq;

    if (seq <= 0 || row->seq < expected)
        return fault(f, "reordered", expected, "its place is taken by a record numbered %" PRId64,
                     seq);
    if (row->seq != expected)
        return fault(f, "missing", expected, "missing: record %" PRIu64 " comes next%s", row->seq,
                     shipped && expected == 1
                         ? " (where old months were dropped, --base says where the "
                           "chain begins; see docs/audit.md)"
                     : shipped ? " (a record that Postgres refused waits in the journal's table "
                                 "`parked`; see docs/audit.md)"
                               : "");
    if (row->malformed)
        return fault(f, "changed", expected, "changed: its columns are not of the journal's types");
    return true;
}

/* The record says what the row says. */
static bool check_columns(const check *c, const source_row *row, const hedge_record *record,
                          findings *f)
{
    const char *column = record->kind != row->kind                ? "kind"
                         : record->ts_ns != row->ts_ns            ? "ts_ns"
                         : row->differs != NULL                   ? row->differs
                         : strcmp(record->asset, row->asset) != 0 ? "asset"
                                                                  : NULL;

    if (record->writer != c->chain->writer)
        return fault(f, "changed", row->seq,
                     "written by %016" PRIx64 ", but the journal's writer is %016" PRIx64,
                     record->writer, c->chain->writer);
    if (column != NULL)
        return fault(f, "changed", row->seq, "changed: its column %s differs from the record",
                     column);
    return true;
}

static bool check_bytes(const check *c, const source_row *before, const source_row *row,
                        hedge_record *record, findings *f)
{
    uint8_t hash[HEDGE_HASH_SIZE];

    if (row->record == NULL ||
        hedge_record_decode(row->record, row->record_size, record) != HEDGE_OK)
        return fault(f, "changed", row->seq, "changed: its bytes are not a record");
    if (record->seq != row->seq)
        return fault(f, "reordered", row->seq,
                     "changed or reordered: its bytes are those of record %" PRIu64, record->seq);
    if (hedge_record_chain(before->hash, row->record, row->record_size, hash) != HEDGE_OK ||
        memcmp(hash, row->hash, sizeof hash) != 0)
        return fault(f, "changed", row->seq,
                     "changed: its hash does not follow from its bytes and record %" PRIu64,
                     row->seq - 1);
    return check_columns(c, row, record, f);
}

static bool has_policy(int32_t kind)
{
    return kind == HEDGE_RECORD_DECISION || kind == HEDGE_RECORD_POLICY ||
           kind == HEDGE_RECORD_SHADOW || kind == HEDGE_RECORD_SHADOW_POLICY;
}

/* `known`: a hash that was found before, of the same batch. */
static bool check_policy(const check *c, const hedge_record *record, const policy_entry **known,
                         findings *f)
{
    char message[SOURCE_MESSAGE_MAX];

    if (!has_policy(record->kind)) return true;
    if (record->kind == HEDGE_RECORD_POLICY || record->kind == HEDGE_RECORD_SHADOW_POLICY)
        policy_set_date(c->policies, record->policy_hash, record->seq, record->ts_ns);
    if (*known != NULL && memcmp((*known)->hash, record->policy_hash, HEDGE_HASH_SIZE) == 0)
        return true;
    *known = policy_set_find(c->policies, record->policy_hash, message);
    return *known != NULL || fault(f, "policy", record->seq, "%s", message);
}

/* Doubles are compared by their bits: inputs are copied, not computed. */
static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* What a shadow repeats of its decision; NULL: all of it. The asset's index is
 * the other policy's own. */
static const char *shadow_differs(const hedge_record *d, const hedge_record *s)
{
    const hedge_request *dr = &d->request, *sr = &s->request;
    const hedge_quote *dq = &d->quote, *sq = &s->quote;

    if (strcmp(d->asset, s->asset) != 0) return "asset";
    if (d->decision.ts_ns != s->decision.ts_ns) return "time";
    if (dr->flags != sr->flags || !same_bits(dr->amount_usd, sr->amount_usd) ||
        !same_bits(dr->override_score, sr->override_score))
        return "request";
    if (dq->flags != sq->flags || !same_bits(dq->score, sq->score) ||
        !same_bits(dq->previous_score, sq->previous_score) ||
        !same_bits(dq->confidence, sq->confidence) || dq->score_ts_ns != sq->score_ts_ns ||
        !same_bits(dq->depth1pct_usd, sq->depth1pct_usd) || dq->depth_ts_ns != sq->depth_ts_ns)
        return "quote";
    return NULL;
}

/* A shadow stands behind the decision that it shadows. Where that one has left
 * the file, there is nothing to compare with. */
static bool check_shadow(const source_row *before, const hedge_record *shadow, findings *f)
{
    hedge_record decision = HEDGE_INIT(hedge_record);
    const char *member;

    if (before->record == NULL && before->seq > 0) return true;
    if (before->record == NULL ||
        hedge_record_decode(before->record, before->record_size, &decision) != HEDGE_OK ||
        decision.kind != HEDGE_RECORD_DECISION)
        return fault(f, "shadow", shadow->seq, "a shadow, but no decision stands before it");
    member = shadow_differs(&decision, shadow);
    if (member == NULL) return true;
    return fault(f, "shadow", shadow->seq, "a shadow whose %s is not its decision's", member);
}

/* A decision is made at the time that its record bears: nobody can have decided at another. */
static bool check_time(const hedge_record *record, findings *f)
{
    if (record->kind != HEDGE_RECORD_DECISION && record->kind != HEDGE_RECORD_SHADOW) return true;
    return record->decision.ts_ns == record->ts_ns ||
           fault(f, "changed", record->seq,
                 "changed: the time of its decision is not that of the record");
}

/* The heads that were kept elsewhere are the hashes of those records here too. */
static bool check_anchors(const anchor_list *anchors, uint64_t seq, const uint8_t *hash,
                          findings *f)
{
    for (size_t i = 0; i < anchors->count; i++)
        if (!anchor_agrees(&anchors->at[i], seq, hash))
            return fault(f, "rewritten", seq,
                         "rewritten: the chain is whole, but its hash is not the one of the %s "
                         "head",
                         anchors->at[i].own ? "daemon's" : "kept");
    return true;
}

/* ---- a batch --------------------------------------------------------------- */

static bool decides(const hedge_record *record)
{
    return (record->kind == HEDGE_RECORD_DECISION || record->kind == HEDGE_RECORD_SHADOW) &&
           record->decision.status == HEDGE_OK;
}

static void count(const hedge_record *record, findings *f)
{
    if (record->kind == HEDGE_RECORD_HALT) f->halts++;
    if (record->kind == HEDGE_RECORD_RESUME) f->resumes++;
    if (record->kind == HEDGE_RECORD_SHADOW) f->shadows++;
    if (record->kind != HEDGE_RECORD_DECISION) return;
    f->decisions++;
    if (record->decision.status != HEDGE_OK) f->rejections++;
}

static void judge(void *context, walk_batch *batch)
{
    const check *c = context;
    findings *f = batch->findings;
    const policy_entry *known = NULL;
    const source_row *before = &batch->before;

    for (size_t i = 0; i < batch->n; before = &batch->rows[i++]) {
        hedge_record record = HEDGE_INIT(hedge_record);
        const source_row *row = &batch->rows[i];

        if (!check_place(row, before->seq + 1, c->policies->from->ships, f) ||
            !check_bytes(c, before, row, &record, f) || !check_policy(c, &record, &known, f) ||
            (record.kind == HEDGE_RECORD_SHADOW && !check_shadow(before, &record, f)) ||
            !check_time(&record, f) || !check_anchors(c->anchors, row->seq, row->hash, f))
            return;
        f->recommends[i] = decides(&record);
        count(&record, f);
    }
}

/* Hands the first fault on; always false. */
static bool report_fault(chain_report *r, const findings *f)
{
    r->fault = f->fault;
    r->bad_seq = f->bad_seq;
    memcpy(r->message, f->message, sizeof r->message);
    return false;
}

/* From a halt to its resume nothing on the asset is decided but rejections. Of halts from before
 * the base nothing is known. */
static bool check_halts(check *c, const walk_batch *batch, findings *f)
{
    if (c->halted.standing == 0 && f->halts == 0 && f->resumes == 0) return true;
    for (size_t i = 0; i < batch->n; i++) {
        const source_row *row = &batch->rows[i];
        const halted_asset *halt;

        if (row->kind == HEDGE_RECORD_HALT || row->kind == HEDGE_RECORD_RESUME) {
            if (halt_check_order(&c->halted, row)) continue;
            return fault(f, "unreadable", 0, "out of memory");
        }
        halt = f->recommends[i] ? halt_check_find(&c->halted, row->asset) : NULL;
        if (halt != NULL)
            return fault(f, "halted", row->seq,
                         "decides while halted: %.31s was halted by record %" PRIu64
                         " and not resumed",
                         halt->asset[0] != '\0' ? halt->asset : "everything", halt->seq);
    }
    return true;
}

static bool take(void *context, walk_batch *batch)
{
    check *c = context;
    findings *f = batch->findings;
    const source_row *last = &batch->rows[batch->n - 1];
    chain_report *r = c->report;

    if (f->fault != NULL || !check_halts(c, batch, f)) return report_fault(r, f);
    if (r->records == 0) r->first_ts_ns = batch->rows[0].ts_ns;
    r->last_ts_ns = last->ts_ns;
    r->records += batch->n;
    r->decisions += f->decisions;
    r->rejections += f->rejections;
    r->shadows += f->shadows;
    r->halts += f->halts;
    r->seq = last->seq;
    memcpy(r->hash, last->hash, sizeof r->hash);
    return true;
}

/* ---- a chain --------------------------------------------------------------- */

/* Heads at the base or before it. */
static bool check_base(const check *c, findings *f)
{
    const source_place *base = &c->chain->base;

    for (size_t i = 0; i < c->anchors->count; i++)
        if (base->given && c->anchors->at[i].seq < base->seq)
            return fault(f, "left", 0,
                         "the kept head %" PRIu64 " has left the file, which begins behind record "
                         "%" PRIu64 ": verify it in Postgres (--db)",
                         c->anchors->at[i].seq, base->seq);
    return check_anchors(c->anchors, c->report->seq, c->report->hash, f);
}

static bool check_end(const check *c, findings *f)
{
    const uint64_t seq = c->report->seq;

    for (size_t i = 0; i < c->anchors->count; i++)
        if (c->anchors->at[i].seq > seq)
            return fault(f, "truncated", seq + 1,
                         "truncated: the journal ends at record %" PRIu64
                         ", but the %s head is record %" PRIu64,
                         seq, c->anchors->at[i].own ? "daemon's" : "kept", c->anchors->at[i].seq);
    return true;
}

/* The source could not be read to its end; always false. */
static bool broken(const check *c, findings *f)
{
    const source *from = c->policies->from;
    const bool next = strcmp(from->fault, "damaged") == 0 || strcmp(from->fault, "truncated") == 0;

    return fault(f, from->fault, next ? c->report->seq + 1 : 0, "%s", from->message);
}

/* What the source holds beside the records. */
static bool prove(const check *c, findings *f)
{
    source *from = c->policies->from;

    return from->ops->prove == NULL || from->ops->prove(from, &c->halted) ||
           fault(f, from->fault, 0, "%s", from->message);
}

bool chain_check(source *from, const source_chain *chain, policy_set *policies,
                 const anchor_list *anchors, chain_report *out)
{
    check c = {chain, policies, anchors, out, {0}};
    const walk_job job = {.from = from,
                          .chain = chain,
                          .findings_size = sizeof(findings),
                          .context = &c,
                          .judge = judge,
                          .take = take};
    findings f = {0};
    bool fine;

    *out = (chain_report){.chain = *chain};
    if (chain->base.given) {
        out->seq = chain->base.seq;
        memcpy(out->hash, chain->base.hash, sizeof out->hash);
    }
    if (!check_base(&c, &f)) return report_fault(out, &f);
    fine = walk_run(&job);
    if (out->fault == NULL && !(fine ? check_end(&c, &f) && prove(&c, &f) : broken(&c, &f)))
        report_fault(out, &f);
    halt_check_free(&c.halted);
    return out->fault == NULL;
}
