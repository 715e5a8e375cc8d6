/* SPDX-License-Identifier: MIT
 * diff.h: one comparison of policies over past decisions, and the ways to show it. */
#ifndef HEDGE_CLI_DIFF_H
#define HEDGE_CLI_DIFF_H

#include <stdio.h>

#include "diff_stats.h"
#include "source.h"

typedef struct diff {
    source from;
    hedge_policy *new;
    hedge_policy *old; /* NULL: what was recorded */
    const char *new_path, *old_path;
    const char *asset; /* NULL: every one */
    const char *since; /* NULL: from the beginning */
    int64_t since_ns;
    diff_stats stats;
    diff_spread hedge, notional;
    const char *fault;            /* NULL: none */
    uint64_t bad_writer, bad_seq; /* the record at fault; seq 0: none of them */
    char message[SOURCE_MESSAGE_MAX];
} diff;

/* Tables, and in the terminal a picture of them. */
void diff_text(const diff *d, FILE *out);
void diff_json(const diff *d, FILE *out);
/* The old hedge against the new one; false: out of memory. */
bool diff_terminal(const diff *d, FILE *out);
/* One standalone SVG file: old against new, and the difference over time. */
void diff_svg(const diff *d, FILE *out);

/* "what was recorded", or "policy 0123456789ab". */
void diff_old_name(const diff *d, char *text, size_t capacity);

#endif
