/* SPDX-License-Identifier: MIT
 * route_quotes: PUT /quotes/{asset} and GET /quotes. */
#include "app.h"

#include "clock.h"
#include "json.h"

#include <math.h>

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

static void write_quote(const char *name, const hedge_quote *q, int64_t now_ns, text *out)
{
    text_puts(out, "{");
    text_member_string(out, "asset", name);
    text_member_bool(out, "halted", (q->flags & HEDGE_QUOTE_HALTED) != 0);
    if (q->flags & HEDGE_QUOTE_SCORE) {
        text_member_double(out, "score", q->score);
        if (q->flags & HEDGE_QUOTE_PREVIOUS)
            text_member_double(out, "previous_score", q->previous_score);
        text_member_double(out, "confidence", q->confidence);
        text_member_int(out, "ts_ms", q->score_ts_ns / NS_PER_MS);
        text_member_int(out, "age_ms", clock_age_ns(now_ns, q->score_ts_ns) / NS_PER_MS);
    }
    if (q->flags & HEDGE_QUOTE_DEPTH) {
        text_member_double(out, "depth1pct_usd", q->depth1pct_usd);
        text_member_int(out, "depth_ts_ms", q->depth_ts_ns / NS_PER_MS);
        text_member_int(out, "depth_age_ms", clock_age_ns(now_ns, q->depth_ts_ns) / NS_PER_MS);
    }
    text_puts(out, "}");
}

void route_quotes(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    live_policy *policy;

    (void)request;
    policy = live_acquire(a->live);
    text_puts(&reply->body, "{\"quotes\":[");
    for (size_t i = 0; i < hedge_policy_asset_count(policy->policy); i++) {
        const hedge_quote q = live_quote(a->live, policy, (int32_t)i);

        if (i > 0) text_puts(&reply->body, ",");
        write_quote(hedge_policy_asset_name(policy->policy, (int32_t)i), &q, clock_wall_ns(),
                    &reply->body);
    }
    text_puts(&reply->body, "]}");
    live_release(policy);
}

/* A time in milliseconds, now where it is not given; not before 1970, and not
 * further ahead than the allowed skew: it would make all later quotes older. */
static bool read_time(const cJSON *object, const char *name, int64_t skew_ns, int64_t now_ns,
                      bool *given, int64_t *out, problem *p)
{
    double ms = 0.0;

    if (!json_number(object, name, given, &ms, p)) return false;
    *out = now_ns;
    if (!*given) return true;
    if (!(ms >= 0.0 && ms * NS_PER_MS < 9.2e18))
        return problem_set(p, 422, "bad_value", name, "must be a Unix time in milliseconds");
    *out = llround(ms * 1000.0) * 1000; /* to the microsecond */
    if (*out - now_ns > skew_ns)
        return problem_set(p, 422, "bad_value", name,
                           "is in the future by more than max_clock_skew_ms (%g)",
                           (double)skew_ns / NS_PER_MS);
    return true;
}

static bool read_update(const cJSON *object, int64_t skew_ns, live_update *out, problem *p)
{
    static const char *const names[] = {"score",         "confidence",  "ts_ms",
                                        "depth1pct_usd", "depth_ts_ms", NULL};
    const int64_t now_ns = clock_wall_ns();
    bool confidence, ts, depth_ts;

    *out = (live_update){.confidence = 1.0};
    if (!json_check_members(object, names, p) ||
        !json_number(object, "score", &out->has_score, &out->score, p) ||
        !json_number(object, "confidence", &confidence, &out->confidence, p) ||
        !json_number(object, "depth1pct_usd", &out->has_depth, &out->depth1pct_usd, p) ||
        !read_time(object, "ts_ms", skew_ns, now_ns, &ts, &out->score_ts_ns, p) ||
        !read_time(object, "depth_ts_ms", skew_ns, now_ns, &depth_ts, &out->depth_ts_ns, p))
        return false;
    if (!out->has_score && !out->has_depth)
        return problem_set(p, 422, "bad_value", "score",
                           "score or depth1pct_usd or both are wanted");
    if (!out->has_score && (confidence || ts))
        return problem_set(p, 422, "bad_value", "score",
                           "missing: confidence and ts_ms go with a score");
    if (!out->has_depth && depth_ts)
        return problem_set(p, 422, "bad_value", "depth1pct_usd",
                           "missing: depth_ts_ms goes with a depth");
    if (out->has_score && !in_unit(out->score))
        return problem_set(p, 422, "bad_value", "score", "must be from 0 to 1");
    if (!in_unit(out->confidence))
        return problem_set(p, 422, "bad_value", "confidence", "must be from 0 to 1");
    if (out->has_depth && !(out->depth1pct_usd >= 0.0))
        return problem_set(p, 422, "bad_value", "depth1pct_usd", "must be 0 or more");
    return true;
}

static bool put(app *a, const http_request *request, const live_policy *policy, http_reply *reply,
                problem *p)
{
    const int32_t asset = hedge_policy_asset(policy->policy, request->name);
    live_update update;
    hedge_quote now;
    cJSON *object;
    bool ok;

    if (asset < 0)
        return problem_set(p, 404, "unknown_asset", NULL, "the policy does not name this asset");
    object = json_read_object(request->body, request->body_size, p);
    if (object == NULL) return false;
    ok = read_update(object, live_skew_ns(policy, asset), &update, p);
    cJSON_Delete(object);
    if (!ok) return false;
    if (live_put(a->live, policy, asset, &update) == HEDGE_E_OLDER) {
        atomic_fetch_add_explicit(&a->metrics.older_puts, 1, memory_order_relaxed);
        return problem_set(p, 409, "older_quote", NULL, "%s", hedge_status_text(HEDGE_E_OLDER));
    }
    now = live_quote(a->live, policy, asset);
    write_quote(request->name, &now, clock_wall_ns(), &reply->body);
    return true;
}

void route_put_quote(void *context, const http_request *request, http_reply *reply)
{
    app *a = context;
    live_policy *policy = live_acquire(a->live);
    problem p;

    if (!put(a, request, policy, reply, &p)) http_reply_problem(reply, &p);
    live_release(policy);
}
