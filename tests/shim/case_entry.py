# SPDX-License-Identifier: Apache-2.0
"""Without CUPTI: what is seen at the driver's entry points; and giving CUPTI up."""
import collections
import re
import shutil
import subprocess

from harness import (PATHS, calls, case, check, has_rounds, one_line, quiet, report_text, same,
                     says_blind, says_clean, table, victim)

ROUNDS = 5
SETUP = {"cuInit": 1, "cuDevicePrimaryCtxRetain": 1}


def names(folder, *ignored):
    return dict(collections.Counter(row["Name"] for row in calls(folder)
                                    if row["Name"] not in ignored))


def of_driver(twin=""):
    """What driver_user.c calls; the two last are one name, asked for by version."""
    return {**{name: ROUNDS for name in ("cuMemAlloc_v2", f"cuMemsetD8Async{twin}",
                                         f"cuStreamSynchronize{twin}", "cuMemFree_v2")},
            "cuCtxSynchronize": 1, "cuCtxSynchronize_v2": 1}


def driver_user(here, program, *how, twin="", setups=1):
    """Each call once under the driver's name; with CUPTI the same calls, seen by CUPTI."""
    run = quiet(here.both([PATHS[program], *how], CUTRACE_CUPTI="off"))
    setup = {name: setups for name in SETUP}
    same(names(run.trace()), {**setup, **of_driver(twin)}, "calls in calls.csv")
    rows = calls(run.trace())
    check(all(row["Origin"] == "driver-entry" for row in rows), "the wrappers saw them", rows)
    fills = [row for row in rows if row["Name"].startswith("cuMemset")]
    check(all(row["Bytes"] == "4096" and row["Address"] != "0x0" for row in fills), "parameters",
          fills)
    check(all("driver_user.c" in row["Call Site"] for row in rows), "call sites", rows)
    check("nested" not in report_text(run.trace()), "no call counts as nested")
    says_blind(run.trace(), "device times", "CUTRACE_CUPTI=off",
               f"driver's entry points {len(rows)}")
    run = quiet(here.both([PATHS[program], *how]))
    same(names(run.trace(), *SETUP), of_driver(twin), "calls with CUPTI")
    check(all(row["Origin"] == "driver" for row in calls(run.trace())), "CUPTI alone saw them")
    says_clean(run.trace())


@case
def driver_found_by_runtime(here):
    """cudaGetDriverEntryPointByVersion hands out the wrappers as well."""
    driver_user(here, "DRIVER_RUNTIME", setups=2)  # the program's and the runtime's


@case
def every_driver_wrapper(here):
    """Each passes on its result, keeps errno, bears null pointers, and is there once."""
    here.both([PATHS["EVERY_DRIVER"], "null"], CUTRACE_CUPTI="off")
    run = here.both([PATHS["EVERY_DRIVER"], "page"], CUTRACE_CUPTI="off")
    printed = collections.Counter(line.split(":")[0] for line in run.out.splitlines())
    check(len(printed) > 150, "many functions were called", len(printed))
    check(all(line.endswith("errno 1234") for line in run.out.splitlines()), "errno is kept",
          run.out)
    del printed["cuInit"]  # it failed: nothing was begun
    same(names(run.trace()), dict(printed), "calls in calls.csv")


@case
def entry_stays_inside(here):
    """What the runtime calls in the driver is part of the program's call, and no loss."""
    run = quiet(here.both(victim("return"), CUTRACE_CUPTI="off"))
    rows = has_rounds(run.trace(), ROUNDS)
    check(all(row["Origin"] == "wrapper" for row in rows), "runtime calls only", rows)
    check("signal handler" not in report_text(run.trace()), "nothing counts as nested",
          report_text(run.trace()))


def runtime_calls(rounds):
    return {name: rounds for name in ("cudaMalloc", "cudaDeviceSynchronize", "cudaFree")}


def driver_calls(rounds):
    return {name: rounds for name in ("cuMemAlloc_v2", "cuCtxSynchronize", "cuMemFree_v2")}


@case
def entry_runtime_dlopened(here):
    """CUPTI is off: the program's own lookups get the runtime's wrappers."""
    for how, rounds in ((), ROUNDS), (("again",), 2 * ROUNDS), (("deepbind",), ROUNDS):
        run = quiet(here.both([PATHS["LOADER"], *how], CUTRACE_CUPTI="off"))
        same(names(run.trace()), runtime_calls(rounds), f"calls of loader {how}")


@case
def entry_two_runtimes(here):
    """Each copy is called by those who found it: one by its wrappers, one below them."""
    copy = here.folder() / "libcudart.so.13"
    shutil.copy(f"{PATHS['FAKE']}/libcudart.so.13", copy)
    command = [PATHS["LOADER"], "copy", str(copy)]
    run = quiet(here.both(command, CUTRACE_CUPTI="off"))
    same(names(run.trace(), "cuInit", "cuDevicePrimaryCtxRetain"),
         {**runtime_calls(2 * ROUNDS), **driver_calls(ROUNDS)}, "calls in calls.csv")
    run = quiet(here.both(command))
    same(names(run.trace(), "cuInit"), runtime_calls(3 * ROUNDS), "calls with CUPTI")


@case
def runtimes_of_two_libraries(here):
    """A wrapper passes each call on to the runtime that its caller is linked to."""
    for pair in ("OWN_12", "OWN_13"), ("OWN_13", "OWN_12"), ("OWN_13", "OWN_HASHED"):
        for mode in ("off", "yield"):
            run = quiet(here.both([PATHS["LOADER"], "pair", *(PATHS[name] for name in pair)],
                                  CUTRACE_CUPTI=mode))
            same(run.out.count(": 0\n"), 2 * ROUNDS, f"libraries that found their own: {run.out}")
            same(names(run.trace(), "cuInit"),
                 {"cudaMalloc": 4 * ROUNDS, "cudaFree": 2 * ROUNDS}, "calls in calls.csv")


@case
def runtime_unloaded(here):
    """A runtime that the program unloads is not called at its old address."""
    for pair in ("OWN_12", "OWN_13"), ("OWN_13", "OWN_12"):
        run = quiet(here.both([PATHS["LOADER"], "reload", *(PATHS[name] for name in pair)]))
        same(run.out, "first: 0\nsecond: 0\nagain: 0\n", "what the libraries say")
        same(names(run.trace(), "cuInit"), {"cudaMalloc": 6, "cudaFree": 3}, "calls in calls.csv")


@case
def plugins_alternate(here):
    """A library that lies where another one lay is not taken for it."""
    run = quiet(here.both([PATHS["LOADER"], "alternate", PATHS["OWN_12"], PATHS["OWN_13"]]))
    same(run.out, "0\n" * 6, "what the libraries say")


@case
def driver_not_exported(here):
    """Libraries have variables named like the driver's functions: ours must not take their place."""
    listed = subprocess.run(["nm", "-D", "--defined-only", PATHS["LIB"]], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    check("cudaMalloc" in exported, "the runtime's wrappers are exported")
    same([name for name in exported if re.match("cu[A-Z]", name)], [], "the driver's are not")


@case
def entry_cupti_fails(here):
    """The same where CUPTI was wanted and could not be had."""
    run = one_line(here.both([PATHS["DRIVER"], "dlsym"], FAKE_CUPTI_FAIL="permission"),
                   "no device times", "ask the administrator")
    same(names(run.trace()), {**SETUP, **of_driver()}, "calls in calls.csv")


@case
def lookups_unchanged(here):
    """dlsym() and dlerror() answer as if we were not there."""
    for mode in ("off", "on", "yield"):
        run = quiet(here.both([PATHS["FINDER"], PATHS["FINDER_LIBRARY"]], CUTRACE_CUPTI=mode))
        check("library default finder_own: finder_library.so" in run.out, "own scope", run.out)
        check(not run.left(), "nothing is left", run.left())
        run = quiet(here.both([PATHS["FINDER"], PATHS["FINDER_LIBRARY"],
                               PATHS["FINDER_FAMILY"]], CUTRACE_CUPTI=mode))
        same(run.out, "cuMemFree_v2 found\ncuNoSuch not found\n", "in a sibling's scope")


@case
def lookups_by_neighbours(here):
    """Other preloaded libraries that look things up early, before us and behind us."""
    for order in ("{0}:{1}", "{1}:{0}", "{0}:{1}:{0}"):
        preload = order.format(PATHS["ALLOCATOR"], PATHS["LIB"])
        run = quiet(here.traced(victim("return"), LD_PRELOAD=preload))
        same(run.status, 7, f"exit status under {order}")
        has_rounds(run.trace(), ROUNDS)
        run = quiet(here.traced(["/bin/ls", "/"], LD_PRELOAD=preload))
        same(run.out, here.bare(["/bin/ls", "/"]).out, f"/bin/ls under {order}")


def yields(here, program, *how):
    run = quiet(here.both([PATHS[program], *how]))
    check("the profiler saw all" in run.out, "it got its records", run.out)
    has_rounds(run.trace(), 3 * ROUNDS)
    rows = calls(run.trace())
    seen = [row["Correlation"] != "0" for row in rows]
    same(seen, [True] * 20 + [False] * 40, "which calls CUPTI showed us")
    same(len(table(run.trace(), "device")), ROUNDS, "device operations until then")
    says_blind(run.trace(), "since the program's own profiler took", "cuptiSubscribe")


BUSY = 3 * 200 + 3 * ROUNDS


PAIRS = {"cudaMalloc": "cuMemAlloc_v2", "cudaMemset": "cuMemsetD8_v2",
         "cudaDeviceSynchronize": "cuCtxSynchronize", "cudaFree": "cuMemFree_v2"}


@case
def profiler_yield_busy_static(here):
    """The same where CUPTI alone saw calls begin: each is there once or counted as cut off."""
    run = quiet(here.both([PATHS["PROFILER_STATIC"], "busy"]))
    found, lost = names(run.trace()), cut_off(run)
    check(lost <= 3, "no more calls are cut off than threads were at work", lost)
    for runtime, driver in PAIRS.items():
        check(found[driver] > 0, f"{driver} was seen afterwards", found)
        check(BUSY - lost <= found[runtime] + found[driver] <= BUSY, f"each {runtime} once",
              (found, lost))


def cut_off(run):
    said = re.search(r"(\d+) calls? under way when", report_text(run.trace()))
    return int(said[1]) if said else 0


@case
def profiler_yield_waiting(here):
    """A thread waits in a call that CUPTI saw begin: that call is lost, its next ones are not."""
    run = quiet(here.both([PATHS["PROFILER_STATIC"], "waiting"]))
    found = names(run.trace())
    same(cut_off(run), 1, "calls cut off")
    same({runtime: found[runtime] + found[driver] for runtime, driver in PAIRS.items()},
         {runtime: 4 * ROUNDS for runtime in PAIRS}, "calls before and after")


@case
def profiler_refused(here):
    """CUTRACE_CUPTI=on: CUPTI is ours to the end."""
    run = quiet(here.traced([PATHS["PROFILER"]], CUTRACE_CUPTI="on"))
    check("subscribing: 39" in run.out, "its subscription fails", run.out)
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())


@case
def profiler_off(here):
    run = quiet(here.both([PATHS["PROFILER"]], CUTRACE_CUPTI="off"))
    has_rounds(run.trace(), 3 * ROUNDS)
    says_blind(run.trace(), "CUTRACE_CUPTI=off")
