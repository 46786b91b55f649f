#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures that say how right the reports are, over many programs of known truth.

figures.py FACTS_LOG FOLDER

FACTS_LOG holds what facts.py printed of all programs; FOLDER, in a folder for each, the CSV
files of their runs. What is not perfect is followed by the programs that it comes from.
"""
import collections
import csv
import pathlib
import sys

import facts


def checks(log, *verbs):
    lines = [line for line in log.splitlines()
             if line.split(" ", 1)[0] in ("ok", "not") and
             any(f"ok {verb} " in line + " " for verb in verbs)]
    return sum(line.startswith("ok ") for line in lines), len(lines)


def share(part, whole):
    return f"{part} of {whole} ({100 * part / whole:.2f} %)" if whole else "none"


def rows(folder, table):
    """Yield (program, row) of a table of every run."""
    for path in sorted(pathlib.Path(folder).rglob(f"{table}.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                yield path.relative_to(folder).parts[0], row


def say_which(counts, unit):
    for program, count in counts.most_common(5):
        if count > 0:
            print(f"    {program}: {count} {unit}")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: figures.py FACTS_LOG FOLDER")
    log, folder = pathlib.Path(sys.argv[1]).read_text(), sys.argv[2]
    waits = [(program, bool(row["Waited For"])) for program, row in rows(folder, "blocked")
             if row["Class"] == "device_wait"]
    unnamed = collections.Counter(program for program, named in waits if not named)
    unexplained, wrong = collections.Counter(), collections.Counter()
    blocked = calls = 0
    for program, row in rows(folder, "calls"):
        parts = {part: facts.number(row[part]) for part in facts.PARTS}
        calls += 1
        wrong[program] += sum(parts.values()) != facts.number(row["Duration (ns)"])
        unexplained[program] += parts["Unexplained (ns)"]
        blocked += sum(parts.values()) - parts["Driver Work (ns)"] - parts["Tool (ns)"]
    print("expected culprits found with the lost time expected:",
          share(*checks(log, "serialized", "site_lost")))
    print("decoys without a false culprit:",
          share(*checks(log, "nothing_serialized", "not_serialized")))
    print("expected waits found on the operation expected:", share(*checks(log, "blocked")))
    print("calls expected not to block that did not:", share(*checks(log, "not_blocked")))
    print("device waits that name their operation:",
          share(len(waits) - unnamed.total(), len(waits)))
    say_which(unnamed, "not named")
    print(f"unexplained of the blocked time: {unexplained.total() / 1e6:.3f} of "
          f"{blocked / 1e6:.1f} ms ({100 * unexplained.total() / max(blocked, 1):.3f} %)")
    say_which(unexplained, "ns")
    print(f"calls whose parts do not sum to their duration: {wrong.total()} of {calls}")
    say_which(wrong, "calls")


if __name__ == "__main__":
    main()
