/* SPDX-License-Identifier: MIT
 * plot.c: `hedge plot`, an asset's curve in the terminal or as an SVG file. */
#include "plot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "number.h"
#include "options.h"
#include "policy_file.h"
#include "terminal.h"

enum { ROWS_DEFAULT = 20, SVG_WIDTH = 800, SVG_HEIGHT = 500 };

static bool take_size(const command *self, const char *name, const char *text, int min, int max,
                      int *out)
{
    uint64_t number;

    if (text == NULL) return true;
    if (!number_read_whole(text, (uint64_t)min, (uint64_t)max, &number)) {
        usage_error(self, "--%s: '%s' is not a whole number from %d to %d", name, text, min, max);
        return false;
    }
    *out = (int)number;
    return true;
}

static int draw_terminal(const plot *p, bool ascii)
{
    if (plot_terminal(p, stdout, ascii || !terminal_is_utf8(), terminal_wants_colour()))
        return RESULT_OK;
    fputs("hedge plot: out of memory\n", stderr);
    return RESULT_USAGE;
}

static int draw_svg(const plot *p, const char *path)
{
    const bool standard = strcmp(path, "-") == 0;
    FILE *out = standard ? stdout : fopen(path, "w");
    bool failed = out == NULL;

    if (!failed) {
        plot_svg(p, out);
        failed = ferror(out) != 0;
        if (!standard && fclose(out) != 0) failed = true;
    }
    if (!failed) return RESULT_OK;
    fprintf(stderr, "hedge plot: cannot write %s: %s\n", path, strerror(errno));
    return RESULT_USAGE;
}

/* Picks the asset; false when the fault is on stderr. */
static bool take_asset(const command *self, const hedge_policy *policy, const char *name, plot *p)
{
    const int32_t asset = policy_file_asset(self, policy, name);
    hedge_rules rules = HEDGE_INIT(hedge_rules);

    if (asset < 0 || hedge_policy_rules(policy, asset, &rules) != HEDGE_OK) return false;
    p->policy = policy;
    p->curve = hedge_policy_curve(policy, asset);
    p->asset = hedge_policy_asset_name(policy, asset);
    p->max_hedge_pct = rules.max_hedge_pct;
    return true;
}

static int run(const command *self, int argc, char **argv)
{
    const char *path = NULL, *asset = NULL, *svg = NULL, *width = NULL, *height = NULL;
    bool ascii = false;
    const option options[] = {
        {"policy", &path, NULL}, {"asset", &asset, NULL},   {"svg", &svg, NULL},
        {"width", &width, NULL}, {"height", &height, NULL}, {"ascii", NULL, &ascii},
    };
    plot p = {0};
    hedge_policy *policy;
    int result;

    if (!options_read(self, options, sizeof options / sizeof options[0], &argc, argv, &result))
        return result;
    if (argc > 0) return usage_error(self, "unexpected argument '%s'", argv[0]);
    p.width = svg != NULL ? SVG_WIDTH : terminal_columns();
    p.height = svg != NULL ? SVG_HEIGHT : ROWS_DEFAULT;
    if (!take_size(self, "width", width, svg != NULL ? 320 : 20, svg != NULL ? 8192 : 500,
                   &p.width) ||
        !take_size(self, "height", height, svg != NULL ? 240 : 5, svg != NULL ? 8192 : 200,
                   &p.height))
        return RESULT_USAGE;
    policy = policy_file_load(self, path, &result);
    if (policy == NULL) return result;
    result = RESULT_USAGE;
    if (take_asset(self, policy, asset, &p))
        result = svg != NULL ? draw_svg(&p, svg) : draw_terminal(&p, ascii);
    hedge_policy_free(policy);
    return result;
}

const command plot_command = {
    .name = "plot",
    .summary = "draw a curve in the terminal or as an SVG file",
    .help = "Example:\n"
            "  hedge plot --asset BTC\n"
            "  hedge plot --asset BTC --svg curve.svg\n"
            "\n"
            "Draws the curve from effective score to hedge, with its knots and, where it cuts the\n"
            "curve, max_hedge_pct. In the terminal it uses braille dots, or plain ASCII where the\n"
            "locale is not UTF-8; colour only on a terminal and without NO_COLOR.\n"
            "\n"
            "Usage: hedge plot [OPTION...]\n"
            "\n"
            "Options:\n" HELP_POLICY
            "  --asset NAME    the asset whose curve to draw; not needed where all are the same\n"
            "  --svg FILE      write a standalone SVG ('-': to standard output)\n"
            "  --width N       characters (the terminal's, at most 100), or pixels (800)\n"
            "  --height N      rows of the curve (20), or pixels (500)\n"
            "  --ascii         plain ASCII in any locale\n" HELP_EXIT_CODES,
    .run = run,
};
