# SPDX-License-Identifier: Apache-2.0
"""What cutrace takes has bounds, and what falls beyond them is counted to the last one."""
import os
import re
import subprocess
import time

import harness
from case_limits import LAUNCHES, lost, memory_bound, totals
from harness import (CALLS_PER_ROUND, PATHS, calls, check, cutrace, environment, file_size_limit,
                     quiet, report_text, same, says_blind, table, trust, victim)

MANY = int(os.environ.get("CUTRACE_TRUST_EVENTS", 20_000_000))  # all 100 million: when asked
KIB, MIB = 1 << 10, 1 << 20


def overwritten(trace):
    return lost(trace, "records before that were overwritten")


@trust("bounds 100 million events")
def many_events(here):
    """A flight recorder counts each, keeps the newest, and stays within its memory and file."""
    harness.TIMEOUT_S = 110
    run = here.traced([PATHS["MANY"], str(MANY), "2"], CUTRACE_LIMIT="16M")
    print(run.out, end="")
    said = dict(line.split(" ") for line in run.out.splitlines())
    trace = run.trace()
    same(int(said["made"]), MANY, "calls made")
    same(totals(trace), {"cudaLaunchKernel": MANY}, "calls of the whole run")
    left_out = lost(trace, "calls and 0 device operations of that time") or \
        lost(trace, "call and 0 device operations of that time")
    same(len(calls(trace)) + left_out + overwritten(trace), MANY, "kept and overwritten calls")
    check(len(calls(trace)) > 100_000, "the file is well used", len(calls(trace)))
    check((trace / "trace.cutrace").stat().st_size <= 16 * MIB, "the file keeps to its limit")
    check(int(said["kB"]) <= 64 << 10, "memory keeps to its bound", said["kB"])


def recorded(trace):
    """The records of a trace but for the chunks' own and those that come with time."""
    dump = subprocess.run(cutrace("dump", trace), stdout=subprocess.PIPE, check=True, text=True,
                          env=environment())
    return sum(line[0].isdigit() and not re.search(r"\] thread |CLOCK_MONOTONIC|note code=16 ", line)
               for line in dump.stdout.splitlines())


def dropped(trace):
    return lost(trace, "records dropped: no room")


@trust("bounds drop counters exact")
def drop_counters(here):
    """Whatever was made is there or counted: in a full file, over a ring, in CUPTI, and after us."""
    work = victim("work", "5000")
    made = 5000 * CALLS_PER_ROUND
    run = quiet(here.both(work, CUTRACE_CUPTI="off"))
    same(len(calls(run.trace())), made, "calls of a run without a limit")
    whole = recorded(run.trace())
    for limit in 256 * KIB, 512 * KIB, 1024 * KIB:
        run = here.traced(work, file_size_limit(limit), CUTRACE_CUPTI="off", CUTRACE_REPORT="0")
        same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
        kept = recorded(run.trace())
        check(0 < kept < whole, f"{limit} bytes are too few for all", kept)
        surplus = kept + dropped(run.trace()) - whole  # notes on clocks and cost
        check(0 <= surplus <= 4, f"records kept and dropped within {limit} bytes", surplus)
    run = quiet(here.both(work, CUTRACE_CUPTI="off", CUTRACE_LIMIT="512K"))
    start = 1  # the record of what our start took
    same(len(calls(run.trace())) + overwritten(run.trace()), made + start, "kept and overwritten")
    run = quiet(here.both(work, FAKE_CUPTI_DROP="123"))
    same(lost(run.trace(), "device records that CUPTI says it dropped"), 123, "what CUPTI dropped")
    same(len(table(run.trace(), "device")), 5000 - 123, "device operations that are left")
    run = quiet(here.both(victim("work", "20"), FAKE_CUPTI_UNTIMED="7"))
    same(lost(run.trace(), "device records that CUPTI delivered without times"), 7, "without times")
    check("whose times cannot be" not in report_text(run.trace()), "said once", report_text(run.trace()))
    run = here.both(victim("cuda_in_handler"))
    same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
    same(lost(run.trace(), "calls after the trace was closed"), 5 * CALLS_PER_ROUND, "late calls")
    run = quiet(here.traced(victim("crowd", "64"), CUTRACE_LIMIT="512K"))
    launches = sum(int(line.rsplit(" ", 1)[1]) for line in run.out.splitlines())
    missing = lost(run.trace(), "calls that the whole run's totals do not count")
    same(sum(totals(run.trace()).values()) + missing, 3 * launches, "calls counted, or missed")
    trace = here.traced([PATHS["MEMORY"], "4096", "1"], CUTRACE_LIMIT="512K").trace()
    missing = lost(trace, "calls that the whole run's totals do not count")
    check(missing > 0, "the totals of 1024 places have no room", missing)
    same(sum(totals(trace).values()) + missing, 4096 + 20 + 1, "calls of 1024 places")


@trust("bounds resident memory")
def resident_memory(here):
    """With and without a limit: no more than 64 MiB for 16 threads, and no more later on."""
    memory_bound(here)
    memory_bound(here, CUTRACE_LIMIT="16M")


def largest(command, folder, limit):
    """The most that the trace took on disk at any time of the run, in bytes."""
    most = 0
    variables = environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1", CUTRACE_LIMIT=limit)
    with subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE) as child:
        while child.poll() is None:
            for path in folder.glob("*/trace.cutrace"):
                found = path.stat()
                most = max(most, found.st_size, found.st_blocks * 512)
            time.sleep(0.01)
        same(child.returncode, 0, "status")
    return most


@trust("bounds disk")
def disk(here):
    """The limit holds at every moment and for many threads; without one a record takes 64 bytes."""
    for limit, bytes_ in ("512K", 512 * KIB), ("1M", MIB), ("5000000", 5_000_000), ("16M", 16 * MIB):
        for command in victim("long", "50000"), victim("long_threads", "5000"):
            most = largest(command, here.folder(), limit)
            check(0 < most <= bytes_, f"{limit}: the file keeps to it all along", most)
    trace = quiet(here.both(victim("long", str(LAUNCHES)))).trace()
    records = len(calls(trace)) + len(table(trace, "device"))
    check(records >= 2 * LAUNCHES, "everything was recorded", records)
    size = (trace / "trace.cutrace").stat().st_size
    check(size <= 64 * records * 1.01 + 8 * MIB, "a call takes 64 bytes, so does an operation", size)


def nanoseconds(run):
    return float(re.search(r"^ns ([\d.]+)$", run.out, re.M)[1])


@trust("bounds cost reported")
def cost_reported(here):
    """The benchmark prints what a call costs, bare and traced, and so does every report."""
    benchmark = [f"{PATHS['BENCH']}/hot_path", "20000"]
    bare, traced = here.bare(benchmark), here.traced(benchmark)
    print(f"a call takes {nanoseconds(bare)} ns bare, {nanoseconds(traced)} ns traced")
    check(nanoseconds(bare) > 0, "the benchmark prints a figure")
    same(len(calls(traced.trace())), 21000, "calls that were measured")
    text = report_text(traced.trace())
    found = re.search(r"recording took (\d[\d.]*) (ns|us) a call \((\d+) were timed\)", text)
    check(found, "the report says what recording cost", text)
    check(abs(int(found[3]) - 21000 // 64) <= 2, "one call of 64 was timed", found[0])
    check(float(found[1]) > 0, "which takes some time", found[0])
    for mode in {"CUTRACE_CUPTI": "off"}, {"CUTRACE_LIMIT": "4M"}, {}:
        text = report_text(quiet(here.both(victim("work", "2000"), **mode)).trace())
        check(re.search(r"recording took \d", text), f"the report says it under {mode}", text)
