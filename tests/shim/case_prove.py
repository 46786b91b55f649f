# SPDX-License-Identifier: Apache-2.0
"""`cutrace prove`: what it measures, compares, and refuses. How long runs take is not tested."""
import os
import pathlib
import re
import signal
import subprocess
import time

from case_fix import LONG_NS, SLOT, SLOTS
from harness import (PATHS, TIMEOUT_S, case, check, cutrace, environment, one_line, quiet, same,
                     victim)


def prove(here, *command, options=("--runs", "2"), **variables):
    run = here.bare(cutrace("prove", *options, "--", *command), **variables)
    check(not run.left(), "nothing is left", run.left())
    return run


def says(run, *texts):
    """Whichever way lines are broken: the first one has a path in it."""
    flat = " ".join(run.out.split())
    for text in texts:
        check(" ".join(text.split()) in flat, f"it prints {text!r}", run.out)
    return run


@case
def prove_free(here):
    run = quiet(prove(here, *victim("fix_loop")))
    same(run.status, 0, f"exit status: {run.out}")
    says(run, "fix free", "2 rounds", "20 of 20 frees of cudaMalloc memory did not wait",
         "0.1 MiB bare", "stdout    identical in all runs", "status    0 in all runs")
    check(re.search(r"^predicted \d.*(, most likely .*)?, by one traced run$", run.out, re.M), "a prediction", run.out)
    for arm in "bare", "fixed":
        check(re.search(rf"^{arm} +\d.*, plus or minus \d", run.out, re.M), arm, run.out)
    check(re.search(r"^saved .*; 95 % confidence: .* to ", run.out, re.M), "a saving", run.out)
    check("exit handlers" not in run.out, "all was waited for", run.out)
    took = re.search(r"allocations and frees took threads ([\d.]+) ms bare and [\d.]+ [mu]s fixed: ([\d.]+) ms less",
                     " ".join(run.out.split()))
    check(took and float(took[1]) > 40 > float(took[1]) - float(took[2]), "20 waits of 2 ms and more in bare frees", run.out)
    says(run, "with the start and the end of the program and its context: ", "first allocation, copy, fill or launch")


@case
def prove_left_alone(here):
    """What a fix does not change is said, and why; and what memory it took."""
    says(prove(here, *victim("fix_kinds")), "predicted nothing to save", "changed   nothing: ",
         "left alone: 1 free of managed memory", "left alone: 1 free of arrays",
         "left alone: 2 frees of page-locked memory")
    says(prove(here, *victim("fix_beyond", "create")), "1 of 2 frees",
         "no free was changed from some moment on: a second context was used",
         "left alone: 1 free after that moment")
    says(prove(here, *victim("fix_bound_loop", "16")), "16.0 MiB bare, 80.0 MiB fixed",
         "the bound was 80.0 MiB", "waited for a freed block, and 0 blocks")


@case
def prove_at_once(here):
    """What the last frees would have waited for is missing from what is measured: that is said."""
    says(prove(here, *victim("fix_ends", "_exit")), "it may be too much: in 2 of 2 fixed runs a "
         "process ended without exit handlers (_exit(), exec, a signal)")


@case
def prove_static(here):
    """nvcc's default: the runtime inside the program."""
    run = quiet(prove(here, PATHS["STATIC"], "fix_loop"))
    same(run.status, 0, f"exit status: {run.out}")
    says(run, "20 of 20 frees", "identical in all runs")


@case
def prove_settings(here):
    """The user's own settings are for tracing and do not get into these runs."""
    run = quiet(prove(here, "/bin/sh", "-c", f"{PATHS['VICTIM']} fix_loop; echo $CUTRACE_MODE",
                      CUTRACE_MODE="light", CUTRACE_FIX="free"))
    says(run, "identical in all runs", "20 of 20 frees")
    check("predicted nothing" not in run.out, "a prediction", run.out)


def shell(text):
    """A program that does something with CUDA, and this."""
    return "/bin/sh", "-c", f"{PATHS['VICTIM']} fix_loop; {text}"


@case
def prove_processes(here):
    """Of several what is said is of the one that worked longest, not of the first; times are of all."""
    for how, processes in ((), 2), (("exec",), 3), (("looked",), 3):
        run = quiet(prove(here, *victim("fix_family", *how)))
        whose = f"of the process that worked longest when traced, of {processes} that used CUDA"
        says(run, "4 of 4 frees", f"by one traced run {whose} bare", f"and the memory, is {whose}",
             "in any of its processes")
        check(re.search(r"^predicted \d.* ms, by one", run.out, re.M), "of the same one", run.out)


@case
def prove_beside(here):
    """Also where another works longer than it once it waits no more."""
    run = quiet(prove(here, *victim("fix_beside")))
    says(run, "4 of 4 frees", "0.1 MiB bare, 0.2 MiB fixed")
    saved = " ".join(run.out[run.out.index("\nsaved"):run.out.index("\nchanged")].split())
    check("may be nothing" in saved or "; that is of one process, this of all" in saved, "not the same", saved)


@case
def prove_in_turn(here):
    """Of processes, one after the other, all of the work is measured."""
    one = f"{PATHS['VICTIM']} fix_ends quick_exit"
    run = quiet(prove(here, "/bin/sh", "-c", f"{one}; {one}"))
    for arm in "bare", "fixed":
        mean, unit = re.search(rf"^{arm} +([0-9.]+) (m?s)", run.out, re.M).groups()
        check(float(mean) * (1e6 if unit == "ms" else 1e9) >= 2 * LONG_NS, f"{arm}: of both", run.out)
    took = re.search(r"frees took threads +([\d.]+) ms bare", " ".join(run.out.split()))
    check(took and float(took[1]) * 1e6 >= 2 * LONG_NS, "frees of both", run.out)


@case
def prove_many_processes(here):
    """When one works is not known: nothing of it may be left out of what is measured."""
    more = 'test -z "$CUTRACE_FIX_COUNTS" || printf "\\1" | dd of=$CUTRACE_FIX_COUNTS conv=notrunc bs=4 ' \
           f"seek={SLOTS * SLOT // 4} status=none"
    run = quiet(prove(here, *shell(more)))
    says(run, "of the process that worked longest when traced, of 2 that used CUDA", "Times are of whole runs.")
    check("with the start and the end" not in run.out, "of some alone", run.out)


@case
def prove_left_behind(here):
    """What a process prints that outlives the program is no part of the next run's output."""
    late = "(while kill -0 $$ 2> /dev/null; do sleep 0.01; done; sleep 0.05; echo late) &"
    says(prove(here, *shell(late)), "identical in all runs")


@case
def prove_output_differs(here):
    run = one_line(prove(here, *shell("echo it is ${CUTRACE_FIX:-off}")), "changed its results")
    same(run.status, 1, "exit status")
    says(run, "stdout    DIFFERS in 2 of 2 fixed runs", "status    0 in all runs")


@case
def prove_numbers_differ(here):
    """Numbers that no two runs share prove nothing; words do."""
    run = quiet(prove(here, *shell("echo took $(date +%s.%N)")))
    same(run.status, 0, f"exit status: {run.out}")
    says(run, "stdout    the same but for numbers")
    run = prove(here, *shell("echo $(date +%N) ${CUTRACE_FIX:-off}"))
    same(run.status, 1, f"exit status: {run.out}")
    says(run, "stdout    DIFFERS in 2 of 2 fixed runs; the bare runs differ in numbers only")


@case
def prove_status_differs(here):
    run = one_line(prove(here, *shell("exit ${CUTRACE_FIX:+3}")), "changed its results")
    same(run.status, 1, "exit status")
    says(run, "status    DIFFERS: 0 without the library, 3 in a fixed one")
    run = prove(here, *shell('test -z "$CUTRACE_FIX" || kill -9 $$'))
    says(run, "status    DIFFERS: 0 without the library, signal 9 in a fixed one")


@case
def prove_refuses(here):
    for options, why in ((("--runs", "1"), "2 to 1000"), (("--runs", "x"), "whole number"),
                         (("--fix", "none"), "--fix takes free|pin|all"),
                         (("--no",), "unknown option --no")):
        run = one_line(prove(here, "/bin/true", options=options), why, "cutrace prove --help")
        same((run.status, run.out), (2, ""), f"exit status with {options}")
    one_line(prove(here, "/no/such/program"), "/no/such/program", os.strerror(2))
    run = one_line(prove(here, "/bin/true"), "/bin/true", "used no CUDA")
    same(run.status, 1, "exit status")


def is_running(pid):
    """Zombies, whom somebody else has to reap, run no more."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def until(holds):
    end = time.monotonic() + TIMEOUT_S
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def heeded():
    """As of a terminal, also if these tests were started by nohup."""
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.SIG_DFL)


def interrupted(here, number, trap=""):
    """
    Send a signal in the first run, whose program has started another one. Both must have ended
    when prove has, by the signal, and its files must be gone.
    """
    folder = here.folder()
    said = folder / "said"
    program = (f"{trap} sleep {2 * TIMEOUT_S} & "
               f"echo $! $$ $CUTRACE_OUTPUT > {said}.new; mv {said}.new {said}; wait; wait")
    prove = subprocess.Popen(cutrace("prove", "--runs", "2", "--", "/bin/sh", "-c", program),
                             env=environment(), cwd=folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heeded)
    try:
        check(until(said.exists), "the program started")
        *pids, output = said.read_text().split()
        check(pathlib.Path(output).parent.is_dir(), "files of prove", output)
        prove.send_signal(number)
        out, err = prove.communicate(timeout=TIMEOUT_S)
    finally:
        prove.kill()
    same((prove.returncode, out, err), (-number, b"", b""), f"its end by {number!r}")
    check(not pathlib.Path(output).parent.exists(), "the files are gone", output)
    check(until(lambda: not any(map(is_running, pids))), "the program has ended", pids)


@case
def prove_interrupted(here):
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        interrupted(here, number)


@case
def prove_interrupted_in_vain(here):
    """A program that goes on all the same is killed."""
    interrupted(here, signal.SIGINT, "trap '' INT;")
