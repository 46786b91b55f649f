#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that the modes can be changed while a program runs, and what each of them records.

modes.py LIBCUTRACE PROGRAM

PROGRAM is free_serializes: 100 times a 2 ms kernel and a cudaFree that waits for it. Under
light no launch and no kernel is recorded, and all frees have waited for something unknown.
Under auto the first free that waits starts CUPTI and begins a window that lasts: every launch
in it has its kernel, but for those at its end, and the frees have waited for `spin` on a stream
that is older than CUPTI. Short windows then change the mode many times. Where no call is long
enough, CUPTI is never loaded. Exit status 0 if all of it holds.
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
DRIVER_NAMES = {"cuMemFree_v2": "cudaFree", "cuLaunchKernel": "cudaLaunchKernel",
                "cuLaunchKernelEx": "cudaLaunchKernelEx"}
SHORT_RUNS = 6  # a kind of record that was enabled again crashed every other one
STARTED = 0.5   # of the frees, at most, had passed when CUPTI was at work
AUTO = {"CUTRACE_MODE": "auto", "CUTRACE_AUTO_THRESHOLD": "1ms"}

failed = []


def check(holds, what, found):
    print("ok" if holds else "not ok", f"{what}: {found}")
    failed.extend([] if holds else [what])


def name_of(row):
    """Without CUPTI, a runtime inside the program is seen by what it calls in the driver."""
    return DRIVER_NAMES.get(row["Name"], row["Name"])


class Trace:
    def __init__(self, folder):
        self.folder = next(pathlib.Path(folder).rglob("report.txt")).parent
        self.text = " ".join((self.folder / "report.txt").read_text().split())
        self.calls = collections.Counter(name_of(row) for row in self.table("calls"))
        self.kernels = {row["Correlation"]: row for row in self.table("device")
                        if row["Kind"] == "kernel"}
        self.launches = [row["Correlation"] for row in self.table("calls")
                         if name_of(row).startswith("cudaLaunchKernel")]
        self.streams = {row["Stream"]: row["Kind"] for row in self.table("streams")
                        if int(row["Operations"])}
        self.waits = collections.Counter(
            "nothing known" if "not recorded (light)" in row["Waited For"] else row["Waited For"]
            for row in self.table("blocked") if row["Call"] in ("cudaFree", "cuMemFree_v2")
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
    """With CUPTI, as under auto between two windows."""
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


def never_long(trace):
    check(not trace.launches and trace.calls["cudaFree"] >= FREES, "no long call: calls",
          dict(trace.calls))
    check("CUPTI was never started" in trace.text, "no long call: the report", trace.text[:600])


def lasting(trace):
    """A window after CUPTI was started in the middle of the run, with streams at work."""
    windows("auto", trace, 1)
    half = trace.launches[:len(trace.launches) // 2]
    check(half and not set(half) - set(trace.kernels),
          "auto: launches of the first half without a kernel", len(set(half) - set(trace.kernels)))
    check(len(set(trace.launches)) == len(trace.launches), "auto: launches, each once",
          len(trace.launches))
    check(len(half) >= (1 - STARTED) * FREES / 2, "auto: launches in that half", len(half))
    named = sum(n for name, n in trace.waits.items() if "spin" in name)
    check(named >= 0.9 * (len(trace.launches) - 2), "auto: frees that waited for spin",
          dict(trace.waits))
    check({kernel["Stream"] for kernel in trace.kernels.values()} <= set(trace.streams),
          "auto: streams that were used, and their kinds where CUPTI tells", trace.streams)
    check("CUPTI had not been started" in trace.text, "auto: the report",
          trace.text[:600])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: modes.py LIBCUTRACE PROGRAM")
    light(traced(*sys.argv[1:], CUTRACE_MODE="light", CUTRACE_CUPTI="on"))
    never_long(traced(*sys.argv[1:], CUTRACE_MODE="auto", CUTRACE_AUTO_THRESHOLD="1000s"))
    lasting(traced(*sys.argv[1:], **AUTO, CUTRACE_AUTO_WINDOW="1s"))
    for i in range(SHORT_RUNS):
        windows(f"short windows {i}", traced(*sys.argv[1:], **AUTO, CUTRACE_AUTO_WINDOW="100us"), 3)
    print(f"{len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
