# SPDX-License-Identifier: Apache-2.0
"""Many threads at once, and many one after the other."""
import collections
import re

from harness import calls, case, check, cutrace, quiet, same, says_clean, table, trust, victim

CHUNK_KB = 64        # of a thread that traces
WAVES = 40
WAVE_THREADS = 16
SPARE_KB = 2048      # what a heap may grow by: less than a page for each of the threads


def thread_names(here, trace):
    """tid -> names, of every thread record."""
    names = collections.defaultdict(set)
    for line in here.bare(cutrace("dump", trace)).out.splitlines():
        found = re.search(r"\] thread tid=(\d+) (.*)$", line)
        if found:
            names[int(found[1])].add(found[2].rstrip("\0?. "))
    return names


def crowd(here, threads):
    """Every call once, under its own thread's id and name, whenever the thread ended."""
    run = quiet(here.traced(victim("crowd", str(threads))))
    members = [re.fullmatch(r"(\d+) (member \d+): (\d+)", line).groups()
               for line in run.out.splitlines()]
    same([int(rounds) for _, _, rounds in members], [(i + 1) % 4 for i in range(threads)],
         "rounds that worked")
    rows = calls(run.trace())
    found = collections.Counter((int(row["Thread"]), row["Name"]) for row in rows)
    wanted = {(int(tid), name): int(rounds) for tid, _, rounds in members if int(rounds)
              for name in ("cudaMalloc", "cudaLaunchKernel", "cudaFree")}
    same(dict(found), wanted, "calls of each thread")
    names = thread_names(here, run.trace())
    for tid, name, rounds in members:
        if int(rounds):
            same(names[int(tid)], {name}, f"name of thread {tid}")
    launches = sum(int(rounds) for _, _, rounds in members)
    same(len(table(run.trace(), "device")), launches, "kernels in device.csv")
    says_clean(run.trace())
    size_kb = (run.trace() / "trace.cutrace").stat().st_size // 1024
    check(size_kb <= CHUNK_KB * (threads + 16), "the trace takes a chunk a thread", size_kb)


@trust("threads 1")
def crowd_of_1(here):
    crowd(here, 1)


@case
def crowd_of_8(here):
    crowd(here, 8)


@trust("threads 64")
def crowd_of_64(here):
    crowd(here, 64)


@case
def crowd_of_512(here):
    crowd(here, 512)


@case
def threads_in_waves(here):
    """Threads that end while others trace leave neither memory nor file space behind."""
    run = quiet(here.traced(victim("waves", str(WAVES)), MALLOC_ARENA_MAX="1"))
    said = {text: int(number) for number, text in
            (line.split(" ", 1) for line in run.out.splitlines())}
    rounds = WAVES * WAVE_THREADS * 3
    same(said["rounds in waves"], rounds, "rounds of the short threads")
    rounds += said["rounds along"]
    made = collections.Counter(row["Name"] for row in calls(run.trace()))
    same(dict(made), {name: rounds for name in ("cudaMalloc", "cudaLaunchKernel", "cudaFree")},
         "calls in calls.csv")
    says_clean(run.trace())
    for what in ("resident", "mapped"):
        grown = said[f"kB more {what}"]
        check(grown < SPARE_KB, f"memory {what} does not grow with the threads", f"{grown} kB")
    size_kb = (run.trace() / "trace.cutrace").stat().st_size // 1024
    check(size_kb < CHUNK_KB * WAVES * WAVE_THREADS / 4, "ended threads hand on their chunks",
          f"{size_kb} kB")
