#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that recording can be begun and ended while a program runs, and what windows hold.

servers.py LIBCUTRACE CUTRACE PROGRAM

PROGRAM is alloc_server, six threads that launch without end. A run that waits for its first window
has no CUPTI until then; windows follow each other, some as short as it takes to ask; one run
records from the start and is stopped and started. In each window every launch has its kernel,
but for those at its edges, and hardly any kernel is of a call from outside. All of it answers
as many requests as it does alone. Exit status 0 if all of it holds.
"""
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

REQUESTS = 1500   # of each thread: some ten seconds
WINDOWS = 4
EDGE = 12         # launches under way as a window begins or ends: six threads, two each
DRIVER_NAMES = {"cuLaunchKernel": "cudaLaunchKernel", "cuLaunchKernelEx": "cudaLaunchKernel"}

failed = []


def check(holds, what, found):
    print("ok" if holds else "not ok", f"{what}: {found}")
    failed.extend([] if holds else [what])


class Server:
    def __init__(self, lib, cutrace, program, folder, **settings):
        self.cutrace, self.trace = cutrace, pathlib.Path(folder) / "run"
        self.process = subprocess.Popen(
            [program, str(REQUESTS)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LD_PRELOAD": lib, "CUTRACE_QUIET": "1",
                 "CUTRACE_OUTPUT": str(self.trace), **settings})
        while not (self.trace / "trace.cutrace").exists():
            time.sleep(0.1)
        time.sleep(1)

    def ctl(self, verb):
        done = subprocess.run([self.cutrace, "ctl", self.trace, verb], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            check(False, f"ctl {verb}", done.stderr)
        return done.stdout

    def has_cupti(self):
        return "libcupti" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def end(self):
        out = self.process.communicate()[0]
        return self.process.returncode, re.findall("result.*", out)

    def table(self, name):
        with open(self.trace / f"{name}.csv", newline="") as file:
            return list(csv.DictReader(file))

    def windows(self, what, count, ended=True):
        """What is in the trace fits together, and is of so many windows."""
        text = " ".join((self.trace / "report.txt").read_text().split())
        found = re.search(r"outside (\d+) windows? of .*? in all, ([\d.]+) %", text)
        check(found and int(found[1]) == count, f"{what}: windows", found and found[0])
        launches = {row["Correlation"] for row in self.table("calls")
                    if DRIVER_NAMES.get(row["Name"], row["Name"]).startswith("cudaLaunchKernel")}
        kernels = {row["Correlation"] for row in self.table("device") if row["Kind"] == "kernel"}
        check(len(launches) > count, f"{what}: launches", len(launches))
        # CUPTI keeps what it has in a buffer with work that has not ended
        check(len(launches - kernels) <= EDGE * count or not ended,
              f"{what}: launches without a kernel", len(launches - kernels))
        check(len(kernels - launches) <= EDGE * count, f"{what}: kernels of other calls",
              len(kernels - launches))
        check("WRONG" not in text and "dropped:" not in text, f"{what}: nothing is lost", text[:300])


def waiting(server):
    """It waits, has windows, reports in the midst of one, and ends outside."""
    check("not recording" in server.ctl("status") and not server.has_cupti(), "waiting: status, CUPTI",
          server.ctl("status"))
    for i in range(WINDOWS):
        server.ctl("start")
        time.sleep(0.2 * i)
        if i == WINDOWS - 1:
            report = server.ctl("report-now")
            check("cudaFree" in report and "still going" in report, "waiting: report-now", report[:300])
            server.windows("report-now", WINDOWS, ended=False)
        server.ctl("stop")
    check(server.process.poll() is None, "waiting: it still runs", server.ctl("status"))
    return WINDOWS


def from_the_start(server):
    """It records from the start, is stopped, and started anew."""
    check(server.has_cupti(), "from the start: CUPTI is there", server.ctl("status"))
    server.ctl("stop")
    time.sleep(1)
    server.ctl("start")
    time.sleep(0.5)
    server.ctl("stop")
    return 2


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: servers.py LIBCUTRACE CUTRACE PROGRAM")
    alone = subprocess.run([sys.argv[3], str(REQUESTS)], stdout=subprocess.PIPE, text=True, check=True)
    for part, settings in (waiting, {"CUTRACE_START": "signal"}), (from_the_start, {}):
        with tempfile.TemporaryDirectory(prefix="cutrace-servers.") as folder:
            server = Server(*sys.argv[1:], folder, **settings)
            count = part(server)
            check(server.end() == (0, re.findall("result.*", alone.stdout)), f"{part.__name__}: its result",
                  server.process.returncode)
            server.windows(part.__name__, count)
    print(f"{len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
