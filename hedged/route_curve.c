/* SPDX-License-Identifier: MIT
 * route_curve: GET /curve and POST /curve/reload. */
#include "app.h"

#include "json.h"

#include <stdio.h>

#define POINTS_MAX 10001

static void write_pair(text *out, bool first, double score, double hedge)
{
    text_puts(out, first ? "[" : ",[");
    text_json_double(out, score);
    text_puts(out, ",");
    text_json_double(out, hedge);
    text_puts(out, "]");
}

static void write_curve(const app *a, const live_policy *policy, int32_t asset, uint64_t points,
                        text *out)
{
    const hedge_curve *curve = hedge_policy_curve(policy->policy, asset);
    hedge_rules rules = HEDGE_INIT(hedge_rules);

    hedge_policy_rules(policy->policy, asset, &rules);
    text_puts(out, "{");
    text_member_string(out, "asset", hedge_policy_asset_name(policy->policy, asset));
    text_member_string(out, "policy", hedge_policy_hash_hex(policy->policy));
    text_member_string(out, "method", hedge_method_name(hedge_curve_method(curve)));
    text_member_bool(out, "certified", a->settings->certify);
    text_member_double(out, "max_hedge_pct", rules.max_hedge_pct);
    text_name(out, "knots");
    text_puts(out, "[");
    for (size_t i = 0; i < hedge_curve_knot_count(curve); i++) {
        double score, hedge;

        hedge_curve_knot(curve, i, &score, &hedge);
        write_pair(out, i == 0, score, hedge);
    }
    text_puts(out, "]");
    if (points > 0) {
        text_name(out, "points");
        text_puts(out, "[");
        for (uint64_t i = 0; i < points; i++) {
            const double score = (double)i / (double)(points - 1);

            write_pair(out, i == 0, score, hedge_curve_eval(curve, score));
        }
        text_puts(out, "]");
    }
    text_puts(out, "}");
}

static bool read_asset(const http_request *request, const live_policy *policy, int32_t *out,
                       problem *p)
{
    char name[64];
    const int found = http_query(request, "asset", name, sizeof(name));

    *out = 0;
    if (found == 0) return true;
    *out = found > 0 ? hedge_policy_asset(policy->policy, name) : HEDGE_E_NOT_FOUND;
    return *out >= 0 ||
           problem_set(p, 404, "unknown_asset", "asset", "the policy does not name this asset");
}

void route_curve(void *context, const http_request *request, http_reply *reply)
{
    static const char *const names[] = {"asset", "points", NULL};
    app *a = context;
    live_policy *policy = live_acquire(a->live);
    uint64_t points = 0; /* none */
    int32_t asset;
    problem p;

    if (http_query_known(request, names, &p) &&
        http_query_number(request, "points", 2, POINTS_MAX, &points, &p) &&
        read_asset(request, policy, &asset, &p))
        write_curve(a, policy, asset, points, &reply->body);
    else
        http_reply_problem(reply, &p);
    live_release(policy);
}

void route_reload(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    policy_reload result;
    problem p;

    (void)request;
    policy_watch_reload(a->watch, "request", &result);
    if (result.ok) {
        text_puts(&reply->body, "{");
        text_member_string(&reply->body, "policy", result.hash);
        text_member_string(&reply->body, "previous", result.previous);
        text_member_bool(&reply->body, "changed", result.changed);
        text_puts(&reply->body, "}");
        return;
    }
    problem_set(&p, result.our_fault ? 503 : 422, result.our_fault ? "not_loaded" : "bad_policy",
                result.error.field, "%s; the old policy stays live", result.error.message);
    if (result.our_fault) p.retry_after_s = 3;
    snprintf(p.file, sizeof(p.file), "%s", result.error.file);
    p.line = result.error.line;
    http_reply_problem(reply, &p);
}
