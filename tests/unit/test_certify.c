/* SPDX-License-Identifier: MIT
 * Certifying: what it finds. Faults are planted in a curve's private parts. Whole sweeps try a
 * billion scores, so there are few of them; where a fault is planted early the sweep ends early. */
#include "curve.h"
#include "support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#define WHOLE ((UINT64_C(1) << 30) + 1)

static const double score[] = {0x1p-10, 0x1p-9, 0x1p-8, 0x1.8p-8};
static const double hedge[] = {0.125, 0.25, 0.625, 0.75};

/* Through knots near 0, so that the sweep comes to them soon. */
static hedge_curve *early(int32_t method)
{
    hedge_curve *c = curve_of(method, score, hedge, COUNT(score));

    cr_assert_not_null(c);
    return c;
}

/* Curves are constant to everyone else. */
static curve_node *nodes_of(hedge_curve *c)
{
    return (curve_node *)(uintptr_t)c->nodes;
}

static uint32_t *starts_of(hedge_curve *c)
{
    return (uint32_t *)(uintptr_t)c->start;
}

static int32_t stop_soon(void *context, double done)
{
    (void)context;
    return done > 0x1.8p-8;
}

/* The certificate of a fault, with the score as a count of grid steps. */
static hedge_certificate faulty(const hedge_curve *c, int32_t fault, const char *what)
{
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    const int32_t rc = hedge_curve_certify(c, stop_soon, NULL, &out);

    cr_assert_eq(rc, HEDGE_E_CERTIFY, "%s: %s", what, hedge_status_name(rc));
    cr_assert_eq(out.fault, fault, "%s: fault %d at %a: %a %a", what, (int)out.fault, out.score[0],
                 out.hedge[0], out.hedge[1]);
    cr_assert_eq(out.struct_size, sizeof(out));
    cr_assert_gt(out.tried, 0);
    return out;
}

static void lies_at(const hedge_certificate *out, double from, double to)
{
    cr_assert(same_bits(out->score[0], from) && same_bits(out->score[1], to),
              "at %.12g and %.12g, not %.12g and %.12g", out->score[0], out->score[1], from, to);
}

/* Whatever is reported can be seen by asking the curve. */
static void can_be_seen(const hedge_curve *c, const hedge_certificate *out)
{
    double seen[2];

    c->eval_n(c, out->score, seen, 2);
    cr_assert(same_bits(seen[0], out->hedge[0]) && same_bits(seen[1], out->hedge[1]),
              "%a %a, but the curve has %a %a", out->hedge[0], out->hedge[1], seen[0], seen[1]);
}

/* ---- what passes ----------------------------------------------------------------- */

Test(certify, passes_a_good_curve_after_every_score, .timeout = 280)
{
    hedge_curve *c = curve_of(HEDGE_METHOD_PCHIP, default_score, default_hedge, DEFAULT_KNOTS);
    hedge_certificate out;

    cr_assert_not_null(c);
    memset(&out, 0xa5, sizeof(out));
    out.struct_size = (uint32_t)sizeof(out);
    cr_assert_eq(hedge_curve_certify(c, NULL, NULL, &out), HEDGE_OK);
    cr_assert_eq(out.fault, HEDGE_CERTIFY_FINE);
    cr_assert_eq(out.tried, WHOLE + DEFAULT_KNOTS, "%llu", (unsigned long long)out.tried);
    for (int i = 0; i < 2; i++)
        cr_assert(same_bits(out.score[i], 0.0) && same_bits(out.hedge[i], 0.0));
    hedge_curve_free(c);
}

typedef struct calls {
    int n, most; /* stops at the call of that number */
    double last;
    bool rose;
} calls;

static int32_t listen(void *context, double done)
{
    calls *c = context;

    c->rose = c->rose && done > c->last && done >= 0 && done <= 1;
    c->last = done;
    return ++c->n == c->most ? 17 : 0;
}

Test(certify, passes_steep_steps_by_every_method_as_far_as_it_is_let)
{
    static const double steep[] = {0, 0.01, 0.010001, 0.02, 0.020001, 1};
    static const double rise[] = {0, 0, 0.5, 0.5 + 0x1p-53, 1, 1};

    for (int32_t method = HEDGE_METHOD_PCHIP; method <= HEDGE_METHOD_LINEAR; method++) {
        hedge_curve *c = curve_of(method, steep, rise, COUNT(steep));
        hedge_certificate out = HEDGE_INIT(hedge_certificate);
        calls heard = {.most = 6, .last = -1, .rose = true};
        int32_t rc;

        cr_assert_not_null(c);
        rc = hedge_curve_certify(c, listen, &heard, &out);
        cr_assert_eq(rc, HEDGE_E_STOPPED, "method %d: fault %d at %a", (int)method, (int)out.fault,
                     out.score[0]);
        cr_assert_gt(heard.last, 0.021, "stopped before the steps, at %g", heard.last);
        hedge_curve_free(c);
    }
}

/* ---- progress ---------------------------------------------------------------------- */

Test(certify, tells_a_rising_share_and_stops_when_asked)
{
    hedge_curve *c = early(HEDGE_METHOD_STEFFEN);

    for (int most = 1; most <= 8; most *= 2) {
        hedge_certificate out = HEDGE_INIT(hedge_certificate);
        calls heard = {.most = most, .last = -1, .rose = true};

        cr_assert_eq(hedge_curve_certify(c, listen, &heard, &out), HEDGE_E_STOPPED);
        cr_assert_eq(heard.n, most, "called on after it asked to stop");
        cr_assert(heard.rose);
        cr_assert_eq(out.fault, HEDGE_CERTIFY_FINE);
        cr_assert_eq((double)out.tried, heard.last > 0 ? heard.last * 0x1p30 + COUNT(score) : 0);
    }
    hedge_curve_free(c);
}

/* ---- knots ------------------------------------------------------------------------- */

Test(certify, finds_a_knot_that_is_not_met)
{
    for (size_t i = 0; i < COUNT(score); i++) {
        hedge_curve *c = early(HEDGE_METHOD_PCHIP);
        hedge_certificate out;

        nodes_of(c)[i].y = next_down(nodes_of(c)[i].y);
        c->first_y = c->nodes[0].y; /* the ends' hedges are kept twice */
        c->last_y = c->nodes[COUNT(score) - 1].y;
        out = faulty(c, HEDGE_CERTIFY_KNOT, "a knot");
        lies_at(&out, score[i], score[i]);
        cr_assert(same_bits(out.hedge[0], next_down(hedge[i])));
        cr_assert(same_bits(out.hedge[1], hedge[i]));
        cr_assert_eq(out.tried, i + 1);
        hedge_curve_free(c);
    }
}

/* One by one and in a batch the knots are met, or are not, each by itself. */
static double (*honest)(const hedge_curve *, double);
static void (*honest_n)(const hedge_curve *, const double *, double *, size_t);
static double lie_at, lie; /* a score and what it gets */

static double lying(const hedge_curve *c, double x)
{
    return same_bits(x, lie_at) ? lie : honest(c, x);
}

static void lying_n(const hedge_curve *c, const double *x, double *f, size_t n)
{
    honest_n(c, x, f, n);
    for (size_t i = 0; i < n; i++)
        if (same_bits(x[i], lie_at)) f[i] = lie;
}

static double flip(double x)
{
    uint64_t bits = curve_bits(x) ^ 1;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Will lie by one bit, until another lie is chosen. */
static hedge_curve *liar(double where)
{
    hedge_curve *c = early(HEDGE_METHOD_LINEAR);

    honest = c->eval;
    honest_n = c->eval_n;
    lie_at = where;
    lie = flip(hedge_curve_eval(c, where));
    return c;
}

Test(certify, finds_a_knot_that_is_met_in_a_batch_alone_or_one_by_one_alone)
{
    for (int batch = 0; batch <= 1; batch++) {
        hedge_curve *c = liar(score[2]);
        hedge_certificate out;

        if (batch)
            c->eval_n = lying_n;
        else
            c->eval = lying;
        out = faulty(c, HEDGE_CERTIFY_KNOT, batch ? "batch" : "alone");
        lies_at(&out, score[2], score[2]);
        cr_assert(same_bits(out.hedge[0], flip(hedge[2])), "names what is right as wrong");
        cr_assert(same_bits(out.hedge[1], hedge[2]));
        hedge_curve_free(c);
    }
}

/* ---- paths ------------------------------------------------------------------------- */

static double hedge_at(double x)
{
    hedge_curve *c = early(HEDGE_METHOD_LINEAR);
    const double f = hedge_curve_eval(c, x);

    hedge_curve_free(c);
    return f;
}

/* Around each place where pieces meet every score is tried one by one. */
Test(certify, finds_a_batch_and_one_by_one_that_differ_by_a_bit)
{
    const double places[] = {score[0] + HEDGE_SCORE_STEP, score[1] - HEDGE_SCORE_STEP,
                             score[1] + 4 * HEDGE_SCORE_STEP, score[2] - 4 * HEDGE_SCORE_STEP,
                             score[2] + 256 * HEDGE_SCORE_STEP};

    for (size_t i = 0; i < COUNT(places) * 2; i++) {
        const double x = places[i / 2], right = hedge_at(x);
        hedge_curve *c = liar(x);
        hedge_certificate out;

        if (i % 2 == 0)
            c->eval_n = lying_n;
        else
            c->eval = lying; /* the path that decisions take */
        out = faulty(c, HEDGE_CERTIFY_PATHS, i % 2 == 0 ? "a batch" : "one by one");
        lies_at(&out, x, x);
        cr_assert(same_bits(out.hedge[i % 2 == 0], flip(right)));
        cr_assert(same_bits(out.hedge[i % 2], right));
        hedge_curve_free(c);
    }
}

/* ---- order and bounds -------------------------------------------------------------- */

/* Single scores: inside a chunk of the sweep, where two chunks meet, at either end of a segment.
 * One by one they are right, so only the sweep can see them. */
static const uint32_t lonely[] = {1, 5, 999, 1001, 2047, 2048, 2049, 3 * 2048, 3 * 2048 + 1023};

typedef struct lonely_fault {
    const char *what;
    int32_t fault;
    bool pair; /* reported with the score before it */
    double (*lie)(double before, double at, double step);
} lonely_fault;

static double falls(double before, double at, double step)
{
    (void)at, (void)step;
    return next_down(before);
}

/* A grid's step may rise by three of its segment's secants, and 2^-51. */
static double jumps(double before, double at, double step)
{
    (void)at;
    return before + 3 * step * (1 + 0x1p-20) + 0x1p-50;
}

static double above(double before, double at, double step)
{
    (void)before, (void)at, (void)step;
    return next_up(hedge[COUNT(hedge) - 1]);
}

static double below(double before, double at, double step)
{
    (void)before, (void)at, (void)step;
    return next_down(hedge[0]);
}

static double is_nan(double before, double at, double step)
{
    (void)before, (void)at, (void)step;
    return NAN;
}

static double is_infinite(double before, double at, double step)
{
    (void)before, (void)at, (void)step;
    return INFINITY;
}

static const lonely_fault lonely_faults[] = {
    {"a fall", HEDGE_CERTIFY_FALLS, true, falls},
    {"a jump", HEDGE_CERTIFY_JUMPS, true, jumps},
    {"above the last", HEDGE_CERTIFY_OUTSIDE, false, above},
    {"below the first", HEDGE_CERTIFY_OUTSIDE, false, below},
    {"nan", HEDGE_CERTIFY_OUTSIDE, false, is_nan},
    {"infinite", HEDGE_CERTIFY_OUTSIDE, false, is_infinite},
};

static void finds_lonely(const lonely_fault *f, size_t knot, double at)
{
    const double x = at, before = at - HEDGE_SCORE_STEP;
    const double step =
        (hedge[knot + 1] - hedge[knot]) / (score[knot + 1] - score[knot]) * HEDGE_SCORE_STEP;
    hedge_curve *c = liar(x);
    hedge_certificate out;

    lie = f->lie(hedge_curve_eval(c, before), hedge_curve_eval(c, x), step);
    c->eval_n = lying_n;
    out = faulty(c, f->fault, f->what);
    lies_at(&out, f->pair ? before : x, x);
    cr_assert(same_bits(out.hedge[1], lie));
    cr_assert(same_bits(out.hedge[0], f->pair ? hedge_curve_eval(c, before) : lie));
    hedge_curve_free(c);
}

Test(certify, finds_one_bad_score_among_all)
{
    for (size_t f = 0; f < COUNT(lonely_faults); f++) {
        for (size_t i = 0; i < COUNT(lonely); i++) {
            finds_lonely(&lonely_faults[f], 1, score[1] + lonely[i] * HEDGE_SCORE_STEP);
            finds_lonely(&lonely_faults[f], 1, score[2] - lonely[i] * HEDGE_SCORE_STEP);
        }
    }
}

/* Narrow steep segments make pchip's slopes all but three secants of the gentle one between. */
Test(certify, lets_slopes_of_nearly_three_secants_pass)
{
    static const double x[] = {0, 1.1e-6, 0x1p-8, 0x1p-8 + 1.1e-6};
    static const double y[] = {0, 0.5, 0.5625, 1};
    hedge_curve *c = curve_of(HEDGE_METHOD_PCHIP, x, y, COUNT(x));
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    const double secant = (y[2] - y[1]) / (x[2] - x[1]);

    cr_assert_not_null(c);
    cr_assert_gt(hedge_curve_slope(c, x[1]), 2.99 * secant);
    cr_assert_gt(hedge_curve_slope(c, x[2]), 2.99 * secant);
    cr_assert_eq(hedge_curve_certify(c, stop_soon, NULL, &out), HEDGE_E_STOPPED,
                 "fault %d at %a: %a %a", (int)out.fault, out.score[0], out.hedge[0], out.hedge[1]);
    hedge_curve_free(c);
}

/* Nothing may rise or fall where there is no knot any more, to the very last score. A second whole
 * sweep, which is too slow without the optimiser. */
#ifdef __OPTIMIZE__
Test(certify, finds_a_bad_last_score, .timeout = 280)
{
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    hedge_curve *c = liar(1.0);

    lie = next_down(hedge[COUNT(hedge) - 1]);
    c->eval_n = lying_n;
    cr_assert_eq(hedge_curve_certify(c, NULL, NULL, &out), HEDGE_E_CERTIFY);
    cr_assert_eq(out.fault, HEDGE_CERTIFY_FALLS);
    lies_at(&out, 1 - HEDGE_SCORE_STEP, 1);
    hedge_curve_free(c);
}

/* No chunk begins with it: it is the last of the last. */
Test(certify, finds_a_last_score_that_is_bad_one_by_one, .timeout = 280)
{
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    hedge_curve *c = liar(1.0);

    c->eval = lying;
    cr_assert_eq(hedge_curve_certify(c, NULL, NULL, &out), HEDGE_E_CERTIFY);
    cr_assert_eq(out.fault, HEDGE_CERTIFY_PATHS);
    lies_at(&out, 1, 1);
    hedge_curve_free(c);
}
#endif

/* Falls right of a knot: the slope there is below 0. */
Test(certify, finds_a_curve_that_falls_behind_a_knot)
{
    for (int32_t method = HEDGE_METHOD_PCHIP; method <= HEDGE_METHOD_LINEAR; method++) {
        for (size_t i = 0; i + 1 < COUNT(score); i++) {
            hedge_curve *c = early(method);
            hedge_certificate out;

            nodes_of(c)[i].side[0].b = -0x1p-10;
            out = faulty(c, i == 0 ? HEDGE_CERTIFY_OUTSIDE : HEDGE_CERTIFY_FALLS, "a slope");
            if (i > 0) lies_at(&out, score[i], score[i] + HEDGE_SCORE_STEP);
            if (i == 0) lies_at(&out, score[0] + HEDGE_SCORE_STEP, score[0] + HEDGE_SCORE_STEP);
            cr_assert_lt(out.hedge[i > 0], hedge[i]);
            can_be_seen(c, &out);
            hedge_curve_free(c);
        }
    }
}

Test(certify, finds_a_curve_that_falls_at_a_middle_by_one_ulp)
{
    hedge_curve *c = early(HEDGE_METHOD_LINEAR);
    const double middle = (score[1] + score[2]) / 2;
    hedge_certificate out;
    double before, at;

    /* The right half starts lower than the left one ends, by less and less. */
    for (double b = 0x1p-20; b > 0x1p-60; b /= 2) {
        curve_side *right = &nodes_of(c)[2].side[1];
        const double was = right->b;

        right->b += b;
        before = hedge_curve_eval(c, middle - HEDGE_SCORE_STEP);
        at = hedge_curve_eval(c, middle);
        if (at >= before) break;
        out = faulty(c, HEDGE_CERTIFY_FALLS, "a middle");
        lies_at(&out, middle - HEDGE_SCORE_STEP, middle);
        can_be_seen(c, &out);
        right->b = was;
    }
    cr_assert_geq(at, before);
    hedge_curve_free(c);
}

/* Where e is 0 the knot itself becomes NaN, and that is found first. */
Test(certify, finds_knots_that_became_nan)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < COUNT(bad) * (COUNT(score) - 1); i++) {
        const size_t knot = i / COUNT(bad);
        hedge_curve *c = early(HEDGE_METHOD_PCHIP);
        hedge_certificate out;

        nodes_of(c)[knot].side[0].d = bad[i % COUNT(bad)];
        out = faulty(c, HEDGE_CERTIFY_KNOT, "nan");
        lies_at(&out, score[knot], score[knot]);
        cr_assert(isnan(out.hedge[0]));
        cr_assert(same_bits(out.hedge[1], hedge[knot]));
        hedge_curve_free(c);
    }
}

Test(certify, finds_nan_between_the_knots)
{
    for (int first = 0; first <= 1; first++) {
        hedge_curve *c = early(HEDGE_METHOD_PCHIP);
        hedge_certificate out;

        /* Left halves are not looked at on their knot. */
        nodes_of(c)[first ? 1 : 3].side[1].c = NAN;
        out = faulty(c, HEDGE_CERTIFY_OUTSIDE, "nan");
        cr_assert(isnan(out.hedge[0]));
        cr_assert_eq(out.score[0], first ? (score[0] + score[1]) / 2 : (score[2] + score[3]) / 2);
        hedge_curve_free(c);
    }
}

Test(certify, finds_a_jump_in_the_middle)
{
    hedge_curve *c = early(HEDGE_METHOD_LINEAR);
    const double middle = (score[1] + score[2]) / 2;
    const double room = 3 * (hedge[2] - hedge[1]) / (score[2] - score[1]) * HEDGE_SCORE_STEP;
    hedge_certificate out;

    nodes_of(c)[2].side[1].b -= 1.01 * room / ((score[2] - score[1]) / 2) * 2 / 3;
    out = faulty(c, HEDGE_CERTIFY_JUMPS, "a jump");
    lies_at(&out, middle - HEDGE_SCORE_STEP, middle);
    cr_assert_gt(out.hedge[1] - out.hedge[0], room);
    can_be_seen(c, &out);
    hedge_curve_free(c);
}

/* So far off that one segment's line goes on into the next one. */
Test(certify, finds_a_middle_in_the_wrong_place)
{
    const uint32_t half = (uint32_t)((score[2] - score[1]) / 2 / HEDGE_SCORE_STEP);
    const double to = score[2] + (1 << 16) * HEDGE_SCORE_STEP;
    hedge_curve *c = early(HEDGE_METHOD_LINEAR);
    hedge_certificate out;

    starts_of(c)[2] += half + (1 << 16);
    out = faulty(c, HEDGE_CERTIFY_FALLS, "a middle");
    lies_at(&out, to - HEDGE_SCORE_STEP, to);
    can_be_seen(c, &out);
    hedge_curve_free(c);
}

Test(certify, finds_a_hedge_outside_of_the_knots_that_is_not_the_ends)
{
    hedge_curve *c = early(HEDGE_METHOD_PCHIP);
    hedge_certificate out;

    curve_set_path(c, CURVE_PATH_PORTABLE);
    c->first_y = next_down(c->first_y);
    out = faulty(c, HEDGE_CERTIFY_JUMPS, "the first hedge");
    lies_at(&out, score[0] - HEDGE_SCORE_STEP, score[0]);
    hedge_curve_free(c);
}

/* ---- callers ------------------------------------------------------------------------- */

Test(certify, refuses_what_no_caller_may_pass)
{
    hedge_curve *c = early(HEDGE_METHOD_PCHIP);
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    struct {
        hedge_certificate c;
        char more[16];
    } newer;

    cr_assert_eq(hedge_curve_certify(NULL, NULL, NULL, &out), HEDGE_E_ARG);
    cr_assert_eq(hedge_curve_certify(c, NULL, NULL, NULL), HEDGE_E_ARG);
    for (uint32_t size = 0; size < sizeof(out); size++) {
        out.struct_size = size;
        cr_assert_eq(hedge_curve_certify(c, NULL, NULL, &out), HEDGE_E_STRUCT_SIZE);
    }
    memset(&newer, 0x5a, sizeof(newer));
    newer.c.struct_size = (uint32_t)sizeof(newer);
    cr_assert_eq(hedge_curve_certify(c, stop_soon, NULL, &newer.c), HEDGE_E_STOPPED);
    cr_assert_eq(newer.c.struct_size, sizeof(newer));
    cr_assert_eq(newer.more[0], 0x5a);
    hedge_curve_free(c);
}

static void *certify_here(void *arg)
{
    hedge_certificate out = HEDGE_INIT(hedge_certificate);
    calls heard = {.most = 3, .last = -1, .rose = true};
    const int32_t rc = hedge_curve_certify(arg, listen, &heard, &out);

    return rc == HEDGE_E_STOPPED && heard.rose ? arg : NULL;
}

Test(certify, runs_on_a_small_stack)
{
    hedge_curve *c = early(HEDGE_METHOD_PCHIP);
    pthread_attr_t small;
    pthread_t thread;
    void *done = NULL;

    pthread_attr_init(&small);
    cr_assert_eq(pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN + 64 * 1024), 0);
    cr_assert_eq(pthread_create(&thread, &small, certify_here, c), 0);
    pthread_join(thread, &done);
    cr_assert_eq(done, c);
    pthread_attr_destroy(&small);
    hedge_curve_free(c);
}
