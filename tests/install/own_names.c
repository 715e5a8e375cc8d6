/* SPDX-License-Identifier: MIT
 * A program whose own functions are called as internal ones of the library are,
 * linked with libhedge.a: each side gets its own. */
#include <hedge/hedge.h>

#include <stdio.h>
#include <string.h>

/* Counts its calls: the library must make none of them. */
static int calls;

#define TAKEN(name)                                                                                \
    int name(void);                                                                                \
    int name(void)                                                                                 \
    {                                                                                              \
        return ++calls;                                                                            \
    }

TAKEN(error_set)
TAKEN(limits_trip)
TAKEN(limits_defaults)
TAKEN(decision_make)
TAKEN(struct_size_ok)
TAKEN(struct_size_copy)
TAKEN(policy_new)
TAKEN(policy_finish)
TAKEN(policy_fail)
TAKEN(yaml_tree_read)
TAKEN(curve_equal)
TAKEN(curve_slopes_pchip)
TAKEN(liquidity_ratio)

/* Inlined away in the library, or static there. */
int curve_find(void);
int curve_find(void)
{
    return ++calls;
}

/* Data too. */
int limits_table = 7;

static int32_t stop_when_begun(void *context, double done)
{
    (void)context;
    return done > 0;
}

/* What is chosen by processor when the program starts, ifunc and target_clones,
 * is chosen in a static program too. */
static int curves_work(const hedge_policy *policy)
{
    const hedge_curve *curve = hedge_policy_curve(policy, 0);
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    double score = 0.4, hedge = 0;

    hedge_curve_eval_n(curve, &score, &hedge, 1);
    return hedge > 0.25 && hedge < 0.75 && hedge_curve_eval(curve, score) == hedge &&
           hedge_curve_certify(curve, stop_when_begun, NULL, &out) == HEDGE_E_STOPPED &&
           out.tried > 0 && out.fault == HEDGE_CERTIFY_FINE;
}

static int library_works(const char *path)
{
    static const char bad[] = "curve: {knots: [[0, 0], [1, 2]]}\n";
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_request request = HEDGE_INIT(hedge_request);
    hedge_quote quote = HEDGE_INIT(hedge_quote);
    hedge_decision decision = HEDGE_INIT(hedge_decision);
    hedge_policy *policy;
    int32_t code;
    int fine;

    code = hedge_policy_parse(bad, strlen(bad), &error, &policy);
    if (code != HEDGE_E_POLICY || strcmp(error.field, "curve.knots[1]") != 0) return 0;
    if (hedge_policy_load(path, &error, &policy) != HEDGE_OK) return 0;
    request.amount_usd = 1000;
    code = hedge_size(policy, &request, &quote, 0, &decision);
    fine = curves_work(policy);
    hedge_policy_free(policy);
    return fine && code == HEDGE_TRIP_NO_QUOTE &&
           (decision.flags & HEDGE_FLAG(HEDGE_TRIP_NO_QUOTE)) != 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || !library_works(argv[1])) {
        fprintf(stderr, "the library does not work beside names of ours\n");
        return 1;
    }
    if (calls != 0 || limits_table != 7) {
        fprintf(stderr, "the library called %d functions of ours\n", calls);
        return 1;
    }
    return error_set() == 1 && decision_make() == 2 && curve_find() == 3 ? 0 : 1;
}
