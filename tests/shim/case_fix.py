# SPDX-License-Identifier: Apache-2.0
"""CUTRACE_FIX: the program does the same, and what it no longer waits for is gone."""
import struct

from harness import PATHS, calls, case, check, quiet, report_text, same, table, victim

FIELDS = ("pid", "others", "stopped", "pad", "mallocs", "reused", "frees", "deferred", "captured",
          "shared", "foreign", "pressed", "untracked", "live", "held", "peak")
LAYOUT = struct.Struct("4I12Q")  # struct ct_fix_counts of trace/fix.h
PIN_LEFT = ("to_host", "small", "large", "form", "target", "capture", "second_context", "host_work",
            "full", "refused", "failed")  # enum ct_pin_left
PIN_FIELDS = ("cannot_pin", "kernels_reach", "staged", "staged_bytes", *PIN_LEFT, "pool", "pool_ns",
              "lost")
PIN_LAYOUT = struct.Struct("18Q")  # struct ct_pin_counts of trace/pin.h, which follows
SMALL_DEVICE = str(64 << 20)


def fixed(here, command, fix="free", **variables):
    """Run bare and with the fix, compare, and return the run and what the fix counted."""
    counts = here.folder() / "counts"
    counts.write_bytes(bytes(4096))
    run = quiet(here.both(command, CUTRACE_FIX=fix, CUTRACE_FIX_COUNTS=str(counts), **variables))
    values = LAYOUT.unpack_from(counts.read_bytes())
    values += PIN_LAYOUT.unpack_from(counts.read_bytes(), LAYOUT.size)
    return run, dict(zip((*FIELDS, *PIN_FIELDS), values))


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
    check(counts["pressed"] >= 2, "memory was given back twice", counts)


@case
def fix_bound(here):
    """A quarter of what was free is kept at most."""
    _, counts = fixed(here, victim("fix_bound"), FAKE_DEVICE_BYTES=SMALL_DEVICE)
    holds(counts, mallocs=6, frees=6, deferred=5, pressed=1)
    check(counts["peak"] <= (15 + 6) << 20, "peak", counts)


@case
def fix_info(here):
    run, counts = fixed(here, victim("fix_info"))
    check(" 0 less after" in run.out, "what is deferred counts as free", run.out)
    holds(counts, deferred=1, pressed=1, held=0)


@case
def fix_twice(here):
    _, counts = fixed(here, victim("fix_twice"))
    holds(counts, frees=2, deferred=2, foreign=2)


@case
def fix_capture(here):
    run, counts = fixed(here, victim("fix_capture"))
    check("the graph was whole" in run.out, "results", run.out)
    holds(counts, captured=1, deferred=2, frees=3, pressed=1)


@case
def fix_reset(here):
    _, counts = fixed(here, victim("fix_reset"))
    holds(counts, mallocs=2, deferred=2, reused=0)


@case
def fix_ipc(here):
    _, counts = fixed(here, victim("fix_ipc"))
    holds(counts, frees=1, deferred=0, shared=1)


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
    holds(counts, mallocs=2, deferred=2, others=0)
