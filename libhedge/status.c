/* SPDX-License-Identifier: MIT
 * status: the names and meanings of codes and flags. */
#include <hedge/hedge.h>

typedef struct status_entry {
    int32_t code;
    const char *name;
    const char *text;
} status_entry;

/* Names are frozen: they stand in journals, metrics and answers. */
static const status_entry entries[] = {
    {HEDGE_OK, "ok", "decided"},
    {HEDGE_E_ARG, "bad_argument", "an argument is null or not allowed"},
    {HEDGE_E_NOMEM, "out_of_memory", "an allocation failed; nothing was changed"},
    {HEDGE_E_STRUCT_SIZE, "bad_struct_size",
     "struct_size does not fit this library; set it with HEDGE_INIT"},
    {HEDGE_E_IO, "io_error", "a file could not be read"},
    {HEDGE_E_SYNTAX, "bad_syntax", "the file is not well-formed YAML"},
    {HEDGE_E_POLICY, "bad_policy", "a field of the policy is unknown, missing or out of range"},
    {HEDGE_E_CURVE, "bad_curve", "the knots do not make a monotone curve"},
    {HEDGE_E_TOO_LARGE, "too_large", "over a published cap"},
    {HEDGE_E_NOT_FOUND, "not_found", "no asset of that name"},
    {HEDGE_E_RECORD, "bad_record", "the bytes are not a record of this format"},
    {HEDGE_E_OLDER, "older_quote", "older than the quote held; nothing was changed"},
    {HEDGE_E_CERTIFY, "not_certified", "trying every score found a promise of the curve broken"},
    {HEDGE_E_STOPPED, "stopped", "the caller's progress function asked to stop"},
    {HEDGE_TRIP_HALTED, "halted", "the asset is halted until an operator resumes it"},
    {HEDGE_TRIP_UNKNOWN_ASSET, "unknown_asset", "the policy does not name this asset"},
    {HEDGE_TRIP_NO_QUOTE, "no_quote", "no score or no depth has arrived for this asset yet"},
    {HEDGE_TRIP_BAD_AMOUNT, "bad_amount", "amount_usd must be a finite number, 0 or more"},
    {HEDGE_TRIP_MAX_AMOUNT, "max_amount", "amount_usd is above the asset's max_amount_usd"},
    {HEDGE_TRIP_BAD_OVERRIDE, "bad_override", "override_score must be a number from 0 to 1"},
    {HEDGE_TRIP_BAD_QUOTE, "bad_quote", "a quoted number is not finite or out of its range"},
    {HEDGE_TRIP_CLOCK_SKEW, "clock_skew",
     "the quote is from the future by more than max_clock_skew_ms; compare the clocks"},
    {HEDGE_TRIP_STALE_SCORE, "stale_score",
     "the score is older than stale_score_ms; look at the score feed"},
    {HEDGE_TRIP_STALE_DEPTH, "stale_depth",
     "the depth is older than stale_depth_ms; look at the depth feed"},
    {HEDGE_TRIP_SCORE_JUMP, "score_jump", "the score moved by more than max_score_jump at once"},
    {HEDGE_TRIP_MIN_DEPTH, "min_depth", "depth1pct_usd is below min_depth_usd"},
    {HEDGE_TRIP_EXTREME_SCORE, "extreme_score",
     "the score is outside extreme_score's below and above; a human should sign off"},
    {HEDGE_TRIP_MIN_CONFIDENCE, "min_confidence", "the confidence is below min_confidence"},
};

static const status_entry *find(int32_t code)
{
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        if (entries[i].code == code) return &entries[i];
    return NULL;
}

const char *hedge_status_name(int32_t code)
{
    const status_entry *entry = find(code);

    return entry != NULL ? entry->name : "unknown";
}

const char *hedge_status_text(int32_t code)
{
    const status_entry *entry = find(code);

    return entry != NULL ? entry->text : "not a status code of this library";
}

const char *hedge_flag_name(uint32_t bit)
{
    if (bit < HEDGE_BREAKER_COUNT) return hedge_status_name(HEDGE_TRIP_HALTED - (int32_t)bit);
    switch (bit) {
    case 29:
        return "override";
    case 30:
        return "floor";
    case 31:
        return "capped";
    default:
        return NULL;
    }
}
