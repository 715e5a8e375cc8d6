/* SPDX-License-Identifier: MIT
 * fuzz: what the fuzz targets share.
 *
 * A target is one function that takes any bytes and must neither crash nor
 * break a promise. libFuzzer looks for bytes (HEDGE_FUZZ=ON); in an ordinary
 * build replay.c gives it those of the target's corpus. */
#ifndef HEDGE_TESTS_FUZZ_H
#define HEDGE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Always 0. bytes are n on the heap, so that a sanitizer sees a read behind them. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A promise of the product; where it is broken the input is a finding. */
#define REQUIRE(holds)                                                                             \
    do {                                                                                           \
        if (!(holds)) fuzz_broken(#holds, __FILE__, __LINE__);                                     \
    } while (0)

static inline _Noreturn void fuzz_broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    abort();
}

/* Bytes that are taken from the front; zeros where there are no more. */
typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input;

static inline void fuzz_take(fuzz_input *in, void *out, size_t n)
{
    const size_t there = in->left < n ? in->left : n;

    memset(out, 0, n);
    if (there > 0) memcpy(out, in->at, there);
    in->at += there;
    in->left -= there;
}

static inline uint8_t fuzz_take_u8(fuzz_input *in)
{
    uint8_t v;

    fuzz_take(in, &v, sizeof(v));
    return v;
}

static inline uint16_t fuzz_take_u16(fuzz_input *in)
{
    uint16_t v;

    fuzz_take(in, &v, sizeof(v));
    return v;
}

static inline uint32_t fuzz_take_u32(fuzz_input *in)
{
    uint32_t v;

    fuzz_take(in, &v, sizeof(v));
    return v;
}

/* Any bits: NaN, infinities and subnormals too. */
static inline double fuzz_take_double(fuzz_input *in)
{
    double v;

    fuzz_take(in, &v, sizeof(v));
    return v;
}

/* The bytes up to the next `end`, which is taken as well; all that are left
 * where there is none. */
static inline fuzz_input fuzz_take_until(fuzz_input *in, const char *end)
{
    const size_t length = strlen(end);
    const uint8_t *stop = in->left > 0 ? memmem(in->at, in->left, end, length) : NULL;
    const fuzz_input part = {in->at, stop != NULL ? (size_t)(stop - in->at) : in->left};
    const size_t taken = stop != NULL ? part.left + length : part.left;

    in->at += taken;
    in->left -= taken;
    return part;
}

/* The part as a text of its own, to be freed. */
static inline char *fuzz_text(fuzz_input part)
{
    char *copy = malloc(part.left + 1);

    if (copy == NULL) abort();
    if (part.left > 0) memcpy(copy, part.at, part.left);
    copy[part.left] = '\0';
    return copy;
}

#endif
