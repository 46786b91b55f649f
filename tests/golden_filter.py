#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Filtered reports of a recorded trace show what the whole report's rows say passes, and no more.

golden_filter.py CUTRACE TRACE.gz
"""
import csv
import fnmatch
import gzip
import pathlib
import re
import subprocess
import sys
import tempfile

PARTS = ["Device Wait (ns)", "Lock Wait (ns)", "Queue Full (ns)", "Transfer (ns)", "First Use (ns)",
         "Unexplained (ns)"]
CUTRACE = sys.argv[1]


def fail(what):
    sys.exit(f"not ok: {what}")


def rows(folder, table):
    with open(folder / table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def report(*arguments, status=0):
    done = subprocess.run([CUTRACE, "report", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != status:
        fail(f"report {arguments}: exit status {done.returncode}, {done.stderr}")
    return done.stdout


def blocked(row):
    return sum(int(row[part]) for part in PARTS)


def begins(row):
    return int(row["Start (ns)"])


def ends(row):
    return begins(row) + int(row["Duration (ns)"])


def check(folder, whole, options, passes):
    """The tables of a filtered report are the rows that pass; its first lines say how many."""
    expected = [row for row in whole if passes(row)]
    if not 0 < len(expected) < len(whole):
        fail(f"{options} leaves out nothing, or all: {len(expected)} of {len(whole)}")
    for more in ([], ["--part-records=20", "--all-rows"]):
        to = folder / "filtered"
        text = report(*options, *more, "--output", to, folder)
        if rows(to, "calls.csv") != expected:
            fail(f"{options} {more}: other calls than those that pass")
        counts = re.search(r"shown: (\d+) of (\d+) calls.*?left\s+out: (\d+) call", text, re.S)
        if [int(n) for n in counts.groups()] != [len(expected), len(whole), len(whole) - len(expected)]:
            fail(f"{options} {more}: {counts[0]}")
        starts = {begins(row) for row in expected}
        if any(int(row["Culprit Start (ns)"]) not in starts for row in rows(to, "serialized.csv")):
            fail(f"{options} {more}: a culprit that is left out")
        sites = rows(to, "callsites.csv")
        if sum(int(row["Calls"]) for row in sites) != len(expected) or \
           sum(int(row["Blocked (ns)"]) for row in sites) != sum(map(blocked, expected)):
            fail(f"{options} {more}: sums of call sites")
        if (to / "streams.csv").exists() or (to / "trace.cutrace").exists():
            fail("a table of the run in a filtered report")


def main():
    with tempfile.TemporaryDirectory(prefix="cutrace-filter.") as name:
        folder = pathlib.Path(name)
        with gzip.open(sys.argv[2]) as packed:
            (folder / "trace.cutrace").write_bytes(packed.read())
        first = report(folder)
        whole = rows(folder, "calls.csv")
        before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        begin = begins(whole[0])
        middle = sorted(map(blocked, whole))[len(whole) * 3 // 4]
        half = begins(whole[len(whole) // 2]) - begin
        some = whole[len(whole) * 3 // 4]
        end = begins(some) - begin
        check(folder, whole, ["--only", "cudaFree,cudaMemcpy*"],
              lambda row: fnmatch.fnmatchcase(row["Name"], "cudaFree") or
              fnmatch.fnmatchcase(row["Name"], "cudaMemcpy*"))
        check(folder, whole, ["--min-blocked", f"{middle}ns"], lambda row: blocked(row) >= middle)
        check(folder, whole, ["--from", f"{half}ns", "--to", f"{end}ns"],
              lambda row: begins(row) - begin < end and ends(row) - begin >= half)
        if report("--only", "noSuchCall", folder) == first or "shown: 0 of" not in report("--only", "x", folder):
            fail("nothing passes, and it does not say so")
        after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        if before != after:
            fail("files beside the trace have changed")
        report("--only", "cudaFree", "--output", folder, folder, status=1)
        for wrong in (["--from", "2"], ["--from", "-1s"], ["--min-blocked", "1e3ns"], ["--only", ""],
                      ["--from", "2s", "--to", "1s"]):
            report(*wrong, folder, status=2)
        (folder / "second").mkdir()
        (folder / "second/trace.cutrace").write_bytes(before["trace.cutrace"])
        report("--only", "cudaFree", folder, folder / "second", status=2)


main()
