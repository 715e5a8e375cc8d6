/* SPDX-License-Identifier: MIT
 * explain_report.c: the steps of a decision as text and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "explanation.h"
#include "json.h"
#include "moment.h"
#include "number.h"
#include "plain.h"

enum { HEX_MAX = 2 * HEDGE_HASH_SIZE + 1 };

/* A number's text, good until the same slot is used again. */
static const char *say(double number)
{
    static char texts[16][NUMBER_TEXT_MAX];
    static size_t next;
    char *text = texts[next++ % 16];

    number_write(number, text);
    return text;
}

static const char *say_hash(const uint8_t hash[HEDGE_HASH_SIZE])
{
    static char texts[4][HEX_MAX];
    static size_t next;
    char *text = texts[next++ % 4];

    number_write_hex(hash, HEDGE_HASH_SIZE, text);
    return text;
}

static const char *action_name(int32_t action)
{
    static const char *const names[] = {"reject", "floor", "flag"};

    return action >= 0 && action <= HEDGE_ACTION_FLAG ? names[action] : "unknown";
}

static const char *state_name(breaker_state state)
{
    static const char *const names[] = {"fine", "tripped", "rejected", "not_reached", "not_judged"};

    return names[state];
}

static const char *blend_name(int32_t blend)
{
    static const char *const names[] = {"min", "harmonic", "geometric", "product"};

    return blend >= 0 && blend <= HEDGE_BLEND_PRODUCT ? names[blend] : "unknown";
}

/* ---- halts and resumes ----------------------------------------------------------- */

static bool is_order(const hedge_record *r)
{
    return r->kind == HEDGE_RECORD_HALT || r->kind == HEDGE_RECORD_RESUME;
}

/* The note of an order is `ACTOR REASON`; returns the reason. */
static const char *split_note(const hedge_record *r, char actor[sizeof(r->note)])
{
    const size_t n = strcspn(r->note, " ");

    memcpy(actor, r->note, n);
    actor[n] = '\0';
    return r->note[n] == ' ' ? r->note + n + 1 : r->note + n;
}

static void print_note(const hedge_record *r, FILE *out)
{
    char actor[sizeof(r->note)];

    if (is_order(r)) {
        const char *reason = split_note(r, actor);

        fprintf(out, "              %s by %s\n",
                r->kind == HEDGE_RECORD_HALT ? "halted" : "resumed", plain(actor));
        fprintf(out, "              because: %s\n", plain(reason));
    } else if (r->note[0] != '\0') {
        fprintf(out, "              %s\n", plain(r->note));
    }
}

/* ---- text: the record ----------------------------------------------------------- */

static void print_record(const explanation *x, FILE *out)
{
    const hedge_record *r = &x->record;
    char time[MOMENT_TEXT_MAX], id[37] = "";

    moment_write(r->ts_ns, time);
    hedge_record_id(r->writer, r->seq, id);
    fprintf(out, "record        %" PRIu64 " of writer %016" PRIx64 ", %s, id %s\n", r->seq,
            r->writer, source_kind_name(r->kind), id);
    fprintf(out, "              %s%s%s, by %s\n", time,
            r->asset[0] != '\0' || is_order(r) ? ", " : "",
            is_order(r) && r->asset[0] == '\0' ? "everything" : plain(r->asset), plain(r->build));
    print_note(r, out);
    fprintf(out, "              hash %s\n", say_hash(x->hash));
    if (!x->linked)
        fprintf(out, "              the record before it is not here\n");
    else if (x->follows)
        fprintf(out, "              which follows from its bytes and %s\n", say_hash(x->previous));
    else
        fprintf(out, "              which does NOT follow from its bytes and %s\n",
                say_hash(x->previous));
}

/* How old something was when it was decided on, held at the ends as hedge_size holds it. */
static const char *say_age(int64_t now_ns, int64_t then_ns)
{
    int64_t age_ns;

    if (__builtin_sub_overflow(now_ns, then_ns, &age_ns))
        age_ns = then_ns < 0 ? INT64_MAX : INT64_MIN;
    return say((double)age_ns / 1e6);
}

static void print_inputs(const explanation *x, FILE *out)
{
    const hedge_request *r = &x->record.request;
    const hedge_quote *q = &x->record.quote;
    const hedge_decision *d = &x->record.decision;

    fprintf(out, "\nrequest       amount_usd %s", say(r->amount_usd));
    if ((r->flags & HEDGE_REQUEST_OVERRIDE) != 0)
        fprintf(out, ", override_score %s", say(r->override_score));
    fprintf(out, "\nquote         ");
    if ((q->flags & HEDGE_QUOTE_SCORE) != 0)
        fprintf(out, "score %s, confidence %s, %s ms old", say(q->score), say(q->confidence),
                say_age(d->ts_ns, q->score_ts_ns));
    else
        fprintf(out, "no score");
    if ((q->flags & HEDGE_QUOTE_PREVIOUS) != 0)
        fprintf(out, "; before it %s", say(q->previous_score));
    fprintf(out, "\n              ");
    if ((q->flags & HEDGE_QUOTE_DEPTH) != 0)
        fprintf(out, "depth1pct_usd %s, %s ms old\n", say(q->depth1pct_usd),
                say_age(d->ts_ns, q->depth_ts_ns));
    else
        fprintf(out, "no depth\n");
    if ((q->flags & HEDGE_QUOTE_HALTED) != 0) fprintf(out, "              halted by an operator\n");
}

static void print_policy(const explanation *x, FILE *out)
{
    fprintf(out, "policy        %s\n", say_hash(x->record.policy_hash));
    if (!x->named) {
        fprintf(out, "              does not name the asset\n");
        return;
    }
    fprintf(out, "              %s curve through %zu knots, max_hedge_pct %s\n",
            hedge_method_name(hedge_curve_method(x->curve)), hedge_curve_knot_count(x->curve),
            say(x->rules.max_hedge_pct));
}

/* ---- text: breakers --------------------------------------------------------------- */

static void print_limit(const explained_breaker *b, int32_t trip, FILE *out)
{
    const char *space = b->unit[0] != '\0' ? " " : "";

    if (trip == HEDGE_TRIP_EXTREME_SCORE)
        fprintf(out, "%s in [%s, %s]", say(b->value), say(b->limit), say(b->upper));
    else
        fprintf(out, "%s%s%s, %s %s", say(b->value), space, b->unit,
                trip == HEDGE_TRIP_MIN_DEPTH || trip == HEDGE_TRIP_MIN_CONFIDENCE ? "at least"
                                                                                  : "at most",
                say(b->limit));
    fprintf(out, "; margin %s", say(b->margin));
}

static void print_breakers(const explanation *x, FILE *out)
{
    static const char *const words[] = {"fine", "TRIPPED", "REJECTED", "not reached", "not judged"};

    fprintf(out, "\nbreakers\n");
    for (int32_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        const explained_breaker *b = &x->breakers[i];
        const int32_t trip = HEDGE_TRIP_HALTED - i;

        fprintf(out, "  %-15s %s", hedge_status_name(trip), words[b->state]);
        if (x->named && b->measured && b->state != BREAKER_NOT_JUDGED) {
            fprintf(out, "%*s", (int)(13 - strlen(words[b->state])), "");
            print_limit(b, trip, out);
        }
        if (b->state == BREAKER_TRIPPED && b->action == HEDGE_ACTION_FLOOR)
            fprintf(out, " -> floor %s", say(b->floor));
        else if (b->state == BREAKER_TRIPPED || b->state == BREAKER_REJECTED)
            fprintf(out, " -> %s",
                    b->state == BREAKER_REJECTED ? "reject" : action_name(b->action));
        putc('\n', out);
    }
}

/* ---- text: numbers ---------------------------------------------------------------- */

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* A step that does not give what was recorded says so. */
static void print_recorded(double step, double recorded, FILE *out)
{
    if (!same_bits(step, recorded)) fprintf(out, "   NOT the recorded %s", say(recorded));
    putc('\n', out);
}

/* The same for a step on the way: a rejection keeps none of them. */
static void print_step(const explanation *x, double step, double recorded, FILE *out)
{
    if (x->again.decision.status == HEDGE_OK)
        print_recorded(step, recorded, out);
    else if (same_bits(recorded, 0))
        fputs("   (0 in the record, as on every rejection)\n", out);
    else
        fprintf(out, "   NOT the recorded %s; on a rejection it is 0\n", say(recorded));
}

static void print_weight(const explanation *x, FILE *out)
{
    const hedge_rules *r = &x->rules;
    const char *depth = say(x->record.quote.depth1pct_usd);
    const bool log = r->weight == HEDGE_WEIGHT_LOG;

    if (!x->depth_used) return;
    if (log)
        fprintf(out, "\nweight        min(1, log1p(%s) / log1p(%s)) = %s", depth,
                say(r->full_depth_usd), say(x->weight));
    else
        fprintf(out, "\nweight        %s / (%s + %s) = %s", depth, depth, say(r->half_depth_usd),
                say(x->weight));
    print_step(x, x->weight, x->record.decision.liquidity_weight, out);
    if (!x->score_used) return;
    fprintf(out, "effective     %s %s * weight %s = %s",
            (x->record.request.flags & HEDGE_REQUEST_OVERRIDE) != 0 ? "override_score" : "score",
            say(x->score), say(x->weight), say(x->effective_score));
    print_step(x, x->effective_score, x->record.decision.effective_score, out);
}

static void print_curve(const explanation *x, FILE *out)
{
    const hedge_piece *p = &x->piece;

    fprintf(out, "              on the grid of 2^-30: %s\n", say(x->snapped));
    if (!x->in_piece) {
        fprintf(out, "curve         outside of the knots, whose end holds: %s\n",
                say(x->curve_hedge));
        return;
    }
    fprintf(out, "curve         between the knots (%s, %s) and (%s, %s), piece %zu of %zu\n",
            say(x->left[0]), say(x->left[1]), say(x->right[0]), say(x->right[1]),
            x->piece_index + 1, hedge_curve_piece_count(x->curve));
    fprintf(out, "              e = %s - %s = %s\n", say(x->snapped), say(p->knot), say(x->e));
    fprintf(out, "              hedge = %s + e (%s + e (%s + e * %s)) = %s", say(p->hedge),
            say(p->b), say(p->c), say(p->d), say(x->piece_hedge));
    print_recorded(x->piece_hedge, x->curve_hedge, out);
    fprintf(out, "              slope %s: a score higher by 0.01 hedges about %s more\n",
            say(x->slope), say(x->slope / 100));
}

static void print_hedge(const explanation *x, FILE *out)
{
    const double made = x->again.decision.hedge_pct, recorded = x->record.decision.hedge_pct;

    if (same_bits(made, recorded))
        fprintf(out, "hedge_pct     %s", say(made));
    else
        fprintf(out, "hedge_pct     %s in the record, NOT %s %s", say(recorded),
                x->on_curve && !x->capped ? "the curve's" : "the", say(made));
    if (x->floored) fprintf(out, ", a declared floor");
    if (x->capped) fprintf(out, ", cut by max_hedge_pct %s", say(x->rules.max_hedge_pct));
    putc('\n', out);
}

static void print_confidence(const explanation *x, FILE *out)
{
    const hedge_decision *d = &x->record.decision;

    if (!x->score_used || !x->depth_used) return;
    if (x->rules.freshness != HEDGE_FRESHNESS_NONE)
        fprintf(out, "quality       weight %s * freshness %s = %s\n", say(x->weight),
                say(x->freshness), say(x->quality));
    fprintf(out, "confidence    %s(model %s, liquidity %s) = %s", blend_name(x->rules.blend),
            say(x->model_confidence), say(x->quality), say(x->blended));
    if (!x->floored || x->again.decision.status != HEDGE_OK)
        print_step(x, x->blended, d->confidence, out);
    else
        fprintf(out, "; recorded as %s%s\n", say(d->confidence),
                same_bits(d->confidence, 0) ? ", since no data stands behind a floor"
                                            : ", NOT the 0 of a floor");
}

static void print_rejection(const explanation *x, FILE *out)
{
    const int32_t status = x->again.decision.status;

    if (status == HEDGE_TRIP_MIN_CONFIDENCE) {
        print_weight(x, out);
        print_confidence(x, out);
    }
    fprintf(out, "\nanswer        rejected: %s. Every number is 0; the caller keeps its hedge",
            hedge_status_name(status));
    if (x->record.decision.status == HEDGE_OK)
        fputs("   NOT the recorded ok", out);
    else if (x->record.decision.status != status)
        fprintf(out, "   NOT the recorded %s", hedge_status_name(x->record.decision.status));
    putc('\n', out);
}

static void print_answer(const explanation *x, FILE *out)
{
    const hedge_decision *made = &x->again.decision;

    if (made->status != HEDGE_OK) {
        print_rejection(x, out);
        return;
    }
    print_weight(x, out);
    if (x->on_curve) print_curve(x, out);
    print_hedge(x, out);
    print_confidence(x, out);
    fprintf(out, "notional_usd  %s * %s = %s", say(x->record.request.amount_usd),
            say(made->hedge_pct), say(made->notional_usd));
    print_recorded(made->notional_usd, x->record.decision.notional_usd, out);
}

static void print_shadow(const explanation *x, FILE *out)
{
    const hedge_decision *s = &x->shadow.decision, *d = &x->record.decision;

    if (!x->shadowed) return;
    fprintf(out, "shadow        policy %.12s would have ", say_hash(x->shadow.policy_hash));
    if (s->status != HEDGE_OK)
        fprintf(out, "rejected: %s", hedge_status_name(s->status));
    else
        fprintf(out, "hedged %s with confidence %s", say(s->hedge_pct), say(s->confidence));
    if (s->status == HEDGE_OK && d->status == HEDGE_OK)
        fprintf(out, " (%s%s)", s->hedge_pct > d->hedge_pct ? "+" : "",
                s->hedge_pct == d->hedge_pct ? "the same hedge" : say(s->hedge_pct - d->hedge_pct));
    fprintf(out, "%s\n",
            !x->shadow_known ? "; its policy is not here"
            : x->shadow_same ? "; the same bits again"
                             : "; NOT the same again");
}

static void print_again(const explanation *x, FILE *out)
{
    if (x->same) {
        fprintf(out, "again         %s gives the same bits\n", hedge_version());
        return;
    }
    if (x->again.refused)
        fprintf(out, "again         %s cannot decide these inputs: no daemon made this record\n",
                hedge_version());
    else
        fprintf(out, "again         %s gives ANOTHER answer\n", hedge_version());
    for (size_t i = 0; i < x->again.count; i++)
        fprintf(out, "              %s: recorded %s, recomputed %s\n",
                x->again.differences[i].member, x->again.differences[i].recorded,
                x->again.differences[i].recomputed);
}

void explanation_text(const explanation *x, const char *name, FILE *out)
{
    fprintf(out, "%s\n\n", plain(name));
    print_record(x, out);
    if (!x->decided) return;
    print_inputs(x, out);
    if (x->again.refused) {
        fprintf(out,
                "              flags 0x%" PRIx32 " of the request, 0x%" PRIx32
                " of the quote: unknown ones are there\n",
                x->record.request.flags, x->record.quote.flags);
        fprintf(out, "policy        %s\n\n", say_hash(x->record.policy_hash));
    } else {
        print_policy(x, out);
        print_breakers(x, out);
        print_answer(x, out);
    }
    print_shadow(x, out);
    print_again(x, out);
}

/* ---- JSON --------------------------------------------------------------------------- */

static void write_record(json *j, const explanation *x)
{
    const hedge_record *r = &x->record;
    char text[MOMENT_TEXT_MAX];

    json_integer(j, "seq", (int64_t)r->seq);
    snprintf(text, sizeof text, "%016" PRIx64, r->writer);
    json_text(j, "writer", text);
    json_text(j, "kind", source_kind_name(r->kind));
    if (hedge_record_id(r->writer, r->seq, text) == HEDGE_OK) json_text(j, "id", text);
    moment_write(r->ts_ns, text);
    json_text(j, "time", text);
    json_integer(j, "ts_ns", r->ts_ns);
    json_text(j, "asset", r->asset);
    json_text(j, "version", r->build);
    json_text(j, "note", r->note);
    if (is_order(r)) {
        char actor[sizeof(r->note)];
        const char *reason = split_note(r, actor);

        json_text(j, "actor", actor);
        json_text(j, "reason", reason);
    }
    json_text(j, "policy", say_hash(r->policy_hash));
    json_text(j, "hash", say_hash(x->hash));
    json_text(j, "previous_hash", x->linked ? say_hash(x->previous) : NULL);
    if (x->linked) json_bool(j, "follows", x->follows);
}

static void write_inputs(json *j, const explanation *x)
{
    const hedge_request *r = &x->record.request;
    const hedge_quote *q = &x->record.quote;

    json_open_object(j, "request");
    json_number(j, "amount_usd", r->amount_usd);
    if ((r->flags & HEDGE_REQUEST_OVERRIDE) != 0)
        json_number(j, "override_score", r->override_score);
    json_close_object(j);
    json_open_object(j, "quote");
    json_bool(j, "halted", (q->flags & HEDGE_QUOTE_HALTED) != 0);
    if ((q->flags & HEDGE_QUOTE_SCORE) != 0) {
        json_number(j, "score", q->score);
        json_number(j, "confidence", q->confidence);
        json_integer(j, "score_ts_ns", q->score_ts_ns);
    }
    if ((q->flags & HEDGE_QUOTE_PREVIOUS) != 0) json_number(j, "previous_score", q->previous_score);
    if ((q->flags & HEDGE_QUOTE_DEPTH) != 0) {
        json_number(j, "depth1pct_usd", q->depth1pct_usd);
        json_integer(j, "depth_ts_ns", q->depth_ts_ns);
    }
    json_close_object(j);
}

static void write_decision(json *j, const char *name, const hedge_decision *d)
{
    json_open_object(j, name);
    json_text(j, "status", hedge_status_name(d->status));
    json_open_array(j, "flags");
    for (uint32_t bit = 0; bit < 32; bit++)
        if ((d->flags >> bit & 1) != 0) json_text(j, NULL, hedge_flag_name(bit));
    json_close_array(j);
    json_number(j, "hedge_pct", d->hedge_pct);
    json_number(j, "notional_usd", d->notional_usd);
    json_number(j, "confidence", d->confidence);
    json_number(j, "score", d->score);
    json_number(j, "liquidity_weight", d->liquidity_weight);
    json_number(j, "effective_score", d->effective_score);
    json_number(j, "liquidity_quality", d->liquidity_quality);
    json_integer(j, "score_age_ns", d->score_age_ns);
    json_integer(j, "depth_age_ns", d->depth_age_ns);
    json_close_object(j);
}

static void write_breakers(json *j, const explanation *x)
{
    json_open_array(j, "breakers");
    for (int32_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        const explained_breaker *b = &x->breakers[i];

        json_open_object(j, NULL);
        json_text(j, "breaker", hedge_status_name(HEDGE_TRIP_HALTED - i));
        json_text(j, "state", state_name(b->state));
        json_text(j, "action", action_name(b->action));
        if (b->action == HEDGE_ACTION_FLOOR) json_number(j, "floor", b->floor);
        if (b->field != NULL) json_text(j, "field", b->field);
        if (x->named && b->measured) {
            json_number(j, "value", b->value);
            json_number(j, "limit", b->limit);
            if (HEDGE_TRIP_HALTED - i == HEDGE_TRIP_EXTREME_SCORE)
                json_number(j, "upper", b->upper);
            json_number(j, "margin", b->margin);
        }
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_curve(json *j, const explanation *x)
{
    json_open_object(j, "curve");
    json_text(j, "method", hedge_method_name(hedge_curve_method(x->curve)));
    json_number(j, "score", x->snapped);
    json_number(j, "hedge", x->curve_hedge);
    json_number(j, "slope", x->slope);
    if (x->in_piece) {
        json_integer(j, "piece", (int64_t)x->piece_index);
        json_open_array(j, "knots");
        json_number(j, NULL, x->left[0]);
        json_number(j, NULL, x->left[1]);
        json_number(j, NULL, x->right[0]);
        json_number(j, NULL, x->right[1]);
        json_close_array(j);
        json_number(j, "knot", x->piece.knot);
        json_number(j, "knot_hedge", x->piece.hedge);
        json_number(j, "e", x->e);
        json_number(j, "b", x->piece.b);
        json_number(j, "c", x->piece.c);
        json_number(j, "d", x->piece.d);
    }
    json_close_object(j);
}

static void write_steps(json *j, const explanation *x)
{
    const hedge_rules *r = &x->rules;

    json_open_object(j, "weight");
    json_text(j, "formula", r->weight == HEDGE_WEIGHT_LOG ? "log" : "ratio");
    if (r->weight == HEDGE_WEIGHT_LOG)
        json_number(j, "full_depth_usd", r->full_depth_usd);
    else
        json_number(j, "half_depth_usd", r->half_depth_usd);
    json_number(j, "weight", x->weight);
    json_close_object(j);
    json_number(j, "effective_score", x->effective_score);
    if (x->on_curve) write_curve(j, x);
    json_number(j, "max_hedge_pct", r->max_hedge_pct);
    json_open_object(j, "confidence");
    json_text(j, "blend", blend_name(r->blend));
    json_number(j, "model", x->model_confidence);
    json_number(j, "freshness", x->freshness);
    json_number(j, "quality", x->quality);
    json_number(j, "blended", x->blended);
    json_close_object(j);
}

static void write_again(json *j, const explanation *x)
{
    json_open_object(j, "recomputed");
    json_text(j, "version", hedge_version());
    json_bool(j, "same", x->same);
    json_bool(j, "decidable", !x->again.refused);
    json_open_array(j, "members");
    for (size_t i = 0; i < x->again.count; i++) {
        json_open_object(j, NULL);
        json_text(j, "member", x->again.differences[i].member);
        json_text(j, "recorded", x->again.differences[i].recorded);
        json_text(j, "recomputed", x->again.differences[i].recomputed);
        json_close_object(j);
    }
    json_close_array(j);
    json_close_object(j);
}

void explanation_json(const explanation *x, const char *name, FILE *out)
{
    json j = {out, false};

    json_open_object(&j, NULL);
    json_text(&j, "path", name);
    json_bool(&j, "ok", !x->decided || x->same);
    if (x->decided && !x->same) json_text(&j, "fault", "differs");
    if (x->decided && !x->same)
        json_text(&j, "message",
                  x->again.refused ? "its inputs cannot be decided: no daemon made this record"
                                   : "its inputs and its policy give another answer");
    write_record(&j, x);
    if (x->decided) {
        write_inputs(&j, x);
        if (!x->again.refused) write_breakers(&j, x);
        if (x->named && !x->again.refused) write_steps(&j, x);
        write_decision(&j, "decision", &x->record.decision);
        if (x->shadowed) {
            json_open_object(&j, "shadow");
            json_text(&j, "policy", say_hash(x->shadow.policy_hash));
            write_decision(&j, "decision", &x->shadow.decision);
            if (x->shadow_known) json_bool(&j, "same", x->shadow_same);
            json_close_object(&j);
        }
        write_again(&j, x);
    }
    json_close_object(&j);
    putc('\n', out);
}
