/* SPDX-License-Identifier: MIT
 * fuzz_policy: any bytes as a policy's YAML. */
#include "fuzz.h"

#include <hedge/hedge.h>
#include <math.h>

#define TEXT(member) (memchr((member), '\0', sizeof(member)) != NULL)

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

static int32_t count_lines(const uint8_t *bytes, size_t n)
{
    int32_t lines = 1;

    for (size_t i = 0; i < n; i++)
        lines += bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == 0x85 || bytes[i] == 0xa8 ||
                 bytes[i] == 0xa9; /* whatever YAML 1.1 calls a break */
    return lines;
}

/* A refusal says what it is, in texts that end. */
static void check_refusal(int32_t code, const hedge_error *e, const uint8_t *bytes, size_t n)
{
    REQUIRE(code == HEDGE_E_SYNTAX || code == HEDGE_E_POLICY || code == HEDGE_E_CURVE ||
            code == HEDGE_E_TOO_LARGE || code == HEDGE_E_IO);
    REQUIRE(e->code == code);
    REQUIRE(TEXT(e->file) && TEXT(e->field) && TEXT(e->message) && e->message[0] != '\0');
    REQUIRE(e->line >= 0 && e->line <= count_lines(bytes, n) + 1);
}

static void check_asset(const hedge_policy *policy, int32_t asset)
{
    const hedge_curve *curve = hedge_policy_curve(policy, asset);
    const char *name = hedge_policy_asset_name(policy, asset);
    hedge_rules rules = HEDGE_INIT(hedge_rules);

    REQUIRE(name != NULL && strlen(name) >= 1 && strlen(name) <= HEDGE_ASSET_NAME_MAX);
    REQUIRE(hedge_policy_asset(policy, name) == asset);
    REQUIRE(hedge_policy_rules(policy, asset, &rules) == HEDGE_OK);
    REQUIRE(in_unit(rules.max_hedge_pct));
    REQUIRE(rules.half_depth_usd > 0.0 && isfinite(rules.half_depth_usd));
    REQUIRE(rules.full_depth_usd > 0.0 && isfinite(rules.full_depth_usd));
    for (size_t i = 0; i < HEDGE_BREAKER_COUNT; i++) {
        REQUIRE(isfinite(rules.limits[i].limit) && isfinite(rules.limits[i].upper));
        REQUIRE(in_unit(rules.limits[i].floor));
        REQUIRE(rules.limits[i].action >= HEDGE_ACTION_REJECT &&
                rules.limits[i].action <= HEDGE_ACTION_FLAG);
    }
    REQUIRE(hedge_curve_knot_count(curve) >= HEDGE_KNOTS_MIN);
    REQUIRE(hedge_curve_knot_count(curve) <= HEDGE_KNOTS_MAX);
    REQUIRE(in_unit(hedge_curve_eval(curve, 0.0)) && in_unit(hedge_curve_eval(curve, 1.0)));
    REQUIRE(hedge_curve_eval(curve, 0.0) <= hedge_curve_eval(curve, 1.0));
}

/* What it writes of itself is read back as the same policy. */
static void check_text(const hedge_policy *policy)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *again;
    size_t n;
    const char *text = hedge_policy_text(policy, &n);

    REQUIRE(text != NULL && strlen(text) == n);
    REQUIRE(hedge_policy_parse(text, n, &error, &again) == HEDGE_OK);
    REQUIRE(strcmp(hedge_policy_text(again, NULL), text) == 0);
    REQUIRE(strcmp(hedge_policy_hash_hex(again), hedge_policy_hash_hex(policy)) == 0);
    hedge_policy_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy;
    int32_t code;

    code = hedge_policy_parse((const char *)bytes, n, &error, &policy);
    REQUIRE((code == HEDGE_OK) == (policy != NULL));
    if (policy == NULL) {
        check_refusal(code, &error, bytes, n);
        return 0;
    }
    REQUIRE(hedge_policy_asset_count(policy) >= 1);
    REQUIRE(hedge_policy_asset_count(policy) <= HEDGE_ASSETS_MAX);
    for (size_t i = 0; i < hedge_policy_asset_count(policy); i++)
        check_asset(policy, (int32_t)i);
    check_text(policy);
    hedge_policy_free(policy);
    return 0;
}
