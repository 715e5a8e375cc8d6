/* SPDX-License-Identifier: MIT
 * The size of each public struct at each release that brought or lengthened it, oldest first, on
 * 64-bit machines: programs with these sizes are in the field. Rows are only added; abi.py asks
 * for one when a struct is new or grows. */
#ifndef HEDGE_TESTS_RELEASES_H
#define HEDGE_TESTS_RELEASES_H

/* ROW(struct, "release", bytes) */
#define RELEASES(ROW)                                                                              \
    ROW(hedge_error, "0.1", 624)                                                                   \
    ROW(hedge_piece, "0.1", 64)                                                                    \
    ROW(hedge_certificate, "0.1", 48)                                                              \
    ROW(hedge_rules, "0.1", 488)                                                                   \
    ROW(hedge_policy_overrides, "0.1", 32)                                                         \
    ROW(hedge_request, "0.1", 32)                                                                  \
    ROW(hedge_quote, "0.1", 56)                                                                    \
    ROW(hedge_decision, "0.1", 96)                                                                 \
    ROW(hedge_size_in, "0.1", 112)                                                                 \
    ROW(hedge_size_out, "0.1", 96)                                                                 \
    ROW(hedge_record, "0.1", 600)

#endif
