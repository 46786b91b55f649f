#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what cutrace reports of a program against what the program says of itself.

Runs PROGRAM bare, then under the preload; its output and exit status must be the same
(lines starting "measured:" aside). Then each "expect:" line that the traced run printed is compared
with the CSV files; kernels/expect.h describes those lines. Prints one line a check.

The CPU-only stand-in for a GPU keeps time by threads of a machine that may be busy: --again tries
once more where nothing but times was wrong. What cutrace gets wrong, it gets wrong again.

Exit status: 0 all hold, 1 some do not, 77 the program skipped itself (it exited with 77).
"""
import argparse
import csv
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

SKIPPED = 77
TIMEOUT_S = 120
PARTS = ["Device Wait (ns)", "Lock Wait (ns)", "Queue Full (ns)", "Transfer (ns)",
         "First Use (ns)", "Tool (ns)", "Driver Work (ns)", "Unexplained (ns)"]
WAITS = ["Device Wait (ns)", "Lock Wait (ns)", "Queue Full (ns)"]
KINDS = {"kernel": ("kernel",), "graph": ("graph",), "copy": ("copy", "memcpy"), "memset": ("memset", "fill")}
TIMED = ("not_blocked", "site_lost")  # besides what has a range of times
CLASSES = ("device_wait", "lock_wait", "queue_full", "transfer", "first_use", "tool",
           "driver_work", "unexplained", "polling")
OPTION = re.compile(r"(at|on|victim|priority|device|class|ns|total|lost|below|count)(>=|=)(.*)")


class BadExpectation(Exception):
    pass


class Report:
    """The CSV files of one run, read when asked for."""

    def __init__(self, folder):
        found = sorted(pathlib.Path(folder).rglob("calls.csv"))
        if len(found) != 1:
            raise FileNotFoundError(f"{len(found)} calls.csv under {folder}, expected one")
        self.folder = found[0].parent
        self.tables = {}

    def rows(self, table):
        if table not in self.tables:
            with open(self.folder / f"{table}.csv", newline="") as file:
                self.tables[table] = list(csv.DictReader(file))
        return self.tables[table]


# Columns and how they are compared.

def plain(name):
    """A call's name without CUDA's version and default-stream suffixes."""
    return re.sub(r"(_v\d+)?(_ptsz|_ptds)?$", "", name)


def number(text):
    return int(text) if text else 0


def made_at(row, column, site):
    return site is None or row[column] == site or row[column].startswith(site + " ")


def begins(text, start):
    return start is None or text.startswith(start)


def span(text):
    low, dots, high = text.partition("..")
    if not dots:
        raise BadExpectation(f"not a range: {text}")
    return (float(low) if low else 0.0, float(high) if high else float("inf"))


def within(value, limits):
    return limits[0] <= value <= limits[1]


def ms(ns):
    return f"{ns / 1e6:.3f} ms"


# An expectation: its words and its options, "key=value" or "count>=N".

class Expectation:
    ALLOWED = {
        "calls": (2, ("at",)), "captured": (2, ("at",)), "stream": (2, ("priority",)),
        "in_range": (3, ()), "device": (2, ("device", "on")), "pageable": (1, ("at",)),
        "blocked": (1, ("class", "on", "at", "count", "ns", "total")),
        "not_blocked": (1, ("at", "below")),
        "serialized": (1, ("at", "victim", "count", "lost")),
        "site_lost": (1, ("at", "ns")),
        "not_serialized": (1, ("at", "victim")), "nothing_serialized": (0, ()),
    }

    def __init__(self, line):
        self.verb, *rest = shlex.split(line)
        self.words, self.options = [], {}
        self.at_least = True
        for word in rest:
            self._read(word)
        self._check()

    def _read(self, word):
        match = OPTION.fullmatch(word)
        if not match:
            self.words.append(word)
            return
        key, relation, value = match.groups()
        if relation == ">=" and key != "count":
            raise BadExpectation(f"only count takes >=: {word}")
        self.options[key] = span(value) if key in ("ns", "total", "lost") else value
        if key == "count":
            self.at_least = relation == ">="

    def _check(self):
        if self.verb not in self.ALLOWED:
            raise BadExpectation(f"unknown: {self.verb}")
        words, options = self.ALLOWED[self.verb]
        extra = set(self.options) - set(options)
        if len(self.words) != words or extra:
            raise BadExpectation(f"wrong words or options: {' '.join(self.words)} {extra}")
        if self.options.get("class", CLASSES[0]) not in CLASSES:
            raise BadExpectation(f"unknown class: {self.options['class']}")
        if self.verb == "device" and self.words[0] not in KINDS:
            raise BadExpectation(f"unknown kind: {self.words[0]}")

    def get(self, key, default=None):
        return self.options.get(key, default)

    def timed(self):
        return self.verb in TIMED or bool({"ns", "total", "lost"} & set(self.options))

    def count_holds(self, count):
        wanted = int(self.get("count", "1"))
        return count >= wanted if self.at_least else count == wanted


# One function a verb: (report, expectation) -> (holds, what was found).

def calls_of(report, want):
    return [row for row in report.rows("calls") if plain(row["Name"]) == plain(want.words[0])
            and made_at(row, "Call Site", want.get("at"))]


def check_calls(report, want):
    found = len(calls_of(report, want))
    return found == int(want.words[1]), f"found {found}"


def check_captured(report, want):
    found = sum(row["Captured"] == "yes" for row in calls_of(report, want))
    return found == int(want.words[1]), f"found {found}"


def check_in_range(report, want):
    found = sum(row["NVTX Range"] == want.words[1] for row in calls_of(report, want))
    return found == int(want.words[2]), f"found {found}"


def check_stream(report, want):
    found = sum(row["Kind"] == want.words[0] and want.get("priority") in (None, row["Priority"])
                for row in report.rows("streams"))
    return found == int(want.words[1]), f"found {found}"


def check_device(report, want):
    kinds = KINDS[want.words[0]]
    found = sum(row["Kind"].lower() in kinds and want.get("device") in (None, row["Device"])
                and begins(row["Name"], want.get("on")) for row in report.rows("device"))
    return found == int(want.words[1]), f"found {found}"


def waits_of(report, want):
    return [row for row in report.rows("blocked")
            if plain(row["Call"]) == plain(want.words[0])
            and want.get("class") in (None, row["Class"])
            and begins(row["Waited For"], want.get("on"))
            and made_at(row, "Call Site", want.get("at"))]


def check_blocked(report, want):
    waits = [number(row["Blocked (ns)"]) for row in waits_of(report, want)]
    kept = [ns for ns in waits if within(ns, want.get("ns", (0, float("inf"))))]
    holds = (want.count_holds(len(kept))
             and within(sum(kept), want.get("total", (0, float("inf")))))
    found = f"found {len(waits)} waits, {len(kept)} in range, {ms(sum(kept))} together"
    return holds, f"{found}, longest of all {ms(max(waits, default=0))}"


def check_not_blocked(report, want):
    calls = calls_of(report, want)
    below = float(want.get("below", "1e6"))
    longest = max((number(row[part]) for row in calls for part in WAITS), default=0)
    return bool(calls) and longest < below, f"{len(calls)} calls, longest wait {ms(longest)}"


def check_pageable(report, want):
    made = {row["Correlation"] for row in calls_of(report, want)} - {"", "0"}
    copies = [row for row in report.rows("device") if row["Correlation"] in made]
    pageable = [row for row in copies
                if "pageable" in (row["Source Memory"] + row["Target Memory"]).lower()]
    return (bool(copies) and len(pageable) == len(copies),
            f"{len(pageable)} of {len(copies)} copies are of pageable memory")


def losses_of(report, want):
    return [row for row in report.rows("serialized")
            if plain(row["Culprit"]) == plain(want.words[0])
            and made_at(row, "Culprit Call Site", want.get("at"))
            and begins(row["Victim"], want.get("victim"))]


def check_serialized(report, want):
    rows = losses_of(report, want)
    lost = sum(number(row["Lost (ns)"]) for row in rows)
    holds = want.count_holds(len(rows)) and within(lost, want.get("lost", (0, float("inf"))))
    return holds, f"found {len(rows)} rows, {ms(lost)} lost"


def check_site_lost(report, want):
    lost = sum(number(row["Lost (ns)"]) for row in report.rows("callsites")
               if plain(row["Call"]) == plain(want.words[0])
               and made_at(row, "Call Site", want.get("at")))
    if not within(lost, want.options["ns"]):
        return False, f"{ms(lost)} lost"
    return check_predicted(report, want)


def check_predicted(report, want):
    """What a change at the place saves alone is what it lost. There is no table of runs in parts."""
    if not (report.folder / "whatif.csv").exists():
        return True, "no prediction"
    saved = sum(number(row["Likely Alone (ns)"]) for row in report.rows("whatif")
                if row["Rank"] and plain(row["Call"]) == plain(want.words[0])
                and made_at(row, "Call Site", want.get("at")))
    return within(saved, want.options["ns"]), f"{ms(saved)} predicted"


def check_not_serialized(report, want):
    found = len(losses_of(report, want))
    return found == 0, f"found {found} rows"


def check_nothing_serialized(report, _want):
    rows = report.rows("serialized")
    culprits = sorted({f"{row['Culprit']} at {row['Culprit Call Site']}" for row in rows})
    return not rows, f"found {len(rows)} rows: {', '.join(culprits)}" if rows else "found none"


CHECKS = {verb: globals()[f"check_{verb}"] for verb in Expectation.ALLOWED}


# The command.

class Tally:
    """Prints one line a check and remembers whether all held, and what did not but for its times."""

    def __init__(self):
        self.passed = self.failed = self.late = 0

    def note(self, holds, what, found="", timed=False):
        self.passed += holds
        self.failed += not holds
        self.late += timed and not holds
        print("ok" if holds else "not ok", what + (f" ({found})" if found else ""), flush=True)


def run(command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, timeout=TIMEOUT_S,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def without_measurements(text):
    return [line for line in text.splitlines() if not line.startswith("measured:")]


def expectations(text, prefix="expect: "):
    return [line[len(prefix):] for line in text.splitlines() if line.startswith(prefix)]


def expectations_of_run(text):
    """All of a run's own: those computed from its times as well."""
    return expectations(text) + expectations(text, "measured: expect: ")


def print_seen(program, text):
    """What the program saw of its device, run bare: not for the report, but worth keeping."""
    for line in expectations(text, "measured: seen: "):
        print(f"seen {os.path.basename(program)}: {line}", flush=True)


def check_sums(report, tally):
    rows = report.rows("calls")
    wrong = [row for row in rows
             if sum(number(row[part]) for part in PARTS) != number(row["Duration (ns)"])]
    found = f"{len(rows)} calls, {len(wrong)} do not"
    if wrong:
        found += f", first {wrong[0]['Name']} at {wrong[0]['Start (ns)']}"
    tally.note(bool(rows) and not wrong, "the parts of every call sum to its duration", found)


def check_line(report, line, tally):
    try:
        want = Expectation(line)
        holds, found = CHECKS[want.verb](report, want)
        tally.note(holds, line, found, want.timed())
    except (BadExpectation, ValueError, KeyError, OSError) as error:
        tally.note(False, line, f"{type(error).__name__}: {error}")


def check_report(folder, lines, tally):
    try:
        report = Report(folder)
        check_sums(report, tally)
    except (OSError, KeyError, ValueError) as error:
        tally.note(False, "the report is there and readable", str(error))
        return
    for line in lines:
        check_line(report, line, tally)


def only_expectations(bare):
    for line in expectations_of_run(bare.stdout):
        Expectation(line)
        print(line)
    return bare.returncode


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lib", default="libcutrace.so", help="the library to preload")
    parser.add_argument("--output", help="keep cutrace's files in this folder")
    parser.add_argument("--again", type=int, default=0, metavar="N",
                        help="up to N times more while times alone are not as expected")
    parser.add_argument("--expect-only", action="store_true",
                        help="run bare, check the form of the expectations and print them")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM [args]")
    args = parser.parse_args()
    if not args.program:
        parser.error("no program given")
    return args


def compare(args, bare, folder, tally):
    lib = os.path.abspath(args.lib) if os.path.exists(args.lib) else args.lib
    traced = run(args.program, LD_PRELOAD=lib, CUTRACE_OUTPUT=folder, CUTRACE_QUIET="1")
    tally.note(traced.returncode == bare.returncode, "the exit status is unchanged",
               f"bare {bare.returncode}, traced {traced.returncode}")
    tally.note(without_measurements(traced.stdout) == without_measurements(bare.stdout),
               "stdout is unchanged")
    tally.note("done" in bare.stdout.splitlines(), "the program finished")
    check_report(folder, expectations_of_run(traced.stdout), tally)


def attempt(args, bare):
    tally = Tally()
    if args.output:
        compare(args, bare, os.path.abspath(args.output), tally)
    else:
        with tempfile.TemporaryDirectory(prefix="cutrace-facts.") as folder:
            compare(args, bare, os.path.join(folder, "run"), tally)
    print(f"{tally.passed} held, {tally.failed} did not")
    return tally


def main():
    args = options()
    bare = run(args.program)
    if bare.returncode == SKIPPED:
        print("skipped: the program exited with 77")
        return SKIPPED
    if args.expect_only:
        return only_expectations(bare)
    print_seen(args.program[0], bare.stdout)
    tally = attempt(args, bare)
    while args.again and tally.late and tally.late == tally.failed:
        args.again -= 1
        print("again: only times were not as expected, and this machine may have been busy")
        tally = attempt(args, bare)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
