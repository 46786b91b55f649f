# SPDX-License-Identifier: Apache-2.0
"""CUTRACE_LIMIT: the file keeps to it, the newest calls are in it, and the totals know of all."""
import collections
import re
import signal
import sys

from harness import (PATHS, calls, case, check, cutrace, quiet, report_text, same, says_blind, says_clean,
                     table, victim)

LAUNCHES = 200_000
WAITS = LAUNCHES // 500  # victim_long.c
THREADS = 16


def size_of(trace):
    return (trace / "trace.cutrace").stat().st_size


def totals(trace):
    """Calls of the whole run, by name."""
    count = collections.Counter()
    for row in table(trace, "totals"):
        count[row["Call"]] += int(row["Calls"])
    return dict(count)


def lost(trace, what):
    """The number before a line of what was not seen; 0 without one."""
    found = re.search(rf"(\d+) {re.escape(what)}", " ".join(report_text(trace).split()))
    return int(found[1]) if found else 0


def says_flight(trace, limit):
    """The report is about the end of a longer run and says so; otherwise nothing is missing."""
    text = " ".join(report_text(trace).split())
    found = re.search(r"flight recorder: the last ([\d.]+ \w+) of ([\d.]+ \w+) are kept "
                      rf"\(limit {limit}\); (\d+) records before that were overwritten", text)
    check(found and int(found[3]) > 0, "the report says what was kept", text)
    for missing in ("no room", "dropped", "do not count", "device record of it came"):
        check(missing not in text, f"nothing says {missing!r}", text)


def has_newest(trace):
    """The very last call, and before it an unbroken row of launches."""
    rows = calls(trace)
    same(rows[-1]["Name"], "cudaMalloc", "the newest call")
    check(len(rows) > 5000, "the file is well used", len(rows))
    check(all(row["Call Site"] != "(no stack)" for row in rows), "every call has its stack")


@case
def limit_long_run(here):
    trace = quiet(here.both(victim("long", str(LAUNCHES)), CUTRACE_LIMIT="4M")).trace()
    check(size_of(trace) <= 4 << 20, "the trace keeps to its limit", size_of(trace))
    has_newest(trace)
    same(totals(trace), {"cudaLaunchKernel": LAUNCHES, "cudaDeviceSynchronize": WAITS,
                         "cudaMalloc": 1}, "calls of the whole run")
    says_flight(trace, "4 MiB")
    check("The whole run: call sites" in report_text(trace), "the report has their table")
    places = {row["Call Site"].split(":")[0] for row in table(trace, "totals")}
    check(places <= {"victim_ranks.c", "victim_long.c", "victim.c"}, "they have places", places)


@case
def limit_killed(here):
    """Killed right after the last call: all the same, but for work that is under way."""
    run = here.traced(victim("long_killed", str(LAUNCHES)), CUTRACE_LIMIT="4M")
    same(run.status, -signal.SIGKILL, "status")
    trace = run.trace()
    same(here.bare(cutrace("report", trace)).status, 0, "status of the report")
    check(size_of(trace) <= 4 << 20, "the trace keeps to its limit", size_of(trace))
    has_newest(trace)
    same(totals(trace)["cudaLaunchKernel"], LAUNCHES, "launches of the whole run")
    says_blind(trace, "flight recorder", "cut off")
    check("damaged" not in report_text(trace), "nothing is damaged")


@case
def limit_threads(here):
    each = 20_000
    trace = quiet(here.both(victim("long_threads", str(each)), CUTRACE_LIMIT="4M")).trace()
    check(size_of(trace) <= 4 << 20, "the trace keeps to its limit", size_of(trace))
    same(totals(trace), {"cudaLaunchKernel": THREADS * each,
                         "cudaDeviceSynchronize": THREADS * each // 500}, "calls of the whole run")
    says_flight(trace, "4 MiB")


@case
def limit_not_reached(here):
    """Then the trace is as any other, and the totals agree with its calls."""
    trace = quiet(here.both(victim("long", "2000"), CUTRACE_LIMIT="64M")).trace()
    says_clean(trace)
    made = collections.Counter(row["Name"] for row in calls(trace))
    same(dict(made), {"cudaLaunchKernel": 2000, "cudaDeviceSynchronize": 4, "cudaMalloc": 1},
         "calls in calls.csv")
    spent = {(row["Call"], row["Call Site"]): (row["Calls"], row["Total (ns)"])
             for row in table(trace, "callsites")}
    same({(row["Call"], row["Call Site"]): (row["Calls"], row["Total (ns)"])
          for row in table(trace, "totals")}, spent, "totals and call sites")


@case
def limit_smallest(here):
    """The least that is taken: a run of 20,000 calls leaves its end and its totals."""
    trace = quiet(here.both(victim("work", "5000"), CUTRACE_LIMIT="512K")).trace()
    check(size_of(trace) <= 512 << 10, "the trace keeps to its limit", size_of(trace))
    same(totals(trace), {name: 5000 for name in ("cudaMalloc", "cudaMemset",
                                                 "cudaDeviceSynchronize", "cudaFree")},
         "calls of the whole run")
    same(calls(trace)[-1]["Name"], "cudaFree", "the newest call")
    says_flight(trace, "512 KiB")


@case
def limit_crowd(here):
    """More threads than chunks: what has no room is counted, and the totals know of it."""
    run = quiet(here.traced(victim("crowd", "64"), CUTRACE_LIMIT="512K"))
    trace = run.trace()
    check(size_of(trace) <= 512 << 10, "the trace keeps to its limit", size_of(trace))
    launches = sum(int(line.rsplit(" ", 1)[1]) for line in run.out.splitlines())
    missing = lost(trace, "calls that the whole run's totals do not count")
    same(sum(totals(trace).values()) + missing, 3 * launches, "calls counted, or missed by number")
    if len(calls(trace)) < 3 * launches:
        says_blind(trace)


@case
def limit_waves(here):
    """Threads without end: their totals go on in each other's records."""
    trace = quiet(here.traced(victim("waves", "40"), CUTRACE_LIMIT="1M",
                              MALLOC_ARENA_MAX="1")).trace()
    check(size_of(trace) <= 1 << 20, "the trace keeps to its limit", size_of(trace))
    same(lost(trace, "records of names, stacks and totals dropped"), 0, "kept records that had no room")
    check(totals(trace)["cudaLaunchKernel"] >= 40 * 16 * 3, "launches of the whole run",
          totals(trace))
    records = here.bare(cutrace("dump", trace)).out.count(" total api=")
    check(records < 17 * 20, "ended threads hand on their totals", records)


@case
def limit_many_places(here):
    """A thread counts 1024 places apart; the calls of all others are counted by name."""
    trace = quiet(here.traced([PATHS["MEMORY"], "4096", "1"], CUTRACE_LIMIT="16M")).trace()
    same(totals(trace), {"cudaMemsetAsync": 4096, "cudaStreamSynchronize": 20, "cudaMalloc": 1},
         "calls of the whole run")
    rest = [row["Calls"] for row in table(trace, "totals") if "beyond" in row["Call Site"]]
    same(rest, ["4"], "calls of the 1025th place, which every 1024th call comes from")


PYTHON = """
import ctypes
runtime = ctypes.CDLL("libcudart.so.13")
def early():
    runtime.cudaDeviceSynchronize()
for _ in range(3):
    early()
for _ in range(20000):
    runtime.cudaStreamSynchronize(None)
"""


@case
def limit_python(here):
    """Lines of calls that are long gone: names and stacks are kept."""
    folder = here.folder()
    (folder / "loop.py").write_text(PYTHON)
    trace = quiet(here.traced([sys.executable, "loop.py"], folder=folder,
                              CUTRACE_LIMIT="512K")).trace()
    found = {row["Call"]: (row["Call Site"], row["Calls"]) for row in table(trace, "totals")}
    same(found, {"cudaDeviceSynchronize": ("loop.py:5 early", "3"),
                 "cudaStreamSynchronize": ("loop.py:9 <module>", "20000")}, "places and calls")
    same({row["Name"] for row in calls(trace)}, {"cudaStreamSynchronize"}, "what is left")
    says_flight(trace, "512 KiB")


def memory_bound(here, **variables):
    """No more than 64 MiB for 16 threads and 1024 stacks each, and no more later on."""
    run = quiet(here.traced([PATHS["MEMORY"], "20000"], CUTRACE_REPORT="0", **variables))
    found = [tuple(map(int, re.findall(r"(\d+) kB", line))) for line in run.out.splitlines()]
    same(len(found), 4, "times that memory was looked at")
    for resident, trace, _ in found:
        check(resident <= 64 << 10, "resident memory keeps to its bound", run.out)
        check(trace <= (THREADS + 6) << 10, "a chunk a thread of the trace is resident", run.out)
        check(trace > 0, "the trace was seen among the mappings", run.out)


@case
def without_limit(here):
    trace = quiet(here.both(victim("work", "5"))).trace()
    check(not (trace / "totals.csv").exists(), "no table of totals that nobody counted")
