/* SPDX-License-Identifier: MIT
 * canvas.c: the unit square drawn with braille dots or plain ASCII characters. */
#include "canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

canvas_look canvas_choose_look(bool ascii, bool colour)
{
    const canvas_look plain = {true, "", "", "", "", "o", "-", "|", "+", "+", "-", "+"};
    const canvas_look drawn = {false, "", "", "", "", "●", "┄", "│", "┤", "└", "─", "┬"};
    canvas_look l = ascii ? plain : drawn;

    if (colour) {
        l.dim = "\033[2m";
        l.dot = "\033[36m";
        l.point = "\033[1;33m";
        l.off = "\033[0m";
    }
    return l;
}

bool canvas_new(canvas *c, int width, int height, bool ascii)
{
    size_t cells;

    *c = (canvas){.columns = width - CANVAS_LEFT - 1,
                  .rows = height,
                  .across = ascii ? 1 : 2,
                  .down = ascii ? 1 : 4};
    cells = (size_t)c->columns * (size_t)c->rows;
    c->dots = calloc(2 * cells, 1);
    if (c->dots != NULL) c->marks = c->dots + cells;
    return c->dots != NULL;
}

void canvas_free(canvas *c)
{
    free(c->dots);
}

int canvas_row(const canvas *c, double y)
{
    return (int)lround((1 - y) * (c->rows * c->down - 1));
}

int canvas_column(const canvas *c, double x)
{
    return (int)lround(x * (c->columns * c->across - 1));
}

static int cell_of(const canvas *c, int column, int row)
{
    return row / c->down * c->columns + column / c->across;
}

void canvas_mark(canvas *c, int column, int row, uint8_t mark)
{
    c->marks[cell_of(c, column, row)] |= mark;
}

void canvas_dot(canvas *c, int column, int row)
{
    /* The eight dots of U+2800, by column and row. */
    static const uint8_t bits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    const int cell = cell_of(c, column, row);

    c->dots[cell] |= bits[column % c->across][row % c->down];
    c->marks[cell] |= CANVAS_DOT;
}

static void print_cell(const canvas *c, const canvas_look *l, int cell, FILE *out)
{
    const uint8_t marks = c->marks[cell];

    if ((marks & CANVAS_POINT) != 0) {
        fprintf(out, "%s%s%s", l->point, l->point_text, l->off);
    } else if ((marks & CANVAS_DOT) != 0 && l->ascii) {
        fprintf(out, "%s*%s", l->dot, l->off);
    } else if ((marks & CANVAS_DOT) != 0) {
        /* U+2800 + dots, in UTF-8. */
        fprintf(out, "%s\xE2%c%c%s", l->dot, 0xA0 | c->dots[cell] >> 6, 0x80 | (c->dots[cell] & 63),
                l->off);
    } else if ((marks & CANVAS_LINE) != 0) {
        fprintf(out, "%s%s%s", l->dim, l->line_text, l->off);
    } else {
        putc(' ', out);
    }
}

/* The per cent to write at a row; -1: none. Quarters where there is
 * room, else the ends alone. */
static int row_label(const canvas *c, int row)
{
    const int step = c->rows >= 9 ? 25 : c->rows >= 5 ? 50 : 100;

    for (int percent = 0; percent <= 100; percent += step)
        if (canvas_row(c, percent / 100.0) / c->down == row) return percent;
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

static void print_rows(const canvas *c, const canvas_look *l, FILE *out)
{
    for (int row = 0; row < c->rows; row++) {
        const int label = row_label(c, row);
        const int end = row_end(c, row);

        if (label >= 0)
            fprintf(out, "%4d %% %s%s%s", label, l->dim, l->tick_left, l->off);
        else
            fprintf(out, "%*s%s%s%s", CANVAS_LEFT - 1, "", l->dim, l->upright, l->off);
        for (int x = 0; x < end; x++)
            print_cell(c, l, row * c->columns + x, out);
        putc('\n', out);
    }
}

static bool is_tick(const canvas *c, int x)
{
    for (int i = 0; i <= 4; i++)
        if (x == canvas_column(c, i / 4.0) / c->across) return true;
    return false;
}

static void print_axis(const canvas *c, const canvas_look *l, const char *caption, FILE *out)
{
    static const char *const labels[] = {"0", "0.25", "0.5", "0.75", "1"};
    const int step = c->columns >= 30 ? 1 : 2;
    const int caption_at = CANVAS_LEFT + c->columns / 2 - ((int)strlen(caption) + 1) / 2;
    int at = 0;

    fprintf(out, "%*s%s%s", CANVAS_LEFT - 1, "", l->dim, l->corner);
    for (int x = 0; x < c->columns; x++)
        fputs(is_tick(c, x) ? l->tick_down : l->flat, out);
    fprintf(out, "%s\n", l->off);
    for (int i = 0; i <= 4; i += step) {
        const int width = (int)strlen(labels[i]);
        const int from = CANVAS_LEFT + canvas_column(c, i / 4.0) / c->across - width / 2;

        fprintf(out, "%*s%s", from - at, "", labels[i]);
        at = from + width;
    }
    fprintf(out, "\n%*s%s\n", caption_at, "", caption);
}

void canvas_print(const canvas *c, const canvas_look *l, const char *caption, FILE *out)
{
    print_rows(c, l, out);
    print_axis(c, l, caption, out);
}
