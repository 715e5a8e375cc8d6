/* SPDX-License-Identifier: MIT
 * plot_terminal.c: draws a curve with braille dots or plain ASCII characters. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plot.h"

enum {
    LEFT = 8,          /* characters left of the canvas: "100 % |" */
    KNOTS_DRAWN = 200, /* more would cover the curve */
    CELL_CURVE = 1,
    CELL_CAP = 2,
    CELL_KNOT = 4
};

/* A cell is one character and `across` x `down` dots: 2 x 4 in braille. */
typedef struct canvas {
    int columns, rows;
    int across, down;
    uint8_t *dots;  /* the braille pattern of each cell */
    uint8_t *marks; /* CELL_… of each cell */
} canvas;

/* How things look: characters, and escapes that are empty without colour. */
typedef struct look {
    bool ascii;
    const char *dim, *curve, *knot, *off;
    const char *knot_text, *cap_text, *upright, *tick_left, *corner, *flat, *tick_down;
} look;

static look choose_look(bool ascii, bool colour)
{
    const look plain = {true, "", "", "", "", "o", "-", "|", "+", "+", "-", "+"};
    const look drawn = {false, "", "", "", "", "●", "┄", "│", "┤", "└", "─", "┬"};
    look l = ascii ? plain : drawn;

    if (colour) {
        l.dim = "\033[2m";
        l.curve = "\033[36m";
        l.knot = "\033[1;33m";
        l.off = "\033[0m";
    }
    return l;
}

/* The row of dots, from the top, on which a hedge lies. */
static int dot_row(const canvas *c, double hedge)
{
    return (int)lround((1 - hedge) * (c->rows * c->down - 1));
}

static int dot_column(const canvas *c, double score)
{
    return (int)lround(score * (c->columns * c->across - 1));
}

static void set_dot(canvas *c, int x, int y)
{
    /* The eight dots of U+2800, by column and row. */
    static const uint8_t bits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    const int cell = y / c->down * c->columns + x / c->across;

    c->dots[cell] |= bits[x % c->across][y % c->down];
    c->marks[cell] |= CELL_CURVE;
}

/* Neighbouring dots are joined: half of the way up belongs to each of them. */
static void draw_curve(canvas *c, const hedge_curve *curve)
{
    const int width = c->columns * c->across;
    int before = dot_row(c, hedge_curve_eval(curve, 0));

    for (int x = 0; x < width; x++) {
        const int y = dot_row(c, hedge_curve_eval(curve, (double)x / (width - 1)));

        set_dot(c, x, y);
        for (int join = y + 1; join < before; join++)
            set_dot(c, join > (y + before) / 2 ? x - 1 : x, join);
        before = y;
    }
}

static void draw_knots(canvas *c, const hedge_curve *curve)
{
    const size_t n = hedge_curve_knot_count(curve);

    for (size_t i = 0; i < n && n <= KNOTS_DRAWN; i++) {
        double score = 0, hedge = 0;

        hedge_curve_knot(curve, i, &score, &hedge);
        c->marks[dot_row(c, hedge) / c->down * c->columns + dot_column(c, score) / c->across] |=
            CELL_KNOT;
    }
}

static void draw_cap(canvas *c, double max_hedge_pct)
{
    const int row = dot_row(c, max_hedge_pct) / c->down;

    for (int x = 0; x < c->columns; x++)
        c->marks[row * c->columns + x] |= CELL_CAP;
}

static void print_cell(const canvas *c, const look *l, int cell, FILE *out)
{
    const uint8_t marks = c->marks[cell];

    if ((marks & CELL_KNOT) != 0) {
        fprintf(out, "%s%s%s", l->knot, l->knot_text, l->off);
    } else if ((marks & CELL_CURVE) != 0 && l->ascii) {
        fprintf(out, "%s*%s", l->curve, l->off);
    } else if ((marks & CELL_CURVE) != 0) {
        /* U+2800 + dots, in UTF-8. */
        fprintf(out, "%s\xE2%c%c%s", l->curve, 0xA0 | c->dots[cell] >> 6,
                0x80 | (c->dots[cell] & 63), l->off);
    } else if ((marks & CELL_CAP) != 0) {
        fprintf(out, "%s%s%s", l->dim, l->cap_text, l->off);
    } else {
        putc(' ', out);
    }
}

/* The hedge in per cent to write at a row; -1: none. Quarters where there is
 * room, else the ends alone. */
static int row_label(const canvas *c, int row)
{
    const int step = c->rows >= 9 ? 25 : c->rows >= 5 ? 50 : 100;

    for (int percent = 0; percent <= 100; percent += step)
        if (dot_row(c, percent / 100.0) / c->down == row) return percent;
    return -1;
}

/* Spaces at the end of a row are left out, so that a copied plot is clean. */
static int row_end(const canvas *c, int row)
{
    int end = c->columns;

    while (end > 0 && c->marks[row * c->columns + end - 1] == 0)
        end--;
    return end;
}

static void print_rows(const canvas *c, const look *l, FILE *out)
{
    for (int row = 0; row < c->rows; row++) {
        const int label = row_label(c, row);
        const int end = row_end(c, row);

        if (label >= 0)
            fprintf(out, "%4d %% %s%s%s", label, l->dim, l->tick_left, l->off);
        else
            fprintf(out, "%*s%s%s%s", LEFT - 1, "", l->dim, l->upright, l->off);
        for (int x = 0; x < end; x++)
            print_cell(c, l, row * c->columns + x, out);
        putc('\n', out);
    }
}

static bool is_tick(const canvas *c, int x)
{
    for (int i = 0; i <= 4; i++)
        if (x == dot_column(c, i / 4.0) / c->across) return true;
    return false;
}

static void print_axis(const canvas *c, const look *l, FILE *out)
{
    static const char *const labels[] = {"0", "0.25", "0.5", "0.75", "1"};
    static const char caption[] = "effective score";
    const int step = c->columns >= 30 ? 1 : 2;
    const int caption_at = LEFT + c->columns / 2 - (int)(sizeof caption / 2);
    int at = 0;

    fprintf(out, "%*s%s%s", LEFT - 1, "", l->dim, l->corner);
    for (int x = 0; x < c->columns; x++)
        fputs(is_tick(c, x) ? l->tick_down : l->flat, out);
    fprintf(out, "%s\n", l->off);
    for (int i = 0; i <= 4; i += step) {
        const int width = (int)strlen(labels[i]);
        const int from = LEFT + dot_column(c, i / 4.0) / c->across - width / 2;

        fprintf(out, "%*s%s", from - at, "", labels[i]);
        at = from + width;
    }
    fprintf(out, "\n%*s%s\n", caption_at, "", caption);
}

static void print_title(const plot *p, const look *l, FILE *out)
{
    const size_t n = hedge_curve_knot_count(p->curve);

    fprintf(out, "%s hedge, %s through %zu knots, policy %.12s\n", p->asset,
            hedge_method_name(hedge_curve_method(p->curve)), n, hedge_policy_hash_hex(p->policy));
    if (n <= KNOTS_DRAWN) fprintf(out, "%s%s%s knot", l->knot, l->knot_text, l->off);
    if (n <= KNOTS_DRAWN && p->max_hedge_pct < 1) fputs("   ", out);
    if (p->max_hedge_pct < 1)
        fprintf(out, "%s%s%s max_hedge_pct %.9g", l->dim, l->cap_text, l->off, p->max_hedge_pct);
    fputs("\n\n", out);
}

bool plot_terminal(const plot *p, FILE *out, bool ascii, bool colour)
{
    const look l = choose_look(ascii, colour);
    canvas c = {.columns = p->width - LEFT - 1,
                .rows = p->height,
                .across = ascii ? 1 : 2,
                .down = ascii ? 1 : 4};
    const size_t cells = (size_t)c.columns * (size_t)c.rows;

    c.dots = calloc(2 * cells, 1);
    if (c.dots == NULL) return false;
    c.marks = c.dots + cells;
    draw_curve(&c, p->curve);
    draw_knots(&c, p->curve);
    if (p->max_hedge_pct < 1) draw_cap(&c, p->max_hedge_pct);
    print_title(p, &l, out);
    print_rows(&c, &l, out);
    print_axis(&c, &l, out);
    free(c.dots);
    return true;
}
