# SPDX-License-Identifier: Apache-2.0
"""CUTRACE_MODE: what each mode records, and what the report makes of it."""
import collections
import re
import signal
import subprocess

from case_commands import wait_for
from harness import (PATHS, TIMEOUT_S, calls, case, check, cutrace, environment, one_line, quiet,
                     report_text, same, says_blind, says_clean, table, victim)

ROUNDS = 20       # of launches, fills, records and queries in a calm phase
BAD_KERNELS = 3   # in one bad moment, each waited for
LONG_NS = 20000000
# Only bad calls are that long; the first use of CUDA may be as well, and begins no window.
AUTO = {"CUTRACE_MODE": "auto", "CUTRACE_AUTO_THRESHOLD": "10ms", "CUTRACE_AUTO_WINDOW": "200ms"}
PAUSE_US = "1200000"
LEFT = {"cudaLaunchKernel", "cudaMemsetAsync", "cudaEventRecord", "cudaEventQuery"}
# Before CUPTI is there, a runtime inside the program is seen by what it calls in the driver.
RUNTIME_NAMES = {"cuMemAlloc_v2": "cudaMalloc", "cuMemFree_v2": "cudaFree",
                 "cuCtxSynchronize": "cudaDeviceSynchronize", "cuLaunchKernel": "cudaLaunchKernel",
                 "cuMemcpyDtoH_v2": "cudaMemcpy", "cuEventSynchronize": "cudaEventSynchronize"}
UNRECORDED = "device work not recorded (light)"


def names(trace):
    return collections.Counter(row["Name"] for row in calls(trace))


def either_names(trace):
    found = collections.Counter()
    for name, count in names(trace).items():
        found[RUNTIME_NAMES.get(name, name)] += count
    return found


def long_waits(trace):
    return [row for row in table(trace, "blocked") if row["Class"] == "device_wait"
            and int(row["Blocked (ns)"]) > LONG_NS // 2]


def sums_hold(trace):
    check("WRONG" not in report_text(trace), "the parts of calls sum up", report_text(trace))


def no_losses(trace):
    text = report_text(trace)
    for word in ("dropped:", "calls made from inside", "under way", "CUPTI lost it"):
        check(word not in text, f"no {word!r}", text)


@case
def mode_full(here):
    """The default, and the sum of what the other modes may see."""
    run = quiet(here.both(victim("moments", "1000")))
    says_clean(run.trace())
    found = names(run.trace())
    same({name: found[name] for name in LEFT},
         {"cudaLaunchKernel": 2 * ROUNDS + 4 * BAD_KERNELS, "cudaMemsetAsync": 2 * ROUNDS,
          "cudaEventRecord": 2 * ROUNDS + 4, "cudaEventQuery": 2 * ROUNDS}, "calls in calls.csv")


def is_light(trace, origin):
    """All that blocks is there, with its place; nothing is said of what is not."""
    found = names(trace)
    check(not LEFT & set(found), "no launches and the like", found)
    same([found[name] for name in ("cudaMalloc", "cudaFree", "cudaEventSynchronize",
                                   "cudaDeviceSynchronize", "cudaMemcpy")], [5, 4, 4, 4, 1],
         "calls that may block")
    check(all(row["Origin"] == origin for row in calls(trace)), "who saw them", origin)
    same({row["Kind"] for row in table(trace, "device")} - {"copy"}, set(),
         "kinds of device records")
    waits = long_waits(trace)
    same(len(waits), 12, "long waits")
    for wait in waits:
        check(wait["Waited For"].startswith(UNRECORDED), "what it waited for", wait)
        check(origin == "runtime" or "victim_modes.c" in wait["Call Site"], "where", wait)
    check(any(", up to event" in wait["Waited For"] for wait in waits), "the event is named")
    text = report_text(trace)
    check("unexplained 0 ns" in text and "no rule explains" not in text, "no riddles", text)
    check("Surprises" not in text, "no surprise without evidence", text)
    check("cannot be judged, kernels were not recorded (light)" in text, "no verdict", text)
    same(table(trace, "serialized") + table(trace, "idle"), [], "claims without evidence")
    says_blind(trace, "the mode was light all the time", "nothing is extrapolated")
    no_losses(trace)
    sums_hold(trace)


@case
def mode_light(here):
    run = quiet(here.both(victim("moments", "1000"), CUTRACE_MODE="light", CUTRACE_CUPTI="on"))
    is_light(run.trace(), "wrapper")


@case
def mode_light_static(here):
    """No wrapper is in the way: by what CUPTI is asked for alone."""
    run = quiet(here.both([PATHS["STATIC"], "moments", "1000"], CUTRACE_MODE="light",
                          CUTRACE_CUPTI="on"))
    is_light(run.trace(), "runtime")


@case
def mode_light_without_cupti(here):
    """The report knows neither device times nor launches, and says both."""
    for program in (PATHS["VICTIM"], PATHS["STATIC"]):
        # without CUPTI there is nothing that a window could complete; light does without it
        for mode, cupti in (("light", "off"), ("light", "yield"), ("auto", "off")):
            run = quiet(here.both([program, "moments", "1000"], CUTRACE_MODE=mode,
                                  CUTRACE_CUPTI=cupti))
            found = names(run.trace())
            check(not [name for name in found if re.search("Launch|Query|Record|Async", name)],
                  "no launches and the like", found)
            check(sum(found[name] for name in found if "Free" in name) >= 4, "frees", found)
            says_blind(run.trace(), "switched off", "the mode was light all the time")
            waits = [wait for wait in long_waits(run.trace()) if "Free" in wait["Call"]]
            same(len(waits), 4, "frees that may have waited")
            check(all(wait["Waited For"].startswith(UNRECORDED) for wait in waits), "for what", waits)
            no_losses(run.trace())


def coverage(trace):
    """Of "full for A of B (P %, N windows)": P and N."""
    text = " ".join(report_text(trace).split())
    found = re.search(r"full for [\d.]+ \w+ of [\d.]+ \w+ \(([\d.]+) %, (\d+) windows?\), light "
                      r"otherwise: kernels and launches of that time were not recorded; nothing "
                      r"is extrapolated", text)
    check(found, "the report says what share was seen in which mode", text)
    return float(found[1]), int(found[2])


def launches_have_kernels(trace):
    """Whatever was launched in a window, and no other kernel, has its record."""
    kernels = collections.Counter(row["Correlation"] for row in table(trace, "device")
                                  if row["Kind"] == "kernel")
    launches = collections.Counter(row["Correlation"] for row in calls(trace)
                                   if row["Name"] in ("cudaLaunchKernel", "cuLaunchKernel"))
    return kernels, launches


@case
def mode_auto(here):
    """Each second bad moment is complete; the first of each phase has no kernels."""
    run = quiet(here.both(victim("moments", PAUSE_US), **AUTO))
    trace = run.trace()
    share, windows = coverage(trace)
    check(0 < share < 90, "the share in full", share)
    same(windows, 2, "windows: the first use begins none")
    says_blind(trace, "CUPTI had not been started")
    waits = long_waits(trace)
    same(len(waits), 12, "long waits")
    unknown = [wait["Waited For"].startswith(UNRECORDED) for wait in waits]
    check(unknown[0] and unknown[6], "the waits that rang had no records", unknown)
    for i in (3, 4, 5, 9, 10, 11):
        same(waits[i]["Waited For"], "spin_work", f"wait {i}")
    check(any(row["Culprit"] == "cudaFree" for row in table(trace, "serialized"))
          or "Serialization: none found in the time in which" in report_text(trace),
          "serialization is judged, of that time")
    same([row["Kind"] for row in table(trace, "streams") if int(row["Operations"])],
         ["legacy default"], "the stream that was used, though it is older than CUPTI")
    found = names(trace)
    check(2 * BAD_KERNELS <= found["cudaLaunchKernel"] <= 4 * BAD_KERNELS,
          "launches of the bad moments, not of the calm ones", found)
    kernels, launches = launches_have_kernels(trace)
    same(launches - kernels, collections.Counter(), "launches without a kernel")
    no_losses(trace)
    sums_hold(trace)


@case
def mode_auto_calm(here):
    """No call is that long: light from beginning to end, and CUPTI is never loaded."""
    for program in (PATHS["VICTIM"], PATHS["STATIC"]):
        run = quiet(here.both([program, "moments", "1000"],
                              **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "30s"}))
        found = either_names(run.trace())
        check(not LEFT & set(found), "no launches and the like", found)
        same([found[name] for name in ("cudaMalloc", "cudaFree", "cudaEventSynchronize",
                                       "cudaDeviceSynchronize", "cudaMemcpy")], [5, 4, 4, 4, 1],
             "calls that may block")
        dump = here.bare(cutrace("dump", run.trace())).out
        check("light" in dump and "libcupti" not in dump, "no CUPTI, by the notes", dump[-2000:])
        says_blind(run.trace(), "the mode was light all the time", "CUPTI was never started")
        no_losses(run.trace())
        sums_hold(run.trace())


@case
def mode_auto_first_use(here):
    """Creating the context takes longer than the threshold, and begins no window."""
    for program in (PATHS["VICTIM"], PATHS["STATIC"]):
        run = quiet(here.both([program, "switches", "1"], FAKE_CONTEXT_NS="900000000",
                              **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "800ms"}))
        longest = max(int(row["Duration (ns)"]) for row in calls(run.trace()))
        check(longest > 800000000, "a call took longer than the threshold", longest)
        says_blind(run.trace(), "CUPTI was never started")


@case
def mode_auto_refused(here):
    """CUPTI cannot be had when the first window begins: one line says so, and light it stays."""
    run = one_line(here.both(victim("moments", "1000"), FAKE_CUPTI_FAIL="permission", **AUTO),
                   "no device times", "ask the administrator")
    says_blind(run.trace(), "the mode was light all the time", "CUPTI may not be used here")
    no_losses(run.trace())


@case
def mode_auto_exit_starting(here):
    """The program ends while CUPTI is being started: nothing is lost, and no end is early."""
    for program in (PATHS["VICTIM"], PATHS["STATIC"]):
        run = quiet(here.both([program, "moment_exit", "1000"],
                              FAKE_CUPTI_SUBSCRIBE_US="1000000", **AUTO))
        found = either_names(run.trace())
        same([found[name] for name in ("cudaMalloc", "cudaFree", "cudaDeviceSynchronize")],
             [3, 2, 2], "calls that every mode records")
        no_losses(run.trace())
        sums_hold(run.trace())


@case
def mode_auto_with_cupti(here):
    """CUTRACE_CUPTI=on: CUPTI is there from the start, and copies have their times."""
    run = quiet(here.both(victim("moments", "1000"), CUTRACE_CUPTI="on",
                          **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "30s"}))
    is_light(run.trace(), "wrapper")
    check("CUPTI had not" not in report_text(run.trace()), "it was not late", report_text(run.trace()))


@case
def mode_auto_kept(here):
    """Within the window, long calls make it longer: no more than one."""
    run = quiet(here.both(victim("moments", "1000"),
                          **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "1us", "CUTRACE_AUTO_WINDOW": "30s"}))
    _, windows = coverage(run.trace())
    same(windows, 1, "windows")
    no_losses(run.trace())


def ends_in_window(here, mode, status, cut_off):
    run = quiet(here.both(victim(mode, PAUSE_US), **{**AUTO, "CUTRACE_AUTO_WINDOW": "5s"}))
    same(run.status, status, "how it ended")
    if cut_off:
        same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
        says_blind(run.trace(), "cut off")
    coverage(run.trace())
    same([wait["Waited For"] for wait in long_waits(run.trace())[3:]], ["spin_work"] * 3,
         "waits of the second bad moment")
    no_losses(run.trace())
    sums_hold(run.trace())


@case
def mode_auto_exit(here):
    ends_in_window(here, "moment_exit", 0, False)


@case
def mode_auto_killed(here):
    ends_in_window(here, "moment_killed", -signal.SIGKILL, True)


def switched(here, program, origin):
    """Threads launch while the mode changes: no call is lost, doubled or stretched."""
    run = quiet(here.both([program, "switches", "20"], **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "3ms",
                                                          "CUTRACE_AUTO_WINDOW": "10ms"}))
    trace = run.trace()
    _, windows = coverage(trace)
    check(windows >= 5, "the mode changed often", windows)
    found = either_names(trace)
    same((found["cudaMalloc"], found["cudaFree"], found["cudaDeviceSynchronize"]), (20, 20, 1),
         "calls that every mode records")
    kernels, launches = launches_have_kernels(trace)
    check(launches and max(launches.values()) == 1, "launches are there, each once")
    missing = sum((launches - kernels).values())
    check(missing <= windows * 64, "launches whose kernel had not ended with the window", missing)
    check(("came before the mode was light again" in report_text(trace)) == (missing > 0),
          "the report says how many", missing)
    check(all(row["Origin"] == origin for row in calls(trace)
              if row["Name"] in ("cudaMalloc", "cudaFree")), "who saw them", origin)
    ends = collections.defaultdict(int)
    for row in calls(trace):
        check(int(row["Start (ns)"]) >= ends[row["Thread"]], "calls of a thread do not overlap", row)
        ends[row["Thread"]] = int(row["Start (ns)"]) + int(row["Duration (ns)"])
    no_losses(trace)
    sums_hold(trace)


@case
def mode_auto_switches(here):
    switched(here, PATHS["VICTIM"], "wrapper")


@case
def mode_auto_switches_static(here):
    switched(here, PATHS["STATIC"], "runtime")


@case
def mode_light_launch_first(here):
    """Nor is the launch recorded that brought us in; what it loads and creates may be."""
    for program in (PATHS["VICTIM"], PATHS["STATIC"]):
        run = quiet(here.both([program, "long_launch"], CUTRACE_MODE="light", CUTRACE_CUPTI="on",
                              CUDA_LAUNCH_BLOCKING="1"))
        found = names(run.trace())
        check(not LEFT & set(found), "no launches", found)
        same(found["cudaFree"], 4, "frees")
        no_losses(run.trace())


@case
def mode_light_queue_full(here):
    """CUPTI tells of launches that had to wait, though not of the launches."""
    run = quiet(here.both(victim("flood", "3000"), CUTRACE_MODE="light", CUTRACE_CUPTI="on"))
    text = " ".join(report_text(run.trace()).split())
    check(re.search(r"queue_full [\d.]+ ms more, \d+ times, in launches that were not recorded "
                    r"\(light\)", text), "time spent on room in the queue", text)
    run = quiet(here.both(victim("flood", "3000")))
    check("in launches that were not recorded" not in report_text(run.trace()), "full has them all")


def launch_cut(here, program):
    """The window ends inside a launch: what the thread does afterwards is there."""
    run = quiet(here.both([program, "long_launch"], CUDA_LAUNCH_BLOCKING="1",
                          **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "1us", "CUTRACE_AUTO_WINDOW": "80ms"}))
    _, windows = coverage(run.trace())
    check(windows >= 1, "there was a window", windows)
    found = either_names(run.trace())
    same((found["cudaMalloc"], found["cudaFree"]), (4, 4), "calls that every mode records")
    for row in calls(run.trace()):
        if row["Name"] == "cudaLaunchKernel":
            check(int(row["Duration (ns)"]) < 11 * LONG_NS, "no launch is stretched", row)
    no_losses(run.trace())
    sums_hold(run.trace())


@case
def mode_auto_launch_cut(here):
    launch_cut(here, PATHS["VICTIM"])


@case
def mode_auto_launch_cut_static(here):
    launch_cut(here, PATHS["STATIC"])


def yields_when(here, note, **variables):
    """The program's profiler takes CUPTI once the trace holds this note; returns the trace."""
    command, folder = [PATHS["PROFILER"], "told"], here.folder()
    variables = {**AUTO, "CUTRACE_AUTO_THRESHOLD": "1us", "CUTRACE_AUTO_WINDOW": "30s", **variables}
    bare = here.bare(command)  # without input: it goes on at once
    told = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1", **variables))
    try:
        wait_for(lambda: any(re.search(note, here.bare(cutrace("dump", trace)).out)
                             for trace in folder.glob("cutrace.*")), named=f"{note!r} is noted")
        out, err = told.communicate("go on\n", timeout=TIMEOUT_S)
    finally:
        told.kill()
        told.communicate()
    same((told.returncode, out, err), (bare.status, bare.out, ""), "how it ends, what it says")
    check("the profiler saw all" in out, "it got its records", out)
    trace = next(folder.glob("cutrace.*"))
    says_blind(trace, "since the program's own profiler took")
    no_losses(trace)
    return trace


@case
def mode_auto_yield(here):
    """The program's profiler takes CUPTI: it sees all, and we stay light from then on."""
    coverage(yields_when(here, " note code=14 value=0 full"))


@case
def mode_light_note_damaged(here):
    """The file's header says it as well: what was not recorded is not taken for what never was."""
    trace = here.traced(victim("moments", "1000"), CUTRACE_MODE="light", CUTRACE_CUPTI="on",
                        CUTRACE_REPORT="0").trace()
    raw = bytearray((trace / "trace.cutrace").read_bytes())
    note = raw.index(b"light", 65536) - 24
    raw[note + 6:note + 8] = b"\xff\xff"  # the length of its text
    (trace / "trace.cutrace").write_bytes(raw)
    same(here.bare(cutrace("report", trace)).status, 0, "cutrace report")
    says_blind(trace, "64 damaged bytes", "the mode was light all the time")
    check("none found" not in report_text(trace), "no verdict", report_text(trace))


@case
def mode_auto_no_room(here):
    """The notes of windows fill what a flight recorder keeps: what has no note does not happen."""
    run = quiet(here.both(victim("flicker", "4500"), CUTRACE_MODE="auto", CUTRACE_LIMIT="512K",
                          CUTRACE_AUTO_THRESHOLD="50us", CUTRACE_AUTO_WINDOW="50us"))
    says_blind(run.trace(), "names, stacks and totals dropped")
    text = " ".join(report_text(run.trace()).split())
    dropped = int(re.search(r"(\d+) records? of names, stacks and totals dropped", text)[1])
    launched = names(run.trace())["cudaLaunchKernel"]
    if "light all through the part kept" in text:
        check(launched == 0 and dropped < 50, "there were no more windows", (launched, dropped))
    else:
        check(launched, "launches are there, as the report says", text)


@case
def mode_auto_yield_starting(here):
    """The program takes CUPTI while it is being started for a window: it gets it."""
    yields_when(here, " note code=6 .* CUDA driver", FAKE_CUPTI_SUBSCRIBE_US="300000")


@case
def mode_auto_yield_early(here):
    """The program has CUPTI before there is a window: it keeps it."""
    run = quiet(here.both([PATHS["PROFILER"], "early"], **{**AUTO, "CUTRACE_AUTO_THRESHOLD": "1us"}))
    check("the profiler saw all" in run.out, "it got its records", run.out)
    says_blind(run.trace(), "own profiler uses CUPTI since before the first window",
               "the mode was light all the time")
    no_losses(run.trace())


@case
def mode_by_option(here):
    run = here.bare(cutrace("run", "--mode", "light", "--cupti", "on", "--quiet", "--",
                            *victim("moments", "1000")))
    same(run.status, 0, "cutrace run")
    is_light(run.trace(), "wrapper")
    check("--mode=full|light|auto" in here.bare(cutrace("run", "--help")).out, "the help lists it")
