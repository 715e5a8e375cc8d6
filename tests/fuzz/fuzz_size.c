/* SPDX-License-Identifier: MIT
 * fuzz_size: hedge_size and hedge_size_n with any bits in request, quote and
 * time, under policies that differ, and with any struct_size. */
#include "fuzz.h"

#include "scene.h"
#include "struct_size.h"

#define TAME 1u   /* flags and asset are made known ones */
#define FRESH 2u  /* the quote's times are near now */
#define MISUSE 4u /* sizes of the structs are the input's */

static const char *const policies[] = {
    "limits: {}",
    /* nothing rejects: flags, then floors */
    "limits: {stale_score_ms: {limit: 3000, action: flag}, stale_depth_ms: {limit: 5000, action: "
    "flag}, max_clock_skew_ms: {limit: 250, action: flag}, max_score_jump: {limit: 0.1, action: "
    "flag}, min_depth_usd: {limit: 10000, action: flag}, min_confidence: {limit: 0.5, action: "
    "flag}}",
    "limits: {stale_score_ms: {limit: 3000, action: floor, floor: 0.2}, stale_depth_ms: {limit: "
    "5000, action: floor, floor: 0.3}, max_clock_skew_ms: {limit: 250, action: floor, floor: 1}, "
    "min_depth_usd: {limit: 10000, action: floor, floor: 0}, extreme_score: {below: 0.1, above: "
    "0.9, action: floor, floor: 0.9}, no_quote: {action: floor, floor: 0.4}, bad_quote: {action: "
    "floor, floor: 0.5}, min_confidence: {limit: 0.9, action: floor, floor: 0.7}}\n"
    "max_hedge_pct: 0.6",
    "liquidity: {weight: log, full_depth_usd: 1000000}\n"
    "confidence: {blend: harmonic, freshness: linear}\nmax_hedge_pct: 0.5",
    "confidence: {blend: geometric, freshness: linear}\nlimits: {max_amount_usd: 1000, "
    "max_score_jump: 0.2, min_confidence: 0.3, extreme_score: {below: 0.3, above: 0.7, action: "
    "reject}}",
    "liquidity: {half_depth_usd: 1.0e-300}\nconfidence: {blend: product}\n"
    "assets: {A: {max_hedge_pct: 0}, B: {liquidity: {half_depth_usd: 1.0e15}}}",
};

/* Built once, kept to the end. */
static const hedge_policy *policy_number(size_t i)
{
    static hedge_policy *built[COUNT(policies)];

    i %= COUNT(policies);
    if (built[i] == NULL) built[i] = policy_with(policies[i]);
    REQUIRE(built[i] != NULL);
    return built[i];
}

static scene take_scene(fuzz_input *in, unsigned how)
{
    scene s = {.policy = policy_number(fuzz_take_u8(in))};

    fuzz_take(in, &s.request, sizeof(s.request));
    fuzz_take(in, &s.quote, sizeof(s.quote));
    fuzz_take(in, &s.now_ns, sizeof(s.now_ns));
    s.request.struct_size = (uint32_t)sizeof(s.request);
    s.quote.struct_size = (uint32_t)sizeof(s.quote);
    if (how & TAME) {
        s.request.asset %= (int32_t)hedge_policy_asset_count(s.policy) + 1;
        s.request.flags &= HEDGE_REQUEST_OVERRIDE;
        s.request.reserved = 0;
        s.quote.flags &=
            HEDGE_QUOTE_SCORE | HEDGE_QUOTE_PREVIOUS | HEDGE_QUOTE_DEPTH | HEDGE_QUOTE_HALTED;
    }
    if (how & FRESH) {
        s.now_ns = NOW;
        s.quote.score_ts_ns = NOW - s.quote.score_ts_ns % (10000 * MS);
        s.quote.depth_ts_ns = NOW - s.quote.depth_ts_ns % (10000 * MS);
    }
    return s;
}

/* Flags that nobody has given a meaning, or a reserved member that is set. */
static bool is_refused(const scene *s)
{
    return (s->request.flags & ~HEDGE_REQUEST_OVERRIDE) != 0 || s->request.reserved != 0 ||
           s->quote.flags >> 4 != 0;
}

/* A batch of this one request decides as hedge_size does, bit for bit. */
static void check_row(const scene *s, const hedge_decision *one, int32_t code)
{
    const hedge_request *r = &s->request;
    const hedge_quote *q = &s->quote;
    hedge_size_in in = HEDGE_INIT(hedge_size_in);
    hedge_size_out out = HEDGE_INIT(hedge_size_out);
    hedge_decision row;

    if (r->reserved != 0) return; /* a row has none */
    memset(&row, 0x5a, sizeof(row));
    in.asset = &r->asset, in.amount_usd = &r->amount_usd, in.override_score = &r->override_score;
    in.request_flags = &r->flags, in.score = &q->score, in.confidence = &q->confidence;
    in.score_ts_ns = &q->score_ts_ns, in.previous_score = &q->previous_score;
    in.depth1pct_usd = &q->depth1pct_usd, in.depth_ts_ns = &q->depth_ts_ns;
    in.quote_flags = &q->flags, in.now_ns = &s->now_ns;
    out.status = &row.status, out.flags = &row.flags, out.hedge_pct = &row.hedge_pct;
    out.notional_usd = &row.notional_usd, out.confidence = &row.confidence;
    out.score = &row.score, out.liquidity_weight = &row.liquidity_weight;
    out.effective_score = &row.effective_score, out.liquidity_quality = &row.liquidity_quality;
    out.score_age_ns = &row.score_age_ns, out.depth_age_ns = &row.depth_age_ns;
    REQUIRE(hedge_size_n(s->policy, &in, 1, &out) == HEDGE_OK);
    REQUIRE(row.status == code);
    row.struct_size = (uint32_t)sizeof(row), row.asset = r->asset, row.ts_ns = s->now_ns;
    REQUIRE(code == HEDGE_E_ARG ? is_empty_handed(&row) : same_decision(&row, one));
}

/* A struct of `size` bytes that begins as ours does, and whose rest is `rest`. */
static void *resize(const void *ours, size_t n, uint32_t size, uint8_t rest)
{
    uint8_t *theirs = malloc(size > 4 ? size : 4); /* struct_size is always there */

    if (theirs == NULL) abort();
    memset(theirs, rest, size);
    memcpy(theirs, ours, n < size ? n : size);
    memcpy(theirs, &size, sizeof(size));
    return theirs;
}

/* A size that cannot be is refused; a longer struct whose rest is zero decides
 * the same; nothing behind the sizes is touched, which a sanitizer sees. */
static void check_sizes(const scene *s, const hedge_decision *one, int32_t code, fuzz_input *in)
{
    const uint32_t sizes[3] = {fuzz_take_u16(in), fuzz_take_u16(in), fuzz_take_u16(in)};
    const uint8_t rest = fuzz_take_u8(in);
    hedge_request *request = resize(&s->request, sizeof(s->request), sizes[0], rest);
    hedge_quote *quote = resize(&s->quote, sizeof(s->quote), sizes[1], rest);
    hedge_decision *out = resize(one, sizeof(*one), sizes[2], 0);
    const bool readable =
        struct_size_room(sizes[0], OLDEST_REQUEST) && struct_size_room(sizes[1], OLDEST_QUOTE) &&
        (rest == 0 || (sizes[0] <= sizeof(*request) && sizes[1] <= sizeof(*quote)));
    const bool good = readable && struct_size_room(sizes[2], OLDEST_DECISION);
    const int32_t got = hedge_size(s->policy, request, quote, s->now_ns, out);

    REQUIRE(got == (good ? code : HEDGE_E_STRUCT_SIZE));
    REQUIRE(out->struct_size == sizes[2]);
    if (good && code != HEDGE_E_ARG && sizes[2] >= sizeof(*one)) {
        out->struct_size = one->struct_size;
        REQUIRE(same_decision(out, one));
    }
    free(request);
    free(quote);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_input in = {bytes, n};
    const unsigned how = fuzz_take_u8(&in);
    const scene s = take_scene(&in, how);
    hedge_decision one, two = HEDGE_INIT(hedge_decision);
    const int32_t code = scene_decide(&s, &one);

    REQUIRE((code == HEDGE_E_ARG) == is_refused(&s));
    if (code != HEDGE_E_ARG) {
        REQUIRE(is_sound(&s, &one, code));
        REQUIRE(hedge_size(s.policy, &s.request, &s.quote, s.now_ns, &two) == code);
        REQUIRE(same_decision(&one, &two));
    }
    check_row(&s, &one, code);
    if (how & MISUSE) check_sizes(&s, &one, code, &in);
    return 0;
}
