# SPDX-License-Identifier: Apache-2.0
"""`cutrace prove`: what it measures, compares, and refuses. How long runs take is not tested."""
import os
import re

from harness import PATHS, case, check, cutrace, one_line, quiet, same, victim


def prove(here, *command, options=("--runs", "2"), **variables):
    run = here.bare(cutrace("prove", *options, "--", *command), **variables)
    check(not run.left(), "nothing is left", run.left())
    return run


def says(run, *texts):
    for text in texts:
        check(text in run.out, f"it prints {text!r}", run.out)
    return run


@case
def prove_free(here):
    run = quiet(prove(here, *victim("fix_loop")))
    same(run.status, 0, f"exit status: {run.out}")
    says(run, "fix free", "2 rounds", "20 of 20 frees of cudaMalloc memory did not wait",
         "0.1 MiB bare", "stdout    identical in all runs", "status    0 in all runs")
    check(re.search(r"^predicted .* to .*, most likely ", run.out, re.M), "a prediction", run.out)
    for arm in "bare", "fixed":
        check(re.search(rf"^{arm} +\d.*, plus or minus \d", run.out, re.M), arm, run.out)
    check(re.search(r"^saved .*; 95 % confidence: .* to ", run.out, re.M), "a saving", run.out)


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
    says(run, "status    DIFFERS: 0 in the first bare run, 3 in a fixed one")
    run = prove(here, *shell('test -z "$CUTRACE_FIX" || kill -9 $$'))
    says(run, "status    DIFFERS: 0 in the first bare run, signal 9 in a fixed one")


@case
def prove_refuses(here):
    for options, why in ((("--runs", "1"), "2 to 1000"), (("--runs", "x"), "2 to 1000"),
                         (("--fix", "none"), "--fix=free, --fix=pin and --fix=all"),
                         (("--no",), "no option")):
        run = prove(here, "/bin/true", options=options)
        same((run.status, run.out), (2, ""), f"exit status with {options}")
        check(why in run.err and "usage: cutrace prove" in run.err, "it says why", run.err)
    one_line(prove(here, "/no/such/program"), "/no/such/program", os.strerror(2))
    run = one_line(prove(here, "/bin/true"), "/bin/true", "used no CUDA")
    same(run.status, 1, "exit status")
