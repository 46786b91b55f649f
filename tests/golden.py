#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Analyze a trace that was recorded on a real GPU, and check the facts its program stated.

golden.py CUTRACE TRACE.gz [OPTION]

OPTION is one for `cutrace report`, such as --part-records=100.

Beside NAME.trace.gz lies NAME.facts: the program's "expect:" lines as it printed them, and
"site:" lines that say which source line an address was, since the program itself is not
here. The analysis must find the same facts as on the day it was recorded, whatever else
has changed since.
"""
import collections
import gzip
import pathlib
import re
import subprocess
import sys
import tempfile

import facts

SITES = {"calls": ["Call Site"], "blocked": ["Call Site"], "callsites": ["Call Site"], "whatif": ["Call Site"],
         "serialized": ["Culprit Call Site"]}
LEAST_LOST_NS = 10_000  # analyze/victim.h


class GoldenReport(facts.Report):
    """A report whose addresses are source lines again."""

    def __init__(self, folder, sites):
        super().__init__(folder)
        self.sites = sites

    def rows(self, table):
        rows = super().rows(table)
        for row in rows:
            for column in SITES.get(table, []):
                row[column] = self.sites.get(row[column], row[column])
        return rows


def read_facts(path):
    lines = path.read_text().splitlines()
    sites = dict(line[len("site: "):].split(" = ", 1) for line in lines
                 if line.startswith("site: "))
    return facts.expectations_of_run("\n".join(lines)), sites


def pairs_fit(folder):
    """Rows of a place in serialized.csv sum to no more than the run gains without it."""
    report = facts.Report(folder)
    sums = collections.Counter()
    for row in report.rows("serialized"):
        sums[row["Culprit"], row["Culprit Call Site"]] += int(row["Lost (ns)"])
    return all(sums[row["Call"], row["Call Site"]] <= int(row["Lost (ns)"]) for row in report.rows("callsites")
               if row["Lost (ns)"])


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: golden.py CUTRACE TRACE.gz [OPTION]")
    trace = pathlib.Path(sys.argv[2])
    lines, sites = read_facts(trace.with_name(trace.name.replace(".trace.gz", ".facts")))
    tally = facts.Tally()
    with tempfile.TemporaryDirectory(prefix="cutrace-golden.") as folder:
        with gzip.open(trace) as packed:
            pathlib.Path(folder, "trace.cutrace").write_bytes(packed.read())
        made = subprocess.run([sys.argv[1], "report", "--write-only", "--all-rows", *sys.argv[3:], folder])
        tally.note(made.returncode == 0, "the trace can be analyzed")
        text = pathlib.Path(folder, "report.txt").read_text().splitlines()
        tally.note(not [line for line, after in zip(text, [*text[1:], ""]) if line.endswith(" ") or
                        (re.search(r"longest [^()]*\):$", line) and
                         re.match(r" *(instead: .*)?$", after))],
                   "no line of the report breaks off")
        report = GoldenReport(folder, sites)
        facts.check_sums(report, tally)
        tally.note(pairs_fit(folder), "delays of a place lost no more than it cost")
        least = 1 if sys.argv[3:] else LEAST_LOST_NS  # those of parts are fitted to the run once more
        tally.note(all(int(row["Lost (ns)"]) >= least for row in report.rows("serialized")),
                   "every delay that is told of lost something")
        for line in lines:
            facts.check_line(report, line, tally)
        tally.note(bool(lines), "the program stated facts")
    print(f"{tally.passed} held, {tally.failed} did not")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
