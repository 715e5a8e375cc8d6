/* SPDX-License-Identifier: MIT
 * struct_size: takes in a caller's struct of another age. */
#ifndef HEDGE_STRUCT_SIZE_H
#define HEDGE_STRUCT_SIZE_H

#include <hedge/hedge.h>

#include <stdbool.h>

/* True if a caller's struct can be read as one of `ours` bytes: it is at least
 * `oldest` bytes, and whatever it holds beyond ours is zero, since a setting
 * that we do not know must not be ignored. */
bool struct_size_ok(const void *theirs, size_t oldest, size_t ours);

/* Copies the caller's struct; members it is too old to have become zero. */
void struct_size_copy(void *to, const void *theirs, size_t ours);

#endif
