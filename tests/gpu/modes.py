#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that the modes can be changed while a program runs, and what each of them records.

modes.py LIBCUTRACE PROGRAM

PROGRAM is free_serializes: 100 times a 2 ms kernel and a cudaFree that waits for it. Under
light no launch and no kernel is recorded, and all frees have waited for something unknown.
Under auto the first window begins at the first use of CUDA and lasts: every launch in it has
its kernel, but for those at its end, and the frees have waited for `spin`. Short windows
then change the mode many times. Exit status 0 if all of it holds.
"""
import collections
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FREES = 100
LONG_NS = 1000000
QUEUED = 1100   # launches that may have been in the queue when a window ended
AUTO = {"CUTRACE_MODE": "auto", "CUTRACE_AUTO_THRESHOLD": "1ms"}

failed = []


def check(holds, what, found):
    print("ok" if holds else "not ok", f"{what}: {found}")
    failed.extend([] if holds else [what])


class Trace:
    def __init__(self, folder):
        self.folder = next(pathlib.Path(folder).rglob("report.txt")).parent
        self.text = " ".join((self.folder / "report.txt").read_text().split())
        self.calls = collections.Counter(row["Name"] for row in self.table("calls"))
        self.kernels = {row["Correlation"] for row in self.table("device")
                        if row["Kind"] == "kernel"}
        self.launches = [row["Correlation"] for row in self.table("calls")
                         if row["Name"].startswith("cudaLaunchKernel")]
        self.waits = collections.Counter(
            "nothing known" if "not recorded (light)" in row["Waited For"] else row["Waited For"]
            for row in self.table("blocked") if row["Call"] == "cudaFree"
            and row["Class"] == "device_wait" and int(row["Blocked (ns)"]) >= LONG_NS)

    def table(self, name):
        with open(self.folder / f"{name}.csv", newline="") as file:
            return list(csv.DictReader(file))

    def windows(self):
        found = re.search(r"full for .*? of .*? \([\d.]+ %, (\d+) windows?\)", self.text)
        return int(found[1]) if found else 0


def traced(lib, program, **settings):
    with tempfile.TemporaryDirectory(prefix="cutrace-modes.") as folder:
        subprocess.run([program], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "LD_PRELOAD": lib, "CUTRACE_QUIET": "1",
                            "CUTRACE_OUTPUT": os.path.join(folder, "run"), **settings})
        return Trace(folder)


def light(trace):
    check(not trace.launches and not trace.kernels, "light: launches and kernels",
          (len(trace.launches), len(trace.kernels)))
    check(trace.calls["cudaFree"] >= FREES, "light: frees", trace.calls["cudaFree"])
    check(trace.waits["nothing known"] >= 0.9 * FREES and len(trace.waits) == 1,
          "light: what they waited for", dict(trace.waits))
    check("the mode was light all the time" in trace.text, "light: the report", trace.text[:400])


def windows(what, trace, least):
    missing = sum(launch not in trace.kernels for launch in trace.launches)
    check(least <= trace.windows() <= 2 * FREES, f"{what}: windows", trace.windows())
    check(trace.launches and missing < QUEUED * trace.windows(),
          f"{what}: launches without a kernel", f"{missing} of {len(trace.launches)}")
    check(trace.calls["cudaFree"] >= FREES, f"{what}: frees", trace.calls["cudaFree"])
    check("CUPTI lost it" not in trace.text, f"{what}: losses within windows", trace.text[:400])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: modes.py LIBCUTRACE PROGRAM")
    light(traced(*sys.argv[1:], CUTRACE_MODE="light"))
    lasting = traced(*sys.argv[1:], **AUTO, CUTRACE_AUTO_WINDOW="1s")
    windows("auto", lasting, 1)
    check(not set(lasting.launches[:FREES // 2]) - lasting.kernels,
          "auto: launches of the first half without a kernel",
          len(set(lasting.launches[:FREES // 2]) - lasting.kernels))
    named = sum(n for name, n in lasting.waits.items() if "spin" in name)
    check(named >= 0.8 * FREES, "auto: frees that waited for spin", dict(lasting.waits))
    windows("short windows", traced(*sys.argv[1:], **AUTO, CUTRACE_AUTO_WINDOW="100us"), 3)
    print(f"{len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
