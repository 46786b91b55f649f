# SPDX-License-Identifier: Apache-2.0
"""What is missing or wrong: the program runs unharmed, one line says so, nothing looks clean."""
from harness import (PATHS, calls, case, check, cutrace, has_rounds, one_line, quiet, report_text, same,
                     says_blind, victim)

ROUNDS = 5
RETURN = victim("return")


def blind(here, line, report, **variables):
    """Without CUPTI: the wrappers' calls are there, and stderr and report tell what is not."""
    run = one_line(here.both(RETURN, **variables), *line)
    says_blind(run.trace(), *report)
    rows = has_rounds(run.trace(), ROUNDS)
    check(all(row["Origin"] == "wrapper" for row in rows), "the wrappers saw every call")


@case
def no_cupti(here):
    blind(here, ["/nonexistent", "CUTRACE_CUPTI_LIBRARY"], ["device times", "/nonexistent"],
          CUTRACE_CUPTI_LIBRARY="/nonexistent")


@case
def not_cupti(here):
    """A library that is not CUPTI."""
    blind(here, ["too old", "12.0"], ["device times"], CUTRACE_CUPTI_LIBRARY="libc.so.6")


@case
def cupti_taken(here):
    blind(here, ["another profiler", "one tool at a time"], ["another profiler"],
          FAKE_CUPTI_FAIL="taken")


@case
def cupti_forbidden(here):
    blind(here, ["may not be used", "ask the administrator"], ["may not be used"],
          FAKE_CUPTI_FAIL="permission")


@case
def cupti_refuses(here):
    blind(here, ["cuptiSubscribe failed", "?"], ["cuptiSubscribe failed"],
          FAKE_CUPTI_FAIL="subscribe")


@case
def cupti_off(here):
    """Wanted by the user, so no line; but the report says it."""
    run = quiet(here.both(RETURN, CUTRACE_CUPTI="0"))
    says_blind(run.trace(), "CUTRACE_CUPTI=off")
    has_rounds(run.trace(), ROUNDS)


@case
def gpu_is_shared(here):
    """MPS lets other processes work on the GPU at the same time, whom nobody here sees."""
    (here.root / "control").touch()
    run = quiet(here.both(RETURN, CUDA_MPS_PIPE_DIRECTORY=str(here.root)))
    says_blind(run.trace(), "other processes", "MPS", str(here.root))
    has_rounds(run.trace(), ROUNDS)


@case
def managed_memory(here):
    """The allocation is seen, the pages that move are not."""
    run = quiet(here.both(victim("managed")))
    says_blind(run.trace(), "migrations of managed memory (3 allocations)")


@case
def injection_taken(here):
    blind(here, ["CUDA_INJECTION64_PATH", "another tool", "unset it"], ["CUDA_INJECTION64_PATH"],
          CUDA_INJECTION64_PATH="/other.so")


@case
def injection_taken_unwrapped(here):
    """A program that finds its runtime by dlopen() is seen at the driver's entry points."""
    run = one_line(here.both([PATHS["LOADER"]], CUDA_INJECTION64_PATH="/other.so"),
                   "no device times", "CUDA_INJECTION64_PATH", "unset it")
    rows = calls(run.trace())
    same(sum(row["Name"] == "cuMemAlloc_v2" for row in rows), ROUNDS, "allocations")
    check(all(row["Origin"] == "driver-entry" for row in rows), "the driver's names", rows)


@case
def no_device(here):
    run = one_line(here.both(RETURN, FAKE_NO_DEVICE="1"), "never initialised", "no driver",
                   "cutrace doctor")
    says_blind(run.trace(), "driver")
    rows = calls(run.trace())
    same(len(rows), ROUNDS * 4, "calls in calls.csv")
    check(all(row["Result"] != "0" for row in rows), "every call failed, as the program saw")


@case
def output_is_a_file(here):
    folder = here.folder()
    (folder / "file").write_text("mine")
    run = one_line(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/file/out"),
                   "nothing is recorded", "Not a directory", "CUTRACE_OUTPUT")
    check(not run.left(), "nothing is left", run.left())
    one_line(here.bare(cutrace("run", "-o", f"{folder}/file/out", "--", *RETURN)), "nothing is recorded",
             "Not a directory; give -o a writable place")
    run = quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/file"))
    same((folder / "file").read_text(), "mine", "the user's file")
    has_rounds(f"{folder}/file.1", ROUNDS)


@case
def unknown_variable(here):
    run = one_line(here.both(RETURN, CUTRACE_OUTPTU="x"), "CUTRACE_OUTPTU", "unknown",
                   "cutrace run --help")
    has_rounds(run.trace(), ROUNDS)


@case
def malformed_values(here):
    for name, value in (("STACKS", "maybe"), ("LIMIT", "-5"), ("LIMIT", "10 apples"),
                        ("LIMIT", "99999999999999999999"), ("CUPTI", "2"),
                        ("CUPTI", "yields")):
        run = one_line(here.both(RETURN, **{f"CUTRACE_{name}": value}),
                       f"CUTRACE_{name}={value}", "not understood", "using")
        has_rounds(run.trace(), ROUNDS)


@case
def disabled(here):
    run = quiet(here.both(RETURN, CUTRACE_DISABLE="1", CUTRACE_QUIET="0"))
    check(not run.left(), "nothing is left", run.left())


@case
def is_quiet(here):
    """Quiet or not, the files are the same; the summary goes to stderr only if not."""
    run = quiet(here.both(RETURN))
    loud = here.both(RETURN, CUTRACE_QUIET="0")
    check("seen " in loud.err, "the summary is on stderr", loud.err)
    for folder in (run.trace(), loud.trace()):
        missing = FILES - {path.name for path in folder.iterdir()}
        check(not missing, "every file is there", missing)
        check("seen " in report_text(folder), "the report says what it has seen")


FILES = {"blocked.csv", "calls.csv", "callsites.csv", "cuda_api_sum.csv", "cuda_gpu_kern_sum.csv",
         "device.csv", "report.txt", "serialized.csv", "trace.cutrace"}


@case
def no_report(here):
    run = quiet(here.both(RETURN, CUTRACE_REPORT="0"))
    same([path.name for path in run.trace().iterdir()], ["trace.cutrace"], "the files")
