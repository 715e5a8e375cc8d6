/* SPDX-License-Identifier: MIT
 * What a policy means: defaults, inheritance, and one canonical text and hash for one meaning.
 * test_policy_files.c reads files, test_policy_errors.c bad ones. */
#include "support.h"

#include <criterion/criterion.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>

#define KNOTS "[[0, .05], [.3, .25], [.7, .75], [1, 1]]"
#define LIMIT(rules, trip) ((rules).limits[HEDGE_BREAKER(HEDGE_TRIP_##trip)])

static hedge_rules rules_of(const hedge_policy *policy, const char *asset)
{
    hedge_rules rules = HEDGE_INIT(hedge_rules);
    const int32_t i = hedge_policy_asset(policy, asset);

    cr_assert_geq(i, 0, "no %s", asset);
    cr_assert_eq(hedge_policy_rules(policy, i, &rules), HEDGE_OK);
    return rules;
}

static hedge_policy *parsed(const char *text)
{
    hedge_policy *policy = policy_of(text);

    cr_assert_not_null(policy, "%s", text);
    return policy;
}

typedef struct limit_row {
    int32_t trip;
    double limit, upper;
    int32_t action;
} limit_row;

/* configs/policy.yaml and DESIGN's table say the same. */
static const limit_row default_limits[] = {
    {HEDGE_TRIP_HALTED, 0, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_UNKNOWN_ASSET, 0, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_NO_QUOTE, 0, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_BAD_AMOUNT, 0, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_MAX_AMOUNT, 1e9, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_BAD_OVERRIDE, 0, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_BAD_QUOTE, 0, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_CLOCK_SKEW, 250, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_STALE_SCORE, 3000, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_STALE_DEPTH, 5000, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_SCORE_JUMP, 1, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_MIN_DEPTH, 10000, 0, HEDGE_ACTION_REJECT},
    {HEDGE_TRIP_EXTREME_SCORE, 0.1, 0.9, HEDGE_ACTION_FLAG},
    {HEDGE_TRIP_MIN_CONFIDENCE, 0, 0, HEDGE_ACTION_REJECT},
};

static void has_default_rules(const hedge_policy *policy, const char *asset)
{
    const hedge_rules r = rules_of(policy, asset);

    cr_assert_eq(r.weight, HEDGE_WEIGHT_RATIO);
    cr_assert_eq(r.half_depth_usd, 500000);
    cr_assert_eq(r.blend, HEDGE_BLEND_MIN);
    cr_assert_eq(r.freshness, HEDGE_FRESHNESS_NONE);
    cr_assert_eq(r.max_hedge_pct, 1);
    for (size_t i = 0; i < COUNT(default_limits); i++) {
        const limit_row *want = &default_limits[i];
        const hedge_limit *got = &r.limits[HEDGE_BREAKER(want->trip)];

        cr_assert(got->limit == want->limit && got->upper == want->upper, "%s: %g, %g",
                  hedge_status_name(want->trip), got->limit, got->upper);
        cr_assert_eq(got->action, want->action, "%s", hedge_status_name(want->trip));
        cr_assert(got->floor == 0 && got->reserved == 0, "%s", hedge_status_name(want->trip));
    }
}

static void has_default_assets(const hedge_policy *policy)
{
    static const char *const names[] = {"BTC", "ETH", "LTC", "XRP"};

    cr_assert_eq(hedge_policy_asset_count(policy), COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        const int32_t at = hedge_policy_asset(policy, names[i]);
        const hedge_curve *curve = hedge_policy_curve(policy, at);

        cr_assert_geq(at, 0);
        cr_assert_str_eq(hedge_policy_asset_name(policy, at), names[i]);
        has_default_rules(policy, names[i]);
        cr_assert_eq(hedge_curve_method(curve), HEDGE_METHOD_PCHIP);
        cr_assert_eq(hedge_curve_knot_count(curve), DEFAULT_KNOTS);
        for (size_t k = 0; k < DEFAULT_KNOTS; k++)
            cr_assert_eq(hedge_curve_eval(curve, default_score[k]), default_hedge[k]);
    }
}

Test(policy, of_bare_knots_has_every_default)
{
    static const char *const texts[] = {
        "- {score: 0.0, hedge: 0.05}\n- {score: 0.3, hedge: 0.25}\n- {score: 0.7, hedge: 0.75}\n"
        "- {score: 1.0, hedge: 1.0}\n",
        "- score: 0\n  hedge: .05\n- hedge: 2.5e-1\n  score: 3E-1\n- {hedge: 0.75, score: 0.7}\n"
        "- {score: 1, hedge: 1}",
        KNOTS,
        "- [0, 0.05]\n- [0.3, 0.25]\n- [0.7, 0.75]\n- [1, 1]\n",
    };
    char hex[65] = "";

    for (size_t i = 0; i < COUNT(texts); i++) {
        hedge_policy *p = parsed(texts[i]);

        has_default_assets(p);
        if (i > 0) cr_assert_str_eq(hedge_policy_hash_hex(p), hex, "text %zu", i);
        memcpy(hex, hedge_policy_hash_hex(p), sizeof(hex));
        hedge_policy_free(p);
    }
}

Test(policy, takes_each_setting)
{
    hedge_policy *p =
        policy_with("max_hedge_pct: 0.8\n"
                    "liquidity: {weight: log, half_depth_usd: 1, full_depth_usd: 2e6}\n"
                    "confidence: {blend: geometric, freshness: linear}\n"
                    "limits:\n"
                    "  stale_score_ms: 1500\n"
                    "  stale_depth_ms: {limit: 2500, action: floor, floor: 0.5}\n"
                    "  max_clock_skew_ms: 0\n"
                    "  extreme_score: {below: 0.2, above: 0.7, action: reject}\n"
                    "  max_score_jump: {limit: 0.25, action: flag}\n"
                    "  min_depth_usd: {limit: 5, action: reject}\n"
                    "  max_amount_usd: {limit: 1e6}\n"
                    "  min_confidence: 0.125\n"
                    "  no_quote: {action: floor, floor: 0.75}\n"
                    "  bad_quote: {action: floor, floor: 1}\n"
                    "assets: {DOGE: {}}\n");

    cr_assert_not_null(p);

    const hedge_rules r = rules_of(p, "DOGE");

    cr_assert_eq(r.max_hedge_pct, 0.8);
    cr_assert(r.weight == HEDGE_WEIGHT_LOG && r.half_depth_usd == 1 && r.full_depth_usd == 2e6);
    cr_assert(r.blend == HEDGE_BLEND_GEOMETRIC && r.freshness == HEDGE_FRESHNESS_LINEAR);
    cr_assert_eq(LIMIT(r, STALE_SCORE).limit, 1500);
    cr_assert_eq(LIMIT(r, STALE_DEPTH).limit, 2500);
    cr_assert_eq(LIMIT(r, STALE_DEPTH).action, HEDGE_ACTION_FLOOR);
    cr_assert_eq(LIMIT(r, STALE_DEPTH).floor, 0.5);
    cr_assert_eq(LIMIT(r, CLOCK_SKEW).limit, 0);
    cr_assert_eq(LIMIT(r, EXTREME_SCORE).limit, 0.2);
    cr_assert_eq(LIMIT(r, EXTREME_SCORE).upper, 0.7);
    cr_assert_eq(LIMIT(r, EXTREME_SCORE).action, HEDGE_ACTION_REJECT);
    cr_assert_eq(LIMIT(r, SCORE_JUMP).limit, 0.25);
    cr_assert_eq(LIMIT(r, SCORE_JUMP).action, HEDGE_ACTION_FLAG);
    cr_assert_eq(LIMIT(r, MIN_DEPTH).limit, 5);
    cr_assert_eq(LIMIT(r, MAX_AMOUNT).limit, 1e6);
    cr_assert_eq(LIMIT(r, MIN_CONFIDENCE).limit, 0.125);
    cr_assert_eq(LIMIT(r, NO_QUOTE).action, HEDGE_ACTION_FLOOR);
    cr_assert_eq(LIMIT(r, NO_QUOTE).floor, 0.75);
    cr_assert_eq(LIMIT(r, BAD_QUOTE).floor, 1);
    hedge_policy_free(p);
}

Test(policy, lets_an_asset_override_and_inherit_the_rest)
{
    hedge_policy *p =
        policy_with("max_hedge_pct: 0.9\n"
                    "liquidity: {weight: log, full_depth_usd: 3e6}\n"
                    "confidence: {blend: product, freshness: linear}\n"
                    "limits:\n"
                    "  stale_score_ms: {limit: 2000, action: floor, floor: 0.25}\n"
                    "  extreme_score: {below: 0.2, above: 0.8, action: floor, floor: 0.5}\n"
                    "assets:\n"
                    "  A: {}\n"
                    "  B: {limits: {stale_score_ms: 1000, extreme_score: {below: 0.3}}}\n"
                    "  C: {limits: {stale_score_ms: {floor: 0.75}, extreme_score: {above: 0.6, "
                    "action: flag}}}\n"
                    "  D: {limits: {stale_score_ms: {action: reject}}, max_hedge_pct: 0.5}\n"
                    "  E: {liquidity: {full_depth_usd: 4e6}, confidence: {freshness: none}}\n"
                    "  F: {curve: {method: steffen}}\n"
                    "  G: {curve: {knots: [[0, 0], [1, 1]]}}\n");
    hedge_rules r;

    cr_assert_not_null(p);
    r = rules_of(p, "B");
    cr_assert(LIMIT(r, STALE_SCORE).limit == 1000 && LIMIT(r, STALE_SCORE).floor == 0.25);
    cr_assert_eq(LIMIT(r, STALE_SCORE).action, HEDGE_ACTION_FLOOR);
    cr_assert(LIMIT(r, EXTREME_SCORE).limit == 0.3 && LIMIT(r, EXTREME_SCORE).upper == 0.8);
    cr_assert_eq(LIMIT(r, EXTREME_SCORE).floor, 0.5);
    cr_assert(r.weight == HEDGE_WEIGHT_LOG && r.full_depth_usd == 3e6 && r.max_hedge_pct == 0.9);
    r = rules_of(p, "C");
    cr_assert(LIMIT(r, STALE_SCORE).limit == 2000 && LIMIT(r, STALE_SCORE).floor == 0.75);
    cr_assert(LIMIT(r, EXTREME_SCORE).limit == 0.2 && LIMIT(r, EXTREME_SCORE).upper == 0.6);
    cr_assert_eq(LIMIT(r, EXTREME_SCORE).action, HEDGE_ACTION_FLAG);
    cr_assert_eq(LIMIT(r, EXTREME_SCORE).floor, 0, "a floor without its action");
    r = rules_of(p, "D");
    cr_assert(LIMIT(r, STALE_SCORE).limit == 2000 && r.max_hedge_pct == 0.5);
    cr_assert_eq(LIMIT(r, STALE_SCORE).action, HEDGE_ACTION_REJECT);
    cr_assert_eq(LIMIT(r, STALE_SCORE).floor, 0, "a floor without its action");
    r = rules_of(p, "E");
    cr_assert(r.weight == HEDGE_WEIGHT_LOG && r.full_depth_usd == 4e6);
    cr_assert(r.blend == HEDGE_BLEND_PRODUCT && r.freshness == HEDGE_FRESHNESS_NONE);

    const hedge_curve *f = hedge_policy_curve(p, hedge_policy_asset(p, "F"));
    const hedge_curve *g = hedge_policy_curve(p, hedge_policy_asset(p, "G"));

    cr_assert_eq(hedge_curve_method(f), HEDGE_METHOD_STEFFEN);
    cr_assert_eq(hedge_curve_knot_count(f), DEFAULT_KNOTS);
    cr_assert_eq(hedge_curve_method(g), HEDGE_METHOD_PCHIP);
    cr_assert_eq(hedge_curve_knot_count(g), 2);
    hedge_policy_free(p);
}

/* Each pair of lines behind the curve means the same. */
static const char *const same[][2] = {
    {"", "# a remark\n\n\n"},
    {"max_hedge_pct: 1.0", "max_hedge_pct: 1.00"},
    {"max_hedge_pct: 1", "max_hedge_pct: 1e0 # all of it"},
    {"", "max_hedge_pct: 1.0"},
    {"max_hedge_pct: 0", "max_hedge_pct: -0.0"},
    {"limits: {min_depth_usd: 0, min_confidence: 0}",
     "limits: {min_confidence: -0, min_depth_usd: -0.0}"},
    {"limits: {extreme_score: {below: 0}}", "limits: {extreme_score: {below: -0.0}}"},
    {"max_hedge_pct: 0.5", "max_hedge_pct: .5"},
    {"max_hedge_pct: 0.5\nconfidence: {blend: min}",
     "confidence: {blend: min}\nmax_hedge_pct: 0.5"},
    {"limits: {stale_score_ms: 4, stale_depth_ms: 5}",
     "limits:\n  stale_depth_ms: 5\n  stale_score_ms: 4"},
    {"limits: {stale_score_ms: 4}", "limits: {stale_score_ms: {limit: 4}}"},
    {"limits: {stale_score_ms: 4}", "limits: {stale_score_ms: {limit: 4, action: reject}}"},
    {"limits: {stale_score_ms: 4}", "limits: {stale_score_ms: {action: reject, limit: 4.000}}"},
    {"limits: {stale_score_ms: 4}", "{limits: {stale_score_ms: 4}}"},
    {"assets: {B: {}, A: {}}", "assets: {A: {}, B: {}}"},
    {"assets: {A: {max_hedge_pct: 1}}", "assets: {A: {}}"},
    {"assets: {A: {curve: {knots: " KNOTS "}}}", "assets: {A: {}}"},
    {"assets: {A: {limits: {stale_score_ms: {floor: 0.5, action: floor}}}}",
     "assets: {A: {limits: {stale_score_ms: {action: floor, limit: 3000, floor: 0.5}}}}"},
    {"limits: {no_quote: {action: floor, floor: 0}}",
     "limits: {no_quote: {action: floor, floor: -0.0}}"},
    {"assets: {A: {}}", "assets: {'A': {}}"},
    {"confidence: {blend: harmonic}", "confidence: {blend: \"harmonic\"}"},
};

/* Each line behind the curve means something else than every other. */
static const char *const different[] = {
    "",
    "max_hedge_pct: 0.5",
    "max_hedge_pct: 0.50000000000000011",
    "liquidity: {weight: log}",
    "liquidity: {half_depth_usd: 500001}",
    "liquidity: {full_depth_usd: 77}",
    "confidence: {blend: harmonic}",
    "confidence: {blend: geometric}",
    "confidence: {blend: product}",
    "confidence: {freshness: linear}",
    "limits: {stale_score_ms: 3001}",
    "limits: {stale_score_ms: 3000.0000000000005}",
    "limits: {stale_score_ms: {action: flag}}",
    "limits: {stale_score_ms: {action: floor, floor: 0}}",
    "limits: {stale_score_ms: {action: floor, floor: 0.5}}",
    "limits: {stale_depth_ms: 3000}",
    "limits: {max_clock_skew_ms: 251}",
    "limits: {extreme_score: {below: 0.11}}",
    "limits: {extreme_score: {above: 0.91}}",
    "limits: {extreme_score: {action: reject}}",
    "limits: {max_score_jump: 0.5}",
    "limits: {min_depth_usd: 10001}",
    "limits: {max_amount_usd: 1000000001}",
    "limits: {min_confidence: 0.01}",
    "limits: {no_quote: {action: floor, floor: 0}}",
    "limits: {bad_quote: {action: floor, floor: 0}}",
    "assets: {BTC: {}}",
    "assets: {btc: {}}",
    "assets: {BTC: {max_hedge_pct: 0.5}}",
    "assets: {BTC: {curve: {method: linear}}}",
    "assets: {BTC: {curve: {knots: [[0, .05], [.3, .25], [.7, .75], [1, .9]]}}}",
    "assets: {BTC: {curve: {knots: [[0, .05], [.3, .25], [.8, .75], [1, 1]]}}}",
    "assets: {BTC: {curve: {knots: [[0, .05], [.3, .25], [1, 1]]}}}",
};

static void digest(const char *more, char hex[65])
{
    const bool flow = more[0] == '{';
    char text[512];

    snprintf(text, sizeof(text),
             flow ? "{curve: {knots: " KNOTS "}, %s" : "curve: {knots: " KNOTS "}\n%s\n",
             flow ? more + 1 : more);

    hedge_policy *p = parsed(text);

    memcpy(hex, hedge_policy_hash_hex(p), 65);
    hedge_policy_free(p);
}

Test(policy, has_one_hash_for_one_meaning)
{
    for (size_t i = 0; i < COUNT(same); i++) {
        char a[65], b[65];

        digest(same[i][0], a);
        digest(same[i][1], b);
        cr_expect_str_eq(a, b, "\"%s\" and \"%s\"", same[i][0], same[i][1]);
    }
}

/* The i-th of them: each line for all assets, and then each once more for one asset alone. */
static bool meaning(size_t i, char text[256])
{
    const char *line = different[i % COUNT(different)];

    if (i < COUNT(different)) {
        snprintf(text, 256, "%s", line);
        return true;
    }
    if (line[0] == '\0' || strncmp(line, "assets", 6) == 0) return false;
    text_fill(text, 256, "assets: {A: {$}, B: {}}", line);
    return true;
}

Test(policy, has_another_hash_for_another_meaning)
{
    static char hex[2 * COUNT(different)][65];
    char text[256];
    size_t n = 0;

    for (size_t i = 0; i < 2 * COUNT(different); i++) {
        if (!meaning(i, text)) continue;
        digest(text, hex[n]);
        for (size_t j = 0; j < n; j++)
            cr_expect_str_neq(hex[n], hex[j], "\"%s\"", text);
        n++;
    }
}

static void same_curve(const hedge_curve *a, const hedge_curve *b)
{
    double ax, ay, bx, by;

    cr_assert_eq(hedge_curve_method(a), hedge_curve_method(b));
    cr_assert_eq(hedge_curve_knot_count(a), hedge_curve_knot_count(b));
    for (size_t i = 0; i < hedge_curve_knot_count(a); i++) {
        cr_assert_eq(hedge_curve_knot(a, i, &ax, &ay), HEDGE_OK);
        cr_assert_eq(hedge_curve_knot(b, i, &bx, &by), HEDGE_OK);
        cr_assert(ax == bx && ay == by, "knot %zu", i);
    }
}

static void text_comes_back(const hedge_policy *p)
{
    size_t n = 0;
    const char *text = hedge_policy_text(p, &n);
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *q = NULL;

    cr_assert_eq(strlen(text), n);
    cr_assert_eq(hedge_policy_parse(text, n, &error, &q), HEDGE_OK, "line %d, %s: %s in\n%s",
                 (int)error.line, error.field, error.message, text);
    cr_assert_str_eq(hedge_policy_text(q, NULL), text);
    cr_assert_str_eq(hedge_policy_hash_hex(q), hedge_policy_hash_hex(p));
    cr_assert_eq(hedge_policy_asset_count(q), hedge_policy_asset_count(p));
    for (int32_t i = 0; i < (int32_t)hedge_policy_asset_count(p); i++) {
        hedge_rules a = HEDGE_INIT(hedge_rules), b = HEDGE_INIT(hedge_rules);

        cr_assert_str_eq(hedge_policy_asset_name(q, i), hedge_policy_asset_name(p, i));
        hedge_policy_rules(p, i, &a);
        hedge_policy_rules(q, i, &b);
        cr_assert_arr_eq(&a, &b, sizeof(a), "%s", hedge_policy_asset_name(p, i));
        same_curve(hedge_policy_curve(p, i), hedge_policy_curve(q, i));
    }
    hedge_policy_free(q);
}

/* Names that YAML might take for something else; values that inherit, undo and differ in a digit.
 */
static const char *const odd_texts[] = {
    "assets: {-: {}, --: {}, ---: {}, '...': {}, .: {}, _: {}, 1e5: {}, 0x10: {}}",
    "assets: {'null': {}, 'true': {}, no: {}, y: {}, '01': {}, a-b.c_D: {}}",
    "assets: {A: {limits: {extreme_score: {below: 0.3, above: 0.3}}}}",
    "assets: {A: {curve: {method: linear}}, B: {curve: {method: linear}}, C: {}}",
    "limits: {stale_score_ms: {limit: 1, action: floor, floor: .3}}\n"
    "assets: {A: {limits: {stale_score_ms: {action: reject}}},\n"
    "  B: {limits: {stale_score_ms: 2}}, C: {limits: {stale_score_ms: {floor: .4}}}}",
    "max_hedge_pct: 0.1000000000000000055511151231257827\nliquidity: {half_depth_usd: 1e-300}",
    "liquidity: {half_depth_usd: 3.3333333333333331e14, full_depth_usd: 4.9406564584124654e-324}",
};

static void more_comes_back(const char *more)
{
    hedge_policy *p = policy_with(more);

    cr_assert_not_null(p, "%s", more);
    text_comes_back(p);
    hedge_policy_free(p);
}

Test(policy, is_read_back_from_its_canonical_text)
{
    char text[256];

    for (size_t i = 0; i < COUNT(odd_texts); i++)
        more_comes_back(odd_texts[i]);
    for (size_t i = 0; i < 2 * COUNT(different); i++)
        if (meaning(i, text)) more_comes_back(text);
}

Test(policy, is_named_by_the_sha_256_of_its_text)
{
    hedge_policy *p = policy_with("max_hedge_pct: 0.5");
    uint8_t hash[32], want[32];
    char hex[65];
    SHA2_CTX context;

    cr_assert_not_null(p);
    cr_assert_eq(hedge_policy_hash(p, hash), HEDGE_OK);
    SHA256Init(&context);
    SHA256Update(&context, (const uint8_t *)hedge_policy_text(p, NULL),
                 strlen(hedge_policy_text(p, NULL)));
    SHA256Final(want, &context);
    cr_assert_arr_eq(hash, want, 32);
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    cr_assert_str_eq(hedge_policy_hash_hex(p), hex);
    hedge_policy_free(p);
}

Test(policy, answers_odd_questions_without_harm)
{
    hedge_policy *p = policy_with("");
    const int32_t out_of_range[] = {-1, 4, INT32_MAX, INT32_MIN, HEDGE_E_NOT_FOUND};
    hedge_rules rules = HEDGE_INIT(hedge_rules);
    uint8_t hash[32];
    size_t n = 7;

    for (size_t i = 0; i < COUNT(out_of_range); i++) {
        cr_assert_null(hedge_policy_asset_name(p, out_of_range[i]));
        cr_assert_null(hedge_policy_curve(p, out_of_range[i]));
        cr_assert_eq(hedge_policy_rules(p, out_of_range[i], &rules), HEDGE_E_ARG);
    }
    cr_assert_eq(hedge_policy_asset(p, "btc"), HEDGE_E_NOT_FOUND);
    cr_assert_eq(hedge_policy_asset(p, ""), HEDGE_E_NOT_FOUND);
    cr_assert_eq(hedge_policy_asset(p, "BTC "), HEDGE_E_NOT_FOUND);
    cr_assert_eq(hedge_policy_asset(p, NULL), HEDGE_E_ARG);
    cr_assert_eq(hedge_policy_asset(NULL, "BTC"), HEDGE_E_ARG);
    cr_assert_eq(hedge_policy_asset_count(NULL), 0);
    cr_assert_null(hedge_policy_asset_name(NULL, 0));
    cr_assert_null(hedge_policy_curve(NULL, 0));
    cr_assert_eq(hedge_policy_rules(NULL, 0, &rules), HEDGE_E_ARG);
    cr_assert_eq(hedge_policy_rules(p, 0, NULL), HEDGE_E_ARG);
    rules.struct_size = 0;
    cr_assert_eq(hedge_policy_rules(p, 0, &rules), HEDGE_E_STRUCT_SIZE);
    cr_assert_null(hedge_policy_text(NULL, &n));
    cr_assert_eq(n, 0);
    cr_assert_eq(hedge_policy_hash(NULL, hash), HEDGE_E_ARG);
    cr_assert_eq(hedge_policy_hash(p, NULL), HEDGE_E_ARG);
    cr_assert_null(hedge_policy_hash_hex(NULL));
    cr_assert_null(hedge_policy_file(NULL, 0));
    cr_assert_null(hedge_policy_file(p, 0), "a text has no file");
    hedge_policy_free(p);
    hedge_policy_free(NULL);
}
