/* SPDX-License-Identifier: MIT
 * plot_svg.c: draws a curve as one standalone SVG file, without scripts or fonts of its own. */
#include <math.h>

#include "plot.h"

/* The pixels around the plotting area. */
enum { TOP = 84, RIGHT = 32, BOTTOM = 64, LEFT = 84 };
enum { KNOTS_LARGE = 40 }; /* up to so many knots are drawn large */

typedef struct frame {
    const plot *p;
    FILE *out;
    double x0, y0, width, height; /* the plotting area: left, top, size */
} frame;

/* Score and hedge to pixels. The locale is "C", so decimals have a point. */
static double at_x(const frame *f, double score)
{
    return f->x0 + score * f->width;
}

static double at_y(const frame *f, double hedge)
{
    return f->y0 + (1 - hedge) * f->height;
}

/* Light by default; viewers that know the wish for dark get dark. Plain classes
 * and no variables, because many converters know nothing newer. */
static void write_style(FILE *out)
{
    fputs("<style>\n"
          "text{font-family:system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;"
          "font-size:13px;fill:#5b6472}\n"
          ".paper{fill:#ffffff}\n"
          ".title{font-size:19px;font-weight:600;fill:#18202c}\n"
          ".label{fill:#3a4352}\n"
          ".grid{stroke:#e6e9ee;stroke-width:1}\n"
          ".axis{stroke:#9aa3b0;stroke-width:1}\n"
          ".area{fill:#2563c9;fill-opacity:.08}\n"
          ".curve{fill:none;stroke:#2563c9;stroke-width:2.5;stroke-linejoin:round}\n"
          ".knot{fill:#ffffff;stroke:#2563c9;stroke-width:2.5}\n"
          ".dot{fill:#2563c9}\n"
          ".cap{fill:none;stroke:#c2410c;stroke-width:1.5;stroke-dasharray:6 4}\n"
          ".captext{fill:#c2410c}\n"
          "@media (prefers-color-scheme:dark){\n"
          "text{fill:#98a2b3}\n"
          ".paper{fill:#12161d}\n"
          ".title{fill:#eef1f6}\n"
          ".label{fill:#c3cad6}\n"
          ".grid{stroke:#252c37}\n"
          ".axis{stroke:#596273}\n"
          ".area{fill:#6ea8ff;fill-opacity:.1}\n"
          ".curve{stroke:#6ea8ff}\n"
          ".knot{fill:#12161d;stroke:#6ea8ff}\n"
          ".dot{fill:#6ea8ff}\n"
          ".cap{stroke:#fb923c}\n"
          ".captext{fill:#fb923c}\n"
          "}\n"
          "</style>\n",
          out);
}

static void write_head(const frame *f)
{
    const plot *p = f->p;
    const char *method = hedge_method_name(hedge_curve_method(p->curve));
    const size_t n = hedge_curve_knot_count(p->curve);

    fprintf(f->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\">\n",
            p->width, p->height, p->width, p->height);
    fprintf(f->out, "<title>%s hedge curve, %s, policy %.12s</title>\n", p->asset, method,
            hedge_policy_hash_hex(p->policy));
    fprintf(f->out, "<desc>Hedge by effective score. Policy %s, library %s.</desc>\n",
            hedge_policy_hash_hex(p->policy), hedge_version());
    write_style(f->out);
    fprintf(f->out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", p->width, p->height);
    fprintf(f->out, "<text class=\"title\" x=\"%g\" y=\"36\">%s hedge curve</text>\n", f->x0,
            p->asset);
    fprintf(f->out, "<text x=\"%g\" y=\"58\">%s, %zu knots, policy %.12s</text>\n", f->x0, method,
            n, hedge_policy_hash_hex(p->policy));
}

/* Tenths where there is room for their labels, else fifths. */
static int tick_step(double pixels)
{
    return pixels >= 440 ? 1 : 2;
}

static void write_grid(const frame *f)
{
    const double right = at_x(f, 1);
    const double bottom = at_y(f, 0);
    const int step_x = tick_step(f->width);
    const int step_y = f->height >= 300 ? 1 : 2;

    for (int i = 0; i <= 10; i += step_x) {
        const double x = at_x(f, i / 10.0);

        fprintf(f->out, "<path class=\"grid\" d=\"M%.2f %.2fV%.2f\"/>", x, f->y0, bottom);
        fprintf(f->out, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">%g</text>\n", x,
                bottom + 21, i / 10.0);
    }
    for (int i = 0; i <= 10; i += step_y) {
        const double y = at_y(f, i / 10.0);

        fprintf(f->out, "<path class=\"grid\" d=\"M%.2f %.2fH%.2f\"/>", f->x0, y, right);
        fprintf(f->out, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"end\">%d&#160;%%</text>\n",
                f->x0 - 10, y + 4.5, i * 10);
    }
    fprintf(f->out, "<path class=\"axis\" fill=\"none\" d=\"M%.2f %.2fV%.2fH%.2f\"/>\n", f->x0,
            f->y0, bottom, right);
    fprintf(f->out,
            "<text class=\"label\" x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">"
            "effective score</text>\n",
            f->x0 + f->width / 2, bottom + 46);
    fprintf(f->out,
            "<text class=\"label\" transform=\"translate(24 %.2f) rotate(-90)\" "
            "text-anchor=\"middle\">%s</text>\n",
            f->y0 + f->height / 2, f->height >= 220 ? "hedge, share of the exposure" : "hedge");
}

/* The curve as the library gives it, one point a pixel: nothing is drawn that
 * was not evaluated. */
static void write_points(const frame *f)
{
    const int n = (int)lround(f->width);

    for (int i = 0; i <= n; i++) {
        const double score = (double)i / n;

        fprintf(f->out, "%s%.2f %.2f", i == 0 ? "M" : "L", at_x(f, score),
                at_y(f, hedge_curve_eval(f->p->curve, score)));
    }
}

static void write_curve(const frame *f)
{
    fputs("<path class=\"area\" d=\"", f->out);
    write_points(f);
    fprintf(f->out, "V%.2fH%.2fZ\"/>\n<path class=\"curve\" d=\"", at_y(f, 0), at_x(f, 0));
    write_points(f);
    fputs("\"/>\n", f->out);
}

static void write_cap(const frame *f)
{
    const double cap = f->p->max_hedge_pct;
    /* Above the line, unless that would leave the frame. */
    const double text_y = at_y(f, cap) + (cap > 0.93 ? 17 : -8);

    if (!(cap < 1)) return;
    fprintf(f->out, "<path class=\"cap\" d=\"M%.2f %.2fH%.2f\"/>", at_x(f, 0), at_y(f, cap),
            at_x(f, 1));
    fprintf(f->out, "<text class=\"captext\" x=\"%.2f\" y=\"%.2f\">max_hedge_pct %.9g</text>\n",
            at_x(f, 0) + 10, text_y, cap);
}

static void write_knots(const frame *f)
{
    const size_t n = hedge_curve_knot_count(f->p->curve);
    const bool large = n <= KNOTS_LARGE;

    for (size_t i = 0; i < n; i++) {
        double score = 0, hedge = 0;

        hedge_curve_knot(f->p->curve, i, &score, &hedge);
        fprintf(f->out, "<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"%s\">",
                large ? "knot" : "dot", at_x(f, score), at_y(f, hedge), large ? "4.5" : "2");
        fprintf(f->out, "<title>score %.9g, hedge %.9g</title></circle>\n", score, hedge);
    }
}

void plot_svg(const plot *p, FILE *out)
{
    const frame f = {.p = p,
                     .out = out,
                     .x0 = LEFT,
                     .y0 = TOP,
                     .width = p->width - LEFT - RIGHT,
                     .height = p->height - TOP - BOTTOM};

    write_head(&f);
    write_grid(&f);
    write_curve(&f);
    write_cap(&f);
    write_knots(&f);
    fputs("</svg>\n", out);
}
