/* SPDX-License-Identifier: MIT
 * problem: what went wrong with a request, as RFC 9457 has it. */
#ifndef HEDGED_PROBLEM_H
#define HEDGED_PROBLEM_H

#include "text.h"

#include <stdint.h>

typedef struct problem {
    int status;          /* HTTP */
    const char *code;    /* stable; a literal */
    const char *breaker; /* a literal, NULL: none tripped */
    char member[64];     /* of the body, "" where none */
    char detail[320];
    char file[256];
    int32_t line;
    char decision_id[37];
    int retry_after_s;        /* 0: waiting does not help */
    const char *authenticate; /* of a 401: WWW-Authenticate; NULL: none */
} problem;

/* Fills the problem and returns false, so that a check can end with it. */
bool problem_set(problem *p, int status, const char *code, const char *member, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));

/* Writes it as a JSON object. */
void problem_write(const problem *p, text *out);

#endif
