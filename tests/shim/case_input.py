# SPDX-License-Identifier: Apache-2.0
"""What is missing or wrong: the program runs unharmed, one line says so, nothing looks clean."""
from harness import (PATHS, as_nobody, calls, case, check, cutrace, file_size_limit, has_rounds,
                     one_line, quiet, report_text, same, says_blind, small_disk, victim)

SKIPPED = 77
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
def unwritable_directory(here):
    folder = here.folder()
    folder.chmod(0o555)
    run = one_line(here.both(RETURN, as_nobody, CUTRACE_OUTPUT=f"{folder}/out"),
                   "nothing is recorded", f"{folder}/out", "Permission denied", "CUTRACE_OUTPUT")
    check(not run.left(), "nothing is left", run.left())


@case
def output_is_a_file(here):
    folder = here.folder()
    (folder / "file").write_text("mine")
    run = one_line(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/file/out"),
                   "nothing is recorded", "Not a directory", "CUTRACE_OUTPUT")
    check(not run.left(), "nothing is left", run.left())
    run = quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/file"))
    same((folder / "file").read_text(), "mine", "the user's file")
    has_rounds(f"{folder}/file.1", ROUNDS)


@case
def output_is_a_link(here):
    """A trace's name that leads elsewhere is not followed."""
    folder = here.folder()
    (folder / "out").mkdir()
    (folder / "target").write_text("mine")
    (folder / "out" / "trace.cutrace").symlink_to(folder / "target")
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/out"))
    same((folder / "target").read_text(), "mine", "the file behind the link")
    has_rounds(f"{folder}/out.1", ROUNDS)


@case
def missing_parent(here):
    run = one_line(here.both(RETURN, CUTRACE_OUTPUT="/nonexistent/a/b"),
                   "nothing is recorded", "/nonexistent/a/b", "No such file", "CUTRACE_OUTPUT")
    check(not run.left(), "nothing is left", run.left())


@case
def name_too_long(here):
    run = one_line(here.both(RETURN, CUTRACE_OUTPUT="x" * 5000), "nothing is recorded", "too long",
                   "CUTRACE_OUTPUT")
    check(not run.left(), "nothing is left", run.left())


@case
def disk_full_at_start(here):
    with small_disk(4) as disk:
        if not disk:
            return SKIPPED
        (disk / "filler").write_bytes(b"x" * 4096)
        one_line(here.both(RETURN, CUTRACE_OUTPUT=f"{disk}/out"),
                 "nothing is recorded", "No space left", "CUTRACE_OUTPUT")
        same([path.name for path in disk.iterdir()], ["filler"], "what is on the disk")
    return 0


@case
def disk_full_later(here):
    """Nothing fits after the first chunks; the report cannot be written there either."""
    with small_disk(512) as disk:
        if not disk:
            return SKIPPED
        run = one_line(here.both(victim("work", "5000"), CUTRACE_OUTPUT=f"{disk}/out"),
                       "No space left")
        data = (disk / "out" / "trace.cutrace").read_bytes()
    again = here.folder()
    (again / "trace.cutrace").write_bytes(data)
    report = here.bare(cutrace("report", again))
    same(report.status, 0, "status of the report made elsewhere")
    says_blind(again, "no room")
    check("missing at the end" not in report_text(again), "all that was stored is there")
    check(run.status == 12, "the program ended by itself", run.status)
    return 0


@case
def file_limit_at_start(here):
    run = one_line(here.both(RETURN, file_size_limit(0)), "nothing is recorded", "File too large",
                   "CUTRACE_OUTPUT")
    check(not run.traces(), "no trace is left", run.left())


@case
def file_limit_later(here):
    """SIGXFSZ would kill the program if a write of ours met the limit unprepared."""
    run = here.both(victim("work", "5000"), file_size_limit(512 * 1024))
    one_line(run, "report")
    report = here.bare(cutrace("report", run.trace()))
    same(report.status, 0, "status of the report made without the limit")
    says_blind(run.trace(), "no room")


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
def malformed_output(here):
    """Unknown % sequences are part of the name; a variable cannot lead out of the folder."""
    run = quiet(here.both(RETURN, CUTRACE_OUTPUT="odd%z%q{UP}%", UP="../../up"))
    same(run.trace().parent, run.folder, "where the trace is")


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
