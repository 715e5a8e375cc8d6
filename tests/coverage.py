# SPDX-License-Identifier: MIT
"""Says what gcovr's summary says of the library and the daemon apart, with the goals beside.

coverage.py SUMMARY.json; exit 1 where a goal is missed, or nothing was measured.
"""
import json
import sys

GOALS = {"libhedge": 95.0, "hedged": 85.0}  # per cent of lines


def share(files, what):
    covered = sum(f[what + "_covered"] for f in files)
    total = sum(f[what + "_total"] for f in files)
    return covered, total, 100.0 * covered / total if total else 0.0


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        files = json.load(f)["files"]
    missed = False
    print(f"\n{'room':10} {'lines':>22} {'goal':>6} {'branches':>22}")
    for room, goal in GOALS.items():
        here = [f for f in files if f["filename"].startswith(room + "/")]
        lines, branches = share(here, "line"), share(here, "branch")
        missed |= not lines[2] >= goal
        print(f"{room:10} {lines[0]:6} of {lines[1]:5} {lines[2]:5.1f} % {goal:4.0f} %"
              f" {branches[0]:6} of {branches[1]:5} {branches[2]:5.1f} %"
              f"{'' if lines[2] >= goal else '   below its goal'}")
    print("\nleast covered:")
    for f in sorted(files, key=lambda f: f["line_percent"] or 0.0)[:10]:
        print(f"  {f['line_percent'] or 0.0:5.1f} %  {f['filename']}"
              f" ({f['line_total'] - f['line_covered']} lines)")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
