# SPDX-License-Identifier: Apache-2.0
"""CUTRACE_FIX=pin and all: the program does the same, and copies to the device wait for nothing."""
import re

from case_fix import PIN_LEFT, fixed, holds, never_waited
from case_prove import prove, says
from harness import PATHS, calls, case, check, quiet, report_text, same, table, victim


def staged(here, command, *wanted_left, total, **variables):
    """With pin: so many copies staged, and left alone for these reasons only."""
    variables.setdefault("fix", "pin")
    run, counts = fixed(here, command, **variables)
    holds(counts, staged=total, lost=0, cannot_pin=0,
          **{**dict.fromkeys(PIN_LEFT, 0), **dict(wanted_left)})
    check("wrong" not in run.out, "results", run.out)
    return run, counts


def waits_of_copies(run):
    return [row for row in table(run.trace(), "blocked")
            if row["Call"] == "cudaMemcpyAsync" and row["Class"] == "device_wait"]


@case
def pin_loop(here):
    """Copies of a loop wait for nothing; without the fix they do."""
    run, counts = staged(here, victim("pin_loop"), total=20)
    check("20 of 20 rounds came out right" in run.out, "results", run.out)
    same(waits_of_copies(run), [], "waits of copies")
    same(counts["staged_bytes"], 20 * 1536 << 10, "bytes staged")
    check(0 < counts["pool"] <= 64 << 20, "size of the pool", counts)
    run, counts = fixed(here, victim("pin_loop"), fix="off")
    check(waits_of_copies(run), "copies wait")
    holds(counts, staged=0, to_host=0, pool=0)


@case
def pin_static_runtime(here):
    for mode in ("off", "yield"):
        run, _ = staged(here, [PATHS["STATIC"], "pin_loop"], total=20, CUTRACE_CUPTI=mode)
        extra = {row["Name"] for row in calls(run.trace())} & {"cuEventRecord", "cuEventQuery",
                                                               "cuMemHostRegister_v2"}
        same(extra, set(), "calls of the fix in the trace")


@case
def pin_untraced(here):
    run, _ = staged(here, victim("pin_loop"), total=20, CUTRACE_DISABLE="1")
    check(not run.traces(), "no trace", run.traces())


@case
def pin_told(here):
    for fix, text in ("pin", "asynchronous copies"), ("all", "frees of device memory"):
        run, _ = fixed(here, victim("pin_loop"), fix=fix)
        words = " ".join(report_text(run.trace()).split())
        check(f"cutrace changed it (CUTRACE_FIX={fix}: {text}" in words, "the report says so", words)


@case
def pin_order(here):
    run, _ = staged(here, victim("pin_order"), total=2)
    check("first right, second right, third 3 3" in run.out, "results", run.out)


@case
def pin_sizes(here):
    staged(here, victim("pin_sizes"), ("small", 2), ("large", 1), total=3)


@case
def pin_forms(here):
    """Only a plain copy to plain memory of the device is changed."""
    staged(here, victim("pin_forms"), ("to_host", 2), ("target", 1), ("form", 1), total=1)


@case
def pin_registered(here):
    staged(here, victim("pin_registered"), total=2)


@case
def pin_errors(here):
    staged(here, victim("pin_errors"), total=1)


@case
def pin_full(here):
    """What the pool has no room for is left alone; it has room again when the device is done."""
    run, counts = fixed(here, victim("pin_full"), fix="pin")
    same(run.out.count("70 of 70 came out right"), 2, "results")
    same(counts["staged"] + counts["full"], 140, "copies staged and left alone")
    check(counts["staged"] >= 128 and counts["full"] > 0, "at most 64 at a time", counts)
    holds(counts, pool=64 << 20, lost=0)


@case
def pin_capture(here):
    """Captured copies stay in the graph; what follows a graph may count on what it wrote."""
    staged(here, victim("pin_capture"), ("capture", 1), ("host_work", 1), total=2)


@case
def pin_host_work(here):
    staged(here, victim("pin_host_work"), ("host_work", 1), total=1)


@case
def pin_reset(here):
    """Three contexts one after the other, and a pool for each."""
    run, counts = staged(here, victim("pin_reset"), total=60)
    check("round 1: 20 right" in run.out, "results", run.out)
    check(counts["pool"] >= 3 * 16 << 20, "a pool for each", counts)
    sources = {row["Source Memory"] for row in table(run.trace(), "device")
               if row["Direction"] == "H2D"}
    same(sources, {"pinned"}, "where copies come from")


@case
def pin_streams(here):
    run, counts = fixed(here, victim("pin_streams"), fix="pin")
    same(run.out.count("70 of 70 came out right"), 2, "results")
    check("wrong" not in run.out, "results", run.out)
    same(counts["staged"] + counts["full"], 143, "copies staged and left alone")
    holds(counts, lost=0)


@case
def pin_contexts(here):
    staged(here, victim("pin_contexts"), ("second_context", 2), total=4)


@case
def pin_threads(here):
    """Threads end with copies in flight; what the pool has no room for meanwhile is left alone."""
    run, counts = fixed(here, victim("pin_threads"), fix="pin")
    check("24 of 24 came out right" in run.out, "results", run.out)
    same(counts["staged"] + counts["full"], 120, "copies staged and left alone")
    check(counts["staged"] >= 60, "most are staged", counts)
    holds(counts, lost=0, failed=0, refused=0)


@case
def pin_forks(here):
    staged(here, victim("pin_forks"), total=2)


@case
def pin_refused(here):
    """Without page-locked memory the program's own copies are made."""
    run, counts = staged(here, victim("pin_loop"), ("refused", 20), total=0,
                         FAKE_REGISTER_FAILS="1")
    same(counts["pool"], 0, "size of the pool")
    check(waits_of_copies(run), "copies wait")


@case
def pin_fails(here):
    """A staged copy that is refused, here from its third piece on: the program's own is made."""
    run, _ = staged(here, victim("pin_order"), ("failed", 2), total=0, FAKE_REGISTERED_COPIES="2")
    check("first right, second right, third 3 3" in run.out, "results", run.out)


@case
def pin_loses(here):
    """Where no event can be recorded nothing tells when blocks are free: they are not used again."""
    run, counts = fixed(here, victim("pin_loop"), fix="pin", FAKE_RECORD_FAILS="1")
    check("20 of 20 rounds came out right" in run.out, "results", run.out)
    holds(counts, staged=20, lost=40, full=0)


@case
def all_fixes(here):
    """Both at once, each as if alone."""
    _, counts = staged(here, victim("pin_loop"), total=20, fix="all")
    holds(counts, frees=0, mallocs=1)
    run, counts = fixed(here, victim("fix_loop"), fix="all")
    never_waited(run)
    holds(counts, frees=20, deferred=20, staged=0)


def proved(here, mode, fix, *texts):
    run = quiet(prove(here, *victim(mode), options=("--fix", fix, "--runs", "2")))
    same(run.status, 0, f"exit status: {run.out}")
    says(run, f"with fix {fix} (", "identical in all runs", "status    0 in all runs", *texts)
    check(re.search(r"^predicted +\S", run.out, re.M), "a prediction", run.out)
    check("predicted nothing: " not in run.out, "a prediction", run.out)
    return run


@case
def prove_pin(here):
    run = proved(here, "pin_loop", "pin", "changed   20 asynchronous copies of pageable memory to "
                 "the device, 30.0 MiB, were staged", "MiB were page-locked")
    check("by hand" in run.out, "what it leaves to the program's author", run.out)
    check("frees of cudaMalloc memory did not wait" not in run.out, "nothing about frees", run.out)
    run = proved(here, "fix_loop", "pin", "changed   0 asynchronous copies")
    check(re.search(r"^predicted (0 ns to 0 ns|nothing to save)", run.out, re.M), "none", run.out)


@case
def prove_pin_leaves(here):
    """What was left alone is said, each with its reason."""
    proved(here, "pin_forms", "pin", "1 asynchronous copy of", "left alone: 2 copies to the host: "
           "programs may read", "left alone: 1 copy to managed memory",
           "left alone: 1 copy to the device, but in 2D")


@case
def prove_all(here):
    proved(here, "pin_loop", "all", "20 asynchronous copies", "0 of 0 frees",
           "free alone 0 ns to 0 ns", "pin alone ")
    proved(here, "fix_loop", "all", "20 of 20 frees", "0 asynchronous copies",
           "free alone ", "pin alone 0 ns to 0 ns")
