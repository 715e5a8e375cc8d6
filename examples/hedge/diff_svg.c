/* SPDX-License-Identifier: MIT
 * diff_svg.c: a comparison as one standalone SVG file: old hedge against new, difference over time.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diff.h"
#include "moment.h"
#include "number.h"

enum {
    WIDTH = 1120,
    HEIGHT = 584,
    TOP = 96,
    SIDE = 380, /* of the square, and the height of both panels */
    SQUARE_LEFT = 76,
    TIME_LEFT = 572,
    TIME_WIDTH = 508,
    SHADES = 6,
    FEW = 20,        /* decisions in the fullest cell */
    DELTA_ROWS = 48, /* cells upwards in the panel of differences */
    SPARSE = 2000,   /* fewer decisions get wider columns */
    COLUMNS_SPARSE = 64,
    MEANS = 32 /* points of the line */
};

/* ---- what both panels are made of ------------------------------------------------ */

static void write_style(FILE *out)
{
    fputs("<style>\n"
          "text{font-family:system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;"
          "font-size:13px;fill:#5b6472}\n"
          ".paper{fill:#ffffff}\n"
          ".title{font-size:19px;font-weight:600;fill:#18202c}\n"
          ".head{font-size:14px;font-weight:600;fill:#3a4352}\n"
          ".label{fill:#3a4352}\n"
          ".grid{stroke:#e6e9ee;stroke-width:1}\n"
          ".axis{stroke:#9aa3b0;stroke-width:1;fill:none}\n"
          ".equal{stroke:#c2410c;stroke-width:1.5;stroke-dasharray:6 4;fill:none}\n"
          ".equaltext{fill:#c2410c}\n"
          ".mean{stroke:#18202c;stroke-width:2;fill:none;stroke-linejoin:round}\n"
          ".meantext{fill:#18202c}\n"
          ".halo{stroke:#ffffff;stroke-width:6;stroke-opacity:.75;fill:none;"
          "stroke-linejoin:round}\n"
          "rect{shape-rendering:crispEdges}\n"
          ".s0{fill:#c9dcfa}.s1{fill:#9cc0f5}.s2{fill:#6a9eec}.s3{fill:#3c7cdd}"
          ".s4{fill:#2059bb}.s5{fill:#123a85}\n"
          "@media (prefers-color-scheme:dark){\n"
          "text{fill:#98a2b3}\n"
          ".paper{fill:#12161d}\n"
          ".title{fill:#eef1f6}\n"
          ".head,.label{fill:#c3cad6}\n"
          ".grid{stroke:#252c37}\n"
          ".axis{stroke:#596273}\n"
          ".equal{stroke:#fb923c}\n"
          ".equaltext{fill:#fb923c}\n"
          ".mean{stroke:#eef1f6}\n"
          ".halo{stroke:#12161d}\n"
          ".meantext{fill:#eef1f6}\n"
          ".s0{fill:#1b2f4f}.s1{fill:#21457c}.s2{fill:#2a62b3}.s3{fill:#4485e0}"
          ".s4{fill:#7cadf5}.s5{fill:#c4dcff}\n"
          "}\n"
          "</style>\n",
          out);
}

/* Few decisions would be lost on paper in the lightest shades. */
static int lightest_of(uint64_t most)
{
    return most < FEW ? SHADES / 2 : 0;
}

/* Shades go by the logarithm, as counts do: a cell with one decision is seen
 * beside one with a million. */
static int shade_of(uint64_t n, uint64_t most)
{
    const double share = most > 1 ? log((double)n) / log((double)most) : 0;
    const int lightest = lightest_of(most);
    const int shade = lightest + (int)(share * (SHADES - lightest));

    return shade < SHADES ? shade : SHADES - 1;
}

static void write_cell(FILE *out, int shade, double x, double y, double width, double height)
{
    fprintf(out, "<rect class=\"s%d\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
            shade, x, y, width, height);
}

static void write_text(FILE *out, const char *class, const char *anchor, double x, double y,
                       const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\">%s</text>\n", class,
            x, y, anchor, text);
}

static void write_upright(FILE *out, double x, double y, const char *text)
{
    fprintf(out,
            "<text class=\"label\" transform=\"translate(%.2f %.2f) rotate(-90)\" "
            "text-anchor=\"middle\">%s</text>\n",
            x, y, text);
}

/* What the shades mean: the least count of each. */
static void write_legend(FILE *out, double right, double y, uint64_t most)
{
    const int first = lightest_of(most), shades = most > 1 ? SHADES - first : 1;
    char text[NUMBER_TEXT_MAX];
    double x = right - shades * 22;

    number_write_grouped(most, text);
    write_text(out, "legend", "end", right, y + 26, text);
    for (int i = 0; i < shades; i++, x += 22)
        write_cell(out, first + i, x, y, 22, 10);
    if (shades > 1) write_text(out, "legend", "start", right - shades * 22, y + 26, "1");
    write_text(out, "legend", "end", right - shades * 22 - 8, y + 10, "decisions a cell");
}

/* ---- old against new --------------------------------------------------------------- */

static uint64_t most_pairs(const diff_stats *s)
{
    uint64_t most = 0;

    for (size_t i = 0; i <= DIFF_BINS; i++)
        for (size_t k = 0; k <= DIFF_BINS; k++)
            if (s->density[i][k] > most) most = s->density[i][k];
    return most;
}

static void write_square_axes(const diff *d, FILE *out)
{
    const double bottom = TOP + SIDE;

    for (int i = 0; i <= 4; i++) {
        const double along = SIDE * i / 4.0;
        char text[32];

        fprintf(out,
                "<path class=\"grid\" d=\"M%.2f %dV%.2f\"/><path class=\"grid\" "
                "d=\"M%d %.2fh%d\"/>\n",
                SQUARE_LEFT + along, TOP, bottom, SQUARE_LEFT, bottom - along, SIDE);
        snprintf(text, sizeof text, "%d&#160;%%", 25 * i);
        write_text(out, "tick", "middle", SQUARE_LEFT + along, bottom + 20, text);
        write_text(out, "tick", "end", SQUARE_LEFT - 9, bottom - along + 4.5, text);
    }
    write_text(out, "label", "middle", SQUARE_LEFT + SIDE / 2.0, bottom + 42,
               d->old == NULL ? "hedge as recorded" : "hedge by the old policy");
    write_upright(out, 22, TOP + SIDE / 2.0, "hedge by the new policy");
}

static void write_square(const diff *d, FILE *out)
{
    const double cell = (double)SIDE / (DIFF_BINS + 1);
    const uint64_t most = most_pairs(&d->stats);

    write_text(out, "head", "start", SQUARE_LEFT, TOP - 12, "Old hedge against new");
    write_square_axes(d, out);
    for (size_t new = 0; new <= DIFF_BINS; new ++)
        for (size_t old = 0; old <= DIFF_BINS; old++)
            if (d->stats.density[new][old] > 0)
                write_cell(out, shade_of(d->stats.density[new][old], most),
                           SQUARE_LEFT + (double)old * cell, TOP + SIDE - (double)(new + 1) * cell,
                           cell, cell);
    fprintf(out, "<path class=\"equal\" d=\"M%d %dL%d %d\"/>\n", SQUARE_LEFT, TOP + SIDE,
            SQUARE_LEFT + SIDE, TOP);
    fprintf(out, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", SQUARE_LEFT, TOP, TOP + SIDE,
            SQUARE_LEFT + SIDE);
    write_text(out, "equaltext", "start", SQUARE_LEFT + 10, TOP + 20, "&#8211;&#160;&#8211; equal");
    write_legend(out, SQUARE_LEFT + SIDE, TOP + SIDE + 56, most);
}

/* ---- differences over time ----------------------------------------------------------- */

/* The least of 1, 2 and 5 times a power of ten that is not less. */
static double nice_above(double x)
{
    double unit = pow(10, floor(log10(x)));

    if (x <= unit) return unit;
    return x <= 2 * unit ? 2 * unit : x <= 5 * unit ? 5 * unit : 10 * unit;
}

typedef struct time_frame {
    const diff_times *t;
    FILE *out;
    double reach;  /* differences from -reach to reach are shown */
    size_t bins;   /* of the times, that hold anything */
    size_t merged; /* so many of them are one column */
    size_t columns;
} time_frame;

static double at_x(const time_frame *f, double column)
{
    const double bin = column * (double)f->merged;

    return TIME_LEFT +
           TIME_WIDTH * (bin < (double)f->bins ? bin : (double)f->bins) / (double)f->bins;
}

static double at_y(const time_frame *f, double delta)
{
    return TOP + SIDE * (1 - (delta / f->reach + 1) / 2);
}

/* Differences are kept in thousandths; as many of them as fit make a cell. */
static void gather_bin(const time_frame *f, size_t bin, uint64_t cells[DELTA_ROWS])
{
    for (size_t k = 0; k < DIFF_DELTA_BINS; k++) {
        const double delta = 2 * (double)k / (DIFF_DELTA_BINS - 1) - 1;
        const double row = (delta / f->reach + 1) / 2 * DELTA_ROWS;

        if (f->t->bins[bin][k] == 0) continue;
        cells[!(row > 0)          ? 0
              : row >= DELTA_ROWS ? DELTA_ROWS - 1
                                  : (size_t)row] += f->t->bins[bin][k];
    }
}

static void gather(const time_frame *f, size_t column, uint64_t cells[DELTA_ROWS])
{
    const size_t first = column * f->merged;

    memset(cells, 0, DELTA_ROWS * sizeof *cells);
    for (size_t i = first; i < first + f->merged && i < f->bins; i++)
        gather_bin(f, i, cells);
}

static uint64_t most_in_cell(const time_frame *f)
{
    uint64_t cells[DELTA_ROWS], most = 0;

    for (size_t i = 0; i < f->columns; i++) {
        gather(f, i, cells);
        for (size_t k = 0; k < DELTA_ROWS; k++)
            if (cells[k] > most) most = cells[k];
    }
    return most;
}

static void write_differences(const time_frame *f)
{
    const uint64_t most = most_in_cell(f);
    const double height = (double)SIDE / DELTA_ROWS;
    uint64_t cells[DELTA_ROWS];

    for (size_t i = 0; i < f->columns; i++) {
        gather(f, i, cells);
        for (size_t k = 0; k < DELTA_ROWS; k++)
            if (cells[k] > 0)
                write_cell(f->out, shade_of(cells[k], most), at_x(f, (double)i),
                           TOP + SIDE - (double)(k + 1) * height,
                           at_x(f, (double)i + 1) - at_x(f, (double)i), height);
    }
    write_legend(f->out, TIME_LEFT + TIME_WIDTH, TOP + SIDE + 56, most);
}

/* The mean of so many columns that it shows a course, not each decision. */
static void write_mean_line(const time_frame *f, const char *class)
{
    const size_t step = (f->bins + MEANS - 1) / MEANS;
    const char *pen = "M";

    fprintf(f->out, "<path class=\"%s\" d=\"", class);
    for (size_t first = 0; first < f->bins; first += step) {
        const size_t end = first + step < f->bins ? first + step : f->bins;
        double sum = 0;
        uint64_t n = 0;

        for (size_t i = first; i < end; i++) {
            sum += f->t->sum[i];
            n += f->t->n[i];
        }
        if (n == 0) continue;
        fprintf(f->out, "%s%.2f %.2f", pen,
                TIME_LEFT + TIME_WIDTH * (double)(first + end) / 2 / (double)f->bins,
                at_y(f, sum / (double)n));
        pen = "L";
    }
    fputs("\"/>\n", f->out);
}

/* Light around dark: it lies over every shade. */
static void write_mean(const time_frame *f)
{
    write_mean_line(f, "halo");
    write_mean_line(f, "mean");
    write_text(f->out, "meantext", "start", TIME_LEFT + 10, TOP + 20, "&#8212; mean");
}

/* A time and a span behind it, held at the last one there is. */
static int64_t later(int64_t ts_ns, double span_ns)
{
    int64_t at;

    if (!(span_ns < 9.2e18) || __builtin_add_overflow(ts_ns, (int64_t)span_ns, &at))
        return INT64_MAX;
    return at;
}

static void write_time_axes(const time_frame *f)
{
    const double bottom = TOP + SIDE;
    const double span = (double)f->t->width_ns * (double)f->bins;

    for (int i = -4; i <= 4; i++) {
        const double delta = f->reach * i / 4;
        char text[48];

        fprintf(f->out, "<path class=\"grid\" d=\"M%d %.2fh%d\"/>\n", TIME_LEFT, at_y(f, delta),
                TIME_WIDTH);
        snprintf(text, sizeof text, i == 0 ? "0" : "%+.4g", 100 * delta);
        write_text(f->out, "tick", "end", TIME_LEFT - 9, at_y(f, delta) + 4.5, text);
    }
    for (int i = 0; i <= 2; i++) {
        char text[MOMENT_TEXT_MAX];
        const char *const anchors[] = {"start", "middle", "end"};

        moment_write(later(f->t->first_ns, span * i / 2), text);
        text[span < 1e10 ? 23 : 19] = '\0'; /* milliseconds, or whole seconds */
        text[10] = ' ';
        fprintf(f->out, "<path class=\"grid\" d=\"M%.2f %dV%.2f\"/>\n",
                TIME_LEFT + TIME_WIDTH * i / 2.0, TOP, bottom);
        /* The day stands once where the span is short. */
        write_text(f->out, "tick", anchors[i], TIME_LEFT + TIME_WIDTH * i / 2.0, bottom + 20,
                   span < 1e10 && i > 0 ? text + 11 : text);
    }
    write_text(f->out, "label", "middle", TIME_LEFT + TIME_WIDTH / 2.0, bottom + 42, "time, UTC");
    write_upright(f->out, TIME_LEFT - 62, TOP + SIDE / 2.0, "new less old, percentage points");
}

static void write_times(const diff *d, FILE *out)
{
    const diff_times *t = &d->stats.times;
    const double most = d->hedge.max_size;
    uint64_t both = 0;
    time_frame f = {.t = t, .out = out, .reach = most > 0 ? nice_above(most) : 0.01};

    for (size_t i = 0; i < DIFF_TIME_BINS; i++)
        both += t->n[i];
    if (f.reach > 1) f.reach = 1;
    f.bins = (size_t)(((uint64_t)t->last_ns - (uint64_t)t->first_ns) / (uint64_t)t->width_ns) + 1;
    f.merged = both < SPARSE ? (f.bins + COLUMNS_SPARSE - 1) / COLUMNS_SPARSE : 1;
    f.columns = (f.bins + f.merged - 1) / f.merged;
    write_text(out, "head", "start", TIME_LEFT, TOP - 12, "Difference over time");
    write_time_axes(&f);
    write_differences(&f);
    fprintf(out, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", TIME_LEFT, TOP, TOP + SIDE,
            TIME_LEFT + TIME_WIDTH);
    write_mean(&f);
}

/* ---- the file ------------------------------------------------------------------------ */

static void write_title(const diff *d, FILE *out)
{
    char old[64], decisions[NUMBER_TEXT_MAX], changed[NUMBER_TEXT_MAX], text[512];
    char rejected[NUMBER_TEXT_MAX], decided[NUMBER_TEXT_MAX];

    diff_old_name(d, old, sizeof old);
    number_write_grouped(d->stats.all.decisions, decisions);
    number_write_grouped(d->stats.all.hedge_changed, changed);
    number_write_grouped(d->stats.all.newly_rejected, rejected);
    number_write_grouped(d->stats.all.newly_decided, decided);
    snprintf(text, sizeof text, "Policy %.12s instead of %s", hedge_policy_hash_hex(d->new), old);
    fprintf(out, "<title>%s</title>\n<desc>New policy %s, library %s.</desc>\n", text,
            hedge_policy_hash_hex(d->new), hedge_version());
    write_style(out);
    fprintf(out, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
    write_text(out, "title", "start", SQUARE_LEFT, 34, text);
    snprintf(text, sizeof text,
             "%s decisions%s%s: %s with another hedge, %s newly rejected, %s newly decided",
             decisions, d->asset != NULL ? " on " : "", d->asset != NULL ? d->asset : "", changed,
             rejected, decided);
    write_text(out, "sub", "start", SQUARE_LEFT, 56, text);
}

void diff_svg(const diff *d, FILE *out)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\">\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    write_title(d, out);
    if (d->stats.times.any) {
        write_square(d, out);
        write_times(d, out);
    } else {
        write_text(out, "head", "start", SQUARE_LEFT, TOP, "No decision that both make.");
    }
    fputs("</svg>\n", out);
}
