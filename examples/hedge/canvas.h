/* SPDX-License-Identifier: MIT
 * canvas.h: the unit square drawn with braille dots or plain ASCII characters. */
#ifndef HEDGE_CLI_CANVAS_H
#define HEDGE_CLI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    CANVAS_LEFT = 8, /* characters left of the canvas: "100 % |" */
    CANVAS_DOT = 1,
    CANVAS_LINE = 2,
    CANVAS_POINT = 4
};

/* A cell is one character and `across` x `down` dots: 2 x 4 in braille. */
typedef struct canvas {
    int columns, rows;
    int across, down;
    uint8_t *dots;  /* the braille pattern of each cell */
    uint8_t *marks; /* CANVAS_… of each cell */
} canvas;

/* How things look: characters, and escapes that are empty without colour. */
typedef struct canvas_look {
    bool ascii;
    const char *dim, *dot, *point, *off;
    const char *point_text, *line_text, *upright, *tick_left, *corner, *flat, *tick_down;
} canvas_look;

canvas_look canvas_choose_look(bool ascii, bool colour);

/* Of so many characters in all, axis and all. False: out of memory. */
bool canvas_new(canvas *c, int width, int height, bool ascii);
void canvas_free(canvas *c);

/* The column and the row, from the top, of dots on which a place in [0, 1] lies. */
int canvas_column(const canvas *c, double x);
int canvas_row(const canvas *c, double y);
/* Sets one dot, or one mark (CANVAS_LINE, CANVAS_POINT) on the cell of a dot. */
void canvas_dot(canvas *c, int column, int row);
void canvas_mark(canvas *c, int column, int row, uint8_t mark);

/* Prints it with axes: per cent upwards, `caption` below. */
void canvas_print(const canvas *c, const canvas_look *l, const char *caption, FILE *out);

#endif
