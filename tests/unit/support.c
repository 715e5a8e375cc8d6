/* SPDX-License-Identifier: MIT
 * What the tests share. No test framework here: plain programs link it too. */
#include "support.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const double default_score[DEFAULT_KNOTS] = {0.0, 0.3, 0.7, 1.0};
const double default_hedge[DEFAULT_KNOTS] = {0.05, 0.25, 0.75, 1.0};

bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

double next_up(double x)
{
    return nextafter(x, INFINITY);
}

double next_down(double x)
{
    return nextafter(x, -INFINITY);
}

double on_grid(double score)
{
    return nearbyint(score / HEDGE_SCORE_STEP) * HEDGE_SCORE_STEP;
}

uint64_t rng_next(rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

double rng_unit(rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

double rng_any(rng *r)
{
    const uint64_t u = rng_next(r);
    double x;

    memcpy(&x, &u, sizeof(x));
    return x;
}

bool folder_new(folder *f)
{
    const char *top = getenv("TMPDIR");

    snprintf(f->path, sizeof(f->path), "%s/hedge-test-XXXXXX", top != NULL && *top ? top : "/tmp");
    return mkdtemp(f->path) != NULL;
}

void folder_remove(const folder *f)
{
    DIR *dir = opendir(f->path);
    char path[512];

    if (dir != NULL) {
        for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
            snprintf(path, sizeof(path), "%s/%.240s", f->path, e->d_name);
            if (e->d_name[0] != '.') unlink(path);
        }
        closedir(dir);
    }
    rmdir(f->path);
}

bool folder_write(const folder *f, const char *name, const void *bytes, size_t n, char *path)
{
    snprintf(path, 512, "%s/%s", f->path, name);

    FILE *file = fopen(path, "wb");

    if (file == NULL) return false;

    const bool whole = fwrite(bytes, 1, n, file) == n;

    return fclose(file) == 0 && whole;
}

void text_fill(char *out, size_t n, const char *pattern, const char *value)
{
    const char *at = strchr(pattern, '$');
    const int head = at != NULL ? (int)(at - pattern) : (int)strlen(pattern);

    snprintf(out, n, "%.*s%s%s", head, pattern, at != NULL ? value : "", at != NULL ? at + 1 : "");
}

hedge_policy *policy_of(const char *text)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    const int32_t rc = hedge_policy_parse(text, strlen(text), &error, &policy);

    if (rc != HEDGE_OK)
        fprintf(stderr, "policy: %s, line %d, %s: %s\n", hedge_status_name(rc), (int)error.line,
                error.field, error.message);
    return policy;
}

hedge_policy *policy_with(const char *more)
{
    static const char curve[] = "curve: {knots: [[0, .05], [.3, .25], [.7, .75], [1, 1]]}\n";
    char text[8192];

    if ((size_t)snprintf(text, sizeof(text), "%s%s\n", curve, more) >= sizeof(text)) return NULL;
    return policy_of(text);
}

hedge_curve *curve_of(int32_t method, const double *score, const double *hedge, size_t n)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_curve *curve = NULL;
    const int32_t rc = hedge_curve_new(method, score, hedge, n, &error, &curve);

    if (rc != HEDGE_OK)
        fprintf(stderr, "curve: %s, knot %d, %s: %s\n", hedge_status_name(rc), (int)error.index,
                error.field, error.message);
    return curve;
}
