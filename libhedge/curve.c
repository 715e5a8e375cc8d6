/* SPDX-License-Identifier: MIT
 * curve: the monotone interpolant.
 *
 * Three things make it monotone to the last bit. Scores are taken on a grid of
 * 2^-30, so neighbours differ by far more than an evaluation's rounding. Each
 * segment is cut at its middle and each half evaluated from its own knot, so
 * the rounding error shrinks with the distance from the knot and is zero on
 * it. And fma is explicit, so every compiler rounds at the same places. */
#include "curve.h"

#include "curve_slopes.h"
#include "error.h"

#include <sha2.h>
#include <stdlib.h>

#define BUCKETS_A_KNOT 16u
#define BUCKETS_MIN 1024u
#define BUCKETS_MAX 65536u

/* ---- construction ----------------------------------------------------- */

static int32_t knot_error(hedge_error *error, size_t i, const char *what, double value)
{
    char field[32] = "knots[";
    char digits[8];
    size_t n = 0, at = strlen(field), v = i;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        field[at++] = digits[--n];
    field[at++] = ']';
    field[at] = '\0';
    return error_set(error, HEDGE_E_CURVE, (error_place){.field = field, .index = (int32_t)i},
                     "%s (it is %.15g)", what, value);
}

/* Knots written 1e-6 apart in decimal are a few ulp off that in binary. */
static bool apart(double low, double high)
{
    return high - low >= HEDGE_KNOT_GAP_MIN * (1.0 - 1e-9);
}

static bool in_unit(double v)
{
    return v >= 0.0 && v <= 1.0;
}

static int32_t check_knots(const double *score, const double *hedge, size_t n, hedge_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!in_unit(score[i]))
            return knot_error(error, i, "the score must be a number from 0 to 1", score[i]);
        if (!in_unit(hedge[i]))
            return knot_error(error, i, "the hedge must be a number from 0 to 1", hedge[i]);
        if (i == 0) continue;
        if (!apart(score[i - 1], score[i]))
            return knot_error(error, i, "the score must be at least 1e-6 above the knot before",
                              score[i]);
        if (!(hedge[i] >= hedge[i - 1]))
            return knot_error(error, i, "the hedge must not be below the knot before", hedge[i]);
    }
    return HEDGE_OK;
}

/* Buckets are a power of two of steps wide, so that a shift finds them. */
static uint32_t choose_shift(uint32_t steps, uint32_t knots)
{
    uint32_t wanted = knots * BUCKETS_A_KNOT, shift = 0;

    if (wanted < BUCKETS_MIN) wanted = BUCKETS_MIN;
    if (wanted > BUCKETS_MAX) wanted = BUCKETS_MAX;
    while (steps >> shift > wanted)
        shift++;
    return shift;
}

static uint32_t steps_between(double low, double high)
{
    return (uint32_t)((high - low) / HEDGE_SCORE_STEP);
}

/* Where each array of a curve lies: one block holds them all. */
typedef struct layout {
    hedge_curve *curve;
    curve_node *nodes;
    double *score, *hedge, *x, *slope;
    uint32_t *start;
    uint16_t *bucket;
} layout;

/* Nodes and starts are made up to full eights. */
static size_t padded(size_t knots)
{
    return (knots + CURVE_LANES - 1) / CURVE_LANES * CURVE_LANES;
}

static bool layout_new(layout *out, size_t n, uint32_t buckets)
{
    const size_t wide = padded(n), line = sizeof(curve_node);
    const size_t head = (sizeof(hedge_curve) + line - 1) / line * line;
    const size_t bytes = head + wide * sizeof(curve_node) + 4 * n * sizeof(double) +
                         wide * sizeof(uint32_t) + buckets * sizeof(uint16_t);
    char *block = aligned_alloc(line, (bytes + line - 1) / line * line);

    if (block == NULL) return false;
    memset(block, 0, bytes);
    out->curve = (hedge_curve *)(void *)block;
    out->nodes = (curve_node *)(void *)(block + head);
    out->score = (double *)(void *)(out->nodes + wide);
    out->hedge = out->score + n;
    out->x = out->hedge + n;
    out->slope = out->x + n;
    out->start = (uint32_t *)(void *)(out->slope + n);
    out->bucket = (uint16_t *)(void *)(out->start + wide);
    return true;
}

/* A rise so small that products on the way to it would lose bits below the
 * smallest double. It is a step at the segment's middle: nothing measures it. */
static bool is_tiny(double rise)
{
    return rise < 0x1p-900;
}

/* Both halves of the segment behind knot i, each from its own knot. */
static void build_segment(const layout *to, int32_t method, size_t i)
{
    const double x0 = to->x[i], x1 = to->x[i + 1];
    const double rise = to->hedge[i + 1] - to->hedge[i];
    const double h = x1 - x0;
    const double secant = rise / h;
    curve_side *left = &to->nodes[i].side[0], *right = &to->nodes[i + 1].side[1];

    to->start[i + 1] = steps_between(to->x[0], curve_snap(x0 + 0.5 * h));
    if (is_tiny(rise)) return; /* both stay 0 */
    if (method == HEDGE_METHOD_LINEAR) {
        *left = *right = (curve_side){secant, 0.0, 0.0};
        return;
    }
    const double m0 = to->slope[i], m1 = to->slope[i + 1];
    const double d = (m0 + m1 - 2.0 * secant) / (h * h);

    *left = (curve_side){m0, (3.0 * secant - 2.0 * m0 - m1) / h, d};
    *right = (curve_side){m1, (2.0 * m1 + m0 - 3.0 * secant) / h, d};
}

static void build_nodes(const layout *to, int32_t method, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to->nodes[i].shifted_x = CURVE_SHIFT + to->x[i];
        to->nodes[i].y = to->hedge[i];
    }
    for (size_t i = 0; i + 1 < n; i++)
        build_segment(to, method, i);
    for (size_t i = n; i < padded(n); i++)
        to->start[i] = UINT32_MAX; /* never begins */
}

static void build_buckets(const hedge_curve *curve, uint16_t *bucket, uint32_t buckets)
{
    uint32_t node = 0;

    for (uint32_t j = 0; j < buckets; j++) {
        const uint32_t before = node;

        while (node + 1 < curve->knots && curve->start[node + 1] >> curve->bucket_shift <= j)
            node++;
        bucket[j] = (uint16_t)(node - before > 1 ? node | CURVE_CROWDED : node);
    }
}

static void build(const layout *to, int32_t method, size_t n, uint32_t shift, uint32_t buckets)
{
    hedge_curve *curve = to->curve;

    if (method == HEDGE_METHOD_PCHIP) curve_slopes_pchip(to->x, to->hedge, n, to->slope);
    if (method == HEDGE_METHOD_STEFFEN) curve_slopes_steffen(to->x, to->hedge, n, to->slope);
    build_nodes(to, method, n);
    *curve = (hedge_curve){
        .first_bits = curve_bits(CURVE_SHIFT + to->x[0]),
        .steps = steps_between(to->x[0], to->x[n - 1]),
        .bucket_shift = shift,
        .bucket = to->bucket,
        .start = to->start,
        .nodes = to->nodes,
        .first_y = to->hedge[0],
        .last_y = to->hedge[n - 1],
        .score = to->score,
        .hedge = to->hedge,
        .x = to->x,
        .knots = n,
        .method = method,
    };
    build_buckets(curve, to->bucket, buckets);
    curve_set_path(curve, CURVE_PATH_AVX512); /* or the best there is */
}

static void copy_knots(const layout *to, const double *score, const double *hedge, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to->score[i] = score[i] + 0.0; /* -0 becomes 0 */
        to->hedge[i] = hedge[i] + 0.0;
        to->x[i] = curve_snap(score[i]);
    }
}

int32_t hedge_curve_new(int32_t method, const double *score, const double *hedge, size_t n,
                        hedge_error *error, hedge_curve **out)
{
    const error_place nowhere = {.index = -1};
    layout to;
    int32_t code;

    if (out == NULL) return error_set(error, HEDGE_E_ARG, nowhere, "out is null");
    *out = NULL;
    if (score == NULL || hedge == NULL)
        return error_set(error, HEDGE_E_ARG, nowhere, "the knots are null");
    if (hedge_method_name(method) == NULL)
        return error_set(error, HEDGE_E_ARG, (error_place){.field = "method", .index = -1},
                         "method %d is unknown: pchip is 0, steffen 1, linear 2", method);
    if (n < HEDGE_KNOTS_MIN || n > HEDGE_KNOTS_MAX)
        return error_set(error, HEDGE_E_CURVE, (error_place){.field = "knots", .index = -1},
                         "a curve has 2 to 4096 knots (it has %zu)", n);
    code = check_knots(score, hedge, n, error);
    if (code != HEDGE_OK) return code;

    const uint32_t steps = steps_between(curve_snap(score[0]), curve_snap(score[n - 1]));
    const uint32_t shift = choose_shift(steps, (uint32_t)n), buckets = (steps >> shift) + 1;
    if (!layout_new(&to, n, buckets))
        return error_set(error, HEDGE_E_NOMEM, nowhere, "out of memory");
    copy_knots(&to, score, hedge, n);
    build(&to, method, n, shift, buckets);
    *out = to.curve;
    return HEDGE_OK;
}

void hedge_curve_free(hedge_curve *curve)
{
    free(curve);
}

/* ---- what a curve is made of ------------------------------------------ */

const char *hedge_method_name(int32_t method)
{
    static const char *const names[] = {"pchip", "steffen", "linear"};

    return method >= 0 && method <= HEDGE_METHOD_LINEAR ? names[method] : NULL;
}

int32_t hedge_curve_method(const hedge_curve *curve)
{
    return curve != NULL ? curve->method : HEDGE_E_ARG;
}

size_t hedge_curve_knot_count(const hedge_curve *curve)
{
    return curve != NULL ? curve->knots : 0;
}

int32_t hedge_curve_knot(const hedge_curve *curve, size_t i, double *score, double *hedge)
{
    if (curve == NULL || score == NULL || hedge == NULL || i >= curve->knots) return HEDGE_E_ARG;
    *score = curve->score[i];
    *hedge = curve->hedge[i];
    return HEDGE_OK;
}

bool curve_equal(const hedge_curve *a, const hedge_curve *b)
{
    const size_t n = hedge_curve_knot_count(a);

    if (a == b) return true;
    if (hedge_curve_method(a) != hedge_curve_method(b) || hedge_curve_knot_count(b) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        double sa, ha, sb, hb;

        hedge_curve_knot(a, i, &sa, &ha);
        hedge_curve_knot(b, i, &sb, &hb);
        if (!(sa == sb && ha == hb)) return false;
    }
    return true;
}

/* The method and the number of knots, then each knot, 8 bytes a number, little
 * endian, doubles by their bits. */
static void hash_number(SHA2_CTX *context, uint64_t v)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    SHA256Update(context, bytes, sizeof(bytes));
}

int32_t hedge_curve_hash(const hedge_curve *curve, uint8_t hash[HEDGE_HASH_SIZE])
{
    SHA2_CTX context;

    if (curve == NULL || hash == NULL) return HEDGE_E_ARG;
    SHA256Init(&context);
    hash_number(&context, (uint64_t)curve->method);
    hash_number(&context, curve->knots);
    for (size_t i = 0; i < curve->knots; i++) {
        hash_number(&context, curve_bits(curve->score[i]));
        hash_number(&context, curve_bits(curve->hedge[i]));
    }
    SHA256Final(hash, &context);
    return HEDGE_OK;
}
