#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs under cutrace, judged by an independent count and by their own output.

programs.py PREFIX [--keep FOLDER] [PROGRAM...]

Runs each program of PREFIX/libexec/cutrace/tests/programs, or those named, three times: bare,
with reference.so, and under `cutrace run`. Prints what differs, and at the end one table:
calls and device operations seen of those counted, how many of the blocked calls' stacks reach
a source line, whether output and exit status are the bare run's, and the time of the steady
part beside the bare run's. Ends with "N passed, N failed"; a program passes if all its calls
and operations were seen, once each, and its output is unchanged.
"""
import argparse
import contextlib
import csv
import io
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import compare
import facts

SKIPPED = 77
TIMEOUT_S = 150
LINE = re.compile(r"[^ ]+:\d+( |$)")


class Run:
    """One run of a program: its output, exit status, and the time it took."""

    def __init__(self, command, environment):
        made = subprocess.run(command, env={**os.environ, **environment}, timeout=TIMEOUT_S,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace")
        self.status, self.stdout, self.stderr = made.returncode, made.stdout, made.stderr

    def results(self):
        """What must be the same in every run."""
        errors = [line for line in self.stderr.splitlines() if not line.startswith("cutrace: ")]
        return self.status, facts.without_measurements(self.stdout), errors

    def step_us(self):
        found = re.search(r"^measured: step_us (.*)$", self.stdout, re.MULTILINE)
        return float(found[1]) if found else None


class Program:
    def __init__(self, path, prefix, folder):
        self.name = path.stem
        self.command = [sys.executable, str(path)] if path.suffix == ".py" else [str(path)]
        self.prefix, self.folder = prefix, folder

    def run(self):
        tests = self.prefix / "libexec/cutrace/tests"
        out = str(self.folder / f"{self.name}.reference")
        self.bare = Run(self.command, {})
        if self.bare.status == SKIPPED:
            return False
        self.counted = Run(self.command, {"LD_PRELOAD": str(tests / "reference.so"),
                                          "REFERENCE_OUT": out})
        self.traced = Run([str(self.prefix / "bin/cutrace"), "run", "--quiet",
                           f"--output={self.folder}/{self.name}.%p", "--", *self.command], {})
        self.reference = compare.read_reference(out)
        self.traces = sorted(path.parent for path in
                             self.folder.glob(f"{self.name}.*/calls.csv"))
        return True

    def with_lines(self):
        """Blocked calls whose stack reaches a source line, and all blocked calls."""
        rows = [row for folder in self.traces
                for row in csv.DictReader(open(folder / "blocked.csv", newline=""))]
        return sum(bool(LINE.match(row["Call Site"])) for row in rows), len(rows)

    def same_output(self):
        return self.bare.results() == self.traced.results()

    def overhead(self):
        bare, traced = self.bare.step_us(), self.traced.step_us()
        return f"{traced / bare:.2f}" if bare and traced else "-"


def judge(program):
    """The program's row of the table, and whether it passed. Prints what differs."""
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        calls = compare.compare_calls(program.reference, program.traces)
        operations = compare.compare_operations(program.reference, program.traces)
    for line in log.getvalue().splitlines():
        if not line.startswith(("ok ", "not traced by design")):
            print("   ", line)
    same = program.same_output()
    if not same:
        print("    bare:  ", program.bare.results())
        print("    traced:", program.traced.results())
    lines, blocked = program.with_lines()
    counts = [f"{calls[0]}/{calls[1]}", f"{operations[0]}/{operations[1]}"]
    passed = same and calls[0] == calls[1] and operations[0] == operations[1]
    if not calls[1]:
        print("    not counted: the program takes CUPTI from reference.so, as from anybody")
        counts, passed = ["-", "-"], same
    if program.reference["dropped", "-"]:
        print("    not ok: the reference lost records")
        passed = False
    return [program.name, *counts, f"{lines}/{blocked}", "yes" if same else "no",
            program.overhead()], passed


def print_table(rows):
    head = ["program", "calls", "device", "lines", "same output", "time"]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", help="keep traces and counts in this folder")
    parser.add_argument("prefix", type=pathlib.Path)
    parser.add_argument("program", nargs="*")
    return parser.parse_intermixed_args()


def run_all(args, folder):
    rows, passed, skipped = [], 0, 0
    found = sorted((args.prefix / "libexec/cutrace/tests/programs").iterdir())
    for path in found:
        if path.stem == "common" or path.is_dir() or (args.program and
                                                      path.stem not in args.program):
            continue
        program = Program(path, args.prefix, folder)
        print(program.name, flush=True)
        try:
            if not program.run():
                skipped += 1
                print("    skipped:", program.bare.stderr.strip().splitlines()[-1:])
                continue
            row, holds = judge(program)
        except (OSError, subprocess.TimeoutExpired, KeyError, ValueError) as error:
            row, holds = [program.name, "-", "-", "-", "-", "-"], False
            print(f"    not ok {type(error).__name__}: {error}")
        rows.append(row)
        passed += holds
    print_table(rows)
    print(f"{passed} passed, {len(rows) - passed} failed" +
          (f", {skipped} skipped" if skipped else ""))
    return 0 if rows and passed == len(rows) else 1


def main():
    args = options()
    args.prefix = args.prefix.resolve()
    if args.keep:
        folder = pathlib.Path(args.keep).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return run_all(args, folder)
    with tempfile.TemporaryDirectory(prefix="cutrace-programs.") as folder:
        return run_all(args, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
