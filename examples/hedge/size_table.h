/* SPDX-License-Identifier: MIT
 * size_table.h: `hedge size` as a filter, a decision a row. */
#ifndef HEDGE_CLI_SIZE_TABLE_H
#define HEDGE_CLI_SIZE_TABLE_H

#include "command.h"
#include "table.h"

/* What the options say, as text; NULL: not given. */
typedef struct size_table_options {
    const char *policy, *asset, *now_ns, *answers;
    table_options rows;
} size_table_options;

/* Decides each row of standard input; the exit code. */
int size_table_run(const command *self, const size_table_options *given);

#define HELP_SIZE_TABLE                                                                            \
    "Reads: asset, amount_usd, score, confidence, score_ts_ns, previous_score,\n"                  \
    "depth1pct_usd, depth_ts_ns, override_score, halted, now_ns. A row needs an amount_usd and\n"  \
    "an asset (or --asset). Without a confidence column it is 1; without times all is new. An\n"   \
    "empty override_score or previous_score is none; an empty score or depth1pct_usd trips\n"      \
    "no_quote; any other empty field is an error.\n"
#define HELP_SIZE_ANSWERS                                                                          \
    "  --answers LIST  what to answer, by default\n"                                               \
    "                  hedge_pct,notional_usd,hedge_confidence,status,flags; there are besides\n"  \
    "                  status_code, flag_bits, score_used, liquidity_weight, effective_score,\n"   \
    "                  liquidity_quality, score_age_ns, depth_age_ns\n"

#endif
