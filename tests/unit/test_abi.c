/* SPDX-License-Identifier: MIT
 * The layout of every public struct and the value of every public number on 64-bit machines, as
 * first shipped. Rows may be added at a struct's end; a changed row breaks programs in the field.
 */
#include "support.h"

#include <criterion/criterion.h>

typedef struct layout_row {
    const char *name;
    size_t got, want;
} layout_row;

#define SIZE(type, bytes)                                                                          \
    {                                                                                              \
#type, sizeof(type), bytes                                                                 \
    }
#define AT(type, member, offset)                                                                   \
    {                                                                                              \
#type "." #member, offsetof(type, member), offset                                          \
    }
#define VALUE(name, number)                                                                        \
    {                                                                                              \
#name, (size_t)(name), number                                                              \
    }

static const layout_row sizes[] = {
    SIZE(hedge_error, 624),           SIZE(hedge_limit, 32),   SIZE(hedge_rules, 488),
    SIZE(hedge_policy_overrides, 32), SIZE(hedge_request, 32), SIZE(hedge_quote, 56),
    SIZE(hedge_decision, 96),         SIZE(hedge_record, 600),
};

static const layout_row offsets[] = {
    AT(hedge_error, struct_size, 0),
    AT(hedge_error, code, 4),
    AT(hedge_error, line, 8),
    AT(hedge_error, index, 12),
    AT(hedge_error, file, 16),
    AT(hedge_error, field, 272),
    AT(hedge_error, message, 368),
    AT(hedge_limit, limit, 0),
    AT(hedge_limit, upper, 8),
    AT(hedge_limit, floor, 16),
    AT(hedge_limit, action, 24),
    AT(hedge_limit, reserved, 28),
    AT(hedge_rules, struct_size, 0),
    AT(hedge_rules, weight, 4),
    AT(hedge_rules, blend, 8),
    AT(hedge_rules, freshness, 12),
    AT(hedge_rules, half_depth_usd, 16),
    AT(hedge_rules, full_depth_usd, 24),
    AT(hedge_rules, max_hedge_pct, 32),
    AT(hedge_rules, limits, 40),
    AT(hedge_policy_overrides, struct_size, 0),
    AT(hedge_policy_overrides, set, 4),
    AT(hedge_policy_overrides, knots_path, 8),
    AT(hedge_policy_overrides, max_hedge_pct, 16),
    AT(hedge_policy_overrides, stale_score_ms, 24),
    AT(hedge_request, struct_size, 0),
    AT(hedge_request, asset, 4),
    AT(hedge_request, amount_usd, 8),
    AT(hedge_request, override_score, 16),
    AT(hedge_request, flags, 24),
    AT(hedge_request, reserved, 28),
    AT(hedge_quote, struct_size, 0),
    AT(hedge_quote, flags, 4),
    AT(hedge_quote, score, 8),
    AT(hedge_quote, previous_score, 16),
    AT(hedge_quote, confidence, 24),
    AT(hedge_quote, score_ts_ns, 32),
    AT(hedge_quote, depth1pct_usd, 40),
    AT(hedge_quote, depth_ts_ns, 48),
    AT(hedge_decision, struct_size, 0),
    AT(hedge_decision, status, 4),
    AT(hedge_decision, flags, 8),
    AT(hedge_decision, asset, 12),
    AT(hedge_decision, hedge_pct, 16),
    AT(hedge_decision, notional_usd, 24),
    AT(hedge_decision, confidence, 32),
    AT(hedge_decision, score, 40),
    AT(hedge_decision, liquidity_weight, 48),
    AT(hedge_decision, effective_score, 56),
    AT(hedge_decision, liquidity_quality, 64),
    AT(hedge_decision, score_age_ns, 72),
    AT(hedge_decision, depth_age_ns, 80),
    AT(hedge_decision, ts_ns, 88),
    AT(hedge_record, struct_size, 0),
    AT(hedge_record, kind, 4),
    AT(hedge_record, seq, 8),
    AT(hedge_record, writer, 16),
    AT(hedge_record, ts_ns, 24),
    AT(hedge_record, policy_hash, 32),
    AT(hedge_record, build, 64),
    AT(hedge_record, asset, 128),
    AT(hedge_record, note, 160),
    AT(hedge_record, request, 416),
    AT(hedge_record, quote, 448),
    AT(hedge_record, decision, 504),
};

static const layout_row values[] = {
    VALUE(HEDGE_ABI_VERSION, 0),
    VALUE(HEDGE_METHOD_PCHIP, 0),
    VALUE(HEDGE_METHOD_STEFFEN, 1),
    VALUE(HEDGE_METHOD_LINEAR, 2),
    VALUE(HEDGE_KNOTS_MIN, 2),
    VALUE(HEDGE_KNOTS_MAX, 4096),
    VALUE(HEDGE_WEIGHT_RATIO, 0),
    VALUE(HEDGE_WEIGHT_LOG, 1),
    VALUE(HEDGE_BLEND_MIN, 0),
    VALUE(HEDGE_BLEND_HARMONIC, 1),
    VALUE(HEDGE_BLEND_GEOMETRIC, 2),
    VALUE(HEDGE_BLEND_PRODUCT, 3),
    VALUE(HEDGE_FRESHNESS_NONE, 0),
    VALUE(HEDGE_FRESHNESS_LINEAR, 1),
    VALUE(HEDGE_ASSET_NAME_MAX, 31),
    VALUE(HEDGE_ASSETS_MAX, 1024),
    VALUE(HEDGE_POLICY_FILE_MAX, 1048576),
    VALUE(HEDGE_POLICY_DEPTH_MAX, 16),
    VALUE(HEDGE_ACTION_REJECT, 0),
    VALUE(HEDGE_ACTION_FLOOR, 1),
    VALUE(HEDGE_ACTION_FLAG, 2),
    VALUE(HEDGE_SET_KNOTS, 1),
    VALUE(HEDGE_SET_MAX_HEDGE_PCT, 2),
    VALUE(HEDGE_SET_STALE_SCORE, 4),
    VALUE(HEDGE_REQUEST_OVERRIDE, 1),
    VALUE(HEDGE_QUOTE_SCORE, 1),
    VALUE(HEDGE_QUOTE_PREVIOUS, 2),
    VALUE(HEDGE_QUOTE_DEPTH, 4),
    VALUE(HEDGE_QUOTE_HALTED, 8),
    VALUE(HEDGE_BREAKER_COUNT, 14),
    VALUE(HEDGE_RECORD_DECISION, 1),
    VALUE(HEDGE_RECORD_START, 2),
    VALUE(HEDGE_RECORD_STOP, 3),
    VALUE(HEDGE_RECORD_POLICY, 4),
    VALUE(HEDGE_RECORD_POLICY_REFUSED, 5),
    VALUE(HEDGE_RECORD_HALT, 6),
    VALUE(HEDGE_RECORD_RESUME, 7),
    VALUE(HEDGE_RECORD_MAX, 1024),
    VALUE(HEDGE_HASH_SIZE, 32),
};

static void frozen(const layout_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(rows[i].got, rows[i].want, "%s: %zu, not %zu", rows[i].name, rows[i].got,
                     rows[i].want);
}

Test(abi, sizes_are_frozen)
{
    if (sizeof(void *) != 8) cr_skip_test("the table is for 64-bit machines");
    frozen(sizes, COUNT(sizes));
}

Test(abi, offsets_are_frozen)
{
    if (sizeof(void *) != 8) cr_skip_test("the table is for 64-bit machines");
    frozen(offsets, COUNT(offsets));
}

Test(abi, numbers_are_frozen)
{
    frozen(values, COUNT(values));
    cr_expect_eq(HEDGE_SCORE_STEP, 0x1p-30);
    cr_expect_eq(HEDGE_KNOT_GAP_MIN, 1e-6);
}

Test(abi, init_sets_the_size_and_clears_the_rest)
{
    const hedge_decision d = HEDGE_INIT(hedge_decision);
    const unsigned char *bytes = (const unsigned char *)&d;

    cr_expect_eq(d.struct_size, sizeof(d));
    for (size_t i = sizeof(d.struct_size); i < sizeof(d); i++)
        cr_expect_eq(bytes[i], 0, "byte %zu", i);
}
