# SPDX-License-Identifier: Apache-2.0
"""The cutrace command."""
import csv
import os
import pathlib
import shutil
import signal
import subprocess
import time

from harness import (PATHS, calls, case, check, cutrace, environment, has_rounds, one_line, quiet,
                     report_text, same, says_blind, says_clean, victim)

ROUNDS = 5

HEADERS = {
    "calls": "Start (ns),Duration (ns),Name,Result,Thread,Correlation,Context,Stream,Bytes,"
             "Address,Origin,Device Wait (ns),Lock Wait (ns),Queue Full (ns),Transfer (ns),"
             "First Use (ns),Tool (ns),Driver Work (ns),Unexplained (ns),Call Site",
    "device": "Start (ns),Duration (ns),Kind,Name,Device,Context,Stream,Correlation,Bytes,"
              "Direction,Source Memory,Target Memory,Grid,Block,Registers,Shared (bytes)",
    "blocked": "Start (ns),Thread,Call,Class,Blocked (ns),Waited For,Waited For Stream,"
               "Waited For Start (ns),Waited For End (ns),Why,Call Site",
    "serialized": "Culprit,Culprit Start (ns),Culprit Thread,Culprit Call Site,Waited For,Victim,"
                  "Victim Stream,Victim Start (ns),Delay (ns),Lost (ns),Evidence",
    "callsites": "Call Site,Call,Calls,Total (ns),Blocked (ns),Class,Waited For,Lost (ns),Remedy,"
                 "Stack",
    "cuda_api_sum": "Time (%),Total Time (ns),Num Calls,Avg (ns),Med (ns),Min (ns),Max (ns),"
                    "StdDev (ns),Name",
    "cuda_gpu_kern_sum": "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),"
                         "StdDev (ns),Name",
}


def run_under(here, *arguments, options=(), **variables):
    return here.bare(cutrace("run", *options, "--", *victim(*arguments)), CUTRACE_QUIET="1",
                     **variables)


@case
def run_status(here):
    for mode, status in (("return", 7), ("exit", 3), ("_exit", 4), ("without_cuda", 13)):
        run = quiet(run_under(here, mode))
        same(run.status, status, f"exit status of {mode}")
        same(run.out, here.bare(victim(mode)).out, f"stdout of {mode}")
        same(len(run.traces()), mode != "without_cuda", f"traces of {mode}")


@case
def run_from_odd_folder(here):
    """LD_PRELOAD ends names at spaces and colons, and folders have them."""
    odd = here.folder() / "a b:c"
    for source, target in ((PATHS["CUTRACE"], "bin"), (PATHS["LIB"], "lib")):
        (odd / target).mkdir(parents=True)
        shutil.copy(source, odd / target)
    run = here.bare([str(odd / "bin/cutrace"), "run", "--", *victim("return")], CUTRACE_QUIET="1")
    same((run.status, run.err), (7, ""), "exit status and stderr")
    has_rounds(run.trace(), ROUNDS)
    run = here.bare([str(odd / "bin/cutrace"), "doctor"])
    check(run.status == 0, "doctor finds that all works", run.out + run.err)


@case
def bad_options(here):
    for arguments, why in ((("report", "--bad", "x"), "unknown option --bad"),
                           (("report", "--output"), "--output needs a value"),
                           (("pack", "--bad", "x"), "unknown option --bad")):
        run = one_line(here.bare(cutrace(*arguments)), f"cutrace: {arguments[0]}: {why}")
        same(run.status, 2, f"exit status of {arguments}")


@case
def gpu_memory(here):
    text = " ".join(report_text(run_under(here, "return").trace()).split())
    check("CUPTI sets aside 9.2 MiB or more of GPU memory in each context (3 buffers of" in text,
          "what CUPTI takes of the GPU's memory is stated", text)


@case
def run_without_dashes(here):
    same(here.bare(cutrace("run", *victim("exit"))).status, 3, "exit status of `run PROGRAM`")
    same(here.bare(cutrace(*victim("exit"))).status, 3, "exit status of `cutrace PROGRAM`")


@case
def run_signal(here):
    """Ends by the program's signal; the report is made although the program could not."""
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
        run = here.bare(cutrace("run", "--", *victim("signal", str(int(number)))))
        same(run.status, -number, "killed by signal")
        has_rounds(run.trace(), ROUNDS)
        says_blind(run.trace(), "cut off")
        check("cut off" in run.err, "the summary is on stderr", run.err)
        check(not list(run.folder.glob("core*")), "no core of cutrace's")


@case
def run_signal_quiet(here):
    run = quiet(run_under(here, "signal", str(int(signal.SIGKILL))))
    says_blind(run.trace(), "cut off")


def wait_for(what, deadline_s=20, named="the program starts"):
    deadline = time.monotonic() + deadline_s
    while not what():
        check(time.monotonic() < deadline, f"{named} in time")
        time.sleep(0.01)


@case
def run_without_report(here):
    run = quiet(run_under(here, "return", options=["--report=0"]))
    same([path.name for path in run.trace().iterdir()], ["trace.cutrace"], "files")


@case
def run_terminated(here):
    """A signal sent to cutrace reaches the program."""
    folder = here.folder()
    counter = folder / "counter"
    counter.write_bytes(bytes(4096))
    child = subprocess.Popen(cutrace("run", "--", *victim("until_killed", str(counter))),
                             cwd=folder, env=environment(CUTRACE_QUIET="1"),
                             stderr=subprocess.PIPE)
    wait_for(lambda: any(counter.read_bytes()[:4]))
    child.terminate()
    child.communicate(timeout=30)
    same(child.returncode, -signal.SIGTERM, "cutrace ends by the signal")
    says_blind(next(folder.glob("cutrace.*")), "cut off")


@case
def run_missing_program(here):
    run = here.bare(cutrace("run", "--", "/nonexistent/program"))
    same(run.status, 127, "exit status")
    one_line(run, "/nonexistent/program", "No such file")
    plain = here.folder() / "plain"
    plain.write_text("not a program")
    run = here.bare(cutrace("run", "--", str(plain)))
    same(run.status, 126, "exit status")
    one_line(run, str(plain), "Permission denied")


@case
def run_options(here):
    run = quiet(run_under(here, "return", options=["--output=named", "--stacks", "0"]))
    same(run.trace(), run.folder / "named", "where the trace is")
    says_clean(run.trace())
    sites = {row["Call Site"] for row in calls(run.trace())}
    check(len(sites) == 1, "no call has a site without stacks", sites)
    run = quiet(run_under(here, "return", options=["--disable=1"]))
    check(not run.left(), "nothing is left", run.left())


@case
def run_cupti_mode(here):
    """A switch that also takes a word."""
    for options, blind in ((["--cupti=off"], True), (["--cupti", "off"], True),
                           (["--cupti", "yield"], False), (["--cupti"], False)):
        run = quiet(run_under(here, "return", options=options))
        same("NOT seen" in report_text(run.trace()), blind, f"blind with {options}")


@case
def run_unknown_option(here):
    run = one_line(run_under(here, "return", options=["--colour=red"]), "--colour=red",
                   "cutrace run --help")
    same((run.status, run.out), (2, ""), "status and stdout: the program has not run")
    for arguments in (["--output"], []):
        same(here.bare(cutrace("run", *arguments)).status, 2, f"status of run {arguments}")


@case
def run_short_option(here):
    """-x is no program."""
    run = here.bare(cutrace("run", "-x", *victim("return")))
    same(run.status, 2, f"exit status (stderr {run.err!r})")


@case
def run_leaves_no_list(here):
    folder = here.folder()
    run = here.bare(cutrace("run", "--", *victim("return")), TMPDIR=str(folder))
    left = [path for path in pathlib.Path("/tmp").glob("cutrace-run.*")
            if path.stat().st_mtime > time.time() - 5 and not path.stat().st_size]
    same((run.status, left), (7, []), "status and lists left")


@case
def bad_traces(here):
    """Missing, garbage, empty: one line, status 1."""
    folder = here.folder()
    for name, data in (("empty", b""), ("garbage", os.urandom(100000)), ("short", b"CUTRACE\0"),
                       ("zero", bytes(100000))):
        (folder / name).mkdir()
        (folder / name / "trace.cutrace").write_bytes(data)
    (folder / "hollow").mkdir()
    (folder / "file").write_text("x")
    for name in ("missing", "hollow", "file", "empty", "garbage", "short", "zero"):
        for command in ("report", "dump"):
            run = one_line(here.bare(cutrace(command, folder / name)), name)
            same((run.status, run.out), (1, ""), f"status and stdout of {command} {name}")


@case
def known_frameworks(here):
    """PyTorch that frees every tensor for real is told which variable does that; and what .item() is."""
    text = " ".join(report_text(here.traced(victim("tensors")).trace()).split())
    check("instead: unset PYTORCH_NO_CUDA_MEMORY_CACHING: " in text, "as the remedy", text)
    check("If you let PyTorch cache memory (unset PYTORCH_NO_CUDA_MEMORY_CACHING)" in text,
          "and for what it saves", text)
    same(text.count("instead: keep the value on the device: .item(), "), 1, f".item(): {text}")
    check("keep the value on the device (no .item()" in text, "and for what that saves", text)
    text = report_text(here.traced(victim("fix_loop")).trace())
    check("PYTORCH" not in text and ".item()" not in text and "If you free in stream order" in text, "other programs are not", text)


@case
def truncated_trace(here):
    """Any prefix with a whole header is read as far as it goes and never looks clean."""
    whole = (here.traced(victim("work", "2000")).trace() / "trace.cutrace").read_bytes()
    for length in (4096, 65536, 100001, len(whole) // 2, len(whole) - 1):
        folder = here.folder()
        (folder / "trace.cutrace").write_bytes(whole[:length])
        run = here.bare(cutrace("report", folder))
        nothing = "Nothing was recorded of this run" in report_text(folder)
        same(run.status, int(nothing), f"status of the report at {length} bytes")
        if nothing:
            one_line(run, "nothing was recorded before the trace was cut")
        if length < len(whole) // 2 + 1:
            check("NOT seen" in report_text(folder),
                  f"the report of {length} of {len(whole)} bytes is not clean",
                  report_text(folder))
        check(nothing or length > 4096, f"nothing is left in {length} bytes", report_text(folder))
        same(here.bare(cutrace("dump", folder)).status, 0, f"dump at {length} bytes")


@case
def dump(here):
    run = here.bare(cutrace("dump", here.traced(victim("work", "3")).trace()))
    same((run.status, run.err), (0, ""), "status and stderr")
    check(run.out.startswith("trace version "), "the header comes first", run.out[:200])
    same(sum("] call api=" in line for line in run.out.splitlines()), 12, "calls")


@case
def whatif(here):
    folder = here.traced(victim("work", "3")).trace()
    run = here.bare(cutrace("whatif", folder))
    same((run.status, run.err), (0, ""), "status and stderr")
    check("What a change would save" in run.out and "Nothing is predicted" not in run.out,
          "it predicts", run.out)
    same(run.out.split("What a change")[1].strip().splitlines()[1:3],
         report_text(folder).split("What a change")[1].strip().splitlines()[1:3], "as in the report")
    end = here.traced(victim("fix_loop"), CUTRACE_QUIET="0").err.replace("\n  ", " ")
    check("If you free in stream order or to a pool at " in end and "(cudaFree, 20 calls): saves " in end
          and "; prove it with: cutrace prove --fix free -- PROGRAM" in end, "the best at the end", end)
    run = here.traced(victim("work", "3"), CUTRACE_CUPTI="off", CUTRACE_QUIET="0")
    check("If you" not in run.err, "nothing where nothing is predicted", run.err)
    folder = run.trace()
    run = here.bare(cutrace("whatif", folder))
    check(run.status == 1 and "Nothing is predicted: " in run.out, "and says where it cannot", run.out)
    check(not (folder / "whatif.csv").exists(), "no empty table")


@case
def help_and_version(here):
    run = quiet(here.bare(cutrace("--version")))
    check(run.status == 0 and run.out.startswith("cutrace "), "--version", run.out)
    for arguments in (["--help"], ["run", "--help"], ["report", "--help"], ["dump", "--help"],
                      ["whatif", "--help"], ["doctor", "--help"]):
        run = quiet(here.bare(cutrace(*arguments)))
        check(run.status == 0 and "usage: cutrace" in run.out, f"{arguments}", run.out)
    for arguments in ([], ["frob"], ["report"], ["dump"], ["report", "--frob"], ["dump", "-x"],
                      ["whatif"], ["whatif", "-x"], ["whatif", "a", "b"], ["doctor", "x"]):
        run = here.bare(cutrace(*arguments))
        check(run.status == 2 and not run.out and run.err, f"{arguments}: status 2, on stderr",
              (run.status, run.out, run.err))
        check(len(run.err.splitlines()) < 25, f"{arguments} is short", run.err)


@case
def run_help_lists_all(here):
    out = here.bare(cutrace("run", "--help")).out
    for option in ("output=", "quiet[=", "report[=", "stacks[=", "cupti[=", "cupti-library=",
                   "limit=", "disable[="):
        check(f"--{option}" in out, f"--{option} is listed", out)


@case
def doctor(here):
    run = quiet(here.bare(cutrace("doctor")))
    check(run.status == 0 and "works here" in run.out and "NO " not in run.out, "all is well",
          (run.status, run.out))
    check(not run.left(), "nothing is left", run.left())


@case
def doctor_finds(here):
    for variables, text in (({"FAKE_NO_DEVICE": "1"}, "cuInit failed"),
                            ({"LD_LIBRARY_PATH": "/nonexistent"}, "install the NVIDIA driver"),
                            ({"CUTRACE_CUPTI_LIBRARY": "/nonexistent"}, "/nonexistent"),
                            ({"FAKE_CUPTI_FAIL": "permission"}, "ask the administrator"),
                            ({"FAKE_CUPTI_FAIL": "taken"}, "one tool at a time")):
        run = here.bare(cutrace("doctor"), **variables)
        check(run.status == 1 and "NO " in run.out and text in run.out, f"{variables}: {text}",
              (run.status, run.out, run.err))
        check("not see everything" in run.out, "the verdict", run.out)


@case
def second_run(here):
    """Into the same output: both traces remain."""
    folder = here.folder()
    first = here.traced(victim("work", "2"), folder=folder, CUTRACE_OUTPUT="same")
    before = (first.trace() / "calls.csv").read_bytes()
    here.traced(victim("work", "3"), folder=folder, CUTRACE_OUTPUT="same")
    same([path.name for path in first.traces()], ["same", "same.1"], "traces")
    same((folder / "same" / "calls.csv").read_bytes(), before, "calls.csv of the first run")
    has_rounds(folder / "same.1", 3)


@case
def csv_files(here):
    folder = here.traced(victim("work", "20")).trace()
    for name, header in HEADERS.items():
        with open(folder / f"{name}.csv", newline="") as file:
            rows = list(csv.reader(file, strict=True))
        columns = header.split(",")  # newer columns come behind
        same(rows[0][:len(columns)], columns, f"header of {name}.csv")
        check(all(len(row) == len(rows[0]) for row in rows), f"rows of {name}.csv are as wide")


@case
def report_again(here):
    """Made again from the trace, the report and tables are the same."""
    folder = here.traced(victim("work", "20")).trace()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run = quiet(here.bare(cutrace("report", folder)))
    text, files = run.out.split("\ncutrace: the report is")
    same((run.status, text), (0, report_text(folder)), "status and stdout")
    check("next: cutrace export" in files and str(folder) in files, "where it is, and what to do next", files)
    for path in folder.iterdir():
        same(path.read_bytes(), before[path.name], path.name)


@case
def library_found(here):
    """`run` finds the library by its own path, wherever it is called from."""
    run = here.bare(cutrace("run", "--", "/bin/sh", "-c", "echo $LD_PRELOAD"))
    same(run.out.strip(), os.path.realpath(PATHS["LIB"]), "LD_PRELOAD of the program")
