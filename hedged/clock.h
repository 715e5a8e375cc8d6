/* SPDX-License-Identifier: MIT
 * clock: the two clocks of the daemon, in nanoseconds. */
#ifndef HEDGED_CLOCK_H
#define HEDGED_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t clock_read(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Unix time: what quotes and decisions carry. */
static inline int64_t clock_wall_ns(void)
{
    return clock_read(CLOCK_REALTIME);
}

/* Never steps: what durations are measured with. */
static inline int64_t clock_steady_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* How old something is; what is ahead of the clock is 0 old. */
static inline int64_t clock_age_ns(int64_t now_ns, int64_t then_ns)
{
    return now_ns > then_ns ? now_ns - then_ns : 0;
}

#endif
