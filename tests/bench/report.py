# SPDX-License-Identifier: MIT
"""report: the benchmarks' rows as one table with ratios, and as a chart.

    report.py ROWS [--chart FILE.svg] [--machine TEXT]

A row is: what, knots, who, number, tab-separated."""
import argparse
import sys

PEERS = ("GSL", "Boost", "QuantLib")
KNOTS = (4, 16, 64, 1024)
OURS = "libhedge"

# Okabe and Ito's colours, which stay apart for the colour-blind and in both schemes.
COLOURS = {OURS: "#0072b2", "libhedge, batch": "#56b4e9", "GSL": "#999999", "Boost": "#e69f00",
           "QuantLib": "#cc79a7", "SciPy, batch": "#009e73"}


def read(path):
    rows = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = line.rstrip("\n").split("\t")
            if len(cells) == 4:
                what, knots, who, number = cells
                rows[what, int(knots), who] = float(number)
    return rows


def cell(number, unit="ns"):
    return "–" if number is None else f"{number:.{1 if number >= 10 else 2}f} {unit}"


def evaluation_lines(rows):
    for n in KNOTS:
        ours = rows.get(("evaluation", n, OURS))
        peers = {who: rows.get(("evaluation", n, who)) for who in PEERS}
        known = [ns for ns in peers.values() if ns is not None]
        best = f"{min(known) / ours:.1f} x" if known and ours else "–"
        yield [f"one evaluation, {n:,} knots", cell(ours),
               *(cell(peers[who]) for who in PEERS), "", best]


def batch_lines(rows):
    for n in KNOTS:
        ours, scipy = rows.get(("batch", n, OURS)), rows.get(("batch", n, "SciPy"))
        ratio = f"{scipy / ours:.1f} x" if ours and scipy else "–"
        yield [f"a batch, a score, {n:,} knots", cell(ours), "", "", "", cell(scipy), ratio]


def own_lines(rows):
    for n in KNOTS:
        seconds = rows.get(("certify", n, OURS))
        yield [f"all 2^30 + 1 scores certified, {n:,} knots", cell(seconds, "s"), *[""] * 5]
    for how in ("one by one", "columns"):
        yield [f"a decision, {how}", cell(rows.get(("size", 0, how))), *[""] * 5]


def table(rows):
    head = ["what", OURS, *PEERS, "SciPy", "best peer / ours"]
    lines = [head, *evaluation_lines(rows), *batch_lines(rows), *own_lines(rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * w for w in widths])
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |"
                     for line in lines)


def paths(rows):
    names = ("portable", "FMA", "AVX2", "AVX-512")
    for n in KNOTS:
        known = [f"{who} {rows['path', n, who]:.2f}" for who in names if ("path", n, who) in rows]
        if known:
            yield f"a batch on each path, ns a score, {n:,} knots: " + ", ".join(known)


# ---- the chart ---------------------------------------------------------------------

LEFT, TOP, WIDTH, BAR, GAP = 118, 56, 620, 15, 16


def series(rows, n):
    """(name, ns) of the bars for n knots, those that were measured."""
    bars = [(OURS, ("evaluation", n, OURS))]
    bars += [(who, ("evaluation", n, who)) for who in PEERS]
    bars += [("libhedge, batch", ("batch", n, OURS)), ("SciPy, batch", ("batch", n, "SciPy"))]
    return [(name, rows[key]) for name, key in bars if key in rows]


def bar(y, name, ns, scale):
    return (f'<rect x="{LEFT}" y="{y}" width="{ns * scale:.1f}" height="{BAR - 2}" '
            f'fill="{COLOURS[name]}"/>'
            f'<text class="s" x="{LEFT - 6}" y="{y + BAR - 4}" text-anchor="end">{name}</text>'
            f'<text class="s" x="{LEFT + ns * scale + 5:.1f}" y="{y + BAR - 4}">{ns:.1f}</text>')


def chart(rows, machine):
    groups = [(n, series(rows, n)) for n in KNOTS]
    most = max(ns for _, bars in groups for _, ns in bars)
    scale, y, parts = (WIDTH - 50) / most, TOP, []
    for n, bars in groups:
        parts.append(f'<text class="g" x="{LEFT}" y="{y + 10}">{n:,} knots</text>')
        y += 16
        for name, ns in bars:
            parts.append(bar(y, name, ns, scale))
            y += BAR
        y += GAP
    return f"""<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {LEFT + WIDTH} {y}" \
font-family="sans-serif">
<title>Nanoseconds a score, libhedge and its peers</title>
<style>text {{ fill: #333 }} .t {{ font-size: 16px; font-weight: bold }} .g {{ font-size: 13px; \
font-weight: bold }} .s {{ font-size: 11px }} @media (prefers-color-scheme: dark) \
{{ text {{ fill: #ddd }} }}</style>
<text class="t" x="{LEFT}" y="20">Nanoseconds a score: shorter is better</text>
<text class="s" x="{LEFT}" y="38">{machine}</text>
{chr(10).join(parts)}
</svg>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows")
    parser.add_argument("--chart")
    parser.add_argument("--machine", default="")
    options = parser.parse_args()
    rows = read(options.rows)
    if not any(key[0] == "evaluation" for key in rows):
        sys.exit(f"report: {options.rows} holds no evaluations")
    print(table(rows))
    for line in paths(rows):
        print(line)
    if options.chart:
        with open(options.chart, "w", encoding="utf-8") as f:
            f.write(chart(rows, options.machine))


if __name__ == "__main__":
    main()
