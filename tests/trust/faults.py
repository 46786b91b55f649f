#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Never harm: every call of libcutrace.so's that can fail fails, one at a time, in real runs.

usage: faults.py [--all | --only ROW] [--workload NAME]

A run without faults counts the calls of each row of faults.def; then one run for each of
them lets it fail. The program's stdout, stderr but for one line of ours, and status must be
those of the bare program. What was recorded must be that of the run without faults, or
report or stderr must say that it is not. Besides, all memory runs out at random moments
(SHIM_TEST_SEED). Some rows of frequent calls, and the errors after a
row's first, are sampled; --all tries CALLS_ALL calls of each row with each error.
"""
import argparse
import collections
import concurrent.futures
import errno
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "shim"))

import harness  # noqa: E402
from harness import PATHS, cutrace, environment, victim  # noqa: E402

LINE = struct.Struct("<64sQQ10i")  # struct line of inject.c
LINES = 160
BOARD_BYTES = LINES * LINE.size + 4096
CALLS_ALL, CALLS_FEW = 400, 2
MOMENTS = 10  # at which memory runs out, of each of these workloads
HANG_S = 60
PRELOAD = f"{PATHS['LIB']}:{PATHS['INJECT']}"

Fault = collections.namedtuple("Fault", "workload row how number error")
Line = collections.namedtuple("Line", "calls failed errors")
Seen = collections.namedtuple("Seen", "out err status left lines unknown")

WORKLOADS = {
    "mixture": ([PATHS["MIXTURE"]], {}),
    "fast end": ([PATHS["MIXTURE"], "fast"], {}),
    "recorder": ([PATHS["MIXTURE"]], {"CUTRACE_LIMIT": "512K"}),
    "light": ([PATHS["MIXTURE"]], {"CUTRACE_MODE": "light"}),
    "wrapped": (victim("long", "20000"), {"CUTRACE_LIMIT": "512K"}),
    "auto": (victim("moments", "20000"), {"CUTRACE_MODE": "auto", "CUTRACE_AUTO_WINDOW": "10ms"}),
    "growing": (victim("work", "2000"), {}),
    "loader": ([PATHS["LOADER"]], {}),
    "lookup": ([PATHS["DRIVER"], "dlsym"], {"CUTRACE_CUPTI": "off"}),
    "python": ([sys.executable, "-c", "import ctypes; r = ctypes.CDLL('libcudart.so.13'); "
                "print([r.cudaDeviceSynchronize() for _ in range(3)])"], {}),
    "without CUDA": (victim("without_cuda"), {}),
    "second run": ([PATHS["MIXTURE"]], {"CUTRACE_OUTPUT": "taken"}),
    "small files": ([PATHS["MIXTURE"]], {}),
    "listed": ([PATHS["MIXTURE"]], {"CUTRACE_STARTED_LIST": "board", "CUTRACE_CUPTI": "on"}),
    "refused": ([PATHS["MIXTURE"]], {"FAKE_CUPTI_FAIL": "subscribe"}),
    "profiler": ([PATHS["PROFILER"]], {}),
    "lone wait": (victim("return"), {"CUTRACE_STACKS": "0"}),
}
PREPARE = {"small files": harness.file_size_limit(0)}
# Tried in every way even in the short run; of others a part.
WHOLE = ("mixture", "loader")
MEMORY = "memory"
AGAIN = {"profiler": "cupti"}  # what a failure of matters there for another reason

# What cannot be survived, and why it need not: (row, how) or (row, workload).
PROGRAM = "dlsym(the program's functions)"
EXEMPT = {
    ("dlvsym", "on"): "the C library would have to have no dlsym() at all",
    ("cuptiUnsubscribe", "profiler"): "who cannot let go of CUPTI keeps it from the program",
    ("dlsym", "profiler"): "cuptiUnsubscribe is among them, and what the program itself looks up",
    ("dladdr", "on"): "fails for all addresses only if nothing is loaded: says two things, on two lines",
    (PROGRAM, "on"): "a function that is not there at all cannot be called",
    (PROGRAM, "loader"): "the program's own lookup, which would fail it without cutrace as well",
    (PROGRAM, "lookup"): "the same",
    (PROGRAM, "python"): "the same",
}


def read_board(path):
    data = path.read_bytes()
    lines = {}
    for i in range(LINES if data else 0):
        name, calls, failed, *errors = LINE.unpack_from(data, i * LINE.size)
        name = name.split(b"\0")[0].decode()
        if name:
            lines[name] = Line(calls, failed, [e for e in errors if e] or [0])
    return lines, data[LINES * LINE.size:].split(b"\0")[0].decode().split()


def run(workload, fault=None, preload=PRELOAD):
    """One run in a folder of its own, which the caller removes."""
    command, variables = WORKLOADS[workload]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cutrace-fault."))
    board = folder / "board"
    board.write_bytes(bytes(BOARD_BYTES))
    (folder / "taken").mkdir(0o700)
    more = {"LD_PRELOAD": preload, "CUTRACE_QUIET": "1", **variables} if preload else {}
    if preload:
        more["FAULT_BOARD"] = str(board)
    if fault:
        more["FAULT"] = f"{fault.row}/{fault.how}/{fault.number}/{fault.error}"
    try:
        done = subprocess.run(command, cwd=folder, env=environment(**more), timeout=HANG_S,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              preexec_fn=PREPARE.get(workload) if preload else None)
        out, err, status = done.stdout, done.stderr.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired:
        out, err, status = b"", "", "hangs"
    lines, unknown = read_board(board)
    return Seen(out, err, status, folder, lines, unknown)


def told(err):
    return [line for line in err.splitlines() if line.startswith("cutrace: ")]


def untold(err):
    return [line for line in err.splitlines() if not line.startswith("cutrace: ")]


def content(folder):
    """What a report tells that is the same in every run: calls and where from, work, streams."""
    found = collections.Counter()
    for row in harness.table(folder, "calls"):
        found["call", row["Name"], row["Call Site"], row["Stream"] != "", row["Result"]] += 1
    for row in harness.table(folder, "device"):
        found["work", row["Kind"], row["Name"], row["Device"]] += 1
    for row in harness.table(folder, "streams"):
        found["stream", row["Device"], row["Kind"], row["Operations"]] += 1
    return found


def reported(seen):
    """Folder of the only trace, with a report; and what went wrong with that, if anything did."""
    traces = sorted(path.parent for path in seen.left.rglob("trace.cutrace"))
    if not traces:
        return None, "no trace"
    if not (traces[0] / "report.txt").exists():
        made = subprocess.run(cutrace("report", traces[0]), env=environment(), check=False,
                              capture_output=True, timeout=HANG_S)
        if made.returncode == 1:
            return None, made.stderr.decode()
        if made.returncode:
            return None, f"cutrace report: {made.returncode}"
    return traces[0], ""


def judge(bare, seen, clean=None, most=1):
    """None, or what is wrong with this run. clean: content of one without faults; most: lines."""
    if seen.status != bare.status:
        return f"status {seen.status}, bare {bare.status}; stderr {seen.err!r}"
    if seen.out != bare.out:
        return f"stdout {seen.out!r}, bare {bare.out!r}"
    if untold(seen.err) != untold(bare.err) or len(told(seen.err)) > most:
        return f"stderr {seen.err!r}"
    if clean is None:
        return None
    folder, why = reported(seen)
    if not folder:
        return None if told(seen.err) or "cutrace: " in why or not clean else f"silent: {why}"
    if "NOT seen" in harness.report_text(folder) or told(seen.err):
        return None
    missing, extra = clean - content(folder), content(folder) - clean
    return f"looks complete; missing {missing}, more {extra}" if missing or extra else None


def faults_of(workload, lines, everything, known):
    """
    The faults to try: which call of which row fails how. The short run leaves out rows that are
    called as often as in the first workload (known: how often).
    """
    memory = lines[MEMORY]
    if everything or workload in WHOLE:
        for number in random.sample(range(1, memory.calls + 1),
                                    min(memory.calls, CALLS_ALL if everything else MOMENTS)):
            yield Fault(workload, MEMORY, "on", number, memory.errors[0])
    for row, line in lines.items():
        if row == MEMORY:
            continue
        again = workload not in WHOLE and not row.startswith(AGAIN.get(workload, "-"))
        if not everything and again and line.calls == known.get(row):
            continue
        most = CALLS_ALL if everything else CALLS_FEW
        few = 1 if not everything and workload not in WHOLE else most
        numbers = list(range(1, min(line.calls, few) + 1))
        if not everything and workload in WHOLE and line.calls > most:
            numbers += [line.calls // 2, line.calls]
        for i, error in enumerate(line.errors):
            for number in numbers if i == 0 or everything else numbers[:workload in WHOLE]:
                yield Fault(workload, row, "once", number, error)
            if line.calls and error != errno.EINTR and (everything or workload == "mixture"
                                                              or workload in WHOLE and i == 0):
                yield Fault(workload, row, "on", 1, error)
        if line.calls > 1 and line.errors[0] != errno.EINTR and (everything or workload in WHOLE):
            yield Fault(workload, row, "on", 2, line.errors[0])


class Trial:
    def __init__(self):
        self.made = self.reached = 0
        self.bad, self.rows = [], set()

    def one(self, fault, bare, clean, most):
        seen = run(fault.workload, fault)
        try:
            wrong = judge(bare, seen, clean, most)
            return fault, seen.lines.get(fault.row, Line(0, 0, [])).failed, wrong
        finally:
            shutil.rmtree(seen.left, ignore_errors=True)

    def note(self, fault, failed, wrong):
        self.made += 1
        self.reached += failed > 0
        if failed:
            self.rows.add(fault.row)
        if wrong:
            self.bad.append(fault)
            print(f"not ok: {fault.workload}: {fault.row} {fault.how} {fault.number} "
                  f"error {fault.error}: {wrong}", flush=True)


def baseline(workload):
    """The bare run, what a run without faults records, and its calls."""
    bare, clean = run(workload, preload=None), run(workload)
    wrong = judge(bare, clean)
    if clean.unknown:
        wrong = f"imports that faults.def does not know: {' '.join(clean.unknown)}"
    folder, _ = reported(clean)
    found = content(folder) if folder else collections.Counter()
    for seen in (bare, clean):
        shutil.rmtree(seen.left, ignore_errors=True)
    return bare, found, clean, wrong


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--workload")
    options = parser.parse_args()
    trial, began = Trial(), time.monotonic()
    seed = int(os.environ.get("SHIM_TEST_SEED", random.randrange(1 << 31)))
    random.seed(seed)
    print(f"seed {seed}")
    rows, known = set(), {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for workload in [options.workload] if options.workload else WORKLOADS:
            bare, clean, first, wrong = baseline(workload)
            if wrong:
                print(f"not ok: {workload} without faults: {wrong}")
                return 1
            rows |= set(first.lines)
            most = 1 + len(told(first.err))
            faults = [fault for fault in faults_of(workload, first.lines, options.all, known)
                      if not {(fault.row, fault.how), (fault.row, workload)} & set(EXEMPT)
                      and options.only in (None, fault.row)]
            known = known or {row: line.calls for row, line in first.lines.items()}
            for done in pool.map(lambda fault: trial.one(fault, bare, clean, most), faults):
                trial.note(*done)
            print(f"{workload}: {len(faults)} faults", flush=True)
    print(f"{trial.made} injections, {trial.reached} reached their call, "
          f"{trial.made - len(trial.bad)} survived, in {time.monotonic() - began:.0f} s")
    print("never called:", ", ".join(sorted(rows - trial.rows)) or "nothing")
    return 1 if trial.bad or not trial.reached else 0


if __name__ == "__main__":
    sys.exit(main())
