# SPDX-License-Identifier: Apache-2.0
"""Signals that come at any moment, and masks that stay as they are."""
import collections
import re

from harness import (PATHS, calls, case, check, cutrace, has_rounds, quiet, same, says_clean,
                     table, trust, victim)
from trust_threads import hollow, lost

NESTED = "calls made from inside cutrace or a signal handler that interrupted it"
STRIDE = 3  # instructions from one interruption to the next


def all_accounted(here, run):
    """Each of the program's own calls once; its handlers' recorded, or counted as not."""
    found = re.search(r"^(\d+) calls, (\d+) of the handler$", run.out, re.M)
    check(found, "the program came to its end", f"status {run.status}, {run.out!r}, {run.err!r}")
    own, handlers = map(int, found.groups())
    rows = calls(run.trace())
    kinds = collections.Counter((row["Name"], row["Bytes"], row["Address"]) for row in rows)
    recorded = kinds[("cudaFree", "0", "0x4321")]
    same(kinds.pop(("cudaMemset", "4321", "0x0"), 0), own, "calls of the program itself")
    kinds.pop(("cudaFree", "0", "0x4321"), 0)
    same(dict(kinds), {}, "calls that are neither")
    missed = lost(run.trace(), NESTED)
    same(recorded + missed, handlers, f"the handler's calls: {recorded} recorded, {missed} counted")
    return recorded, missed


@trust("signals handler calls CUDA")
def handler_calls_cuda(here):
    """In the middle of other calls of the thread, or of cutrace."""
    run = here.traced(hollow("handler", 1000))
    all_accounted(here, run)


@trust("signals sigaltstack")
def handler_on_its_own_stack(here):
    run = here.both(hollow("altstack", 0))
    recorded, missed = all_accounted(here, run)
    same((recorded, missed), (8000, 0), "all handlers' calls were recorded")


@trust("signals nested inside a hook")
def handler_inside_hook(here):
    """At one instruction after the other of a call."""
    run = here.traced([PATHS["STEPPER"], "signal", str(STRIDE), *hollow("nested", 1 << 20)])
    if run.status == 77:
        return 77
    print(run.out)
    recorded, missed = all_accounted(here, run)
    check(recorded and missed > 10, "some came outside of cutrace, some inside", (recorded, missed))
    return 0


def interrupted_start(here, command, **variables):
    return here.traced(command, LD_PRELOAD=f"{PATHS['INTERRUPTER']}:{PATHS['LIB']}",
                       INTERRUPTER_RAISES="1", **variables)


@case
def handler_inside_start(here):
    """A handler's calls while the first call of its thread starts cutrace: they pass."""
    for mode in ("full", "light"):
        run = interrupted_start(here, hollow("first_call", 10), CUTRACE_MODE=mode)
        _, missed = all_accounted(here, run)
        check(missed > 2, "calls came in the start", missed)


@case
def driver_loads_inside_start(here):
    """The same, and it is the handler's call that has the driver load cutrace: device times come."""
    run = interrupted_start(here, victim("first_interrupted"))
    found = re.search(r"^(\d+) of the handler", run.out, re.M)
    check(found and run.status == 0, "the program came to its end", (run.status, run.out, run.err))
    rows = calls(run.trace())
    fills = [row for row in rows if row["Name"] == "cudaMemset"]
    same(len(fills), 6, "calls of the program itself")
    recorded = sum(row["Name"] == "cudaMalloc" for row in rows) - 6
    same(recorded + lost(run.trace(), NESTED), int(found[1]), "the handler's calls")
    ids = {row["Correlation"] for row in table(run.trace(), "device")}
    check(ids == {row["Correlation"] for row in fills}, "each fill has its device time", ids)
    check("no device times" not in run.err, "and none is said to be missing", run.err)


@case
def driver_called_inside_start(here):
    """The handler of a user of the driver alone, seen by the driver's wrappers alone."""
    run = interrupted_start(here, [PATHS["DRIVER"], "dlsym", "handler"],
                            CUDA_INJECTION64_PATH="of another tool")
    found = re.search(r"^(\d+) of the handler\n0 of 5 rounds failed$", run.out, re.M)
    check(found and run.status == 15, "the program came to its end", (run.status, run.out, run.err))
    names = collections.Counter(row["Name"] for row in calls(run.trace()))
    same(names["cuMemAlloc_v2"], 5, "calls of the program itself")
    missed = lost(run.trace(), NESTED)
    same(names["cuMemFree_v2"] - 5 + missed, int(found[1]), "the handler's calls")
    check(missed > 2, "calls came in the start", missed)


@trust("signals SIGPROF at 10 kHz")
def profiled(here):
    for run in (here.bare(victim("sigprof", "5000")), here.traced(victim("sigprof", "5000"))):
        found = re.fullmatch(r"(\d+) rounds worked\n", run.out)
        check(run.status == 0 and found and not run.err, "it works", (run.status, run.out, run.err))
    has_rounds(run.trace(), int(found[1]))
    says_clean(run.trace())


@trust("signals EINTR on write")
def interrupted_calls(here):
    """Whatever of cutrace's own a signal may interrupt is done again, or goes on."""
    folder = here.folder()
    listed = folder / "started"
    listed.write_text("")
    run = here.traced(hollow("many", 100000), folder=folder, CUTRACE_CUPTI="off",
                      LD_PRELOAD=f"{PATHS['INTERRUPTER']}:{PATHS['LIB']}",
                      CUTRACE_STARTED_LIST=str(listed))
    interrupted = int(re.search(r"(\d+) calls interrupted", run.out)[1])
    print(f"{interrupted} calls were interrupted")
    check(interrupted > 20, "calls were interrupted", interrupted)
    same(listed.read_text(), f"{run.trace()}\n", "the list of traces")
    same(len(calls(run.trace())), 100000, "calls in calls.csv")
    same(lost(run.trace(), "records dropped"), 0, "records dropped")
    check("cannot" not in run.err and "could not" not in run.err, "no complaint", run.err)
    check((run.trace() / "report.txt").exists(), "it has waited for its report", run.left())
    run = here.traced(hollow("many", 10), LD_PRELOAD=f"{PATHS['INTERRUPTER']}:{PATHS['LIB']}",
                      CUTRACE_CUPTI="off", CUTRACE_OUTPUT="/dev/null/none")
    check("cutrace: " in run.err and "/dev/null" in run.err, "it says that nothing is recorded", run.err)


@trust("signals blocked mask kept")
def all_signals_blocked(here):
    for pending in ((), ("pending",)):
        run = quiet(here.both(victim("all_blocked", *pending)))
        has_rounds(run.trace(), 2 * 2001)
        says_clean(run.trace())
    run = quiet(here.both(victim("mask")))  # and some
    has_rounds(run.trace(), 2001)
