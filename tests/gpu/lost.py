#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the time that cutrace says cudaFree lost against what the program really lost.

lost.py CUTRACE_DIR LOOP_MS... -- ASYNC_LOOP_MS...

The loop times are those of free_serializes without and with --async, run bare; their
medians differ by what the frees cost. Exit status 0 if the lost time in serialized.csv is
within 15 % of that.
"""
import csv
import pathlib
import statistics
import sys

TOLERANCE = 0.15


def lost_ms(folder):
    with open(pathlib.Path(folder) / "serialized.csv", newline="") as file:
        return sum(int(row["Lost (ns)"]) for row in csv.DictReader(file)
                   if row["Culprit"] == "cudaFree") / 1e6


def main():
    folder, *times = sys.argv[1:]
    middle = times.index("--")
    slow = statistics.median(map(float, times[:middle]))
    fast = statistics.median(map(float, times[middle + 1:]))
    lost, measured = lost_ms(folder), slow - fast
    holds = measured > 0 and abs(lost - measured) <= TOLERANCE * measured
    print("ok" if holds else "not ok",
          f"cudaFree lost {lost:.1f} ms; measured {slow:.1f} - {fast:.1f} = {measured:.1f} ms")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
