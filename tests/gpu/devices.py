#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check what is reported of several devices, each by itself and all together.

devices.py LIBCUTRACE PROGRAM

PROGRAM is thread_per_device: two threads that drive a device each. Every device has its own part
of the report, its own streams and operations; work of one is in no stream of the other, and
the sums of the devices are those of all. Exit status 0 if it holds, 77 with fewer than two devices.
"""
import collections
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
failed = []


def check(holds, what, found):
    print("ok" if holds else "not ok", f"{what}: {found}")
    failed.extend([] if holds else [what])


def table(folder, name):
    with open(folder / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def check_streams(folder):
    """A stream is one of a device and context: its number may be that of another one."""
    listed = {(row["Device"], row["Context"], row["Stream"]): int(row["Operations"])
              for row in table(folder, "streams")}
    found = collections.Counter((row["Device"], row["Context"], row["Stream"])
                                for row in table(folder, "device"))
    check({key: count for key, count in listed.items() if count} == dict(found),
          "operations of each stream", dict(found))
    check([key[0] for key in listed] == sorted(key[0] for key in listed),
          "streams are in order of devices", list(listed))


def check_kernels(folder, kernels):
    on = collections.defaultdict(collections.Counter)
    for row in table(folder, "device"):
        on[row["Name"].split("(")[0]][row["Device"]] += 1
    for device, kernel in kernels.items():
        most = on[kernel].most_common(1)
        check(bool(most) and most[0][0] == device, f"{kernel} is of device {device}",
              dict(on[kernel]))


def check_waits(folder, kernels):
    """Each thread's frees wait for its own device: nothing else is known to tie them."""
    wrong = [row for row in table(folder, "blocked") if row["Class"] == "device_wait"
             and row["Call"] in ("cudaFree", "cuMemFree_v2")
             and not row["Waited For"].startswith(kernels[row["Waited For Device"]])]
    check(not wrong, "frees wait for the kernels of the device named", wrong[:1])


def check_idle(folder, kernels):
    """In a gap of a device none of its operations runs, in one of all none of any."""
    work = [(row["Device"], int(row["Start (ns)"]), int(row["Start (ns)"]) + int(row["Duration (ns)"]))
            for row in table(folder, "device")]
    gaps = [(row["Idle Device"], int(row["Start (ns)"]), int(row["Start (ns)"]) + int(row["Duration (ns)"]))
            for row in table(folder, "idle")]
    wrong = [gap for gap in gaps for device, start, end in work
             if gap[0] in (device, "all") and start < gap[2] and end > gap[1]]
    check(not wrong, "idle devices have no work", wrong[:1])
    check({gap[0] for gap in gaps} >= set(kernels), "gaps of each device", collections.Counter(gap[0] for gap in gaps))


def check_text(folder):
    text = (folder / "report.txt").read_text()
    parts = re.findall(r"^  device (\d+) .* (\d+) operations$", text, re.MULTILINE)
    rows = collections.Counter(row["Device"] for row in table(folder, "device"))
    check({device: int(count) for device, count in parts} == dict(rows),
          "the report has a part for each device", parts)
    check("2 devices had work" in text, "and all together", "2 devices had work")


def main():
    lib, program = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="cutrace-devices.") as out:
        status = subprocess.run([program], stdout=subprocess.DEVNULL, timeout=120, env={
            **os.environ, "LD_PRELOAD": os.path.abspath(lib), "CUTRACE_QUIET": "1",
            "CUTRACE_OUTPUT": os.path.join(out, "run")}).returncode
        if status == SKIPPED:
            print("skipped: it takes two devices")
            return SKIPPED
        check(status == 0, "the program's exit status", status)
        folder = next(pathlib.Path(out).rglob("report.txt")).parent
        kernels = {"0": "first_spin", "1": "second_spin"}
        check_streams(folder)
        check_kernels(folder, kernels)
        check_waits(folder, kernels)
        check_idle(folder, kernels)
        check_text(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
