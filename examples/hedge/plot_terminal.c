/* SPDX-License-Identifier: MIT
 * plot_terminal.c: draws a curve with braille dots or plain ASCII characters. */
#include "canvas.h"
#include "plot.h"

enum { KNOTS_DRAWN = 200 }; /* more would cover the curve */

/* Neighbouring dots are joined: half of the way up belongs to each of them. */
static void draw_curve(canvas *c, const hedge_curve *curve)
{
    const int width = c->columns * c->across;
    int before = canvas_row(c, hedge_curve_eval(curve, 0));

    for (int x = 0; x < width; x++) {
        const int y = canvas_row(c, hedge_curve_eval(curve, (double)x / (width - 1)));

        canvas_dot(c, x, y);
        for (int join = y + 1; join < before; join++)
            canvas_dot(c, join > (y + before) / 2 ? x - 1 : x, join);
        before = y;
    }
}

static void draw_knots(canvas *c, const hedge_curve *curve)
{
    const size_t n = hedge_curve_knot_count(curve);

    for (size_t i = 0; i < n && n <= KNOTS_DRAWN; i++) {
        double score = 0, hedge = 0;

        hedge_curve_knot(curve, i, &score, &hedge);
        canvas_mark(c, canvas_column(c, score), canvas_row(c, hedge), CANVAS_POINT);
    }
}

static void draw_cap(canvas *c, double max_hedge_pct)
{
    for (int x = 0; x < c->columns; x++)
        canvas_mark(c, x * c->across, canvas_row(c, max_hedge_pct), CANVAS_LINE);
}

static void print_title(const plot *p, const canvas_look *l, FILE *out)
{
    const size_t n = hedge_curve_knot_count(p->curve);

    fprintf(out, "%s hedge, %s through %zu knots, policy %.12s\n", p->asset,
            hedge_method_name(hedge_curve_method(p->curve)), n, hedge_policy_hash_hex(p->policy));
    if (n <= KNOTS_DRAWN) fprintf(out, "%s%s%s knot", l->point, l->point_text, l->off);
    if (n <= KNOTS_DRAWN && p->max_hedge_pct < 1) fputs("   ", out);
    if (p->max_hedge_pct < 1)
        fprintf(out, "%s%s%s max_hedge_pct %.9g", l->dim, l->line_text, l->off, p->max_hedge_pct);
    fputs("\n\n", out);
}

bool plot_terminal(const plot *p, FILE *out, bool ascii, bool colour)
{
    const canvas_look l = canvas_choose_look(ascii, colour);
    canvas c;

    if (!canvas_new(&c, p->width, p->height, ascii)) return false;
    draw_curve(&c, p->curve);
    draw_knots(&c, p->curve);
    if (p->max_hedge_pct < 1) draw_cap(&c, p->max_hedge_pct);
    print_title(p, &l, out);
    canvas_print(&c, &l, "effective score", out);
    canvas_free(&c);
    return true;
}
