/* SPDX-License-Identifier: MIT
 * struct_size: takes in a caller's struct of another age. */
#ifndef HEDGE_STRUCT_SIZE_H
#define HEDGE_STRUCT_SIZE_H

#include <hedge/hedge.h>

#include <stdbool.h>

/* The bytes that each struct had in version 0.1: no older caller has fewer. They are counted to
 * the member that was last then, so that they stay when the struct grows. */
#define STRUCT_SIZE_TO(type, last) (offsetof(type, last) + sizeof(((type *)NULL)->last))
#define OLDEST_ERROR STRUCT_SIZE_TO(hedge_error, message)
#define OLDEST_PIECE STRUCT_SIZE_TO(hedge_piece, d)
#define OLDEST_CERTIFICATE STRUCT_SIZE_TO(hedge_certificate, hedge)
#define OLDEST_RULES (offsetof(hedge_rules, limits) + 14 * sizeof(hedge_limit))
#define OLDEST_OVERRIDES STRUCT_SIZE_TO(hedge_policy_overrides, stale_score_ms)
#define OLDEST_REQUEST STRUCT_SIZE_TO(hedge_request, reserved)
#define OLDEST_QUOTE STRUCT_SIZE_TO(hedge_quote, depth_ts_ns)
#define OLDEST_DECISION STRUCT_SIZE_TO(hedge_decision, ts_ns)
#define OLDEST_SIZE_IN STRUCT_SIZE_TO(hedge_size_in, now_ns)
#define OLDEST_SIZE_OUT STRUCT_SIZE_TO(hedge_size_out, depth_age_ns)
#define OLDEST_RECORD STRUCT_SIZE_TO(hedge_record, decision)

/* No struct of ours will be larger: such a size is garbage. */
#define STRUCT_SIZE_LARGEST 4096u

/* True if a caller's struct can be read as one of `ours` bytes: it is at least
 * `oldest` bytes, and whatever it holds beyond ours is zero, since a setting
 * that we do not know must not be ignored. */
bool struct_size_ok(const void *theirs, size_t oldest, size_t ours);

/* Copies the caller's struct; members it is too old to have become zero. */
void struct_size_copy(void *to, const void *theirs, size_t ours);

/* True if a caller's struct of that size can be written. */
static inline bool struct_size_room(uint32_t size, size_t oldest)
{
    return size >= oldest && size <= STRUCT_SIZE_LARGEST;
}

/* Writes of our answer what the caller's struct has room for; its size stays. */
void struct_size_answer(void *theirs, const void *answer, size_t ours);

#endif
