# SPDX-License-Identifier: Apache-2.0
"""Other users, hostile names and files: no way in, and nothing told to whom it is not meant for."""
import csv
import os
import re
import shutil
import stat
import struct
import subprocess

from harness import (NOBODY, PATHS, as_nobody, check, cutrace, has_rounds, one_line, quiet,
                     report_text, same, trust, victim)

SKIPPED = 77
ROUNDS = 5
RETURN = victim("return")
OUTPUTS = ("report.txt", "calls.csv", "device.csv", "blocked.csv", "streams.csv")
EFFECTIVE_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)  # vfs_cap_data, v2


def skip(why):
    print(why)
    return SKIPPED


def is_root():
    return os.geteuid() == 0


def copy_of(program, folder, mode):
    target = folder / "program"
    shutil.copy(program, target)
    target.chmod(mode)
    return target


def setgid(here, command):
    command[0].chmod(0o2755)
    os.chown(command[0], 0, 12345)
    command[0].chmod(0o2755)


def setuid(here, command):
    os.chown(command[0], 12345, 12345)
    command[0].chmod(0o4755)


def capable(here, command):
    os.setxattr(command[0], "security.capability", EFFECTIVE_NET_RAW)


@trust("security AT_SECURE")
def at_secure(here):
    """Set-user-id, set-group-id, and by a capability of the file, where all ids are the same."""
    if not is_root():
        return skip("only root can make such files")
    program = copy_of(PATHS["SECURE"], here.folder(), 0o755)
    command = [program, PATHS["FAKE"], PATHS["LIB"]]
    settings = {"CUTRACE_OUTPUT": "out", "CUTRACE_QUIET": "1"}
    free = here.traced(command, as_nobody, LD_PRELOAD=None, **settings)
    check("secure: 0" in free.out and PATHS["LIB"] in free.out, "the program works", free.out)
    check(free.traces(), "and is traced where it is not secure", free.left())
    for make in (setuid, setgid, capable):
        make(here, command)
        run = quiet(here.traced(command, as_nobody, LD_PRELOAD=None, **settings))
        if "secure: 0" in run.out:
            return skip(f"{make.__name__}: this file system ignores it")
        same((run.out, run.status), ("cudaMalloc: 0\nsecure: 1\ninjection: none\n", 16), make.__name__)
        check(not run.left(), f"{make.__name__}: nothing is left", run.left())
        os.removexattr(program, "security.capability") if make is capable else program.chmod(0o755)
        os.chown(program, 0, 0)
    return 0


def full_folder(here, lay):
    """A directory `out` of which each file of cutrace's is something else: lay(path)."""
    folder = here.folder()
    (folder / "out").mkdir(0o700)
    (folder / "mine").write_text("mine")
    for name in (*OUTPUTS, "trace.cutrace"):
        lay(folder / "out" / name, folder / "mine")
    return folder


def spared(here, lay):
    """A run into such a directory, and a report into one, change nothing outside it."""
    folder = full_folder(here, lay)
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/out"))
    same((folder / "mine").read_text(), "mine", "the file behind it")
    has_rounds(folder / "out.1", ROUNDS)
    folder = full_folder(here, lay)
    (folder / "out" / "trace.cutrace").unlink()
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/out"))
    same((folder / "mine").read_text(), "mine", "the file behind a table's name")
    for name in OUTPUTS:
        path = folder / "out" / name
        check(stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_nlink == 1, f"{name} is our own")
    has_rounds(folder / "out", ROUNDS)


@trust("security symlink at the target")
def symlink_at_target(here):
    spared(here, lambda path, mine: path.symlink_to(mine))
    folder = here.folder()
    (folder / "mine").write_text("mine")
    (folder / "list").symlink_to(folder / "mine")
    quiet(here.both(RETURN, CUTRACE_STARTED_LIST=f"{folder}/list"))
    same((folder / "mine").read_text(), "mine", "the file behind the list")
    (folder / "out").symlink_to(folder / "created")  # dangling: mkdir() must not make it
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/out"))
    check(not (folder / "created").exists(), "nothing is made behind a link")
    has_rounds(folder / "out.1", ROUNDS)


@trust("security symlinked directory")
def symlinked_directory(here):
    """
    The user's own link to an own directory is followed; one that another laid to lead us somewhere
    is not, nor one to another's directory.
    """
    folder = here.folder()
    (folder / "real").mkdir()
    (folder / "own").symlink_to(folder / "real")
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/own"))
    has_rounds(folder / "real", ROUNDS)
    if not is_root():
        return skip("only root can lay a link for another user")
    (folder / "private").mkdir(0o700)
    os.chown(folder / "private", NOBODY, NOBODY)
    (folder / "laid").symlink_to(folder / "private")
    quiet(here.both(RETURN, as_nobody, CUTRACE_OUTPUT=f"{folder}/laid"))
    check(not list((folder / "private").iterdir()), "nothing went behind the link")
    has_rounds(folder / "laid.1", ROUNDS)
    (folder / "theirs").mkdir()
    os.chown(folder / "theirs", NOBODY, NOBODY)  # who could put other files in the place of ours
    (folder / "there").symlink_to(folder / "theirs")
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/there"))
    check(not list((folder / "theirs").iterdir()), "nothing went into another's directory")
    has_rounds(folder / "there.1", ROUNDS)
    return 0


@trust("security hard link at the target")
def hard_link_at_target(here):
    spared(here, lambda path, mine: path.hardlink_to(mine))


@trust("security FIFO at the target")
def fifo_at_target(here):
    """Nobody reads or writes at the other end: whoever opens it may wait for ever."""
    spared(here, lambda path, mine: os.mkfifo(path))
    folder = here.folder()
    os.mkfifo(folder / "pipe")
    quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{folder}/pipe"))
    has_rounds(folder / "pipe.1", ROUNDS)
    quiet(here.both(RETURN, CUTRACE_STARTED_LIST=f"{folder}/pipe"))
    (folder / "trace").mkdir()
    os.mkfifo(folder / "trace" / "trace.cutrace")
    for name in ("report", "dump", "pack"):
        run = here.bare(cutrace(name, folder / "trace"))
        one_line(run, "not a regular file")
        same(run.status, 1, f"status of {name}")


@trust("security mode under umask 0")
def mode_under_umask_0(here):
    """Whatever it holds is its owner's business; packed as well."""
    run = here.traced(RETURN, prepare=lambda: os.umask(0) and None)
    subprocess.run(cutrace("report", "--all-rows", run.trace()), check=True, capture_output=True,
                   preexec_fn=lambda: os.umask(0) and None)
    subprocess.run(cutrace("pack", run.trace()), check=True, capture_output=True,
                   preexec_fn=lambda: os.umask(0) and None)
    same(run.trace().stat().st_mode & 0o7777, 0o700, "mode of the directory")
    files = list(run.trace().iterdir())
    check(len(files) > 10, "the files are there", files)
    for path in files:
        same(path.stat().st_mode & 0o7777, 0o600, f"mode of {path.name}")


@trust("security foreign owner")
def foreign_owner(here):
    """A trace that another user made is not read unless trusted; root's is."""
    if not is_root():
        return skip("only root can give files away")
    trace = here.traced(RETURN, CUTRACE_REPORT="0").trace()
    os.chown(trace / "trace.cutrace", 12345, 12345)
    before = sorted(path.name for path in trace.iterdir())
    for name in ("report", "dump", "pack"):
        run = here.bare(cutrace(name, trace))
        same((run.status, run.out), (1, ""), f"status and output of {name}")
        one_line(run, "another user (uid 12345)", "--foreign")
    run = here.bare(cutrace("report", "--output", here.folder(), trace, trace))
    check(run.status == 1 and "another user" in run.err, "of several as well", run.err)
    same(sorted(path.name for path in trace.iterdir()), before, "what is there")
    quiet(here.bare(cutrace("report", "--foreign", trace)))
    has_rounds(trace, ROUNDS)
    os.chown(trace / "trace.cutrace", 0, 0)
    (trace / "trace.cutrace").chmod(0o644)
    trace.chmod(0o755)
    run = quiet(here.bare(cutrace("dump", trace), as_nobody))
    check(run.status == 0 and "cudaMalloc" in run.out, "root's trace, read by nobody", run.err)
    return 0


ODD = "=1+1\n\x1b[31m\x07\x9b\u202e,\"'\r\tspin"  # its 15th byte is within a character
FORMULAS = ("=HYPERLINK(\"x\")", "+1+1", "-1+1", "@SUM(1)", "\tx", "\r=1")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def is_tame(data, what):
    text = data.decode()  # which fails for what is not UTF-8
    bad = {c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160
           or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
    check(not bad, f"{what} has no control characters", bad)


def tables_are_tame(folder):
    for path in sorted(folder.glob("*.csv")):
        is_tame(path.read_bytes(), path.name)
        with open(path, newline="") as file:
            rows = list(csv.reader(file, strict=True))
        for row in rows:
            same(len(row), len(rows[0]), f"columns of {path.name}: {row}")
            for field in row:
                check(not field or field[0] not in "=+-@" or NUMBER.fullmatch(field),
                      f"no formula in {path.name}", field)


def odd_run(here, name):
    """A program, a library, a kernel, a thread and a directory of that name."""
    folder = here.folder()
    file = name.replace("/", "_")
    shutil.copy(PATHS["ODD"], folder / file)
    library = folder / (file + ".so")
    shutil.copy(PATHS["OWN_13"], library)
    (folder / ("mps" + file)).mkdir()
    (folder / ("mps" + file) / "control").touch()
    variables = {"CUTRACE_OUTPUT": "out" + name.replace("\n", "\n/"), "CUTRACE_QUIET": "0",
                 "CUTRACE_LIMIT": name, "CUDA_MPS_PIPE_DIRECTORY": str(folder / ("mps" + file)),
                 "CUTRACE_OUTPUT": "out%q{NAME}", "NAME": name}
    return here.traced([folder / file, name, library], **variables)


@trust("security control bytes")
def control_bytes(here):
    for name in (ODD, *FORMULAS):
        run = odd_run(here, name)
        same((run.out, run.status), ("launch: 0, from a library: 0\n", 17), f"{name!r} works")
        is_tame(run.err.encode(), "stderr")
        check("not understood" in run.err, "stderr has the setting's line", run.err)
        trace = run.trace()
        is_tame(os.fsencode(trace.name), "the directory's name")
        tables_are_tame(trace)
        is_tame((trace / "report.txt").read_bytes(), "report.txt")
        for command in (cutrace("report", trace), cutrace("dump", trace)):
            again = subprocess.run(command, capture_output=True, check=True)
            is_tame(again.stdout + again.stderr, command[1])
        check("launch" in report_text(trace).lower(), "the report is about it")


@trust("security path traversal")
def path_traversal(here):
    """What a variable, the program's name or the host's put in stays one component of the path."""
    for value in ("../../up", "..", ".", "/etc/x", "a/../../b", "//", "..%n", "x%q{UP}y%p", "\n../z"):
        run = quiet(here.both(RETURN, CUTRACE_OUTPUT="%q{UP}", UP=value))
        same(run.trace().parent, run.folder, f"where the trace is, for {value!r}")
        check("%" not in value or "%" in run.trace().name, "values are not expanded again",
              run.trace().name)
        inner = here.folder()
        (inner / "inner").mkdir()
        run = quiet(here.both(RETURN, CUTRACE_OUTPUT=f"{inner}/inner/%q{{UP}}", UP=value))
        same([path.name for path in inner.iterdir()], ["inner"], f"what is outside, for {value!r}")
        same(len(list((inner / "inner").iterdir())), 1, "what is inside")


@trust("security no secrets stored")
def no_secrets(here):
    """Neither arguments nor the environment, in any file; only what was asked for by %q{}."""
    secrets = ("hunter2inenvironment", "hunter3inargument", "hunter4asname")
    run = here.traced(victim("work", "5", secrets[1]), PASSWORD=secrets[0], **{secrets[2]: "x"})
    here.bare(cutrace("report", "--all-rows", run.trace()))
    dumped = here.bare(cutrace("dump", run.trace())).out
    for path in run.trace().iterdir():
        for secret in secrets:
            check(secret.encode() not in path.read_bytes(), f"{path.name} does not hold {secret}")
    check(not any(secret in dumped for secret in secrets), "nor does the dump")
    asked = here.traced(RETURN, PASSWORD=secrets[0], CUTRACE_OUTPUT="%q{PASSWORD}").trace()
    same(asked.name, secrets[0], "the name that was asked for")
