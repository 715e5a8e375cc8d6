/* SPDX-License-Identifier: MIT
 * Bad policies: each refused with its code, its line and its field. */
#include "support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SYNTAX HEDGE_E_SYNTAX
#define POLICY HEDGE_E_POLICY
#define CURVE HEDGE_E_CURVE
#define LARGE HEDGE_E_TOO_LARGE

/* Two lines that make a policy; what follows is at fault from line 3 on. */
#define HEAD "# head\ncurve: {knots: [[0, 0], [1, 1]]}\n"

typedef struct bad_policy {
    const char *text;
    int32_t code, line;
    const char *field; /* a part of it; "": not looked at */
} bad_policy;

static const bad_policy not_yaml[] = {
    {HEAD "limits: {stale_score_ms: 5\n", SYNTAX, 0, ""},
    {HEAD "limits: [1, 2\nassets: {}\n", SYNTAX, 4, ""},
    {HEAD "limits: {a: b}}\n", SYNTAX, 3, ""},
    {HEAD "max_hedge_pct: 0.5: 1\n", SYNTAX, 3, ""},
    {HEAD "limits:\n\tstale_score_ms: 5\n", SYNTAX, 4, ""},
    {HEAD "limits:\n  stale_score_ms: 5\n stale_depth_ms: 5\n", SYNTAX, 5, ""},
    {HEAD "max_hedge_pct: \"0.5\n", SYNTAX, 0, ""},
    {HEAD "- 1\n", SYNTAX, 3, ""},
    {HEAD "a: 'x' y\n", SYNTAX, 3, ""},
    {HEAD "max_hedge_pct: @5\n", SYNTAX, 3, ""},
    {HEAD "max_hedge_pct: `5\n", SYNTAX, 3, ""},
    {HEAD "max_hedge_pct: %5\n", SYNTAX, 3, ""},
    {HEAD "\"\\q\": 5\n", SYNTAX, 3, ""},
    {HEAD "max_hedge_pct: \"\\0\"\n", SYNTAX, 3, ""},
    {HEAD "# \xff\xfe\n", SYNTAX, 3, ""},
    {HEAD "# \xc3\x28\n", SYNTAX, 3, ""},
    {HEAD "# \xc0\x80\n", SYNTAX, 3, ""},
    {HEAD "# \xed\xa0\x80\n", SYNTAX, 3, ""},
    {HEAD "# \xf4\x90\x80\x80\n", SYNTAX, 3, ""},
    {HEAD "# \xe2\x82", SYNTAX, 3, ""},
    {HEAD "# \x01\n", SYNTAX, 3, ""},
    {HEAD "# \x7f\n", SYNTAX, 3, ""},
};

static const bad_policy not_plain[] = {
    {"", POLICY, 1, ""},
    {"\n\n# nothing\n", POLICY, 0, ""},
    {"---\n", POLICY, 0, ""},
    {"42\n", POLICY, 1, ""},
    {"curve\n", POLICY, 1, ""},
    {"~\n", POLICY, 1, ""},
    {"{}\n", POLICY, 1, "curve"},
    {"[]\n", POLICY, 1, ""},
    {HEAD "---\n" HEAD, POLICY, 3, ""},
    {HEAD "...\n---\n{}\n", POLICY, 4, ""},
    {HEAD "confidence: &a {blend: min}\n", POLICY, 3, ""},
    {HEAD "max_hedge_pct: &a 1\n", POLICY, 3, ""},
    {"%YAML 1.1\n---\n" HEAD, POLICY, 1, ""},
    {HEAD "...\n%TAG !a! tag:b,2020:\n", POLICY, 4, ""},
    {HEAD "assets:\n  A: &x\n    max_hedge_pct: 1\n  B: *x\n", POLICY, 4, ""},
    {HEAD "assets: {A: {}, B: *x}\n", POLICY, 3, ""},
    {HEAD "max_hedge_pct: !!float 1\n", POLICY, 3, ""},
    {HEAD "max_hedge_pct: !x 1\n", POLICY, 3, ""},
    {HEAD "limits: !!map {}\n", POLICY, 3, ""},
    {HEAD "!!str max_hedge_pct: 1\n", POLICY, 3, ""},
    {HEAD "? [a]\n: 1\n", POLICY, 3, ""},
    {HEAD "? {a: b}\n: 1\n", POLICY, 3, ""},
    {HEAD "<<: {max_hedge_pct: 1}\n", POLICY, 3, "<<"},
};

static const bad_policy bad_keys[] = {
    {HEAD "max_hedge: 1\n", POLICY, 3, "max_hedge"},
    {HEAD "Limits: {}\n", POLICY, 3, "Limits"},
    {HEAD "'': 1\n", POLICY, 3, ""},
    {HEAD "limits:\n  stale_score_ms: 1\n  stale_score_s: 1\n", POLICY, 5, "limits.stale_score_s"},
    {HEAD "limits: {halted: {action: flag}}\n", POLICY, 3, "limits.halted"},
    {HEAD "limits: {unknown_asset: {action: flag}}\n", POLICY, 3, "limits.unknown_asset"},
    {HEAD "limits: {bad_amount: {action: flag}}\n", POLICY, 3, "limits.bad_amount"},
    {HEAD "limits: {bad_override: {action: flag}}\n", POLICY, 3, "limits.bad_override"},
    {HEAD "limits: {stale_score_ms: {limits: 5}}\n", POLICY, 3, "limits.stale_score_ms.limits"},
    {HEAD "limits: {stale_score_ms: {below: 5}}\n", POLICY, 3, "limits.stale_score_ms.below"},
    {HEAD "limits: {extreme_score: {limit: 0.1}}\n", POLICY, 3, "limits.extreme_score.limit"},
    {HEAD "limits: {no_quote: {limit: 1}}\n", POLICY, 3, "limits.no_quote.limit"},
    {HEAD "liquidity: {half: 5}\n", POLICY, 3, "liquidity.half"},
    {HEAD "confidence: {min: 5}\n", POLICY, 3, "confidence.min"},
    {"curve: {knots: [[0, 0], [1, 1]], knot: 1}\n", POLICY, 1, "curve.knot"},
    {"curve: {knots: [{score: 0, hedge: 0, x: 1}, [1, 1]]}\n", POLICY, 1, "curve.knots[0].x"},
    {HEAD "assets:\n  A:\n    limit: {}\n", POLICY, 5, "assets.A.limit"},
    {HEAD "assets: {A: {assets: {}}}\n", POLICY, 3, "assets.A.assets"},
    {HEAD "assets: {A: {limits: {x: 1}}}\n", POLICY, 3, "assets.A.limits.x"},
    {HEAD "max_hedge_pct: 1\nmax_hedge_pct: 1\n", POLICY, 4, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 1\n\"max_hedge_pct\": 1\n", POLICY, 4, "max_hedge_pct"},
    {HEAD "limits: {stale_score_ms: 1, stale_score_ms: 1}\n", POLICY, 3, "stale_score_ms"},
    {HEAD "limits: {stale_score_ms: {limit: 1, limit: 2}}\n", POLICY, 3, "limit"},
    {HEAD "assets:\n  A: {}\n  B: {}\n  A: {}\n", POLICY, 6, "A"},
    {"- {score: 0, score: 0, hedge: 0}\n- [1, 1]\n", POLICY, 1, "score"},
    {HEAD "curve: {knots: [[0, 0], [1, 1]]}\n", POLICY, 3, "curve"},
};

static const bad_policy bad_types[] = {
    {HEAD "max_hedge_pct: \"0.5\"\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: '1'\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: |\n  1\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: [1]\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: {limit: 1}\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct:\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: ~\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: true\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: .nan\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: nan\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: .inf\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: -.inf\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: inf\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: infinity\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 0x1\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 0x.8p0\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 0,5\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 1_0\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 50%\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 1 2\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 1e\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: .\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: --1\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "max_hedge_pct: 1e999\n", POLICY, 3, "max_hedge_pct"},
    {HEAD "limits: 5\n", POLICY, 3, "limits"},
    {HEAD "limits:\n", POLICY, 3, "limits"},
    {HEAD "limits: [1]\n", POLICY, 3, "limits"},
    {HEAD "limits: {stale_score_ms: [5]}\n", POLICY, 3, "limits.stale_score_ms"},
    {HEAD "limits: {extreme_score: 0.1}\n", POLICY, 3, "limits.extreme_score"},
    {HEAD "limits: {extreme_score: [0.1, 0.9]}\n", POLICY, 3, "limits.extreme_score"},
    {HEAD "limits: {no_quote: reject}\n", POLICY, 3, "limits.no_quote"},
    {HEAD "liquidity: log\n", POLICY, 3, "liquidity"},
    {HEAD "confidence: min\n", POLICY, 3, "confidence"},
    {HEAD "assets: [BTC]\n", POLICY, 3, "assets"},
    {HEAD "assets: BTC\n", POLICY, 3, "assets"},
    {HEAD "assets: {}\n", POLICY, 3, "assets"},
    {HEAD "assets: {A: 5}\n", POLICY, 3, "assets.A"},
    {HEAD "assets: {A: []}\n", POLICY, 3, "assets.A"},
    {"curve: pchip\n", POLICY, 1, "curve"},
    {"curve: [[0, 0], [1, 1]]\n", POLICY, 1, "curve"},
};

static const bad_policy bad_words[] = {
    {HEAD "liquidity: {weight: linear}\n", POLICY, 3, "liquidity.weight"},
    {HEAD "liquidity: {weight: RATIO}\n", POLICY, 3, "liquidity.weight"},
    {HEAD "liquidity: {weight: 0}\n", POLICY, 3, "liquidity.weight"},
    {HEAD "liquidity: {weight: [log]}\n", POLICY, 3, "liquidity.weight"},
    {HEAD "confidence: {blend: mean}\n", POLICY, 3, "confidence.blend"},
    {HEAD "confidence: {blend: {min: 1}}\n", POLICY, 3, "confidence.blend"},
    {HEAD "confidence: {freshness: exponential}\n", POLICY, 3, "confidence.freshness"},
    {HEAD "confidence: {freshness: }\n", POLICY, 3, "confidence.freshness"},
    {HEAD "limits: {stale_score_ms: {action: warn}}\n", POLICY, 3, "limits.stale_score_ms.action"},
    {HEAD "limits: {stale_score_ms: {action: 1}}\n", POLICY, 3, "limits.stale_score_ms.action"},
    {"curve: {method: spline, knots: [[0, 0], [1, 1]]}\n", POLICY, 1, "curve.method"},
    {"curve:\n  knots: [[0, 0], [1, 1]]\n  method: akima\n", POLICY, 3, "curve.method"},
};

static const bad_policy bad_floors[] = {
    {HEAD "limits: {stale_score_ms: {action: floor}}\n", POLICY, 3, "limits.stale_score_ms"},
    {HEAD "limits: {stale_score_ms: {floor: 0.5}}\n", POLICY, 3, "limits.stale_score_ms.floor"},
    {HEAD "limits:\n  stale_score_ms:\n    action: flag\n    floor: 0.5\n", POLICY, 6, "floor"},
    {HEAD "limits: {stale_score_ms: {action: reject, floor: 0}}\n", POLICY, 3, "floor"},
    {HEAD "limits: {extreme_score: {floor: 0.5}}\n", POLICY, 3, "limits.extreme_score.floor"},
    {HEAD "limits: {stale_score_ms: {action: floor, floor: 1.5}}\n", POLICY, 3, "floor"},
    {HEAD "limits: {stale_score_ms: {action: floor, floor: -0.1}}\n", POLICY, 3, "floor"},
    {HEAD "limits: {stale_score_ms: {action: floor, floor: x}}\n", POLICY, 3, "floor"},
    {HEAD "limits: {no_quote: {action: flag}}\n", POLICY, 3, "limits.no_quote.action"},
    {HEAD "limits: {bad_quote: {action: flag}}\n", POLICY, 3, "limits.bad_quote.action"},
    {HEAD "limits: {no_quote: {action: floor}}\n", POLICY, 3, "limits.no_quote"},
    {HEAD "assets: {A: {limits: {bad_quote: {action: floor}}}}\n", POLICY, 3,
     "assets.A.limits.bad_quote"},
    {HEAD "limits: {stale_score_ms: {action: floor, floor: .1}}\n"
          "assets: {A: {limits: {stale_score_ms: {action: flag, floor: .2}}}}\n",
     POLICY, 4, "assets.A.limits.stale_score_ms.floor"},
};

static const bad_policy bad_knots[] = {
    {"max_hedge_pct: 1\n", POLICY, 1, "curve"},
    {"curve: {}\n", POLICY, 1, "curve.knots"},
    {"curve: {method: pchip}\n", POLICY, 1, "curve.knots"},
    {"curve: {knots: []}\n", POLICY, 1, "curve.knots"},
    {"curve: {knots: }\n", POLICY, 1, "curve.knots"},
    {"curve: {knots: {score: 0, hedge: 1}}\n", POLICY, 1, "curve.knots"},
    {"curve: {knots: curve_knots.yaml}\n", POLICY, 1, "curve.knots"},
    {"curve: {knots: [[0, 0]]}\n", CURVE, 1, "curve.knots"},
    {"- [0, 0]\n", CURVE, 1, "knots"},
    {"- [0, 0]\n- [0.5]\n- [1, 1]\n", POLICY, 2, "knots[1]"},
    {"- [0, 0]\n- [0.5, 1, 1]\n", POLICY, 2, "knots[1]"},
    {"- [0, 0]\n- 0.5\n", POLICY, 2, "knots[1]"},
    {"- [0, 0]\n- {score: 1}\n", POLICY, 2, "knots[1].hedge"},
    {"- [0, 0]\n- {hedge: 1}\n", POLICY, 2, "knots[1].score"},
    {"- [0, 0]\n- {}\n", POLICY, 2, "knots[1]"},
    {"- [0, 0]\n- [0.5, .nan]\n", POLICY, 2, "knots[1]"},
    {"- [0, 0]\n- [\"0.5\", 1]\n", POLICY, 2, "knots[1]"},
    {"- [0, 0]\n- [1.5, 1]\n", POLICY, 2, "knots[1]"},
    {"- [0, -0.5]\n- [1, 1]\n", POLICY, 1, "knots[0]"},
    {"- [0, 0]\n- [1, 1.5]\n", POLICY, 2, "knots[1]"},
    {"- {score: 0, hedge: 0}\n- score: 0.5\n  hedge: 2\n- [1, 1]\n", POLICY, 3, "knots[1].hedge"},
    {"- [0, 0]\n- [0.5, 0.5]\n- [0.5000005, 0.6]\n- [1, 1]\n", CURVE, 3, "knots[2]"},
    {"- [0, 0]\n- [0.5, 0.5]\n- [0.4, 0.6]\n", CURVE, 3, "knots[2]"},
    {"- [0, 0]\n- [0.5, 0.5]\n# remark\n- [0.6, 0.4]\n- [1, 1]\n", CURVE, 4, "knots[2]"},
    {"curve:\n  method: linear\n  knots:\n    - [0, 0]\n    - score: 0.5\n      hedge: 0.5\n"
     "    - {score: 1, hedge: 0.4}\n",
     CURVE, 7, "curve.knots[2]"},
    {HEAD "assets:\n  A:\n    curve:\n      knots: [[0, 0.5],\n        [0.5, 0.4], [1, 1]]\n",
     CURVE, 7, "assets.A.curve.knots[1]"},
};

static const bad_policy bad_names[] = {
    {HEAD "assets: {'': {}}\n", POLICY, 3, "assets"},
    {HEAD "assets: {'A B': {}}\n", POLICY, 3, "assets.A B"},
    {HEAD "assets:\n  BTC: {}\n  BTC/USD: {}\n", POLICY, 5, "assets.BTC/USD"},
    {HEAD "assets: {\"B\xc3\x89\": {}}\n", POLICY, 3, "assets"},
    {HEAD "assets: {\"A\\n\": {}}\n", POLICY, 3, "assets"},
    {HEAD "assets: {A*: {}}\n", POLICY, 3, "assets.A*"},
    {HEAD "assets: {~: {}}\n", POLICY, 3, "assets"},
    {HEAD "assets: {a23456789012345678901234567890_2: {}}\n", POLICY, 3, "assets.a2345"},
};

static void refused(const bad_policy *bad)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&error;
    const int32_t rc = hedge_policy_parse(bad->text, strlen(bad->text), &error, &policy);

    cr_expect_eq(rc, bad->code, "%s, not %s:\n%s", hedge_status_name(rc),
                 hedge_status_name(bad->code), bad->text);
    cr_expect_null(policy, "%s", bad->text);
    if (rc == HEDGE_OK) return;
    cr_expect_eq(error.code, rc);
    if (bad->line > 0)
        cr_expect_eq(error.line, bad->line, "line %d, not %d:\n%s", (int)error.line, (int)bad->line,
                     bad->text);
    cr_expect_geq(error.line, 1, "no line:\n%s", bad->text);
    cr_expect_not_null(strstr(error.field, bad->field), "'%s', not '%s':\n%s", error.field,
                       bad->field, bad->text);
    cr_expect_gt(strlen(error.message), 5, "%s", bad->text);
    cr_expect_str_eq(error.file, "");
    if (rc != CURVE) cr_expect_eq(error.index, -1, "%s", bad->text);
    cr_expect_eq(hedge_policy_parse(bad->text, strlen(bad->text), NULL, &policy), bad->code);
}

#define ALL_REFUSED(table)                                                                         \
    for (size_t i = 0; i < COUNT(table); i++)                                                      \
    refused(&(table)[i])

Test(policy_errors, name_the_line_of_broken_yaml)
{
    ALL_REFUSED(not_yaml);
}

Test(policy_errors, refuse_what_yaml_has_beyond_plain_data)
{
    ALL_REFUSED(not_plain);
}

Test(policy_errors, name_unknown_and_repeated_keys)
{
    ALL_REFUSED(bad_keys);
}

Test(policy_errors, name_values_of_the_wrong_type)
{
    ALL_REFUSED(bad_types);
}

Test(policy_errors, name_words_they_do_not_know)
{
    ALL_REFUSED(bad_words);
}

Test(policy_errors, tie_a_floor_to_its_action)
{
    ALL_REFUSED(bad_floors);
}

Test(policy_errors, name_the_knot_at_fault_by_its_own_line)
{
    ALL_REFUSED(bad_knots);
}

Test(policy_errors, name_assets_that_cannot_be)
{
    ALL_REFUSED(bad_names);
}

/* Each number: its field, then values just inside and just outside of its range. */
typedef struct range_row {
    const char *format; /* $: the number */
    const char *field;
    const char *good[3], *bad[3];
} range_row;

#define DAY "86400000"
static const range_row ranges[] = {
    {"max_hedge_pct: $", "max_hedge_pct", {"0", "0.5", "1"}, {"-0.1", "1.0000000000000002", "50"}},
    {"liquidity: {half_depth_usd: $}",
     "half_depth_usd",
     {"1e-9", "1", "1e15"},
     {"0", "-1", "1.1e15"}},
    {"liquidity: {full_depth_usd: $}",
     "full_depth_usd",
     {"1e-9", "1", "1e15"},
     {"0", "-1", "1.1e15"}},
    {"limits: {stale_score_ms: $}", "stale_score_ms", {"1e-3", "1", DAY}, {"0", "-1", DAY ".1"}},
    {"limits: {stale_depth_ms: $}", "stale_depth_ms", {"1e-3", "1", DAY}, {"0", "-1", DAY ".1"}},
    {"limits: {max_clock_skew_ms: $}",
     "max_clock_skew_ms",
     {"0", "1", "60000"},
     {"-1", "60000.1", "1e9"}},
    {"limits: {max_score_jump: $}", "max_score_jump", {"1e-9", "0.5", "1"}, {"0", "-1", "1.1"}},
    {"limits: {min_depth_usd: $}", "min_depth_usd", {"0", "1", "1e15"}, {"-1", "1.1e15", "1e300"}},
    {"limits: {max_amount_usd: $}", "max_amount_usd", {"1e-9", "1", "1e15"}, {"0", "-1", "1.1e15"}},
    {"limits: {min_confidence: $}", "min_confidence", {"0", "0.5", "1"}, {"-0.1", "1.1", "2"}},
    {"limits: {extreme_score: {below: $}}",
     "extreme_score",
     {"0", "0.5", "0.9"},
     {"-0.1", "1.1", "0.91"}},
    {"limits: {extreme_score: {above: $}}",
     "extreme_score",
     {"0.1", "0.5", "1"},
     {"-0.1", "1.1", "0.09"}},
    {"limits: {extreme_score: {below: 0.3, above: $}}",
     "extreme_score",
     {"0.3", "0.5", "1"},
     {"0.2", "1.1", "-1"}},
    {"limits: {extreme_score: {above: 0.3, below: $}}",
     "extreme_score",
     {"0.3", "0.1", "0"},
     {"0.4", "1.1", "-1"}},
    {"limits: {min_depth_usd: {limit: $}}",
     "min_depth_usd.limit",
     {"0", "1", "1e15"},
     {"-1", "1.1e15", "1e300"}},
    {"limits: {no_quote: {action: floor, floor: $}}",
     "no_quote.floor",
     {"0", "0.5", "1"},
     {"-0.1", "1.1", "100"}},
    {"limits: {bad_quote: {action: floor, floor: $}}",
     "bad_quote.floor",
     {"0", "0.5", "1"},
     {"-0.1", "1.1", "100"}},
    {"limits: {min_depth_usd: {action: floor, floor: $}}",
     "min_depth_usd.floor",
     {"0", "0.5", "1"},
     {"-0.1", "1.1", "9"}},
    {"assets: {A: {max_hedge_pct: $}}",
     "assets.A.max_hedge_pct",
     {"0", "0.5", "1"},
     {"-0.1", "1.1", "9"}},
    {"assets: {A: {limits: {max_score_jump: $}}}",
     "assets.A.limits.max_score_jump",
     {"1e-9", "0.5", "1"},
     {"0", "-1", "1.1"}},
};

Test(policy_errors, keep_each_number_in_its_range)
{
    for (size_t i = 0; i < COUNT(ranges); i++) {
        for (size_t k = 0; k < 3; k++) {
            char line[256], text[512];
            const bad_policy bad = {text, POLICY, 3, ranges[i].field};

            text_fill(line, sizeof(line), ranges[i].format, ranges[i].good[k]);
            snprintf(text, sizeof(text), HEAD "%s\n", line);

            hedge_policy *policy = policy_of(text);

            cr_expect_not_null(policy, "%s", line);
            hedge_policy_free(policy);
            text_fill(line, sizeof(line), ranges[i].format, ranges[i].bad[k]);
            snprintf(text, sizeof(text), HEAD "%s\n", line);
            refused(&bad);
        }
    }
}

/* Text from a head and a part repeated n times. */
static char *repeated(const char *head, const char *part, size_t n)
{
    const size_t size = strlen(head) + strlen(part) * n + 1;
    char *text = malloc(size), *at = text;

    cr_assert_not_null(text);
    at = stpcpy(at, head);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, part);
    return text;
}

typedef struct big_text {
    const char *head, *part;
    size_t n;
    int32_t code;
} big_text;

/* Made to hurt: nesting, endless quotes and lines, keys to compare, comments. */
static const big_text big[] = {
    {"", "[", 100000, LARGE},
    {"", "{a: ", 100000, LARGE},
    {"", "- ", 100000, LARGE},
    {"", "? ", 100000, POLICY},
    {HEAD "limits: ", "[", 17, LARGE},
    {HEAD "assets: {A: ", "[", 100000, LARGE},
    {"\"", "a", 1000000, SYNTAX},
    {"'", "a\n", 500000, SYNTAX},
    {"", "a ", 500000, POLICY},
    {"|\n", " a\n", 300000, POLICY},
    {"- ", "[0, 0], ", 100000, SYNTAX},
    {"", "- [0, 0]\n", 100000, LARGE},
    {"", "- 0\n", 4097, POLICY},
    {"", "#\n", 500000, POLICY},
    {"", "\n", 1000000, POLICY},
    {"", "--- 1\n", 100000, POLICY},
    {"[", "{a: 1, b: 2},", 80000, LARGE},
};

Test(policy_errors, stop_early_on_texts_made_to_hurt)
{
    for (size_t i = 0; i < COUNT(big); i++) {
        char *text = repeated(big[i].head, big[i].part, big[i].n);
        hedge_policy *policy = NULL;
        const clock_t start = clock();
        const int32_t rc = hedge_policy_parse(text, strlen(text), NULL, &policy);
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;

        cr_expect_eq(rc, big[i].code, "%s, text %zu of '%s'", hedge_status_name(rc), i,
                     big[i].part);
        cr_expect_null(policy);
        cr_expect_lt(seconds, 3.0, "text %zu of '%s' took %.1f s", i, big[i].part, seconds);
        free(text);
    }
}

Test(policy_errors, cap_the_size_of_a_text)
{
    char *text = repeated(HEAD "#", "x", HEDGE_POLICY_FILE_MAX);
    hedge_policy *policy = NULL;

    cr_expect_eq(hedge_policy_parse(text, HEDGE_POLICY_FILE_MAX + 1, NULL, &policy), LARGE);
    cr_expect_eq(hedge_policy_parse(text, SIZE_MAX, NULL, &policy), LARGE);
    cr_expect_eq(hedge_policy_parse(text, HEDGE_POLICY_FILE_MAX, NULL, &policy), HEDGE_OK);
    hedge_policy_free(policy);
    free(text);
}

static int32_t with_assets(size_t n)
{
    static char text[64 * 1024];
    char *at = stpcpy(text, HEAD "assets:\n");
    hedge_policy *policy = NULL;

    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "  N%zu: {}\n", i);

    const int32_t rc = hedge_policy_parse(text, (size_t)(at - text), NULL, &policy);

    if (rc == HEDGE_OK) {
        cr_expect_eq(hedge_policy_asset_count(policy), n);
        cr_expect_str_eq(hedge_policy_asset_name(policy, hedge_policy_asset(policy, "N1000")),
                         "N1000");
    }
    hedge_policy_free(policy);
    return rc;
}

Test(policy_errors, cap_the_number_of_assets)
{
    cr_expect_eq(with_assets(HEDGE_ASSETS_MAX), HEDGE_OK);
    cr_expect_eq(with_assets(HEDGE_ASSETS_MAX + 1), LARGE);
    cr_expect_eq(with_assets(2500), LARGE);
}

static int32_t with_knots(size_t n)
{
    static char text[256 * 1024];
    char *at = text;
    hedge_policy *policy = NULL;

    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "- [%.17g, 0.5]\n", (double)i / 8192);

    const int32_t rc = hedge_policy_parse(text, (size_t)(at - text), NULL, &policy);

    hedge_policy_free(policy);
    return rc;
}

Test(policy_errors, cap_the_number_of_knots)
{
    cr_expect_eq(with_knots(HEDGE_KNOTS_MAX), HEDGE_OK);
    cr_expect_eq(with_knots(HEDGE_KNOTS_MAX + 1), CURVE);
}

Test(policy_errors, survive_every_prefix_and_every_changed_byte)
{
    static const char good[] = "curve: {method: steffen, knots: [[0, .05], {score: 1, hedge: 1}]}\n"
                               "limits: {stale_score_ms: {limit: 5, action: floor, floor: .5}}\n"
                               "assets:\n  A: {}\n  B: {max_hedge_pct: 0.5}\n";
    static const char odd[] = "\t\n :-[]{},#&*!|>'\"%@`\\?0.~\x7f\x80\xff";
    char text[sizeof(good)];

    for (size_t n = 0; n < sizeof(good); n++) {
        hedge_policy *policy = NULL;

        if (hedge_policy_parse(good, n, NULL, &policy) == HEDGE_OK) hedge_policy_free(policy);
    }
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        for (size_t k = 0; k < sizeof(odd); k++) {
            hedge_policy *policy = NULL;

            memcpy(text, good, sizeof(good));
            text[i] = odd[k];

            const int32_t rc = hedge_policy_parse(text, sizeof(good) - 1, NULL, &policy);

            cr_assert_eq(rc == HEDGE_OK, policy != NULL);
            hedge_policy_free(policy);
        }
    }
}

Test(policy_errors, refuse_null_pointers)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = (hedge_policy *)&error;

    cr_expect_eq(hedge_policy_parse(NULL, 0, &error, &policy), HEDGE_E_ARG);
    cr_expect_null(policy);
    cr_expect_eq(hedge_policy_parse("[]", 2, &error, NULL), HEDGE_E_ARG);
    policy = (hedge_policy *)&error;
    cr_expect_eq(hedge_policy_load(NULL, &error, &policy), HEDGE_E_ARG);
    cr_expect_null(policy);
    cr_expect_eq(hedge_policy_load("x", &error, NULL), HEDGE_E_ARG);
}
