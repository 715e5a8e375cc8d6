/* SPDX-License-Identifier: MIT
 * check.c: `hedge check`, lints a policy, says what it means and certifies its curves. */
#include <hedge/hedge.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "asset_group.h"
#include "certify.h"
#include "command.h"
#include "interrupt.h"
#include "json.h"
#include "lint.h"
#include "number.h"
#include "options.h"
#include "policy_file.h"

enum { NAMES_MAX = 512, BAR_WIDTH = 32 };

typedef struct checking {
    const hedge_policy *policy;
    const char *path;
    asset_groups groups;
    warning_list warnings;
    unsigned threads;
    bool json;
    bool quick;
} checking;

/* ---- what the policy means --------------------------------------------- */

static void print_limits(const hedge_rules *rules)
{
    for (size_t i = 0; i < LIMIT_NAME_COUNT; i++) {
        const hedge_limit *limit = &rules->limits[HEDGE_BREAKER(limit_names[i].trip)];
        char value[2 * NUMBER_TEXT_MAX];
        char number[NUMBER_TEXT_MAX];

        number_write(limit->limit, value);
        if (limit_names[i].trip == HEDGE_TRIP_EXTREME_SCORE) {
            number_write(limit->upper, number);
            snprintf(value + strlen(value), sizeof value - strlen(value), " to %s", number);
        }
        printf("    %-18s %-14s %s", limit_names[i].field, value, action_name(limit->action));
        if (limit->action == HEDGE_ACTION_FLOOR) printf(" %.9g", limit->floor);
        putchar('\n');
    }
}

static void print_group(const checking *c, int32_t first)
{
    const hedge_curve *curve = hedge_policy_curve(c->policy, first);
    const size_t n = hedge_curve_knot_count(curve);
    hedge_rules rules = HEDGE_INIT(hedge_rules);
    double x0 = 0, y0 = 0, xn = 0, yn = 0;
    bool chosen[HEDGE_ASSETS_MAX] = {false};
    char names[NAMES_MAX];

    chosen[first] = true;
    if (hedge_policy_rules(c->policy, first, &rules) != HEDGE_OK) return;
    hedge_curve_knot(curve, 0, &x0, &y0);
    hedge_curve_knot(curve, n - 1, &xn, &yn);
    asset_group_names(c->policy, &c->groups, chosen, names, sizeof names);
    printf("\n%s\n", names);
    printf("  curve       %s, %zu knots, from (%.9g, %.9g) to (%.9g, %.9g)\n",
           hedge_method_name(hedge_curve_method(curve)), n, x0, y0, xn, yn);
    printf("  hedge       at most %.9g of the exposure\n", rules.max_hedge_pct);
    printf("  liquidity   %s, %s %.9g\n", weight_name(rules.weight),
           rules.weight == HEDGE_WEIGHT_LOG ? "full_depth_usd" : "half_depth_usd",
           rules.weight == HEDGE_WEIGHT_LOG ? rules.full_depth_usd : rules.half_depth_usd);
    printf("  confidence  %s, freshness %s\n", blend_name(rules.blend),
           freshness_name(rules.freshness));
    printf("  limits\n");
    print_limits(&rules);
}

static void print_meaning(const checking *c)
{
    const char *file;

    printf("%s: valid\n", c->path);
    for (size_t i = 0; (file = hedge_policy_file(c->policy, i)) != NULL; i++)
        printf("%s%s", i == 0 ? "  files   " : ", ", file);
    printf("\n  assets  %zu\n  policy  %s\n", c->groups.count, hedge_policy_hash_hex(c->policy));
    for (size_t i = 0; i < c->groups.count; i++)
        if (c->groups.same_rules[i] == (int32_t)i) print_group(c, (int32_t)i);
    putchar('\n');
    for (size_t i = 0; i < c->warnings.n; i++) {
        const warning *w = &c->warnings.items[i];
        char names[NAMES_MAX];

        asset_group_names(c->policy, &c->groups, w->groups, names, sizeof names);
        printf("warning: %s: %s (%s)\n", w->field, w->message, names);
    }
    if (c->warnings.lost > 0) puts("warning: there are more, but no memory to hold them");
}

static void write_limits(json *j, const hedge_rules *rules)
{
    json_open_object(j, "limits");
    for (size_t i = 0; i < LIMIT_NAME_COUNT; i++) {
        const hedge_limit *limit = &rules->limits[HEDGE_BREAKER(limit_names[i].trip)];
        const bool extreme = limit_names[i].trip == HEDGE_TRIP_EXTREME_SCORE;

        json_open_object(j, limit_names[i].field);
        json_number(j, extreme ? "below" : "limit", limit->limit);
        if (extreme) json_number(j, "above", limit->upper);
        json_text(j, "action", action_name(limit->action));
        if (limit->action == HEDGE_ACTION_FLOOR) json_number(j, "floor", limit->floor);
        json_close_object(j);
    }
    json_close_object(j);
}

static void write_asset(json *j, const checking *c, int32_t asset)
{
    const hedge_curve *curve = hedge_policy_curve(c->policy, asset);
    hedge_rules rules = HEDGE_INIT(hedge_rules);

    if (hedge_policy_rules(c->policy, asset, &rules) != HEDGE_OK) return;
    json_open_object(j, NULL);
    json_text(j, "asset", hedge_policy_asset_name(c->policy, asset));
    json_text(j, "method", hedge_method_name(hedge_curve_method(curve)));
    json_integer(j, "knots", (int64_t)hedge_curve_knot_count(curve));
    json_number(j, "max_hedge_pct", rules.max_hedge_pct);
    json_text(j, "weight", weight_name(rules.weight));
    if (rules.weight == HEDGE_WEIGHT_LOG)
        json_number(j, "full_depth_usd", rules.full_depth_usd);
    else
        json_number(j, "half_depth_usd", rules.half_depth_usd);
    json_text(j, "blend", blend_name(rules.blend));
    json_text(j, "freshness", freshness_name(rules.freshness));
    write_limits(j, &rules);
    json_close_object(j);
}

static void write_meaning(json *j, const checking *c)
{
    const char *file;

    json_open_array(j, "files");
    for (size_t i = 0; (file = hedge_policy_file(c->policy, i)) != NULL; i++)
        json_text(j, NULL, file);
    json_close_array(j);
    json_text(j, "policy", hedge_policy_hash_hex(c->policy));
    json_text(j, "version", hedge_version());
    json_open_array(j, "assets");
    for (size_t i = 0; i < c->groups.count; i++)
        write_asset(j, c, (int32_t)i);
    json_close_array(j);
    json_open_array(j, "warnings");
    for (size_t i = 0; i < c->warnings.n; i++) {
        const warning *w = &c->warnings.items[i];

        json_open_object(j, NULL);
        json_text(j, "field", w->field);
        json_text(j, "message", w->message);
        json_open_array(j, "assets");
        for (size_t k = 0; k < c->groups.count; k++)
            if (w->groups[c->groups.same_rules[k]])
                json_text(j, NULL, hedge_policy_asset_name(c->policy, (int32_t)k));
        json_close_array(j);
        json_close_object(j);
    }
    json_close_array(j);
}

/* ---- certification ------------------------------------------------------ */

/* On a terminal, how far it is; ends it all on Ctrl-C. */
static int show_progress(double done)
{
    char bar[BAR_WIDTH + 1];

    if (interrupt_came()) return 1;
    if (isatty(STDERR_FILENO) != 1) return 0;
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = (double)i < done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\rcertifying [%s] %3.0f %%", bar, done * 100);
    fflush(stderr);
    return 0;
}

static const char *fault_name(int32_t fault)
{
    static const char *const names[] = {"none",  "not_exact_at_knot", "outside", "decreases",
                                        "jumps", "differs_in_batch"};

    return fault >= 0 && fault <= HEDGE_CERTIFY_PATHS ? names[fault] : "unknown";
}

static void print_fault(const certificate *c)
{
    const hedge_certificate *f = &c->found;

    fprintf(stderr, "not certified: %s: ", c->name);
    switch (f->fault) {
    case HEDGE_CERTIFY_KNOT:
        fprintf(stderr, "the hedge at the knot %.17g is %.17g, not %.17g\n", f->score[0],
                f->hedge[0], f->hedge[1]);
        break;
    case HEDGE_CERTIFY_OUTSIDE:
        fprintf(stderr, "the hedge %.17g at score %.17g is outside the end knots\n", f->hedge[0],
                f->score[0]);
        break;
    case HEDGE_CERTIFY_FALLS:
    case HEDGE_CERTIFY_JUMPS:
        fprintf(stderr, "the hedge %s from %.17g at score %.17g to %.17g at %.17g\n",
                f->fault == HEDGE_CERTIFY_FALLS ? "falls" : "jumps", f->hedge[0], f->score[0],
                f->hedge[1], f->score[1]);
        break;
    case HEDGE_CERTIFY_PATHS:
        fprintf(stderr, "the hedge at score %.17g is %.17g alone and %.17g in a batch\n",
                f->score[0], f->hedge[0], f->hedge[1]);
        break;
    default:
        fprintf(stderr, "%s\n", hedge_status_text(c->result));
    }
}

static void print_certificate(const certificate *c)
{
    char count[NUMBER_TEXT_MAX];

    if (c->result != HEDGE_OK) {
        print_fault(c);
        return;
    }
    number_write_grouped(c->tried, count);
    printf("certified: %s: all %s scores in [0, 1], never decreasing, no jump, within the end "
           "knots, exact at each knot; %.2f s\n",
           c->name, count, c->seconds);
}

static void write_certificate(json *j, const certificate *c)
{
    json_open_object(j, NULL);
    json_text(j, "asset", c->name);
    json_bool(j, "certified", c->result == HEDGE_OK);
    json_integer(j, "scores", (int64_t)c->tried);
    json_number(j, "seconds", c->seconds);
    if (c->result != HEDGE_OK) {
        json_text(j, "fault", fault_name(c->found.fault));
        json_number(j, "score", c->found.score[0]);
        json_number(j, "hedge", c->found.hedge[0]);
        json_number(j, "other_score", c->found.score[1]);
        json_number(j, "other_hedge", c->found.hedge[1]);
    }
    json_close_object(j);
}

/* Certifies each distinct curve; the first asset that has it lends its name. */
static bool certify_all(const checking *c, json *j)
{
    static certificate all[HEDGE_ASSETS_MAX];
    bool fine = true;
    size_t n = 0;

    for (size_t i = 0; i < c->groups.count; i++) {
        if (c->groups.same_curve[i] != (int32_t)i) continue;
        all[n].curve = hedge_policy_curve(c->policy, (int32_t)i);
        all[n++].name = hedge_policy_asset_name(c->policy, (int32_t)i);
    }
    if (!c->json) fflush(stdout);
    interrupt_catch();
    certify_curves(all, n, c->threads, show_progress);
    if (isatty(STDERR_FILENO) == 1) fputs("\r\033[K", stderr);
    interrupt_end();
    for (size_t i = 0; i < n; i++) {
        fine = fine && all[i].result == HEDGE_OK;
        if (c->json)
            write_certificate(j, &all[i]);
        else
            print_certificate(&all[i]);
    }
    return fine;
}

/* ---- the command -------------------------------------------------------- */

static int refuse(const char *path, const hedge_error *error, bool as_json)
{
    json j = {stdout, false};

    if (!as_json) {
        policy_error_print(error);
        return policy_error_result(error);
    }
    json_open_object(&j, NULL);
    json_text(&j, "path", path);
    json_bool(&j, "ok", false);
    json_open_object(&j, "error");
    json_text(&j, "code", hedge_status_name(error->code));
    json_text(&j, "file", error->file);
    json_integer(&j, "line", error->line);
    json_text(&j, "field", error->field);
    json_text(&j, "message", error->message);
    json_close_object(&j);
    json_close_object(&j);
    putchar('\n');
    return policy_error_result(error);
}

static int check_policy(checking *c)
{
    json j = {stdout, false};
    bool fine = true;

    asset_groups_find(c->policy, &c->groups);
    warnings_find(c->policy, &c->groups, &c->warnings);
    if (!c->json) {
        print_meaning(c);
        if (c->quick)
            puts("not certified: --quick was given, so the curves were not tried");
        else
            fine = certify_all(c, &j);
    } else {
        json_open_object(&j, NULL);
        json_text(&j, "path", c->path);
        write_meaning(&j, c);
        json_bool(&j, "quick", c->quick);
        json_open_array(&j, "curves");
        if (!c->quick) fine = certify_all(c, &j);
        json_close_array(&j);
        json_bool(&j, "ok", fine);
        json_close_object(&j);
        putchar('\n');
    }
    warnings_free(&c->warnings);
    return fine ? RESULT_OK : RESULT_BAD_DATA;
}

static int run(const command *self, int argc, char **argv)
{
    static checking c; /* its lists of assets are large for a stack */
    const char *threads = NULL;
    const option options[] = {
        {"json", NULL, &c.json}, {"quick", NULL, &c.quick}, {"threads", &threads, NULL}};
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    hedge_error error = HEDGE_INIT(hedge_error);
    hedge_policy *policy = NULL;
    char path[PATH_MAX];
    uint64_t count = processors > 0 ? (uint64_t)processors : 1;
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (argc > 1) return usage_error(self, "unexpected argument '%s'", argv[1]);
    if (threads != NULL && !number_read_whole(threads, 1, 256, &count))
        return usage_error(self, "--threads: '%s' is not a whole number from 1 to 256", threads);
    if (!policy_file_find(self, argc > 0 ? argv[0] : NULL, path)) return RESULT_USAGE;
    if (hedge_policy_load(path, &error, &policy) != HEDGE_OK) return refuse(path, &error, c.json);
    c.policy = policy;
    c.path = path;
    c.threads = (unsigned)count;
    result = check_policy(&c);
    hedge_policy_free(policy);
    return result;
}

const command check_command = {
    .name = "check",
    .summary = "lint a policy and certify its curves at every possible score",
    .help =
        "Example:\n"
        "  hedge check configs/policy.yaml\n"
        "\n"
        "Says what a policy means, warns of what deserves a second look, and then tries each of\n"
        "its curves at all 1,073,741,825 scores that the library can tell apart: never\n"
        "decreasing, within the end knots, exact at each knot. A fault in the file is shown as\n"
        "file:line: field: message. Warnings do not change the exit code.\n"
        "\n"
        "Usage: hedge check [OPTION...] [FILE]\n"
        "\n"
        "Without FILE: $HEDGE_POLICY, else configs/policy.yaml, else the installed policy.\n"
        "\n"
        "Options:\n"
        "  --quick         do not try the curves\n"
        "  --threads N     curves to try at a time (one a processor)\n"
        "  --json          one JSON object\n" HELP_EXIT_CODES,
    .run = run,
};
