#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the time that cutrace says cudaFree lost against what the program really lost.

lost.py LIBCUTRACE PROGRAM [ROUNDS]

PROGRAM is free_serializes: with --async the same loop loses nothing. In each round it runs
bare, bare with --async, and traced, so that the three see the same state of the machine.
What the frees cost differs from run to run, since unmapping memory does; so the lost time
is compared twice, as medians over the rounds:
  with the same run   the traced loop's own time less the loop's time with --async
  with bare runs      the bare loop's time less the loop's time with --async
Exit status 0 if both are within 5 %.
"""
import csv
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

TOLERANCE = 0.05
ROUNDS = 9


def loop_ms(command, **environment):
    made = subprocess.run(command, env={**os.environ, **environment}, check=True,
                          stdout=subprocess.PIPE, text=True)
    return next(float(line.split()[-1]) for line in made.stdout.splitlines()
                if line.startswith("measured: loop_ms"))


def lost_ms(folder):
    table = next(pathlib.Path(folder).rglob("serialized.csv"))
    with open(table, newline="") as file:
        return sum(int(row["Lost (ns)"]) for row in csv.DictReader(file)
                   if row["Culprit"] == "cudaFree") / 1e6


def measure(lib, program):
    """One round: the loop's time bare, with --async, and traced; the time reported lost."""
    bare = loop_ms([program])
    fast = loop_ms([program, "--async"])
    with tempfile.TemporaryDirectory(prefix="cutrace-lost.") as folder:
        traced = loop_ms([program], LD_PRELOAD=lib, CUTRACE_OUTPUT=os.path.join(folder, "run"),
                         CUTRACE_QUIET="1")
        return bare, fast, traced, lost_ms(folder)


def compare(what, lost, slow, fast):
    cost = [s - f for s, f in zip(slow, fast)]
    middle, measured = statistics.median(lost), statistics.median(cost)
    error = middle / measured - 1
    paired = sorted(l / c - 1 for l, c in zip(lost, cost))
    holds = abs(error) <= TOLERANCE
    print("ok" if holds else "not ok",
          f"{what}: cudaFree lost {middle:.1f} ms; measured {statistics.median(slow):.1f} - "
          f"{statistics.median(fast):.1f} = {measured:.1f} ms "
          f"({min(cost):.1f}..{max(cost):.1f} in {len(cost)} rounds): {error:+.1%}, "
          f"round by round {paired[0]:+.1%}..{paired[-1]:+.1%}")
    return holds


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: lost.py LIBCUTRACE PROGRAM [ROUNDS]")
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else ROUNDS
    bare, fast, traced, lost = zip(*(measure(*sys.argv[1:3]) for _ in range(rounds)))
    same = compare("with the same run", lost, traced, fast)
    other = compare("with bare runs", lost, bare, fast)
    return 0 if same and other else 1


if __name__ == "__main__":
    sys.exit(main())
