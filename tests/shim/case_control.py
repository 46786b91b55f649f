# SPDX-License-Identifier: Apache-2.0
"""CUTRACE_START and `cutrace ctl`: what is recorded of programs that are told when."""
import collections
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from harness import (PATHS, TIMEOUT_S, calls, case, check, cutrace, environment, one_line, quiet,
                     report_text, same, says_blind, table, victim)

CALLS = ("cudaLaunchKernel", "cudaMalloc", "cudaMemset", "cudaMemcpy", "cudaDeviceSynchronize",
         "cudaFree")


class Server:
    """victim serve, which does so many rounds when told to."""

    def __init__(self, folder, mode="serve", **variables):
        self.folder = folder
        self.process = subprocess.Popen(
            victim(mode), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env=environment(LD_PRELOAD=PATHS["LIB"], CUTRACE_QUIET="1", **variables))

    def serve(self, rounds):
        self.process.stdin.write(f"{rounds}\n")
        self.process.stdin.flush()
        same(self.process.stdout.readline(), f"{rounds} rounds served\n", "what it says")

    def trace(self):
        return next(path.parent for path in self.folder.rglob("trace.cutrace"))

    def ctl(self, verb, status=0):
        done = subprocess.run(cutrace("ctl", self.trace(), verb), env=environment(),
                              timeout=TIMEOUT_S, capture_output=True, text=True, check=False)
        same(done.returncode, status, f"cutrace ctl {verb} ({done.stdout} {done.stderr})")
        return done.stdout + done.stderr

    def until(self, word):
        """Wait until `cutrace ctl status` says it."""
        deadline = time.monotonic() + TIMEOUT_S
        while word not in self.ctl("status"):
            check(time.monotonic() < deadline, f"the status becomes {word!r}", self.ctl("status"))
            time.sleep(0.05)

    def end(self, out=""):
        rest, err = self.process.communicate(timeout=TIMEOUT_S)
        same((self.process.returncode, rest), (0, out), f"how it ends (stderr {err!r})")
        return err


@contextlib.contextmanager
def server(here, mode="serve", **variables):
    it = Server(here.folder(), mode, **variables)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            it.process.kill()
        it.process.communicate()


def has_exactly(trace, rounds):
    """These rounds' calls and their device work, and nothing else."""
    same(collections.Counter(row["Name"] for row in calls(trace)),
         collections.Counter({name: rounds for name in CALLS} if rounds else {}), "calls in calls.csv")
    same(collections.Counter(row["Kind"] for row in table(trace, "device")),
         collections.Counter({"kernel": rounds, "memset": rounds, "copy": rounds} if rounds else {}), "device work")
    launched = {row["Correlation"] for row in calls(trace) if row["Name"] == "cudaLaunchKernel"}
    same({row["Correlation"] for row in table(trace, "device") if row["Kind"] == "kernel"}, launched,
         "whose kernels they are")


def says_windows(trace, count):
    text = " ".join(report_text(trace).split())
    found = re.search(r"NOT seen calls and device work outside (\d+) windows? of [\d.]+ \w+ in all, "
                      r"([\d.]+) % of the [\d.]+ \w+ since the first use of CUDA \((.*?)\): they were "
                      r"not even counted, and nothing is extrapolated", text)
    check(found and int(found[1]) == count, f"the report tells of {count} windows", text)
    same(found[3].count("from "), count, "windows that it lists")
    check("(light" not in text and "WRONG" not in text, "no word of another mode", text)


@case
def control_windows(here):
    """Two windows by `cutrace ctl`, a report in the midst of the second, nothing from outside."""
    with server(here, CUTRACE_START="signal") as it:
        it.serve(2)
        check("not recording" in it.ctl("status") and "0 calls" in it.ctl("status"), "it waits")
        same((pathlib.Path("/proc") / str(it.process.pid) / "maps").read_text().count("libcupti"), 0, "CUPTI is not loaded")
        check("recording\n" in it.ctl("start"), "it starts")
        it.serve(3)
        it.ctl("stop")
        check("as before" in it.ctl("stop"), "stopping twice")
        it.serve(5)
        it.ctl("start")
        check("already" in it.ctl("start"), "starting twice")
        it.serve(1)
        check("windows so far 2; 24 calls" in it.ctl("status"), "status", it.ctl("status"))
        report = it.ctl("report-now")
        check("24 calls in 1 thread, 12 device operations" in report, "what is there", report)
        check("still going" in report, "that it goes on", report)
        has_exactly(it.trace(), 4)
        it.serve(2)
        same(it.end(), "", "stderr")
        has_exactly(it.trace(), 6)
        says_windows(it.trace(), 2)
        check("ended" in it.ctl("status"), "it ended")
        check("has ended" in it.ctl("start", status=1), "too late")


@case
def control_stop_first(here):
    """A program that recorded from the start is stopped, as CUPTI's records still come, and goes on."""
    with server(here, CUTRACE_LIMIT="4M") as it:
        it.serve(3)
        it.ctl("stop")
        it.serve(4)
        it.ctl("start")
        it.serve(2)
        same(it.end(), "", "stderr")
        has_exactly(it.trace(), 5)
        says_windows(it.trace(), 2)
        check("All windows: call sites" in report_text(it.trace()), "totals are of windows only")


@case
def control_several(here):
    """One folder, two programs, one of which dies; and what cannot be controlled says so."""
    folder = here.folder()
    with server(here, CUTRACE_START="signal", CUTRACE_OUTPUT=f"{folder}/a") as one, \
            server(here, CUTRACE_START="signal", CUTRACE_OUTPUT=f"{folder}/b") as two:
        one.serve(1)
        two.serve(1)
        one.folder = two.folder = folder
        done = here.bare(cutrace("ctl", folder, "start"))
        same((done.status, done.out), (0, f"{folder}/a: recording\n{folder}/b: recording\n"), "both")
        two.process.kill()
        os.waitid(os.P_PID, two.process.pid, os.WEXITED | os.WNOWAIT)
        check("died" in here.bare(cutrace("ctl", f"{folder}/b", "status")).out, "it is a zombie")
        two.process.wait()
        done = here.bare(cutrace("ctl", folder, "stop"))
        check(done.status == 1 and f"{folder}/a: not recording" in done.out
              and f"{folder}/b: the program has ended" in done.err, "one is left", done.out + done.err)
        check("died" in here.bare(cutrace("ctl", f"{folder}/b", "status")).out, "it died")
        one.end()
    bad = here.folder()
    (bad / "trace.cutrace").symlink_to(folder / "a/trace.cutrace")
    check("link" in here.bare(cutrace("ctl", bad, "start")).err, "no link is followed")
    for wrong in ([], [folder], [folder, "go"], ["--go", folder, "start"]):
        same(here.bare(cutrace("ctl", *wrong)).status, 2, f"ctl {wrong}")


@case
def control_hostile(here):
    """Whatever is written where `cutrace ctl` asks: the program lives, and answers again."""
    with server(here, CUTRACE_START="signal") as it:
        it.serve(1)
        with open(it.trace() / "trace.cutrace", "r+b") as file:
            file.seek(696)
            file.write(b"\xff" * 64)
        it.serve(1)
        it.until("not recording for")
        with open(it.trace() / "trace.cutrace", "r+b") as file:
            file.seek(696)
            file.write(b"\x63\x01\x00\x00")
            file.flush()
            time.sleep(1.2)
            file.seek(700)
            same(file.read(8), b"\x63\x01\x00\x00\xea\xff\xff\xff", "the answer, -EINVAL")
        it.ctl("start")
        it.serve(2)
        same(it.end(), "", "stderr")
        has_exactly(it.trace(), 2)


@case
def control_delay(here):
    with server(here, CUTRACE_START="delay:700ms") as it:
        it.serve(2)
        it.until("recording (full)")
        it.serve(3)
        same(it.end(), "", "stderr")
        has_exactly(it.trace(), 3)
        says_windows(it.trace(), 1)


@case
def control_never(here):
    """No window at all: nothing is recorded, and the report says just that."""
    run = quiet(here.both(victim("profiled"), CUTRACE_START="delay:18446744073s"))
    has_exactly(run.trace(), 0)
    says_blind(run.trace(), "anything: no window was begun in the")
    run = one_line(here.both(victim("profiled"), CUTRACE_START="delay:soon"), "not understood")
    has_exactly(run.trace(), 14)


@case
def control_signal(here):
    """By a signal that was named, where the program leaves it alone."""
    with server(here, CUTRACE_START="signal:USR2") as it:
        it.serve(1)
        it.process.send_signal(signal.SIGUSR2)
        it.until("recording (full)")
        it.serve(2)
        it.process.send_signal(signal.SIGUSR2)
        it.until("not recording")
        it.serve(1)
        same(it.end(), "", "stderr")
        has_exactly(it.trace(), 2)
    with server(here, "serve_signals", CUTRACE_START="signal:USR2") as it:
        it.serve(1)
        it.process.send_signal(signal.SIGUSR2)
        it.ctl("start")
        it.serve(2)
        err = it.end("1 signals\n")
        check(err.count("\n") == 1 and "SIGUSR2 is the program's own" in err, "stderr", err)
        has_exactly(it.trace(), 2)


@case
def control_signal_in_child(here):
    """A forked child has our handler, but is not recorded: the signal ends it, as it does without us."""
    quiet(here.both(victim("signalled_fork"), CUTRACE_START="signal:USR2")).trace()


@case
def control_api(here):
    """cudaProfilerStart() to cudaProfilerStop(), however the runtime comes."""
    for program in (PATHS["VICTIM"], PATHS["STATIC"]):
        for cupti in ("yield", "on"):
            run = quiet(here.both([program, "profiled"], CUTRACE_START="api", CUTRACE_CUPTI=cupti))
            same(run.out, "the driver was told 6 times\n", "the driver")
            same(len(table(run.trace(), "device")), 18, "device operations of 6 rounds")
            same(len(calls(run.trace())), 36, "calls of 6 rounds")
            says_windows(run.trace(), 2)
    has_exactly(quiet(here.both(victim("profiled"), CUTRACE_START="api")).trace(), 6)
    for mode in ("light", "auto"):
        run = quiet(here.both(victim("profiled"), CUTRACE_START="api", CUTRACE_MODE=mode,
                              CUTRACE_AUTO_THRESHOLD="30s"))
        same(collections.Counter(row["Name"] for row in calls(run.trace())),
             collections.Counter({name: 6 for name in CALLS[1:]}), f"calls of {mode} windows")
    has_exactly(quiet(here.both(victim("profiled_fork"), CUTRACE_START="api")).trace(), 3)
    run = quiet(here.both(victim("profiled_threads"), CUTRACE_START="api"))
    says_blind(run.trace(), "outside")


@case
def control_late(here):
    """Work that ends many windows later: what is no longer known to be of one is counted."""
    folder = quiet(here.both(victim("profiled_behind", "20"), CUTRACE_START="api")).trace()
    same(len(calls(folder)), 20, "calls")
    same(len(table(folder, "device")), 16, "device operations")
    says_blind(folder, "4 device records that came many windows late")


@case
def control_not_asked(here):
    """Without CUTRACE_START the profiler's functions mean nothing to us."""
    run = quiet(here.both(victim("profiled")))
    has_exactly(run.trace(), 14)
    check("outside" not in report_text(run.trace()), "all of it", report_text(run.trace()))
