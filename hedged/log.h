/* SPDX-License-Identifier: MIT
 * log: one JSON object a line on stderr, bounded in rate. */
#ifndef HEDGED_LOG_H
#define HEDGED_LOG_H

#include <stddef.h>
#include <stdint.h>

typedef enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO } log_level;

/* One member of a line; text NULL: the number counts. */
typedef struct log_member {
    const char *name;
    const char *text;
    double number;
} log_member;

#define LOG_TEXT(name, value) ((log_member){name, value, 0.0})
#define LOG_NUMBER(name, value) ((log_member){name, NULL, (double)(value)})

/* LOG(LOG_INFO, "listening", LOG_TEXT("url", url)); each event (a literal) may
 * write 20 lines a second, `decision` 1,000; what is over that is counted, and
 * the next line of the event says how many were `suppressed`. Any thread. */
#define LOG(level, event, ...)                                                                     \
    log_write(level, event, (const log_member[]){__VA_ARGS__},                                     \
              sizeof((const log_member[]){__VA_ARGS__}) / sizeof(log_member))

void log_write(log_level level, const char *event, const log_member *members, size_t n);

/* How many lines the bound has held back since the start. */
uint64_t log_suppressed(void);

#endif
