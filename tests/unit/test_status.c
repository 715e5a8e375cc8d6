/* SPDX-License-Identifier: MIT
 * Codes, names and flags. They stand in journals and other people's programs: never change a row.
 */
#include "support.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

typedef struct status_row {
    int32_t code, number;
    const char *name;
} status_row;

static const status_row rows[] = {
    {HEDGE_OK, 0, "ok"},
    {HEDGE_E_ARG, -1, "bad_argument"},
    {HEDGE_E_NOMEM, -2, "out_of_memory"},
    {HEDGE_E_STRUCT_SIZE, -3, "bad_struct_size"},
    {HEDGE_E_IO, -4, "io_error"},
    {HEDGE_E_SYNTAX, -5, "bad_syntax"},
    {HEDGE_E_POLICY, -6, "bad_policy"},
    {HEDGE_E_CURVE, -7, "bad_curve"},
    {HEDGE_E_TOO_LARGE, -8, "too_large"},
    {HEDGE_E_NOT_FOUND, -9, "not_found"},
    {HEDGE_E_RECORD, -10, "bad_record"},
    {HEDGE_E_OLDER, -11, "older_quote"},
    {HEDGE_E_CERTIFY, -12, "not_certified"},
    {HEDGE_E_STOPPED, -13, "stopped"},
    {HEDGE_TRIP_HALTED, -100, "halted"},
    {HEDGE_TRIP_UNKNOWN_ASSET, -101, "unknown_asset"},
    {HEDGE_TRIP_NO_QUOTE, -102, "no_quote"},
    {HEDGE_TRIP_BAD_AMOUNT, -103, "bad_amount"},
    {HEDGE_TRIP_MAX_AMOUNT, -104, "max_amount"},
    {HEDGE_TRIP_BAD_OVERRIDE, -105, "bad_override"},
    {HEDGE_TRIP_BAD_QUOTE, -106, "bad_quote"},
    {HEDGE_TRIP_CLOCK_SKEW, -107, "clock_skew"},
    {HEDGE_TRIP_STALE_SCORE, -108, "stale_score"},
    {HEDGE_TRIP_STALE_DEPTH, -109, "stale_depth"},
    {HEDGE_TRIP_SCORE_JUMP, -110, "score_jump"},
    {HEDGE_TRIP_MIN_DEPTH, -111, "min_depth"},
    {HEDGE_TRIP_EXTREME_SCORE, -112, "extreme_score"},
    {HEDGE_TRIP_MIN_CONFIDENCE, -113, "min_confidence"},
};

Test(status, numbers_and_names_are_frozen)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        cr_expect_eq(rows[i].code, rows[i].number, "%s", rows[i].name);
        cr_expect_str_eq(hedge_status_name(rows[i].number), rows[i].name);
    }
}

static const status_row *row_of(int32_t code)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].number == code) return &rows[i];
    return NULL;
}

static void is_told(int32_t code)
{
    const char *name = hedge_status_name(code), *text = hedge_status_text(code);
    const status_row *row = row_of(code);

    cr_assert_not_null(name, "%d", (int)code);
    cr_assert_not_null(text, "%d", (int)code);
    cr_assert_str_eq(name, row != NULL ? row->name : "unknown", "%d", (int)code);
    cr_assert_gt(strlen(text), 4, "%d", (int)code);
}

Test(status, every_number_has_a_name_and_a_text)
{
    for (int32_t code = -300; code <= 50; code++)
        is_told(code);
    is_told(INT32_MIN);
    is_told(INT32_MAX);
}

Test(status, names_are_lower_case_and_differ)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (const char *p = rows[i].name; *p != '\0'; p++)
            cr_assert(islower((unsigned char)*p) || *p == '_', "%s", rows[i].name);
        for (size_t j = 0; j < i; j++) {
            cr_assert_str_neq(rows[i].name, rows[j].name);
            cr_assert_str_neq(hedge_status_text(rows[i].code), hedge_status_text(rows[j].code));
        }
    }
}

Test(status, breakers_are_numbered_by_code_and_named_by_bit)
{
    for (uint32_t bit = 0; bit < HEDGE_BREAKER_COUNT; bit++) {
        const int32_t trip = -100 - (int32_t)bit;

        cr_expect_eq(HEDGE_BREAKER(trip), bit);
        cr_expect_eq(HEDGE_FLAG(trip), UINT32_C(1) << bit);
        cr_expect_str_eq(hedge_flag_name(bit), hedge_status_name(trip));
    }
    for (uint32_t bit = HEDGE_BREAKER_COUNT; bit < 29; bit++)
        cr_expect_null(hedge_flag_name(bit), "%u", (unsigned)bit);
    cr_expect_str_eq(hedge_flag_name(29), "override");
    cr_expect_str_eq(hedge_flag_name(30), "floor");
    cr_expect_str_eq(hedge_flag_name(31), "capped");
    cr_expect_null(hedge_flag_name(32));
    cr_expect_null(hedge_flag_name(UINT32_MAX));
    cr_expect_eq(HEDGE_MARK_OVERRIDE, UINT32_C(0x20000000));
    cr_expect_eq(HEDGE_MARK_FLOOR, UINT32_C(0x40000000));
    cr_expect_eq(HEDGE_MARK_CAPPED, UINT32_C(0x80000000));
}

Test(version, is_the_headers_and_carries_a_commit)
{
    char want[32];
    const char *version = hedge_version();

    snprintf(want, sizeof(want), "%d.%d.%d+", HEDGE_VERSION_MAJOR, HEDGE_VERSION_MINOR,
             HEDGE_VERSION_PATCH);
    cr_assert_eq(strncmp(version, want, strlen(want)), 0, "%s", version);
    cr_assert_gt(strlen(version), strlen(want));
    cr_assert_lt(strlen(version), sizeof(((hedge_record *)0)->build));
    cr_assert_eq(hedge_abi_version(), HEDGE_ABI_VERSION);
}
