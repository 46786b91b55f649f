# SPDX-License-Identifier: Apache-2.0
"""CUTRACE_FIX: the program does the same, and what it no longer waits for is gone."""
import struct
import time

from harness import PATHS, calls, case, check, quiet, report_text, same, table, victim

LEFT = ("captured", "shared", "share_left", "context", "fault", "after", "managed", "pitched", "other",
        "array", "host")
FIELDS = ("pid", "stopped", "unreached", "mallocs", "reused", "frees", "deferred", *LEFT,
          "wanted", "asked", "captures", "ended", "share", "stops", "waited", "released", "untracked",
          "live", "held", "peak", "own_peak", "began", "worked", "pending", "calls")
LAYOUT = struct.Struct("3I4x32Q")  # struct ct_fix_counts of trace/fix.h
CONTEXTS, PEERS = 2, 3  # enum ct_fix_stop
PIN_LEFT = ("to_host", "small", "large", "form", "target", "capture", "second_context", "host_work",
            "full", "refused", "failed")  # enum ct_pin_left
PIN_FIELDS = ("cannot_pin", "kernels_reach", "staged", "staged_bytes", *PIN_LEFT, "pool", "pool_ns",
              "lost")
PIN_LAYOUT = struct.Struct("18Q")  # struct ct_pin_counts of trace/pin.h, which follows
SLOTS, SLOT = 64, LAYOUT.size + PIN_LAYOUT.size
LONG_NS = 40_000_000  # of victim_fix_ends.c
SMALL_DEVICE = str(64 << 20)


def fixed(here, command, fix="free", taken=0, **variables):
    """
    Run bare and with the fix, compare, and return the run and what the fix counted in the first
    process, and of how many. So many are there already.
    """
    counts = here.folder() / "counts"
    counts.write_bytes(b"".join(struct.pack(f"I{SLOT - 4}x", i < taken) for i in range(SLOTS)) + bytes(8))
    run = quiet(here.both(command, CUTRACE_FIX=fix, CUTRACE_FIX_COUNTS=str(counts), **variables))
    data = counts.read_bytes()
    pids = [struct.unpack_from("I", data, i * SLOT)[0] for i in range(SLOTS)]
    at = taken % SLOTS * SLOT
    values = LAYOUT.unpack_from(data, at) + PIN_LAYOUT.unpack_from(data, at + LAYOUT.size)
    counts = dict(zip((*FIELDS, *PIN_FIELDS), values), processes=SLOTS - pids.count(0) - taken,
                  others=struct.unpack_from("I", data, SLOTS * SLOT)[0])
    same(counts["frees"], counts["deferred"] + sum(counts[left] for left in LEFT[:6]),
         f"each free was deferred, or left alone for a reason: {counts}")
    return run, counts


def never_waited(run):
    waits = [row for row in table(run.trace(), "blocked")
             if "Free" in row["Call"] and row["Class"] == "device_wait"]
    check(not waits, "no free waited", waits)


def holds(counts, **wanted):
    same({name: counts[name] for name in wanted}, wanted, f"counts of the fix in {counts}")


@case
def fix_loop(here):
    """The frees of a loop wait for nothing; without the fix they do, and are counted alike."""
    run, counts = fixed(here, victim("fix_loop"))
    check("20 of 20 rounds came out right" in run.out, "results", run.out)
    never_waited(run)
    holds(counts, mallocs=20, frees=20, deferred=20, stopped=0, live=0, untracked=0)
    check(0 < counts["began"] < counts["worked"] < time.monotonic_ns(), "when its work was", counts)
    run, counts = fixed(here, victim("fix_loop"), fix="off")
    check(any(row["Call"] == "cudaFree" for row in table(run.trace(), "blocked")), "frees wait",
          table(run.trace(), "blocked"))
    holds(counts, mallocs=20, frees=20, deferred=0, reused=0, live=0, held=0, peak=65536)


@case
def fix_unasked(here):
    """Without the setting nothing is replaced, and a file of counts alone changes nothing."""
    run = quiet(here.both(victim("fix_loop")))
    check(any(row["Call"] == "cudaFree" for row in table(run.trace(), "blocked")), "frees wait")
    check("CUTRACE_FIX" not in report_text(run.trace()), "nothing was changed")


@case
def fix_told(here):
    """A report of a changed program says so."""
    run, _ = fixed(here, victim("fix_loop"))
    text = report_text(run.trace())
    check("NOT seen  the program as it is: cutrace changed it (CUTRACE_FIX=free" in text, "it says so",
          text)


@case
def fix_static_runtime(here):
    """The runtime inside the program, which reaches the driver by its entry points."""
    for mode in ("off", "yield"):
        run, counts = fixed(here, [PATHS["STATIC"], "fix_loop"], CUTRACE_CUPTI=mode)
        check("20 of 20 rounds came out right" in run.out, "results", run.out)
        holds(counts, mallocs=20, frees=20, deferred=20)
        extra = {row["Name"] for row in calls(run.trace())} & {"cuCtxRecordEvent", "cuEventQuery",
                                                              "cuEventCreate"}
        same(extra, set(), "calls of the fix in the trace")


@case
def fix_driver(here):
    """Users of the driver, however they come by its functions."""
    ways = [[PATHS["DRIVER"], how] for how in ("dlsym", "get", "get2", "thread")]
    for command in *ways, [PATHS["DRIVER_RUNTIME"]], [PATHS["DRIVER_LINKED"]], [PATHS["LINKED"]]:
        for disable in ("0", "1"):
            run, counts = fixed(here, command, CUTRACE_DISABLE=disable)
            check("0 of 5 rounds failed" in run.out and "strange" not in run.out, "results", run.out)
            holds(counts, mallocs=5, frees=5, deferred=5, unreached=0, stopped=0)


@case
def fix_driver_late(here):
    """What is linked to the driver and loaded late is not reached, which is counted."""
    run, counts = fixed(here, [PATHS["LINKED"], PATHS["LINKED_LIBRARY"]])
    check("0 of 5 rounds failed" in run.out, "results", run.out)
    holds(counts, mallocs=0, unreached=1)


@case
def fix_untraced(here):
    """Where nothing is recorded the fix works as well."""
    run, counts = fixed(here, victim("fix_loop"), CUTRACE_DISABLE="1")
    check(not run.traces(), "no trace", run.traces())
    holds(counts, deferred=20)


@case
def fix_early(here):
    """A block is not used again before what it was freed behind is done; afterwards it is."""
    run, counts = fixed(here, victim("fix_early"))
    check("left in peace" in run.out, "the first block", run.out)
    holds(counts, mallocs=5, deferred=2, reused=1)


@case
def fix_pressure(here):
    """Memory that is only freed by name is there when it is needed, for other calls too."""
    run, counts = fixed(here, victim("fix_pressure"), FAKE_DEVICE_BYTES=SMALL_DEVICE)
    check("56 MiB: 0" in run.out and "pool: 0" in run.out and "again: 2" in run.out, "results",
          run.out)
    holds(counts, wanted=2, share=0, deferred=3)


@case
def fix_bound(here):
    """A quarter of what was free is kept at most."""
    _, counts = fixed(here, victim("fix_bound"), FAKE_DEVICE_BYTES=SMALL_DEVICE)
    holds(counts, mallocs=6, frees=6, deferred=5, share=1, share_left=1)
    check(counts["peak"] <= (15 + 6) << 20, "peak", counts)


def bounded(counts):
    bound = counts["own_peak"] + max(counts["own_peak"], 64 << 20)
    check(counts["peak"] <= bound, f"peak is below {bound}", counts)


@case
def fix_peak(here):
    """
    A loop has the most of the program's own use, and as much again or 64 MiB; at that bound it
    waits for the block that was freed first, and no free waits. What is free is told as ever.
    """
    for megabytes, bound in ((16, 80), (100, 200)):
        run, counts = fixed(here, victim("fix_bound_loop", str(megabytes)))
        check("20 of 20 rounds came out right, 0 less free" in run.out, "results", run.out)
        never_waited(run)
        holds(counts, mallocs=20, frees=20, deferred=20, asked=1, released=0, live=0, held=0,
              own_peak=megabytes << 20, peak=bound << 20)
        check(counts["waited"], "an allocation had to wait", counts)


@case
def fix_peak_sizes(here):
    """Where no size comes twice, the blocks that were freed first make room."""
    run, counts = fixed(here, victim("fix_bound_sizes"))
    check("20 of 20 rounds came out right" in run.out, "results", run.out)
    holds(counts, mallocs=20, frees=20, deferred=20, reused=0, waited=0, own_peak=29 << 20)
    bounded(counts)
    check(counts["released"] > 10, "most had to make room", counts)


@case
def fix_peak_threads(here):
    run, counts = fixed(here, victim("fix_threads", "40"))
    check("0 rounds of 6 threads went wrong" in run.out, "results", run.out)
    holds(counts, mallocs=120, frees=120, live=0)
    bounded(counts)


@case
def fix_info(here):
    run, counts = fixed(here, victim("fix_info"))
    check(" 0 less after" in run.out, "what is deferred counts as free", run.out)
    holds(counts, deferred=1, asked=1, held=0)


@case
def fix_twice(here):
    _, counts = fixed(here, victim("fix_twice"))
    holds(counts, frees=2, deferred=2, managed=1, other=1)


@case
def fix_capture(here):
    run, counts = fixed(here, victim("fix_capture"))
    check("the graph was whole" in run.out, "results", run.out)
    holds(counts, captured=1, deferred=2, frees=3, captures=1)


@case
def fix_reset(here):
    _, counts = fixed(here, victim("fix_reset"))
    holds(counts, mallocs=2, deferred=2, reused=0)


@case
def fix_ipc(here):
    _, counts = fixed(here, victim("fix_ipc"))
    holds(counts, frees=1, deferred=0, shared=1)


@case
def fix_graph(here):
    """Memory that a graph in flight uses is left in peace, and its free need not wait."""
    run, counts = fixed(here, victim("fix_graph"))
    check("the graph was whole" in run.out, "results", run.out)
    holds(counts, mallocs=2, deferred=2, reused=0)


@case
def fix_kinds(here):
    """Whatever is not from cudaMalloc is freed as ever, and counted."""
    for command in victim("fix_kinds"), [PATHS["STATIC"], "fix_kinds"]:
        _, counts = fixed(here, command)
        holds(counts, mallocs=0, frees=0, managed=1, pitched=1, other=1, array=1, host=2, live=0)


@case
def fix_beyond(here):
    """Other contexts and devices end it: what is kept is freed, later frees are the program's own."""
    for how, why in (("create", CONTEXTS), ("green", CONTEXTS), ("peer", PEERS), ("copy", PEERS)):
        run, counts = fixed(here, victim("fix_beyond", how))
        check("afterwards: 1, 1" in run.out, "results", run.out)
        holds(counts, stopped=why, frees=2, deferred=1, after=1, stops=1, live=0, held=0)


@case
def fix_threads(here):
    run, counts = fixed(here, victim("fix_threads"))
    check("0 rounds of 6 threads went wrong" in run.out, "results", run.out)
    holds(counts, mallocs=120, frees=120, deferred=120, live=0)
    check(counts["reused"] > 0, "some were used again", counts)


@case
def fix_forks(here):
    run, counts = fixed(here, victim("fix_forks"))
    check("parent: right" in run.out, "results", run.out)
    holds(counts, mallocs=2, deferred=2, processes=1)
    _, counts = fixed(here, victim("fix_ends", "child"))
    holds(counts, began=0, worked=0, processes=1)  # it shares the file


@case
def fix_processes(here):
    """Each counts in a place of its own, while there is room."""
    _, counts = fixed(here, victim("fix_family", "exec"), CUTRACE_DISABLE="1")
    holds(counts, frees=1, deferred=1, processes=3, others=0)
    for taken, frees in (SLOTS - 1, 20), (SLOTS, 0):
        _, counts = fixed(here, victim("fix_loop"), taken=taken, CUTRACE_DISABLE="1")
        holds(counts, frees=frees, deferred=frees, others=taken == SLOTS)


@case
def fix_ends(here):
    """What frees would have waited for is part of the work, and so is what is only asked for."""
    for how, fix in (("free", "free"), ("reset", "free"), ("quick_exit", "free"),
                     ("handler", "free"), ("poll", "off")):
        _, counts = fixed(here, victim("fix_ends", how), fix=fix, CUTRACE_DISABLE="1")
        check(counts["worked"] - counts["began"] >= LONG_NS, f"{how}: all of the kernel", counts)
        holds(counts, pending=0)
    moment = here.folder() / "moment"
    _, counts = fixed(here, victim("fix_ends", "exit"), VICTIM_MOMENT=str(moment),
                      CUTRACE_DISABLE="1")
    holds(counts, ended=1)
    check(counts["began"] + LONG_NS <= counts["worked"] < int(moment.read_text()),
          "without what is given back as the program exits", (counts, moment.read_text()))


@case
def fix_ends_at_once(here):
    """_exit() and signals wait for nothing; what may be missed is said, by the last free's number."""
    for how, pending in ("_exit", 1), ("waited", 0), ("asked", 0):
        _, counts = fixed(here, victim("fix_ends", how), CUTRACE_DISABLE="1")
        holds(counts, deferred=1, pending=pending)
