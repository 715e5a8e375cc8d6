/* SPDX-License-Identifier: MIT
 * embed: sizes one hedge in process.
 *   cc embed.c $(pkg-config --cflags --libs hedge) -o embed && ./embed policy.yaml */
#include <hedge/hedge.h>

#include <stdio.h>
#include <time.h>

int main(int argc, char **argv)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    hedge_decision decision = HEDGE_INIT(hedge_decision);
    const int64_t now_ns = (int64_t)time(NULL) * 1000000000;
    hedge_policy *policy;

    if (hedge_policy_load(argc > 1 ? argv[1] : "policy.yaml", &error, &policy) != HEDGE_OK) {
        fprintf(stderr, "%s:%d: %s: %s\n", error.file, error.line, error.field, error.message);
        return 1;
    }
    request.asset = hedge_policy_asset(policy, "BTC");
    request.amount_usd = 250000.0;
    quote.flags = HEDGE_QUOTE_SCORE | HEDGE_QUOTE_DEPTH;
    quote.score = 0.62;
    quote.confidence = 0.9;
    quote.depth1pct_usd = 780341.2;
    quote.score_ts_ns = quote.depth_ts_ns = now_ns;

    const int32_t code = hedge_size(policy, &request, &quote, now_ns, &decision);
    if (code == HEDGE_OK)
        printf("hedge %.4f of the exposure: %.2f USD, confidence %.3f\n", decision.hedge_pct,
               decision.notional_usd, decision.confidence);
    else
        printf("keep the hedge you have: %s\n", hedge_status_text(code));
    hedge_policy_free(policy);
    return code == HEDGE_OK ? 0 : 1;
}
