/* SPDX-License-Identifier: MIT
 * Policies that come from files: knots beside them, overrides from outside, files that are bad. */
#include "support.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_POLICY HEDGE_SOURCE_DIR "/configs/policy.yaml"
#define DEFAULT_CURVE HEDGE_SOURCE_DIR "/configs/curve_knots.yaml"
#define INLINE_KNOTS "[[0, .05], [.3, .25], [.7, .75], [1, 1]]"

static folder here;

static void make_folder(void)
{
    cr_assert(folder_new(&here));
}

static void remove_folder(void)
{
    folder_remove(&here);
}

TestSuite(policy_files, .init = make_folder, .fini = remove_folder);

static const char *file(const char *name, const char *text)
{
    static char paths[8][512];
    static size_t next;
    char *path = paths[next++ % COUNT(paths)];

    cr_assert(folder_write(&here, name, text, strlen(text), path), "%s", name);
    return path;
}

static hedge_policy *loaded(const char *path, const hedge_policy_overrides *overrides)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    const int32_t rc = hedge_policy_load_with(path, overrides, &error, &policy);

    cr_assert_eq(rc, HEDGE_OK, "%s:%d: %s: %s", error.file, (int)error.line, error.field,
                 error.message);
    return policy;
}

/* Name of a policy's hash; frees it. */
static const char *hash_of(hedge_policy *policy)
{
    static char hex[4][65];
    static size_t next;
    char *at = hex[next++ % COUNT(hex)];

    cr_assert_not_null(policy);
    memcpy(at, hedge_policy_hash_hex(policy), 65);
    hedge_policy_free(policy);
    return at;
}

Test(policy_files, the_default_one_is_its_curve_with_every_default)
{
    hedge_policy *p = loaded(DEFAULT_POLICY, NULL);

    cr_assert_str_eq(hedge_policy_file(p, 0), DEFAULT_POLICY);
    cr_assert_str_eq(hedge_policy_file(p, 1), DEFAULT_CURVE);
    cr_assert_null(hedge_policy_file(p, 2));
    cr_assert_null(hedge_policy_file(p, SIZE_MAX));

    const char *hash = hash_of(p);

    cr_assert_str_eq(hash_of(loaded(DEFAULT_CURVE, NULL)), hash);
    cr_assert_str_eq(hash_of(policy_with("")), hash);
}

Test(policy_files, knots_are_looked_for_beside_the_policy)
{
    const char *policy =
        file("p.yaml", "curve: {knots: k.yaml}\nassets: {A: {curve: {knots: k2.yaml}}}\n");
    char folder_path[512];

    file("k.yaml", INLINE_KNOTS);
    snprintf(folder_path, sizeof(folder_path), "%s", file("k2.yaml", "[[0, 0], [1, 1]]"));

    hedge_policy *p = loaded(policy, NULL);

    cr_assert_str_eq(hedge_policy_file(p, 0), policy);
    cr_assert(strstr(hedge_policy_file(p, 1), "/k.yaml") != NULL);
    cr_assert_str_eq(hedge_policy_file(p, 2), folder_path);
    cr_assert_null(hedge_policy_file(p, 3));
    hedge_policy_free(p);

    /* By a name without a folder the policy's folder is the working one. */
    cr_assert_eq(chdir(here.path), 0);
    p = loaded("p.yaml", NULL);
    cr_assert_str_eq(hedge_policy_file(p, 0), "p.yaml");
    cr_assert_str_eq(hedge_policy_file(p, 1), "k.yaml");
    hedge_policy_free(p);
    hedge_policy_free(loaded("./p.yaml", NULL));
    cr_assert_eq(chdir("/"), 0);
}

Test(policy_files, knots_may_have_a_whole_path_of_their_own)
{
    char text[700];

    snprintf(text, sizeof(text), "curve: {knots: \"%s\"}\n", file("k.yaml", INLINE_KNOTS));

    const char *hash = hash_of(loaded(file("p.yaml", text), NULL));

    cr_assert_str_eq(hash, hash_of(policy_with("")));
}

Test(policy_files, one_file_named_twice_is_listed_once)
{
    const char *path =
        file("p.yaml", "curve: {knots: k.yaml}\nassets: {A: {curve: {knots: k.yaml}}, B: {}}\n");

    file("k.yaml", INLINE_KNOTS);

    hedge_policy *p = loaded(path, NULL);

    cr_assert_not_null(hedge_policy_file(p, 1));
    cr_assert_null(hedge_policy_file(p, 2));
    hedge_policy_free(p);
}

static hedge_policy_overrides overriding(uint32_t set)
{
    hedge_policy_overrides o = HEDGE_INIT(hedge_policy_overrides);

    o.set = set;
    o.knots_path = "/not/read/unless/set";
    o.max_hedge_pct = NAN;
    o.stale_score_ms = NAN;
    return o;
}

Test(policy_files, overrides_replace_settings_before_the_hash)
{
    const char *path =
        file("p.yaml", "curve: {method: steffen, knots: [[0, 0], [1, 1]]}\n"
                       "assets: {A: {}, B: {max_hedge_pct: 0.1, limits: {stale_score_ms: 7},"
                       " curve: {method: linear, knots: [[0, .5], [1, 1]]}}, C: {curve: "
                       "{method: linear}}, D: ~}\n");
    hedge_policy_overrides o =
        overriding(HEDGE_SET_MAX_HEDGE_PCT | HEDGE_SET_STALE_SCORE | HEDGE_SET_KNOTS);

    o.max_hedge_pct = 0.4;
    o.stale_score_ms = 1234;
    o.knots_path = file("other.yaml", INLINE_KNOTS);

    hedge_policy *p = loaded(path, &o);

    for (int32_t i = 0; i < 4; i++) {
        hedge_rules r = HEDGE_INIT(hedge_rules);

        cr_assert_eq(hedge_policy_rules(p, i, &r), HEDGE_OK);
        cr_assert_eq(r.max_hedge_pct, 0.4, "asset %d", (int)i);
        cr_assert_eq(r.limits[HEDGE_BREAKER(HEDGE_TRIP_STALE_SCORE)].limit, 1234, "asset %d",
                     (int)i);
        cr_assert_eq(hedge_curve_knot_count(hedge_policy_curve(p, i)), DEFAULT_KNOTS);
    }
    cr_assert_eq(hedge_curve_method(hedge_policy_curve(p, 0)), HEDGE_METHOD_STEFFEN);
    cr_assert_eq(hedge_curve_method(hedge_policy_curve(p, 1)), HEDGE_METHOD_LINEAR);
    cr_assert_eq(hedge_curve_method(hedge_policy_curve(p, 2)), HEDGE_METHOD_LINEAR);
    cr_assert_eq(hedge_curve_method(hedge_policy_curve(p, 3)), HEDGE_METHOD_STEFFEN);
    cr_assert(strstr(hedge_policy_file(p, 1), "other.yaml") != NULL);

    hedge_policy *again = policy_of(hedge_policy_text(p, NULL));

    cr_assert_not_null(again);
    cr_assert_str_eq(hedge_policy_hash_hex(again), hedge_policy_hash_hex(p));
    hedge_policy_free(again);
    hedge_policy_free(p);
}

Test(policy_files, an_override_counts_as_if_it_were_written_in_the_file)
{
    const char *plain = file("p.yaml", "curve: {knots: " INLINE_KNOTS "}\n");
    const char *written = file("q.yaml", "curve: {knots: " INLINE_KNOTS "}\nmax_hedge_pct: 0.5\n");
    hedge_policy_overrides o = overriding(HEDGE_SET_MAX_HEDGE_PCT);

    o.max_hedge_pct = 0.5;

    const char *hash = hash_of(loaded(written, NULL));

    cr_assert_str_eq(hash_of(loaded(plain, &o)), hash);
    o = overriding(0);
    cr_assert_str_eq(hash_of(loaded(plain, &o)), hash_of(loaded(plain, NULL)));
}

typedef struct override_row {
    uint32_t set;
    double max_hedge_pct, stale_score_ms;
    int32_t code;
    const char *field;
} override_row;

static const override_row override_rows[] = {
    {HEDGE_SET_MAX_HEDGE_PCT, 0, 0, HEDGE_OK, ""},
    {HEDGE_SET_MAX_HEDGE_PCT, -0.0, 0, HEDGE_OK, ""},
    {HEDGE_SET_MAX_HEDGE_PCT, 1, 0, HEDGE_OK, ""},
    {HEDGE_SET_MAX_HEDGE_PCT, 1.0000000000000002, 0, HEDGE_E_POLICY, "max_hedge_pct"},
    {HEDGE_SET_MAX_HEDGE_PCT, -5e-324, 0, HEDGE_E_POLICY, "max_hedge_pct"},
    {HEDGE_SET_MAX_HEDGE_PCT, NAN, 0, HEDGE_E_POLICY, "max_hedge_pct"},
    {HEDGE_SET_MAX_HEDGE_PCT, INFINITY, 0, HEDGE_E_POLICY, "max_hedge_pct"},
    {HEDGE_SET_STALE_SCORE, 0, 1e-3, HEDGE_OK, ""},
    {HEDGE_SET_STALE_SCORE, 0, 86400000, HEDGE_OK, ""},
    {HEDGE_SET_STALE_SCORE, 0, 86400001, HEDGE_E_POLICY, "stale_score"},
    {HEDGE_SET_STALE_SCORE, 0, 0, HEDGE_E_POLICY, "stale_score"},
    {HEDGE_SET_STALE_SCORE, 0, -1, HEDGE_E_POLICY, "stale_score"},
    {HEDGE_SET_STALE_SCORE, 0, NAN, HEDGE_E_POLICY, "stale_score"},
    {HEDGE_SET_STALE_SCORE, 0, INFINITY, HEDGE_E_POLICY, "stale_score"},
};

Test(policy_files, overrides_keep_to_the_ranges_of_the_file)
{
    const char *path = file("p.yaml", "curve: {knots: [[0, 0], [1, 1]]}\n");

    for (size_t i = 0; i < COUNT(override_rows); i++) {
        const override_row *row = &override_rows[i];
        hedge_policy_overrides o = overriding(row->set);
        hedge_error error = HEDGE_INIT(hedge_error);
        hedge_policy *p = NULL;

        o.max_hedge_pct = row->max_hedge_pct;
        o.stale_score_ms = row->stale_score_ms;
        cr_expect_eq(hedge_policy_load_with(path, &o, &error, &p), row->code, "row %zu", i);
        cr_expect_eq(p == NULL, row->code != HEDGE_OK, "row %zu", i);
        cr_expect_not_null(strstr(error.field, row->field), "row %zu: %s", i, error.field);
        if (row->code != HEDGE_OK) cr_expect_eq(error.index, -1, "row %zu", i);
        hedge_policy_free(p);
    }
}

static int32_t load_code(const char *path, const hedge_policy_overrides *o, hedge_error *error)
{
    hedge_policy *p = (hedge_policy *)error;
    const int32_t rc = hedge_policy_load_with(path, o, error, &p);

    if (rc != HEDGE_OK) cr_assert_null(p);
    if (rc == HEDGE_OK) hedge_policy_free(p);
    return rc;
}

Test(policy_files, overrides_that_are_not_understood_are_refused)
{
    const char *path = file("p.yaml", "curve: {knots: [[0, 0], [1, 1]]}\n");
    struct {
        hedge_policy_overrides o;
        unsigned char tail[16];
    } longer = {overriding(0), {0}};
    hedge_policy_overrides o = overriding(HEDGE_SET_KNOTS);
    hedge_error error = HEDGE_INIT(hedge_error);

    o.knots_path = NULL;
    cr_expect_eq(load_code(path, &o, &error), HEDGE_E_ARG);
    cr_expect_eq(error.index, -1);
    o = overriding(UINT32_C(8));
    cr_expect_neq(load_code(path, &o, &error), HEDGE_OK, "an unknown override was ignored");
    for (uint32_t size = 0; size < sizeof(o); size++) {
        o = overriding(0);
        o.struct_size = size;
        cr_expect_eq(load_code(path, &o, &error), HEDGE_E_STRUCT_SIZE, "size %u", (unsigned)size);
    }
    longer.o.struct_size = sizeof(longer);
    cr_expect_eq(load_code(path, &longer.o, &error), HEDGE_OK);
    longer.tail[15] = 1;
    cr_expect_eq(load_code(path, &longer.o, &error), HEDGE_E_STRUCT_SIZE,
                 "an unknown member was ignored");
}

Test(policy_files, a_bad_file_is_named_with_its_line)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    const char *path = file("p.yaml", "# one\ncurve:\n  knots: k.yaml\n");
    char knots[512];

    snprintf(knots, sizeof(knots), "%s/k.yaml", here.path);
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_IO);
    cr_expect_str_eq(error.file, knots);
    file("k.yaml", "# two\n- [0, 0]\n- [0.5, 0.5]\n- [0.6, 0.4]\n");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_CURVE);
    cr_expect_str_eq(error.file, knots);
    cr_expect_eq(error.line, 4);
    cr_expect_eq(error.index, 2);
    file("k.yaml", "- [0, 0]\n- [0.5, 0.5\n");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_SYNTAX);
    cr_expect_str_eq(error.file, knots);
    file("k.yaml", "- [0, 0]\n- [0.5, x]\n");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_POLICY);
    cr_expect_str_eq(error.file, knots);
    cr_expect_eq(error.line, 2);
    file("k.yaml", "curve: {knots: k.yaml}\n");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_POLICY);
    cr_expect_str_eq(error.file, knots);
    path = file("p.yaml", "curve: {knots: ''}\n");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_POLICY);
    cr_expect_str_eq(error.file, path);
    cr_expect_eq(error.line, 1);
    path = file("p.yaml", "curve: {knots: k}\n");
    file("k", INLINE_KNOTS);
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_OK);
    path = file("p.yaml", "curve: {knots: [[0, 0], [1, 1]]}\nlimit: {}\n");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_POLICY);
    cr_expect_str_eq(error.file, path);
    cr_expect_eq(error.line, 2);
    cr_expect_str_eq(error.field, "limit");
}

Test(policy_files, a_bad_file_of_overriding_knots_is_named_too)
{
    hedge_policy_overrides o = overriding(HEDGE_SET_KNOTS);
    const char *path = file("p.yaml", "curve: {knots: [[0, 0], [1, 1]]}\n");
    hedge_error error = HEDGE_INIT(hedge_error);

    cr_expect_eq(load_code(path, &o, &error), HEDGE_E_IO);
    cr_expect_str_eq(error.file, o.knots_path);
    o.knots_path = file("k.yaml", "- [0, 0]\n");
    cr_expect_eq(load_code(path, &o, &error), HEDGE_E_CURVE);
    cr_expect_str_eq(error.file, o.knots_path);
    cr_expect_eq(error.line, 1);
    /* The policy's own faults stay faults. */
    path = file("p.yaml", "curve: {knots: [[0, 0], [1, 2]]}\n");
    o.knots_path = file("k.yaml", INLINE_KNOTS);
    cr_expect_eq(load_code(path, &o, &error), HEDGE_E_POLICY);
    cr_expect_str_eq(error.file, path);
}

Test(policy_files, what_cannot_be_read_is_an_io_error)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    char path[512];

    snprintf(path, sizeof(path), "%s/none.yaml", here.path);
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_IO);
    cr_expect_str_eq(error.file, path);
    cr_expect_eq(load_code(here.path, NULL, &error), HEDGE_E_IO, "a folder");
    cr_expect_eq(load_code("", NULL, &error), HEDGE_E_IO);
    snprintf(path, sizeof(path), "%s/p.yaml/x", here.path);
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_IO);
    cr_expect_eq(load_code("/dev/zero", NULL, &error), HEDGE_E_IO);
    cr_expect_eq(load_code("/dev/null", NULL, &error), HEDGE_E_IO);
    snprintf(path, sizeof(path), "%s/pipe.yaml", here.path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_IO, "a pipe would be waited for");
    unlink(path);
}

Test(policy_files, the_end_of_a_long_path_is_kept)
{
    hedge_error error = HEDGE_INIT(hedge_error);
    char path[1024];

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    strcpy(path + sizeof(path) - sizeof("/the_end.yml"), "/the_end.yml");
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_IO);
    cr_expect_eq(strlen(error.file), sizeof(error.file) - 1);
    cr_expect_str_eq(error.file + strlen(error.file) - 10, path + strlen(path) - 10);
}

Test(policy_files, are_capped_at_1_mib)
{
    static const char head[] = "curve: {knots: [[0, 0], [1, 1]]}\n#";
    char *text = malloc(HEDGE_POLICY_FILE_MAX + 2), path[512];
    hedge_error error = HEDGE_INIT(hedge_error);

    memset(text, 'x', HEDGE_POLICY_FILE_MAX + 2);
    memcpy(text, head, sizeof(head) - 1);
    cr_assert(folder_write(&here, "p.yaml", text, HEDGE_POLICY_FILE_MAX, path));
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_OK);
    cr_assert(folder_write(&here, "p.yaml", text, HEDGE_POLICY_FILE_MAX + 1, path));
    cr_expect_eq(load_code(path, NULL, &error), HEDGE_E_TOO_LARGE);
    cr_expect_str_eq(error.file, path);
    free(text);
}

Test(policy_files, may_start_with_a_byte_order_mark_and_end_lines_with_cr_lf)
{
    const char *path = file("p.yaml", "\xef\xbb\xbf"
                                      "curve:\r\n  knots: " INLINE_KNOTS "\r\n");

    cr_assert_str_eq(hash_of(loaded(path, NULL)), hash_of(policy_with("")));
}

/* A policy's text must be readable again, or a decision could not be replayed. */
Test(policy_files, one_that_loads_is_read_back_from_its_text_however_large)
{
    enum { FILES = 24 };
    static char policy[8192], knots[HEDGE_KNOTS_MAX * 64];
    char *end = stpcpy(policy, "curve: {knots: [[0, 0], [1, 1]]}\nassets:\n");
    char name[32];
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *p = NULL, *q = NULL;
    size_t n;

    for (int f = 0; f < FILES; f++) {
        char *at = knots;

        for (size_t i = 0; i < HEDGE_KNOTS_MAX; i++)
            at += sprintf(at, "- [%.17g, %.17g]\n", (double)i / HEDGE_KNOTS_MAX,
                          ((double)i + f / 3.0) / HEDGE_KNOTS_MAX / 9);
        snprintf(name, sizeof(name), "k%d.yaml", f);
        file(name, knots);
        end += sprintf(end, "  A%d: {curve: {knots: k%d.yaml}}\n", f, f);
    }

    const int32_t rc = hedge_policy_load(file("p.yaml", policy), &error, &p);

    cr_assert(rc == HEDGE_OK || rc == HEDGE_E_TOO_LARGE, "%s", error.message);
    if (rc != HEDGE_OK) return;

    const char *text = hedge_policy_text(p, &n);

    cr_assert_eq(hedge_policy_parse(text, n, &error, &q), HEDGE_OK, "%zu bytes: line %d: %s", n,
                 (int)error.line, error.message);
    cr_assert_str_eq(hedge_policy_hash_hex(q), hedge_policy_hash_hex(p));
    hedge_policy_free(p);
    hedge_policy_free(q);
}

/* Makes a locale that writes 0,5 for 0.5, in a folder. */
static bool comma_locale(const char *folder_path)
{
    static const char source[] = "comment_char %\nescape_char /\nLC_NUMERIC\n"
                                 "decimal_point \"<U002C>\"\nthousands_sep \"\"\ngrouping -1\n"
                                 "END LC_NUMERIC\nLC_CTYPE\ncopy \"POSIX\"\nEND LC_CTYPE\n";
    char command[1400];
    const char *path = file("comma.src", source);

    snprintf(command, sizeof(command), "localedef -c -i %s %s/comma >/dev/null 2>&1", path,
             folder_path);
    if (system(command) == -1) return false; /* its exit code is 1 after mere warnings */
    setenv("LOCPATH", folder_path, 1);
    return setlocale(LC_ALL, "comma") != NULL && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void remove_locale(void)
{
    char command[600];

    snprintf(command, sizeof(command), "rm -r %s/comma", here.path);
    if (system(command) != 0) cr_log_warn("%s is left", here.path);
}

Test(policy_files, are_read_the_same_under_a_locale_with_decimal_commas)
{
    const char *path = file("p.yaml", "curve: {knots: [[0.25, 0.125], [0.75, 0.5]]}\n"
                                      "max_hedge_pct: 0.30000000000000004\n");
    const char *before = hash_of(loaded(path, NULL));
    hedge_error error = HEDGE_INIT(hedge_error);
    char half[8];

    if (!comma_locale(here.path)) cr_skip_test("no locale with decimal commas can be made here");
    snprintf(half, sizeof(half), "%.1f", 0.5);
    cr_assert_str_eq(half, "0,5");
    cr_assert_str_eq(hash_of(loaded(path, NULL)), before);
    cr_assert_str_eq(hash_of(loaded(DEFAULT_POLICY, NULL)), hash_of(policy_with("")));
    path = file("bad.yaml", "curve: {knots: [[0.25, 0.125], [0.75, 0.5]]}\nmax_hedge_pct: 0,5\n");
    cr_assert_eq(load_code(path, NULL, &error), HEDGE_E_POLICY);
    snprintf(half, sizeof(half), "%.1f", 0.5);
    cr_assert_str_eq(half, "0,5", "the caller's locale was changed");
    remove_locale();
}
