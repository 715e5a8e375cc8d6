/* SPDX-License-Identifier: MIT
 * curve_certify: tries every score there is.
 *
 * The grid is swept range by range: before the first knot, each segment, behind
 * the last knot. Within a range the hedge may rise only so much from one grid
 * point to the next. */
#include "curve.h"
#include "struct_size.h"

#include <math.h>

#define STEPS (1u << 30) /* of the grid, from 0 to 1 */
#define CHUNK 2048u      /* pairs at a time: their arrays stay in the nearest cache */
#define ALONE_EVERY 256u /* scores tried one by one too, */
#define ALONE_NEAR 4u    /* and as many on either side of where the pieces meet */
#define REPORT_EVERY (1u << 23)

/* The plain loops over a chunk run on whatever width the processor has. */
#ifdef CURVE_LOADER_CHOOSES
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

typedef struct sweep {
    const hedge_curve *curve;
    hedge_progress *progress;
    void *context;
    hedge_certificate *out;
    uint32_t reported; /* where progress was told last */
    double score[CHUNK + 1], hedge[CHUNK + 1];
} sweep;

static int32_t found(hedge_certificate *out, int32_t fault, const double score[2],
                     const double hedge[2])
{
    out->fault = fault;
    memcpy(out->score, score, sizeof(out->score));
    memcpy(out->hedge, hedge, sizeof(out->hedge));
    return HEDGE_E_CERTIFY;
}

static bool same_bits(double a, double b)
{
    return curve_bits(a) == curve_bits(b);
}

static double score_at(uint32_t step)
{
    return (double)step * HEDGE_SCORE_STEP; /* exact */
}

/* ---- knots and paths ------------------------------------------------------ */

/* Knots need not lie on the grid, so the sweep does not visit them as given. */
static int32_t try_knots(const hedge_curve *curve, hedge_certificate *out)
{
    for (size_t i = 0; i < curve->knots; i++) {
        const double alone = curve->eval(curve, curve->score[i]);
        double batch;

        curve->eval_n(curve, &curve->score[i], &batch, 1);
        out->tried++;
        if (same_bits(alone, curve->hedge[i]) && same_bits(batch, curve->hedge[i])) continue;
        return found(
            out, HEDGE_CERTIFY_KNOT, (double[2]){curve->score[i], curve->score[i]},
            (double[2]){same_bits(alone, curve->hedge[i]) ? batch : alone, curve->hedge[i]});
    }
    return HEDGE_OK;
}

/* Through the public call, and through the curve's own path, which decisions take. */
static int32_t try_alone(sweep *s, uint32_t i)
{
    const double open = hedge_curve_eval(s->curve, s->score[i]);
    const double own = s->curve->eval(s->curve, s->score[i]);

    if (same_bits(open, s->hedge[i]) && same_bits(own, s->hedge[i])) return HEDGE_OK;
    return found(s->out, HEDGE_CERTIFY_PATHS, (double[2]){s->score[i], s->score[i]},
                 (double[2]){same_bits(open, s->hedge[i]) ? own : open, s->hedge[i]});
}

/* Of n + 1 scores; the ends of a range are where pieces meet. */
static int32_t try_some_alone(sweep *s, uint32_t n)
{
    int32_t code = HEDGE_OK;

    for (uint32_t i = 0; i <= n && code == HEDGE_OK; i++) {
        const bool near = i <= ALONE_NEAR || n - i <= ALONE_NEAR;

        if (near || i % ALONE_EVERY == 0) code = try_alone(s, i);
    }
    return code;
}

/* ---- the sweep ------------------------------------------------------------ */

/* Neighbours that fall, or rise by more than `most`; NaN does neither and
 * counts. Without a branch, so that it runs on wide registers. */
WIDE static uint64_t bad_pairs(const double *hedge, uint32_t n, double most)
{
    uint64_t bad = 0;

    for (uint32_t i = 0; i < n; i++) {
        const double rise = hedge[i + 1] - hedge[i];

        bad += !((rise >= 0.0) & (rise <= most));
    }
    return bad;
}

static bool inside(const hedge_curve *curve, double hedge)
{
    return hedge >= curve->first_y && hedge <= curve->last_y;
}

/* Names the first fault of a chunk that holds one. */
static int32_t name_fault(const sweep *s, uint32_t n, double most)
{
    const double *score = s->score, *hedge = s->hedge;

    for (uint32_t i = 0; i <= n; i++) {
        if (!inside(s->curve, hedge[i]))
            return found(s->out, HEDGE_CERTIFY_OUTSIDE, (double[2]){score[i], score[i]},
                         (double[2]){hedge[i], hedge[i]});
        if (i == n || (hedge[i + 1] >= hedge[i] && hedge[i + 1] - hedge[i] <= most)) continue;
        if (!inside(s->curve, hedge[i + 1])) continue;
        return found(s->out, hedge[i + 1] < hedge[i] ? HEDGE_CERTIFY_FALLS : HEDGE_CERTIFY_JUMPS,
                     &score[i], &hedge[i]);
    }
    return HEDGE_OK;
}

WIDE static void fill_scores(double *score, uint32_t n, double first)
{
    for (uint32_t i = 0; i < n; i++)
        score[i] = first + (double)(int32_t)i * HEDGE_SCORE_STEP;
}

/* The n pairs from a step of the grid on. */
static int32_t try_chunk(sweep *s, uint32_t from, uint32_t n, double most)
{
    fill_scores(s->score, n + 1, score_at(from));
    s->curve->eval_n(s->curve, s->score, s->hedge, n + 1);
    s->out->tried += n;
    /* In a row that never falls the ends bound all the rest. */
    if (bad_pairs(s->hedge, n, most) != 0 || !inside(s->curve, s->hedge[0]) ||
        !inside(s->curve, s->hedge[n]))
        return name_fault(s, n, most);
    return try_some_alone(s, n);
}

static int32_t report(sweep *s, uint32_t at)
{
    if (s->progress == NULL || at - s->reported < REPORT_EVERY) return HEDGE_OK;
    s->reported = at;
    return s->progress(s->context, (double)at / STEPS) == 0 ? HEDGE_OK : HEDGE_E_STOPPED;
}

static int32_t try_range(sweep *s, uint32_t from, uint32_t to, double most)
{
    int32_t code = HEDGE_OK;

    while (from < to && code == HEDGE_OK) {
        const uint32_t n = to - from < CHUNK ? to - from : CHUNK;

        code = try_chunk(s, from, n, most);
        from += n;
        if (code == HEDGE_OK) code = report(s, from);
    }
    return code;
}

/* The most that a segment may rise in one step of the grid: a monotone cubic
 * is nowhere steeper than 3 secants, and each end of the step is rounded. */
static double most_rise(const hedge_curve *curve, size_t i)
{
    const double secant = (curve->hedge[i + 1] - curve->hedge[i]) / (curve->x[i + 1] - curve->x[i]);

    return 3.0 * secant * HEDGE_SCORE_STEP * (1.0 + 0x1p-40) + 0x1p-51;
}

static uint32_t step_of(double x)
{
    return (uint32_t)(x / HEDGE_SCORE_STEP);
}

static int32_t try_all(sweep *s)
{
    const hedge_curve *curve = s->curve;
    const size_t last = curve->knots - 1;
    int32_t code;

    if (s->progress != NULL && s->progress(s->context, 0.0) != 0) return HEDGE_E_STOPPED;
    code = try_knots(curve, s->out);

    if (code == HEDGE_OK) code = try_range(s, 0, step_of(curve->x[0]), 0.0);
    for (size_t i = 0; i < last && code == HEDGE_OK; i++)
        code = try_range(s, step_of(curve->x[i]), step_of(curve->x[i + 1]), most_rise(curve, i));
    if (code == HEDGE_OK) code = try_range(s, step_of(curve->x[last]), STEPS, 0.0);
    if (code == HEDGE_OK) s->out->tried++; /* the last point begins no pair */
    return code;
}

int32_t hedge_curve_certify(const hedge_curve *curve, hedge_progress *progress, void *context,
                            hedge_certificate *out)
{
    hedge_certificate certificate = HEDGE_INIT(hedge_certificate);
    sweep s;
    int32_t code;

    if (curve == NULL || out == NULL) return HEDGE_E_ARG;
    if (!struct_size_room(out->struct_size, OLDEST_CERTIFICATE)) return HEDGE_E_STRUCT_SIZE;
    s.curve = curve;
    s.progress = progress;
    s.context = context;
    s.out = &certificate;
    s.reported = 0;
    code = try_all(&s);
    struct_size_answer(out, &certificate, sizeof(certificate));
    return code;
}
