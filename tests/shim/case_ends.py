# SPDX-License-Identifier: Apache-2.0
"""The ways a program ends."""
import mmap
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from case_commands import wait_for
from harness import (CALLS_PER_ROUND, PATHS, Run, calls, case, check, cutrace, environment,
                     has_rounds, one_line, quiet, report_text, same, says_blind, says_clean,
                     table, trust, victim)

ROUNDS = 5


def clean(here, *arguments, rounds=ROUNDS):
    run = quiet(here.both(victim(*arguments)))
    has_rounds(run.trace(), rounds)
    says_clean(run.trace())
    return run


@trust("exit return")
def end_return(here):
    same(clean(here, "return").status, 7, "exit status")


@trust("exit exit")
def end_exit(here):
    same(clean(here, "exit").status, 3, "exit status")


@trust("exit _exit")
def end_fast_exit(here):
    same(clean(here, "_exit").status, 4, "exit status")


@trust("exit quick_exit")
def end_quick_exit(here):
    same(clean(here, "quick_exit").status, 5, "exit status")


@case
def end_exit_in_thread(here):
    same(clean(here, "exit_in_thread", rounds=2 * ROUNDS).status, 6, "exit status")


@case
def end_exit_in_handler(here):
    same(clean(here, "exit_in_handler").status, 9, "exit status")


@case
def end_cuda_in_handler(here):
    """Calls after our end are not recorded, but said and counted."""
    run = one_line(here.both(victim("cuda_in_handler")), "after the report", "cutrace report ")
    has_rounds(run.trace(), ROUNDS)
    same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
    says_blind(run.trace(), f"{ROUNDS * CALLS_PER_ROUND} calls after the trace was closed")


def killed(here, number, *arguments):
    """Nothing of ours can run at such an end: a trace without a report, made afterwards."""
    run = quiet(here.both(victim(*arguments)))
    same(run.status, -number, "killed by signal")
    report = here.bare(cutrace("report", run.trace()))
    same((report.status, report.err), (0, ""), "cutrace report")
    has_rounds(run.trace(), ROUNDS)
    says_blind(run.trace(), "cut off")
    check("cut off" in report.out, "the printed report says that the run was cut off", report.out)


@trust("exit abort")
def end_abort(here):
    killed(here, signal.SIGABRT, "abort")


@trust("exit SIGSEGV")
def end_segv(here):
    killed(here, signal.SIGSEGV, "signal", str(int(signal.SIGSEGV)))


@trust("exit SIGTERM")
def end_term(here):
    killed(here, signal.SIGTERM, "signal", str(int(signal.SIGTERM)))


@trust("exit SIGKILL")
def end_kill(here):
    killed(here, signal.SIGKILL, "signal", str(int(signal.SIGKILL)))


def kill_amid(here, after_s):
    folder = here.folder()
    counter = folder / "counter"
    counter.write_bytes(bytes(4096))
    child = subprocess.Popen(victim("until_killed", str(counter)), cwd=folder,
                             env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1"))
    with open(counter, "rb") as file, mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ) as page:
        deadline = time.monotonic() + 20
        while not any(page[:4]) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(after_s)
        child.kill()
        child.wait()
        returned = int.from_bytes(page[:4], sys.byteorder)
    report = Run(cutrace("report", next(folder.glob("cutrace.*"))), folder, {})
    same((report.status, report.err), (0, ""), "cutrace report")
    trace = report.trace()
    check(returned > 0, "the program worked before it was killed")
    found = len(calls(trace))
    check(returned <= found <= returned + 4, f"{returned} calls had returned, 4 threads", found)
    says_blind(trace, "cut off")


@case
def end_kill_amid(here):
    """Every call that had returned is there, whenever the kill comes."""
    for _ in range(5):
        kill_amid(here, random.uniform(0.01, 0.3))


@case
def end_exit_while_busy(here):
    run = quiet(here.both(victim("exit_while_busy")))
    check(len(calls(run.trace())) > 100, "the threads' calls are there")
    check("cut off" not in report_text(run.trace()), "the trace was closed")


@case
def end_exit_in_signal_handler(here):
    """_exit() may interrupt a call: no deadlock, and the trace is whole or says it is not."""
    run = quiet(here.both(victim("exit_in_signal_handler")))
    same(run.status, 11, "exit status")
    report = here.bare(cutrace("report", run.trace()))
    same((report.status, report.err), (0, ""), "cutrace report")
    check(len(calls(run.trace())) > 100, "the threads' calls are there")


@case
def end_exit_in_call(here):
    """_exit() from inside a call makes no last flush, which could wait for what that call holds."""
    run = quiet(here.both(victim("exit_in_call")))
    same(run.status, 11, "exit status")
    same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
    says_blind(run.trace(), "1 final flush that did not finish in time")


@case
def end_exit_amid_work(here):
    """What the device had not done has no record, and is counted: all of it, too."""
    for done in (3, 0):
        run = quiet(here.both(victim("exit_amid_work", str(done))))
        same([row["Name"] for row in calls(run.trace())].count("cudaLaunchKernel"), done + 2, "launches")
        same(len(table(run.trace(), "device")), done, "kernels in device.csv")
        says_blind(run.trace(), "what 2 calls submitted: no device record of it came (it had not "
                   "ended when the program did")


@case
def end_descriptor_2_closed(here):
    """No stderr: our messages go nowhere, least of all into a file of the program."""
    run = here.traced(["/bin/sh", "-c", 'exec "$0" work 10 2>&-', PATHS["VICTIM"]],
                      CUTRACE_QUIET="0")
    same((run.status, run.err), (12, ""), "exit status and stderr")
    check(run.out == "10 of 10 rounds worked\n", "stdout", run.out)
    check(os.listdir(run.folder), "the trace is there")


CLOCK_SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


@case
def end_clock_error_is_known(here):
    """Where times come from the counter, the trace says how far off they are before the end."""
    if not os.path.exists(CLOCK_SOURCE) or pathlib.Path(CLOCK_SOURCE).read_text() != "tsc\n":
        return 77
    folder = here.folder()
    child = subprocess.Popen(victim("moment_killed", "60000000"), cwd=folder,  # it sleeps so long
                             env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1"))
    try:
        wait_for(lambda: any("distance of the processor's counter" in
                             here.bare(cutrace("dump", trace)).out
                             for trace in folder.glob("cutrace.*")))
    finally:
        child.kill()
        child.wait()
    return 0
