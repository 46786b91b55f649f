#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Filtered reports of a recorded trace show what the whole report's rows say passes, and no more.

golden_filter.py CUTRACE TRACE.gz
"""
import collections
import csv
import fnmatch
import gzip
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

PARTS = ["Device Wait (ns)", "Lock Wait (ns)", "Queue Full (ns)", "Transfer (ns)", "First Use (ns)",
         "Unexplained (ns)"]
CUTRACE = sys.argv[1]
PID_AT, REALTIME_AT = 28, 40  # in ct_file_header (trace/record.h)
LATER_NS = 3_000_000


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


def later(trace, ns):
    """The same trace of another process that began so much later."""
    other = bytearray(trace)
    struct.pack_into("<I", other, PID_AT, struct.unpack_from("<I", other, PID_AT)[0] + 1)
    struct.pack_into("<Q", other, REALTIME_AT, struct.unpack_from("<Q", other, REALTIME_AT)[0] + ns)
    return bytes(other)


def check_shown(text, to, expected, options):
    """What is shown of each of several processes: its rows that pass."""
    shown = rows(to, "ranks_shown.csv")
    if [(int(row["Calls"]), int(row["Blocked (ns)"])) for row in shown] != \
       [(len(calls), sum(map(blocked, calls))) for calls in expected]:
        fail(f"{options} of several: {shown}")
    counts = re.search(r"shown: (\d+) of (\d+) calls.*?left\s+out: (\d+) call", text, re.S)
    if int(counts[1]) != sum(map(len, expected)) or int(counts[1]) + int(counts[3]) != int(counts[2]):
        fail(f"{options} of several: {counts[0]}")
    sites = {(row["Call"], row["Call Site"]): int(row["Calls"]) for row in rows(to, "ranks_callsites.csv")}
    wanted = collections.Counter((row["Name"], row["Call Site"]) for calls in expected for row in calls)
    if sites != wanted:
        fail(f"{options} of several: sums of call sites")
    if (to / "ranks.csv").exists() or not re.search(r"Of the whole run, whatever is left out:\nSlowest", text):
        fail(f"{options} of several: what is of the whole run is not said to be")


def check_several(folder, whole, begin):
    """Of two processes, the second 3 ms later. Times count from the first CUDA call of them both."""
    first, second, to = folder / "one", folder / "two", folder / "ranks"
    trace = (folder / "trace.cutrace").read_bytes()
    for directory, data in ((first, trace), (second, later(trace, LATER_NS))):
        directory.mkdir()
        (directory / "trace.cutrace").write_bytes(data)
    frees = [row for row in whole if row["Name"] == "cudaFree"]
    report("--output", to, first, second)
    check_shown(report("--only", "cudaFree", "--output", to, first, second), to, [frees, frees], "--only")
    middle = begins(whole[len(whole) // 2]) - begin
    start, end = middle - LATER_NS // 3, middle + LATER_NS // 2
    expected = [[row for row in whole if begins(row) - begin + ns < end and ends(row) - begin + ns >= start]
                for ns in (0, LATER_NS)]
    if not 0 < len(expected[0]) < len(whole) or expected[0] == expected[1]:
        fail("the same calls in both processes, or all: nothing was tried")
    for more in ([], ["--part-records=20"]):
        options = ["--from", f"{start}ns", "--to", f"{end}ns", *more]
        check_shown(report(*options, "--output", to, first, second), to, expected, options)
    if sorted(path.name for path in second.iterdir()) != sorted(path.name for path in first.iterdir()):
        fail("files beside one trace only")
    before = {path: path.read_bytes() for path in first.iterdir()}
    report("--only", "cudaMalloc", first, second)
    if {path: path.read_bytes() for path in first.iterdir()} != before:
        fail("files beside a trace of several have changed")


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
        none = report("--only", "noSuchCall", folder)
        if none == first or "shown: 0 of" not in none or "no call passes" not in none:
            fail("nothing passes, and it does not say so")
        if "no call passes" in report("--only", "cudaFree", folder):
            fail("calls pass, and it says that none does")
        after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        if before != after:
            fail("files beside the trace have changed")
        report("--only", "cudaFree", "--output", folder, folder, status=1)
        for wrong in (["--from", "2"], ["--from", "-1s"], ["--min-blocked", "1e3ns"], ["--only", ""],
                      ["--from", "2s", "--to", "1s"]):
            report(*wrong, folder, status=2)
        check_several(folder, whole, begin)


main()
