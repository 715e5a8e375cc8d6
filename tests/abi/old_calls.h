/* SPDX-License-Identifier: MIT
 * old_calls: every function that takes a public struct, called with one of any age. */
#ifndef HEDGE_TESTS_OLD_CALLS_H
#define HEDGE_TESTS_OLD_CALLS_H

#include <hedge/hedge.h>

#include <stdbool.h>

#define OLD_ANSWER_MAX 2048u

typedef struct old_call {
    const char *function, *type;
    size_t today; /* bytes of the struct as the header has it */
    bool out;     /* the library writes it */
    /* Good contents, in the size of today. */
    void (*fill)(void *full);
    /* Calls with the struct, wherever it lies and however long it is; what is answered outside of
     * it goes to `answer`. A function that does not fill a hedge_error has refused it. */
    int32_t (*call)(void *theirs, void *answer);
} old_call;

extern const old_call old_calls[];
extern const size_t old_call_count;

/* What the calls need besides. False: it could not be made. */
bool old_calls_begin(void);
void old_calls_end(void);

#endif
