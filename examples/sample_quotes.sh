#!/bin/sh
# SPDX-License-Identifier: MIT
# A market that moves: twice a second one line with, for each of the four default
# assets, its name, score, confidence and depth. Until it is stopped.
set -eu

# Each score swings around its own middle and stays inside 0.15 to 0.85.
exec awk 'BEGIN {
    split("BTC ETH LTC XRP", name); split("0.62 0.48 0.35 0.55", middle)
    split("2400000 1500000 300000 900000", depth); srand(1)
    for (t = 0;; t++) {
        for (i = 1; i <= 4; i++)
            printf "%s %.4f %.3f %.2f%s", name[i],
                middle[i] + 0.17 * sin(t / (9 + 2 * i)) + 0.02 * (rand() - 0.5),
                0.9 - 0.1 * rand(), depth[i] * (1 + 0.3 * sin(t / (5 + i))) * (0.95 + 0.1 * rand()),
                i < 4 ? " " : "\n"
        fflush()
        if (system("sleep 0.5") != 0) exit 1
    }
}'
