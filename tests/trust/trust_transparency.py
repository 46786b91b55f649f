# SPDX-License-Identifier: Apache-2.0
"""What a program, its parent and its children can see is as without us."""
import resource
import signal
import subprocess

from harness import (PATHS, TIMEOUT_S, Failed, calls, check, cutrace, environment, quiet, same, trust,
                     victim)

MODES = ({}, {"CUTRACE_CUPTI": "off"}, {"CUTRACE_MODE": "light"}, {"CUTRACE_MODE": "auto"},
         {"CUTRACE_LIMIT": "1M"})


def guest(*arguments):
    return [PATHS["GUEST"], *map(str, arguments)]


def alike(here, *arguments, modes=MODES):
    """Bare and in every mode it prints the same and ends the same; returns what it prints."""
    for mode in modes:
        run = quiet(here.both(guest(*arguments), **mode))
        check(run.traces(), "there is a trace", run.left())
    return run


def no_core():
    """Nor anything that who runs us has made of signals, as nohup does."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def under_run(here, command):
    return here.bare(cutrace("run", "--quiet", "--", *command), no_core)


@trust("transparency exit status")
def exit_status(here):
    for how in "return", "exit", "_exit", "_Exit", "group", "thread":
        for status in 0, 1, 77, 128, 255:
            command = guest("ends", how, status)
            same(quiet(here.both(command)).status, status, f"status of {how}, preloaded")
        same(under_run(here, command).status, status, f"status of {how}, under cutrace run")
    for status in range(2, 255, 36):
        same(under_run(here, guest("ends", "return", status)).status, status, "status of the run")


@trust("transparency killed by signal")
def killed_by_signal(here):
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP,
                   signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGKILL, signal.SIGUSR1,
                   signal.SIGSEGV, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM, signal.SIGXCPU,
                   signal.SIGSYS, signal.SIGRTMIN + 3):
        command = guest("dies", int(number))
        same(quiet(here.both(command, no_core)).status, -number, f"killed by {number}")
        same(under_run(here, command).status, -number, f"killed by {number} under cutrace run")


def talk(here, into_one, **variables):
    """Bytes of stdout and stderr, or of one pipe for both; and what is left of the input."""
    done = subprocess.run(guest("talks"), cwd=here.folder(), input=b"in\0put\xff" * 9,
                          env=environment(**variables), timeout=TIMEOUT_S, check=False,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT if into_one else subprocess.PIPE)
    return done.stdout, done.stderr, done.returncode


@trust("transparency stdout and stderr")
def output(here):
    """Byte for byte, also where both are one pipe; the summary comes behind, on stderr alone."""
    ours = {"LD_PRELOAD": PATHS["LIB"], "CUTRACE_QUIET": "1"}
    for into_one in False, True:
        bare = talk(here, into_one)
        check(len(bare[0]) > 1200 and bare[2] == 30, "the program talked", bare)
        for mode in MODES:
            same(talk(here, into_one, **ours, **mode), bare, f"output under {mode}")
    bare, loud = talk(here, False), talk(here, False, LD_PRELOAD=PATHS["LIB"])
    same((loud[0], loud[2]), (bare[0], bare[2]), "stdout and status with the summary")
    check(loud[1].startswith(bare[1]) and b"\ncutrace: guest" in loud[1][len(bare[1]) - 1:] or
          loud[1][len(bare[1]):].startswith(b"cutrace: guest"), "the summary comes last", loud[1])
    for closed in ">&-", "2>&-", ">/dev/full", "2>/dev/full", "<&-":
        command = ["/bin/sh", "-c", f"exec {PATHS['GUEST']} talks {closed}"]
        run, bare = here.traced(command), here.bare(command)
        same((run.out, run.err, run.status), (bare.out, bare.err, bare.status), closed)


def every_wrapper_keeps(here, program, arguments):
    """errno, and the results of the real functions: the bare program prints the same."""
    run = here.both([PATHS[program], arguments])
    check(run.out.count("\n") > 100, "many functions were called", run.out)
    for line in run.out.splitlines():
        check(line.endswith("errno 1234"), "errno is kept", line)


@trust("transparency errno")
def errno(here):
    """Kept by every wrapper of the runtime and of the driver, by first and later calls."""
    for mode in MODES[:2]:
        run = quiet(here.both(victim("errno"), **mode))
        same(len(calls(run.trace())), 6, "calls in calls.csv")
        same(run.out.count("errno 1234"), 6, "calls after which errno is as before")
    for program in "PROFILER", "PROFILER_LINKED":
        run = quiet(here.both([PATHS[program]]))
        check("errno 1234 after subscribing" in run.out, f"{program}: errno is kept", run.out)
    for program in "EVERY", "EVERY_DRIVER":
        for arguments in "null", "page":
            every_wrapper_keeps(here, program, arguments)


@trust("transparency last CUDA error")
def last_error(here):
    """Ours are never the program's, and its own stay until it asks; in each thread."""
    run = alike(here, "errs")
    for line in ("before anything: 0 0 0 0", "after malloc: 1 1 1 0",
                 "thread, after a failure: 21 21 21 0", "none since: 0 0 0 0"):
        check(line in run.out, f"the runtime says {line!r}", run.out)


@trust("transparency floating point environment")
def floating_point(here):
    """Rounding, flushing, precision and traps; and nothing of ours traps."""
    run = alike(here, "computes")
    check("after many calls: mxcsr" in run.out and run.status == 33, "it came through", run.out)


@trust("transparency signal mask")
def signal_mask(here):
    """Masks, dispositions, what is pending; and no thread of ours takes a signal."""
    run = alike(here, "blocks")
    check(f"taken by the thread that waits: {int(signal.SIGUSR1)}" in run.out, "SIGUSR1", run.out)
    for mode in MODES[:2]:
        quiet(here.both(victim("mask"), **mode))


def but_for_a_moment(here, mode, arguments):
    """Our thread has the trace open for a moment at times, and then the number: not thrice in a row."""
    for attempt in range(3):
        try:
            return here.both(victim(*arguments), **mode)
        except Failed:
            if attempt == 2:
                raise


@trust("transparency descriptor numbers")
def descriptors(here):
    """The next number is the same; all may be closed, and used again, and we use none of them."""
    for mode in MODES:
        for arguments in ("descriptors",), ("close_descriptors",), ("reuse_descriptors", "file"):
            run = quiet(but_for_a_moment(here, mode, arguments))
            check(run.traces(), "there is a trace", run.left())


def ours(line):
    return line.startswith(("LD_PRELOAD=", "CUTRACE_QUIET=", "CUDA_INJECTION64_PATH=", "NVTX_INJECTION64_PATH="))


@trust("transparency environment of children")
def environment_of_children(here):
    """What is preloaded for the program is for its children, as ever, and nothing else is new."""
    run = quiet(here.traced(guest("bears")))
    bare = here.bare(guest("bears"))
    same(run.status, bare.status, "status")
    traced, plain = run.out.splitlines(), bare.out.splitlines()
    skip = ("PWD=", "OLDPWD=")  # the folder of the run
    same(sorted(line for line in traced if not ours(line) and not line.startswith(skip)),
         sorted(line for line in plain if not line.startswith(skip)), "what children find")
    parts = run.out.split("--\n")
    same(len(parts), 4, "children")
    added = {f"LD_PRELOAD={PATHS['LIB']}", "CUTRACE_QUIET=1",
             f"CUDA_INJECTION64_PATH={PATHS['LIB']}", f"NVTX_INJECTION64_PATH={PATHS['LIB']}"}
    for part, wanted in zip(parts, (added, set(), added, set())):
        same({line for line in part.splitlines() if ours(line)}, wanted, "what is ours of it")
    check("SET_BY_PROGRAM=yes" in parts[0] and parts[1] == "ONLY=this\n", "theirs", parts)
    same(len(run.traces()), 1, "traces: children without CUDA leave none")
