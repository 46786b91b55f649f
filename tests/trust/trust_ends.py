# SPDX-License-Identifier: Apache-2.0
"""Killed at every step of storing a record, and at random moments of many threads."""
import collections
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

from case_ends import ROUNDS
from harness import (PATHS, Run, calls, case, check, cutrace, environment, has_rounds, quiet,
                     report_text, same, says_blind, says_clean, trust, victim)
from trust_threads import hollow, lost

UNIT, SLOT = 65536, 64
CALL = 2  # a record's type
# memset() by one string instruction would be single-stepped byte by byte.
BY_VECTORS = "glibc.cpu.x86_rep_stosb_threshold=1000000000"


def chunks(trace):
    """(sequence, types of its records in order) of every chunk."""
    data = (trace / "trace.cutrace").read_bytes()
    at = UNIT
    while at < len(data):
        magic, size, sequence = struct.unpack_from("=4sIQ", data, at)
        if magic != b"CHNK":
            at += UNIT
            continue
        types, slot = [], at + SLOT
        while slot < at + size and (word := struct.unpack_from("=I", data, slot)[0]) >> 8:
            types.append(word & 0xff)
            slot += (word >> 8) * SLOT
        yield sequence, types
        at += size


def calls_before_new_chunk(here, made, **variables):
    """So many of `made` calls are before the chunk that the last of them is in."""
    trace = here.traced(victim("step_record", str(made - 1)), **variables).trace()
    with_calls = [types.count(CALL) for _, types in sorted(chunks(trace)) if CALL in types]
    check(len(with_calls) > 1, "the calls take more than one chunk", with_calls)
    return made - with_calls[-1]


def stepped(here, how, argument, mode, before, **variables):
    """Returns the run, and how many instructions and changes of the file there were."""
    run = here.traced([PATHS["STEPPER"], how, str(argument), "out/trace.cutrace",
                       *victim(mode, str(before))], CUTRACE_OUTPUT="out",
                      GLIBC_TUNABLES=BY_VECTORS, **variables)
    if run.status == 77:
        return run, 0, 0
    found = re.search(r"(\d+) instructions, (\d+) changes", run.out)
    check(run.status == 0 and found, "the program was stepped", f"{run.out!r} {run.err!r}")
    return run, int(found[1]), int(found[2])


def intact(here, trace, before, last_only, stackless):
    """Calls 1 to `before`, the one that was killed or not, and nothing else; all complete.
    Returns whether it is there."""
    report = here.bare(cutrace("report", trace))
    same((report.status, report.err), (0, ""), "cutrace report")
    text = report_text(trace)
    check("damaged bytes" not in text and "dropped:" not in text, "nothing is damaged or lost", text)
    check("cut off" in text, "the report says that the run was cut off", text)
    rows = calls(trace)
    sizes = [int(row["Bytes"]) for row in rows]
    first = sizes[0] if last_only else 1
    check(sizes in ([*range(first, before + 1)], [*range(first, before + 2)]),
          f"every call that had returned is there once: {before}", sizes[-5:])
    for row in rows:
        check(row["Name"] == "cudaMalloc" and row["Result"] == "0" and int(row["Duration (ns)"]) > 0
              and (stackless or "victim_steps.c" in row["Call Site"]), "the record is complete", row)
    return sizes[-1] > before


def killed_while_storing(here, mode, before, last_only=False, **variables):
    """Every state of the file is one that a report can be made of; and in truth killed three times."""
    stackless = "CUTRACE_STACKS" in variables
    run, instructions, changes = stepped(here, "keep", "state", mode, before, **variables)
    if run.status == 77:
        return 77
    print(f"{mode} {variables or ''}: {instructions} instructions, {changes} states of the file")
    check(changes >= 4, "storing a record takes some steps", changes)
    done = []
    for state in sorted(run.folder.glob("state.*"), key=lambda path: int(path.suffix[1:])):
        (run.folder / "killed").mkdir()
        state.rename(run.folder / "killed" / "trace.cutrace")
        done.append(intact(here, run.folder / "killed", before, last_only, stackless))
        shutil.rmtree(run.folder / "killed")
    check(done == sorted(done) and not done[0] and done[-1],
          "the call is there from one state on", done)
    for number in (1, changes // 2, changes - 1):
        run, _, reached = stepped(here, "kill", number, mode, before, **variables)
        if reached == number:  # else there were fewer this time: another thread wrote before
            intact(here, run.trace(), before, last_only, stackless)
    return 0


@trust("exit SIGKILL during commit")
def kill_during_commit(here):
    """A record, one with its stack, a new thread in what another left, a new chunk, and one that is
    used again: the file is looked at after every instruction of the call."""
    limit = {"CUTRACE_LIMIT": "512K"}
    return (killed_while_storing(here, "step_record", 10)
            or killed_while_storing(here, "step_stack", 10)
            or killed_while_storing(here, "step_remnant", 10, CUTRACE_STACKS="0")
            or killed_while_storing(here, "step_record", calls_before_new_chunk(here, 2000))
            or killed_while_storing(here, "step_record", calls_before_new_chunk(here, 9000, **limit),
                                    last_only=True, **limit))


@trust("exit pthread_exit from main")
def main_thread_leaves(here):
    run = quiet(here.both(victim("main_leaves")))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())


@case
def all_threads_leave(here):
    """The process ends as the last thread of the program does, though cutrace has one of its own."""
    for threads in (0, 3):
        run = here.both(hollow("all_leave", threads))
        same(len(calls(run.trace())), 1 + threads, "calls in calls.csv")
        check("cut off" not in report_text(run.trace()), "the trace was closed")


@trust("exit with 64 threads tracing")
def exit_amid_threads(here):
    """What each had done when the program ended is there; what came later is, or is counted."""
    for how in ("exit", "_exit"):
        run = here.traced(victim("exit_amid", how))
        same(run.status, 41, "exit status")
        said = {int(tid): int(number) for tid, number in
                (line.split(": ") for line in run.out.splitlines())}
        same(len(said), 64, "threads")
        found = collections.Counter(int(row["Thread"]) for row in calls(run.trace()))
        for tid, number in said.items():
            check(found[tid] >= number, f"thread {tid} had made {number} calls", found[tid])
        text = report_text(run.trace())
        check("cut off" not in text and "damaged" not in text, "the trace was closed, and whole", text)


OTHER_RECORDS = 16  # of stacks, modules and notes, which are counted with the calls where no room is
MISSED = ("records dropped: no room", "calls of threads for which there was no memory")


@trust("exit out of memory")
def out_of_memory(here):
    """No memory is left to the program: it goes on, and what was not recorded is counted. Under
    RLIMIT_AS nothing is to be had. Under RLIMIT_DATA shared files are, as where the kernel overcommits
    no more. The kernel's killer sends SIGKILL, which has a check of its own."""
    for how in ("out_of_memory", "out_of_data"):
        goes_on_without_memory(here, how)


def goes_on_without_memory(here, how):
    run = here.both(hollow(how, 1))
    made = int(re.search(r"(\d+) calls", run.out)[1])
    found = len(calls(run.trace())) if (run.trace() / "calls.csv").exists() else None
    if found is None:  # there was none for the report at the end either
        same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
        found = len(calls(run.trace()))
    missed = [lost(run.trace(), what) for what in MISSED]
    check(found >= 100, "calls before that are there", found)
    check(made <= found + sum(missed) <= made + OTHER_RECORDS, f"{made} calls, recorded or counted",
          (found, missed))
    if how == "out_of_data":  # else it depends on the chunks that were made beforehand
        check(missed[0] == 0 and 3000 <= missed[1] <= 3000 + OTHER_RECORDS,
              "missed only what needs memory that is no file's: new threads", missed)
    says_blind(run.trace())
    run = here.both(hollow(how, 0))  # from before the first call
    check(not run.traces() and "nothing is recorded" in run.err, "it says why there is no trace",
          (run.left(), run.err))


# At random moments.

THREADS = 8
CYCLE = ["cudaMalloc", "cudaMemsetAsync", "cudaLaunchKernel", "cudaFree"]
SECONDS = 10
LIMIT = {"CUTRACE_LIMIT": "1M"}
MODES = ({}, LIMIT, {"CUTRACE_MODE": "light"})
# Of a program that does nothing but calls, which do nothing: it is often killed while it stores a
# record. With the commit word stored before the rest one kill in 50 or so shows it.
STORING = {"CUTRACE_STACKS": "0", "CUTRACE_CUPTI": "off"}


def counts_of(page):
    numbers = struct.unpack_from(f"={2 * THREADS}I", page)
    return {tid: returned for tid, returned in zip(numbers[::2], numbers[1::2]) if tid}


def kill_at_random(here, program, longest, variables):
    """Within so many seconds. Returns what each thread had done, and the folder."""
    folder = here.folder()
    counter = folder / "counts"
    counter.write_bytes(bytes(4096))
    child = subprocess.Popen(program("counted", str(counter)), cwd=folder,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1",
                                             **variables))
    try:
        if random.random() < 0.9:  # else it may be before the first call
            deadline = time.monotonic() + 30
            while not counts_of(counter.read_bytes()) and time.monotonic() < deadline:
                time.sleep(0.0005)
        time.sleep(longest * random.random())
    finally:
        child.kill()
        said = child.communicate()[0]
    same((child.returncode, said), (-signal.SIGKILL, b""), "killed, and silent until then")
    return counts_of(counter.read_bytes()), folder


def in_order(names, whole, light):
    """One thread's calls as it makes them, from the first on or from any."""
    cycle = [name for name in CYCLE if not light or name in ("cudaMalloc", "cudaFree")]
    start = 0 if whole or not names else cycle.index(names[0])
    return all(name == cycle[(start + i) % len(cycle)] for i, name in enumerate(names))


def left_by(here, counts, folder):
    """A report on what it left: each thread's calls. None: it was killed before there was a trace."""
    traces = list(folder.glob("*/trace.cutrace"))
    if not traces or not traces[0].stat().st_size:
        check(not sum(counts.values()), "no trace, though calls had returned", counts)
        return None, {}
    report = Run(cutrace("report", traces[0].parent), folder, {})
    if not sum(counts.values()) and "not a cutrace trace" in report.err:
        return None, {}  # killed before the header was there
    if not sum(counts.values()) and "nothing was recorded before the trace was cut" in report.err:
        check("cut off" in report.out, "the printed report says so", report.out)
        same(report.status, 1, "cutrace report of nothing")
        return None, {}  # or before it had made a call
    same((report.status, report.err), (0, ""), "cutrace report")
    trace = report.trace()
    says_blind(trace, "cut off")
    check("cut off" in report.out, "the printed report says so", report.out)
    check("damaged bytes" not in report_text(trace), "nothing is damaged", report_text(trace))
    rows = collections.defaultdict(list)
    for row in calls(trace):
        rows[int(row["Thread"])].append(row)
    check(set(rows) <= set(counts), "calls of these threads only", set(rows) - set(counts))
    return trace, rows


def is_whole(trace, variables):
    return "CUTRACE_LIMIT" not in variables or "overwritten" not in report_text(trace)


def survived(here, counts, folder, variables):
    """Every call that had returned is there, none that was not made. Returns their number."""
    trace, rows = left_by(here, counts, folder)
    if not trace:
        return 0
    light, whole = "CUTRACE_MODE" in variables, is_whole(trace, variables)
    for tid, returned in counts.items():
        names = [row["Name"] for row in rows[tid]]
        least = returned if not light else returned // 4 * 2 + (returned % 4 > 0)
        check(in_order(names, whole, light), f"thread {tid}: calls are in order", names[:9])
        check(not whole or least <= len(names) <= least + 1,
              f"thread {tid}: {least} calls had returned", len(names))
        for row in rows[tid]:
            check(row["Result"] == "0" and int(row["Duration (ns)"]) >= 0
                  and "victim" in row["Call Site"], "the record is complete", row)
    if not whole:
        check_newest(rows, counts)
    return sum(counts.values())


def stored(here, counts, folder, variables):
    """The same of a program that tells its calls by their bytes, which count them."""
    trace, rows = left_by(here, counts, folder)
    if not trace:
        return 0
    whole = is_whole(trace, variables)
    for tid, returned in counts.items():
        sizes = [int(row["Bytes"]) for row in rows[tid]]
        first = 1 if whole or not sizes else sizes[0]
        check(sizes == list(range(first, first + len(sizes))), f"thread {tid}: each call once, in order",
              [size for i, size in enumerate(sizes) if size != first + i][:9])
        check(not whole or returned <= len(sizes) <= returned + 1,
              f"thread {tid}: {returned} calls had returned", len(sizes))
        for row in rows[tid]:
            check(row["Name"] == "cudaMemset" and int(row["Result"]) > 1000
                  and int(row["Duration (ns)"]) >= 0, "the record is complete", row)
    return sum(counts.values())


def check_newest(rows, counts):
    """A flight recorder has at least the newest call of some thread that had returned from it."""
    check(sum(map(len, rows.values())) > 1000, "the newest calls are there",
          {tid: len(rows[tid]) for tid in counts})


@case
def kills(here):
    """SHIM_TEST_KILLS: so many; else as many as fit into ten seconds."""
    wanted = int(os.environ.get("SHIM_TEST_KILLS", "0"))
    deadline = time.monotonic() + SECONDS
    seed = int(os.environ.get("SHIM_TEST_SEED", random.randrange(1 << 31)))
    random.seed(seed)
    done = checked = 0
    while done < wanted if wanted else time.monotonic() < deadline:
        if done % 3 == 0:
            program, judge, longest = victim, survived, random.choice((0.002, 0.05, 0.3))
            variables = MODES[done // 3 % len(MODES)]
        else:
            program, judge, longest = hollow, stored, 0.002
            variables = STORING if done % 3 == 1 else {**STORING, **LIMIT}
        counts, folder = kill_at_random(here, program, longest, variables)
        try:
            checked += judge(here, counts, folder, variables)
        finally:
            sys.stdout.write(f"seed {seed}, kill {done}, {variables}\n" if sys.exc_info()[0] else "")
        done += 1
        subprocess.run(["rm", "-rf", folder], check=True)
    print(f"{done} kills: all of the {checked} calls that had returned were reported, none was "
          "corrupt")
    check(done > 5 and checked > 1000, "enough was tried", (done, checked))
