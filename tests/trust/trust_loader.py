# SPDX-License-Identifier: Apache-2.0
"""Every way in which a program can come by CUDA, and what the loader may find meanwhile."""
import collections
import shutil
import subprocess

from case_entry import SETUP, driver_user, of_driver
from harness import (PATHS, calls, check, environment, has_rounds, one_line, quiet, report_text,
                     same, says_blind, says_clean, trust, victim)

ROUNDS = 5
LOOPS = 200
RUNTIME = ("cudaMalloc", "cudaDeviceSynchronize", "cudaFree")


def names(trace, *ignored):
    return dict(collections.Counter(row["Name"] for row in calls(trace)
                                    if row["Name"] not in ("cuInit", *ignored)))


def loader(here, *arguments, **variables):
    return quiet(here.both([PATHS["LOADER"], *arguments], **variables))


@trust("loader dlopen and dlclose loop")
def dlopen_loop(here):
    """Each of 200 copies that come and go is seen, and none stays mapped."""
    for library in "OWN_13", "OWN_12":
        for mode in "yield", "off":
            run = loader(here, "loop", PATHS[library], CUTRACE_CUPTI=mode)
            same(run.out, f"0 of {LOOPS} loops failed, the library stayed after 0\n"
                 "mappings grow: no\n", "what it says")
            wanted = {"cudaMalloc": (ROUNDS + 2) * LOOPS, "cudaFree": (ROUNDS + 1) * LOOPS,
                      "cudaDeviceSynchronize": ROUNDS * LOOPS}
            same(names(run.trace()), wanted, f"calls of {library}, CUPTI {mode}")


@trust("loader RUNPATH $ORIGIN kept")
def runpath_origin(here):
    """The loader must see the program as the one who asks: $ORIGIN is the asker's folder."""
    home, driver = here.folder(), here.folder()
    (home / "lib" / "more").mkdir(parents=True)
    shutil.copy(PATHS["ORIGIN"], home / "origin")
    shutil.copy(PATHS["ORIGIN_PART"], home / "lib" / "origin_part.so")
    shutil.copy(f"{PATHS['FAKE']}/libcudart.so.13", home / "lib" / "more")
    for name in "libcuda.so.1", "libcupti.so.13":
        (driver / name).symlink_to(f"{PATHS['FAKE']}/{name}")
    for mode in "yield", "off":
        run = quiet(here.both([str(home / "origin")], LD_LIBRARY_PATH=str(driver),
                              CUTRACE_CUPTI=mode))
        same(run.out, f"runtime: {home}/lib/more/libcudart.so.13\nallocating: 0\n", "what it found")
        same(names(run.trace()), {"cudaMalloc": 1}, "calls in calls.csv")


@trust("loader dlmopen")
def dlmopen_namespace(here):
    """CUPTI sees a runtime in another namespace; without CUPTI the report says what is unseen."""
    run = loader(here, "namespace")
    same(run.out, f"0 of {ROUNDS} rounds failed\n", "what it says")
    same(names(run.trace()), {name: ROUNDS for name in RUNTIME}, "calls in calls.csv")
    run = loader(here, "namespace", CUTRACE_CUPTI="off")
    for trace in run.traces():
        if names(trace) != {name: ROUNDS for name in RUNTIME}:
            says_blind(trace, "private tables or RTLD_DEEPBIND")
    check(run.traces(), "a trace says so")


@trust("loader RTLD_DEEPBIND")
def deepbind(here):
    """What binds past the wrappers is CUPTI's to see, or the report warns that nobody sees it."""
    for how, wanted in (("deepbind",), {name: ROUNDS for name in RUNTIME}), \
            (("deeplinked", PATHS["OWN_13"]), {"cudaMalloc": 2 * ROUNDS, "cudaFree": ROUNDS}):
        run = loader(here, *how)
        same(names(run.trace()), wanted, f"calls of {how[0]}")
        says_clean(run.trace())
    run = loader(here, "deepbind", CUTRACE_CUPTI="off")
    same(names(run.trace()), {name: ROUNDS for name in RUNTIME}, "calls that dlsym() led to us")
    run = loader(here, "deeplinked", PATHS["OWN_13"], CUTRACE_CUPTI="off")
    same(names(run.trace()), {}, "calls of a library that binds past us")
    says_blind(run.trace(), "RTLD_DEEPBIND")


@trust("loader static libcudart")
def static_runtime(here):
    """nvcc's default: no runtime to wrap, the driver found by dlsym and cuGetProcAddress."""
    command = [PATHS["STATIC"], "work", "7"]
    wanted = {name: 7 for name in
              ("cuMemAlloc_v2", "cuMemsetD8_v2", "cuCtxSynchronize", "cuMemFree_v2")}
    run = quiet(here.both(command, CUTRACE_CUPTI="off"))
    same(names(run.trace(), *SETUP), wanted, "calls without CUPTI")
    check(all(row["Origin"] == "driver-entry" for row in calls(run.trace())), "the wrappers")
    run = quiet(here.both(command))
    has_rounds(run.trace(), 7)
    check(all(row["Origin"] == "runtime" for row in calls(run.trace())), "CUPTI alone saw them")
    says_clean(run.trace())


@trust("loader libcuda only")
def driver_only(here):
    """No runtime at all: the driver's functions looked up in every way, and linked to."""
    for how in "dlsym", "get", "get2":
        driver_user(here, "DRIVER", how)
    driver_user(here, "DRIVER", "thread", twin="_ptsz")
    run = quiet(here.both([PATHS["DRIVER_LINKED"]], CUTRACE_CUPTI="off"))
    same(names(run.trace()), {}, "calls: our wrappers are not exported")
    says_blind(run.trace(), "device times", "linked to it")
    run = quiet(here.both([PATHS["DRIVER_LINKED"]]))
    same(names(run.trace(), *SETUP), of_driver(""), "calls with CUPTI")


@trust("loader no libcuda")
def no_driver(here):
    """Programs find nothing as before, and those that need nothing are left alone."""
    nothing = str(here.folder())
    for command in [PATHS["DRIVER"], "dlsym"], [PATHS["LOADER"]], ["/bin/ls", "/"]:
        run = quiet(here.both(command, LD_LIBRARY_PATH=nothing))
        check(not run.left(), f"{command} leaves nothing", run.left())
    run = one_line(here.both([PATHS["EVERY"], "null"], LD_LIBRARY_PATH=nothing),
                   "never initialised", "no driver", "cutrace doctor")
    says_blind(run.trace(), "never initialised")
    check(calls(run.trace()), "what the runtime was asked for is there all the same")


@trust("loader binary replaced during the run")
def replaced(here):
    """No line is taken from a file that is not the one that ran."""
    for how, what in ("renamed over", "has changed since"), ("removed", "is gone"), ("kept", ""):
        folder = here.folder()
        program = folder / "program"
        shutil.copy(PATHS["REPLACED"], program)
        newer = folder / "newer"
        shutil.copy(PATHS["REPLACED_NEWER"], newer)
        with subprocess.Popen([str(program)], cwd=folder, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1")) as child:
            same(child.stdout.readline(), "ready\n", "the program runs")
            if how == "renamed over":
                newer.rename(program)
            elif how == "removed":
                program.unlink()
            out, err = child.communicate(timeout=60)
        same((child.returncode, out, err), (23, "0 failed\n", ""), f"{how}: how it ended")
        trace = next(path.parent for path in folder.rglob("calls.csv"))
        places = {row["Call Site"] for row in calls(trace)}
        same(len(calls(trace)), 4, "calls in calls.csv")
        if how == "kept":
            check(all("replaced.c:" in place for place in places), "lines of the program", places)
            continue
        check(not any("replaced.c" in place for place in places), f"{how}: no line", places)
        said = f"source lines in 1 module whose file {what} "
        check(said in " ".join(report_text(trace).split()), f"{how}: {said!r} in the report",
              report_text(trace))
