/* SPDX-License-Identifier: MIT
 * decision_columns: many decisions, a column each of what goes in and out. */
#include "decision.h"
#include "struct_size.h"

#include <math.h>

/* What holds for every row: flags that follow from which columns are there. */
static uint32_t request_flags_of(const hedge_size_in *in)
{
    return in->override_score != NULL ? HEDGE_REQUEST_OVERRIDE : 0;
}

static uint32_t quote_flags_of(const hedge_size_in *in)
{
    uint32_t flags = 0;

    if (in->score != NULL) flags |= HEDGE_QUOTE_SCORE;
    if (in->previous_score != NULL) flags |= HEDGE_QUOTE_PREVIOUS;
    if (in->depth1pct_usd != NULL) flags |= HEDGE_QUOTE_DEPTH;
    return flags;
}

static void read_request(const hedge_size_in *in, size_t i, hedge_request *request)
{
    if (in->asset != NULL) request->asset = in->asset[i];
    request->amount_usd = in->amount_usd[i];
    if (in->override_score != NULL) request->override_score = in->override_score[i];
    if (in->request_flags != NULL) request->flags = in->request_flags[i];
}

static void read_quote(const hedge_size_in *in, size_t i, int64_t now_ns, hedge_quote *quote)
{
    if (in->score != NULL) quote->score = in->score[i];
    if (in->confidence != NULL) quote->confidence = in->confidence[i];
    if (in->previous_score != NULL) quote->previous_score = in->previous_score[i];
    if (in->depth1pct_usd != NULL) quote->depth1pct_usd = in->depth1pct_usd[i];
    quote->score_ts_ns = in->score_ts_ns != NULL ? in->score_ts_ns[i] : now_ns;
    quote->depth_ts_ns = in->depth_ts_ns != NULL ? in->depth_ts_ns[i] : now_ns;
    if (in->quote_flags != NULL) quote->flags = in->quote_flags[i];
}

static void write_decision(const hedge_size_out *out, size_t i, const hedge_decision *d)
{
    if (out->status != NULL) out->status[i] = d->status;
    if (out->flags != NULL) out->flags[i] = d->flags;
    if (out->hedge_pct != NULL) out->hedge_pct[i] = d->hedge_pct;
    if (out->notional_usd != NULL) out->notional_usd[i] = d->notional_usd;
    if (out->confidence != NULL) out->confidence[i] = d->confidence;
    if (out->score != NULL) out->score[i] = d->score;
    if (out->liquidity_weight != NULL) out->liquidity_weight[i] = d->liquidity_weight;
    if (out->effective_score != NULL) out->effective_score[i] = d->effective_score;
    if (out->liquidity_quality != NULL) out->liquidity_quality[i] = d->liquidity_quality;
    if (out->score_age_ns != NULL) out->score_age_ns[i] = d->score_age_ns;
    if (out->depth_age_ns != NULL) out->depth_age_ns[i] = d->depth_age_ns;
}

static void decide_rows(const hedge_policy *policy, const hedge_size_in *in, size_t n,
                        const hedge_size_out *out)
{
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    hedge_decision decision = HEDGE_INIT(hedge_decision);

    request.asset = in->asset_all;
    request.flags = request_flags_of(in);
    /* A flag may claim a number whose column is not there: it is NaN, which
     * fails every gate, and not a score or depth of 0. */
    request.override_score = quote.score = quote.previous_score = quote.depth1pct_usd = (double)NAN;
    quote.confidence = 1.0;
    quote.flags = quote_flags_of(in);
    for (size_t i = 0; i < n; i++) {
        const int64_t now_ns = in->now_ns != NULL ? in->now_ns[i] : in->now_all_ns;

        read_request(in, i, &request);
        read_quote(in, i, now_ns, &quote);
        if (decision_make(policy, &request, &quote, now_ns, &decision) == HEDGE_E_ARG) {
            decision = (hedge_decision)HEDGE_INIT(hedge_decision);
            decision.status = HEDGE_E_ARG;
        }
        write_decision(out, i, &decision);
    }
}

int32_t hedge_size_n(const hedge_policy *policy, const hedge_size_in *in, size_t n,
                     const hedge_size_out *out)
{
    hedge_size_in columns_in;
    hedge_size_out columns_out;

    if (policy == NULL || in == NULL || out == NULL) return HEDGE_E_ARG;
    if (!struct_size_ok(in, OLDEST_SIZE_IN, sizeof(columns_in)) ||
        !struct_size_ok(out, OLDEST_SIZE_OUT, sizeof(columns_out)))
        return HEDGE_E_STRUCT_SIZE;
    struct_size_copy(&columns_in, in, sizeof(columns_in));
    struct_size_copy(&columns_out, out, sizeof(columns_out));
    if (columns_in.amount_usd == NULL || columns_out.reserved != 0) return HEDGE_E_ARG;
    decide_rows(policy, &columns_in, n, &columns_out);
    return HEDGE_OK;
}
