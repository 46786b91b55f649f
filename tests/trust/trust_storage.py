# SPDX-License-Identifier: Apache-2.0
"""Where a trace cannot be, or no longer: the program runs unharmed, and what is lost is said."""
import errno
import os
import re
import socket
import subprocess
import sys

from harness import (PATHS, as_nobody, check, cutrace, file_size_limit, has_rounds, one_line, quiet,
                     report_text, same, says_blind, small_disk, trust, victim)

ROUNDS = 5
RETURN = victim("return")
LONG = victim("work", "5000")
BOARD_BYTES = 32768  # at least struct board of inject.c


def both_injected(here, command, fault, **variables):
    bare = here.bare(command)
    run = here.traced(command, LD_PRELOAD=f"{PATHS['LIB']}:{PATHS['INJECT']}", FAULT=fault,
                      FAULT_BOARD=board_of(here), **variables)
    same((run.out, run.status), (bare.out, bare.status), f"what {command} shows under {fault}")
    return run


def board_of(here):
    board = here.root / f"board.{here.made}"
    board.write_bytes(bytes(BOARD_BYTES))
    return str(board)


def nothing_recorded(run, *why):
    one_line(run, "nothing is recorded", "CUTRACE_OUTPUT", *why)
    check(not run.traces(), "no trace is left", run.left())
    return run


def report_elsewhere(here, trace):
    """A report of a trace's copy, which must say that records had no room."""
    again = here.folder()
    (again / "trace.cutrace").write_bytes(trace.read_bytes())
    same(here.bare(cutrace("report", again)).status, 0, "status of the report made elsewhere")
    says_blind(again, "no room")
    text = report_text(again)
    check("missing at the end" not in text, "all that was stored is there")
    stored = int(re.search(r"seen +(\d+) calls?", text)[1])
    lost = int(re.search(r"(\d+) records? dropped: no room", text)[1])
    return stored, lost


@trust("storage full at start")
def disk_full_at_start(here):
    run = both_injected(here, RETURN, f"posix_fallocate64/on/1/{errno.ENOSPC}")
    check(not nothing_recorded(run, "No space left").left(), "nothing is left", run.left())
    with small_disk(4) as disk:
        if not disk:
            return 0
        (disk / "filler").write_bytes(b"x" * 4096)
        nothing_recorded(here.both(RETURN, CUTRACE_OUTPUT=f"{disk}/out"), "No space left")
        same([path.name for path in disk.iterdir()], ["filler"], "what is on the disk")
    return 0


@trust("storage full later")
def disk_full_later(here):
    """Nothing fits after the first chunks; the report cannot be written there either."""
    run = both_injected(here, LONG, f"posix_fallocate64/on/4/{errno.ENOSPC}")
    says_blind(run.trace(), "no room")
    with small_disk(512) as disk:
        if not disk:
            return 0
        run = one_line(here.both(LONG, CUTRACE_OUTPUT=f"{disk}/out"), "No space left")
        report_elsewhere(here, disk / "out" / "trace.cutrace")
    return 0


@trust("storage file size limit")
def file_limit(here):
    """SIGXFSZ would kill the program if a write of ours met the limit unprepared."""
    nothing_recorded(here.both(RETURN, file_size_limit(0)), "File too large")
    run = one_line(here.both(LONG, file_size_limit(512 * 1024)), "report")
    same(here.bare(cutrace("report", run.trace())).status, 0, "status of a report without limit")
    says_blind(run.trace(), "no room")


@trust("storage read-only directory")
def read_only_directory(here):
    folder = here.folder()
    folder.chmod(0o555)
    run = nothing_recorded(here.both(RETURN, as_nobody, CUTRACE_OUTPUT=f"{folder}/out"),
                           f"{folder}/out", "Permission denied")
    check(not run.left(), "nothing is left", run.left())
    run = both_injected(here, RETURN, f"mkdir/on/1/{errno.EROFS}")
    nothing_recorded(run, "Read-only file system")
    with small_disk(64) as disk:
        if disk and subprocess.run(["mount", "-o", "remount,ro", disk], check=False).returncode == 0:
            nothing_recorded(here.both(RETURN, CUTRACE_OUTPUT=f"{disk}/out"), "Read-only")


@trust("storage missing directory")
def missing_directory(here):
    """A folder above it that is missing is made: a run of hours leaves its trace."""
    folder = here.folder()
    run = here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/a/b/run")
    same(run.err, "", "stderr")
    check((folder / "a/b/run/report.txt").exists(), "the report is there", run.left())
    (folder / "dangling").symlink_to(folder / "nowhere")
    nothing_recorded(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/dangling/out"), "No such file")
    (folder / "file").write_text("mine")
    nothing_recorded(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/file/out"), "Not a directory")
    same((folder / "file").read_text(), "mine", "the user's file")


@trust("storage quota")
def quota(here):
    """At each place that can tell: making the directory, the file, its first and a later chunk."""
    for call in ("mkdir/on/1", "open64/on/2", "posix_fallocate64/on/1"):
        nothing_recorded(both_injected(here, RETURN, f"{call}/{errno.EDQUOT}"), "quota exceeded")
    run = both_injected(here, RETURN, f"posix_fallocate64/on/2/{errno.EDQUOT}")
    says_blind(run.trace(), "no room")
    run = both_injected(here, LONG, f"posix_fallocate64/on/4/{errno.EDQUOT}")
    says_blind(run.trace(), "no room")
    stored, lost = report_elsewhere(here, run.trace() / "trace.cutrace")
    check(0 < stored < 20000 and lost > 0, "some calls were stored", (stored, lost))


@trust("storage no shared mmap")
def no_shared_mmap(here):
    """The trace goes where it can be mapped, and survives a kill there."""
    for error in (errno.ENODEV, errno.EINVAL):
        elsewhere = here.folder()
        run = both_injected(here, RETURN, f"mmap64(shared)/once/1/{error}",
                            CUTRACE_OUTPUT="out", TMPDIR=str(elsewhere))
        one_line(run, "the trace is in", str(elsewhere), "out")
        check(not run.left(), "nothing is left where it cannot be", run.left())
        has_rounds(elsewhere / "out", ROUNDS)
    elsewhere = here.folder()
    run = here.traced(victim("signal", "9"), LD_PRELOAD=f"{PATHS['LIB']}:{PATHS['INJECT']}",
                      FAULT=f"mmap64(shared)/once/1/{errno.ENODEV}", FAULT_BOARD=board_of(here),
                      TMPDIR=str(elsewhere), CUTRACE_OUTPUT="out")
    same(run.status, -9, "status of the killed one")
    same(here.bare(cutrace("report", elsewhere / "out")).status, 0, "status of its report")
    has_rounds(elsewhere / "out", ROUNDS)
    run = both_injected(here, RETURN, f"mmap64(shared)/on/1/{errno.ENODEV}", TMPDIR=str(elsewhere))
    nothing_recorded(run, "No such device")


REMOVES = """
import ctypes, os, shutil, sys
runtime = ctypes.CDLL("libcudart.so.13")
def work(count):
    return sum(runtime.cudaDeviceSynchronize() for _ in range(count))
print(work(10))
how, out = sys.argv[1:]
if how == "renamed":
    os.rename(out, out + ".away")
elif os.path.exists(out):
    shutil.rmtree(out)
if how == "replaced":
    os.mkdir(out)
    open(out + "/trace.cutrace", "w").write("mine" * 100000)
print(work(20000))
"""


@trust("storage directory removed during the run")
def directory_removed(here):
    """Removed, renamed, or another file in its place, which must stay as it is."""
    for how in ("removed", "renamed", "replaced"):
        folder = here.folder()
        out = folder / "out"
        run = here.traced([sys.executable, "-c", REMOVES, how, str(out)], folder=folder,
                          CUTRACE_OUTPUT=str(out))
        same((run.status, run.out), (0, "0\n0\n"), f"{how}: what the program shows")
        one_line(run, str(out))
        if how == "replaced":
            same((out / "trace.cutrace").read_text(), "mine" * 100000, "the file in its place")
        if how == "renamed":
            stored, lost = report_elsewhere(here, folder / "out.away" / "trace.cutrace")
            check(10 < stored < 20010 and stored + lost >= 20010, "stored and lost", (stored, lost))


@trust("storage name too long")
def name_too_long(here):
    """As a whole, as a component, by what is put in, and only together with the trace's own."""
    deep = here.folder()
    for _ in range(18):
        deep = deep / ("d" * 200)
        os.mkdir(deep)
    rest = 4085 - len(str(deep)) - 1
    for name in ("x" * 5000, "x" * 300, "%q{MUCH}", f"{deep}/{'y' * rest}"):
        run = here.both(RETURN, CUTRACE_OUTPUT=name, MUCH="z" * 6000)
        nothing_recorded(run, "too long")
        check(not run.left(), "nothing is left", run.left())
    check(not list(deep.iterdir()), "nothing is left in the depth")


@trust("storage output tokens")
def output_tokens(here):
    run = quiet(here.traced(RETURN, CUTRACE_OUTPUT="%n-%h-%q{RANK}-%%-%p", RANK="3"))
    name = run.trace().name
    host = socket.gethostname().replace("/", "_")
    check(name.startswith(f"victim-{host}-3-%-"), "the name", name)
    check(name.rsplit("-", 1)[1].isdigit(), "the name ends with the pid", name)
    default = quiet(here.traced(RETURN)).trace().name
    check(default.startswith("cutrace.victim.") and default.rsplit(".", 1)[1].isdigit(),
          "the default name", default)
    run = quiet(here.both(RETURN, CUTRACE_OUTPUT="odd%z%q{NONE}%q{%"))
    same(run.trace().name, "odd%z%q{%", "unknown sequences are part of it, unset variables empty")
    nothing_recorded(here.both(RETURN, CUTRACE_OUTPUT="%q{NONE}"))
