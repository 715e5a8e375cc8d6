/* SPDX-License-Identifier: MIT
 * number: doubles as text. */
#ifndef HEDGED_NUMBER_H
#define HEDGED_NUMBER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NUMBER_TEXT_MAX 32

/* Writes the shortest decimal text that reads back to the same double, and
 * returns its length; v is finite. Without NUL. */
size_t number_write(char out[NUMBER_TEXT_MAX], double v);

#ifdef __cplusplus
}
#endif

#endif
