/* SPDX-License-Identifier: MIT
 * What the tests share: seeded numbers, neighbouring doubles, files in a folder of their own. */
#ifndef HEDGE_TESTS_SUPPORT_H
#define HEDGE_TESTS_SUPPORT_H

#include <hedge/hedge.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The same double, bit for bit: tells -0.0 from 0.0 and compares NaN. */
bool same_bits(double a, double b);
double next_up(double x);
double next_down(double x);
/* The nearest point of the score grid, ties to even. */
double on_grid(double score);

/* splitmix64: small, seeded, the same everywhere. */
typedef struct rng {
    uint64_t state;
} rng;

uint64_t rng_next(rng *r);
uint64_t rng_below(rng *r, uint64_t n); /* 0 to n - 1 */
double rng_unit(rng *r);                /* [0, 1) */
double rng_any(rng *r);                 /* any bits: NaN, infinities and subnormals too */

/* A fresh folder under TMPDIR or /tmp; removed with all files in it. */
typedef struct folder {
    char path[256];
} folder;

bool folder_new(folder *f);
void folder_remove(const folder *f);
/* Writes a file; its path goes to path[512]. */
bool folder_write(const folder *f, const char *name, const void *bytes, size_t n, char *path);

/* Copies a pattern with the value in place of its `$`. */
void text_fill(char *out, size_t n, const char *pattern, const char *value);

/* The policy of a text, or NULL after a line on stderr that says why not. */
hedge_policy *policy_of(const char *text);
/* A policy whose only curve is the default one and whose YAML ends with `more`. */
hedge_policy *policy_with(const char *more);

/* The knots of configs/curve_knots.yaml. */
#define DEFAULT_KNOTS 4
extern const double default_score[DEFAULT_KNOTS];
extern const double default_hedge[DEFAULT_KNOTS];

/* The curve through n knots, or NULL after a line on stderr. */
hedge_curve *curve_of(int32_t method, const double *score, const double *hedge, size_t n);

#endif
