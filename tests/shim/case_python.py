# SPDX-License-Identifier: Apache-2.0
"""Python's frames in stacks, compared with what Python itself says of them."""
import collections
import functools
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from harness import (PATHS, calls, case, check, cutrace, environment, quiet, report_text, same,
                     says_blind, says_clean, table, victim)

VICTIM = str(pathlib.Path(__file__).with_name("victim_python.py"))
KEPT = 128             # script frames of a stack, trace/record.h
FILE_CHARACTERS = 1024  # of a path that are kept, shim/py_script.h
ALL, CUT, NO_THREAD, ENDING = 1, 2, 3, 10
LOST_STACKS, LOST_SCRIPTS = 3, 10  # enum ct_loss
SUPPORTED = [(3, minor) for minor in range(9, 14)]

Call = collections.namedtuple("Call", "tid state frames words")


def version_of(program):
    question = ("import sys, sysconfig as s; print(sys.executable, sys.implementation.name, "
                "s.get_config_var('Py_GIL_DISABLED') or 0, *sys.version_info[:2], "
                "int('libpython' in open('/proc/self/maps').read()))")
    try:
        done = subprocess.run([program, "-c", question], capture_output=True, text=True, timeout=20,
                              env=environment())
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    if done.returncode or words[1:3] != ["cpython", "0"]:
        return None
    return words[0], tuple(int(word) for word in words[3:])


@functools.lru_cache(None)
def interpreters():
    """
    CPythons with a GIL that this machine has: {(major, minor, is it a shared library): path}.
    """
    candidates = [sys.executable, "/usr/bin/python3"]
    candidates += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3*/bin/python3")))
    candidates += filter(None, (shutil.which(f"python3.{minor}") for minor in range(6, 20)))
    found = {}
    for program in candidates:
        one = version_of(program)
        if one:
            found.setdefault(one[1], one[0])
    return found


def supported():
    found = {version: path for version, path in interpreters().items()
             if version[:2] in SUPPORTED}
    print("with CPython", *(f"{major}.{minor}{' shared' * shared}"
                            for major, minor, shared in sorted(found)), sep="; ")
    return sorted(found.items())


def dump(folder):
    """The synchronisations of a trace in the order they were made."""
    done = subprocess.run(cutrace("dump", folder), capture_output=True, check=True,
                          env=environment()).stdout.decode(errors="surrogateescape")
    scripts, stacks, apis, found = {}, {0: (0, [])}, {}, []
    for line in done.splitlines():
        text = line.split("] ", 1)[-1]
        match = re.match(r"(script|stack|api|call) (?:id=(\d+) |api=(\d+) )", text)
        if not match:
            continue
        kind, number = match[1], int(match[2] or match[3])
        if kind == "script":
            _, _, _, row, size, rest = text.split(" ", 5)
            rest, size = os.fsencode(rest), int(size[11:])
            scripts[number] = [os.fsdecode(rest[:size]), int(row[5:]), os.fsdecode(rest[size + 1:])]
        elif kind == "stack":
            words = text.split()
            stacks[number] = (int(words[2][7:]), words[3:])
        elif kind == "api":
            apis[number] = text.split()[-1]
        else:
            found.append((int(re.search(r"enter=(\d+)", text)[1]), number,
                          int(re.search(r"stack=(\d+)", text)[1]),
                          int(re.search(r"\[(\d+)\]", line)[1])))
    made = []
    for _, api, stack, tid in sorted(found):
        if apis[api] == "cudaDeviceSynchronize":
            state, words = stacks[stack]
            made.append(Call(tid, state, [scripts.get(int(word[7:]), word) for word in words
                                          if word.startswith("script:")], words))
    return made


def said(run):
    return [json.loads(line) for line in run.out.splitlines() if line.startswith("[[")]


def stored(frames):
    """What of a frame's file and function is kept, as the dump shows it: what is no UTF-8 as ?."""
    return [[re.sub("[\udc80-\udcff]", "?", file[-FILE_CHARACTERS:]), line, function]
            for file, line, function in frames[:KEPT]]


def compare(run, version, made=None):
    """Every call's Python frames are those that Python printed."""
    wanted, found = said(run), dump(run.trace()) if made is None else made
    check(wanted, f"{version}: the victim says something", run.err)
    same(len(found), len(wanted), f"{version}: calls")
    for number, (call, frames) in enumerate(zip(found, wanted)):
        same(call.frames, stored(frames), f"{version}: frames of call {number}")
        same(call.state, CUT if len(frames) > KEPT else ALL, f"{version}: state of call {number}")
    return found


def whole(here, mode):
    """All interpreters, and nothing is missing."""
    for version, python in supported():
        run = quiet(here.both([python, VICTIM, mode]))
        compare(run, version)
        says_clean(run.trace())
        yield version, run


def simple(mode):
    def run(here):
        for _ in whole(here, mode):
            pass
    run.__name__ = f"python_{mode}"
    case(run)


@case
def python_places(here):
    """Frames stand in for the eval loops that ran them: C code lies around and between."""
    for version, run in whole(here, "nested"):
        mapped = 0
        for call in dump(run.trace()):
            kinds = "".join("p" if word.startswith("script:") else "c" for word in call.words)
            check(re.fullmatch(r"c+p[pc]*pc+", kinds), f"{version}: C inside and outside", kinds)
            at = [place for place, kind in enumerate(kinds) if kind == "p"]
            if "map(" in source_of(call.frames[2]):  # which C calls the lambda from
                check(at[2] > at[1] + 1, f"{version}: C between", kinds)
                mapped += 1
        same(mapped, 2, f"{version}: calls by map()")


def source_of(frame):
    return pathlib.Path(frame[0]).read_text().splitlines()[frame[1] - 1]


for name in ("lines", "recursion", "native_recursion", "thread", "generator", "gil",
             "recreated", "callback", "tracing", "profiled", "finaliser", "hot", "unicode"):
    simple(name)


@case
def python_deep(here):
    """The innermost frames are kept, and the report says that others are not."""
    for version, python in supported():
        run = quiet(here.both([python, VICTIM, "deep"]))
        compare(run, version)
        cut = sum(len(frames) > KEPT for frames in said(run))
        says_blind(run.trace(), f"the Python lines of {cut} calls: frames outside the innermost")


@case
def python_no_state(here):
    """Calls of threads without Python are counted, and others keep their frames."""
    for version, python in supported():
        run = quiet(here.both([python, VICTIM, "no_state"]))
        found = dump(run.trace())
        same([call.state for call in found], [NO_THREAD] * 3 + [ALL], f"{version}: states")
        same([call.frames for call in found[:3]], [[]] * 3, f"{version}: frames of C's threads")
        compare(run, version, found[3:])
        says_blind(run.trace(), "the Python lines of 3 calls: made by threads that have no")


@case
def python_daemon(here):
    """What the interpreter's end frees is not looked at."""
    for version, python in supported():
        run = quiet(here.both([python, VICTIM, "daemon"], MALLOC_PERTURB_="85"))
        same([call.state for call in dump(run.trace())], [ENDING] * 2, f"{version}: states")
        says_blind(run.trace(), "the Python lines of 2 calls: made as the interpreter")


@case
def python_places_beyond_the_tables(here):
    """Of 67000 lines that call, the tables of stacks and of frames have room for 65536 at most."""
    run = quiet(here.traced([supported()[-1][1], VICTIM, "places", "67"], CUTRACE_REPORT="0"))
    text = here.bare(cutrace("dump", run.trace())).out
    lost = {int(kind): int(count)
            for kind, count in re.findall(r"^lost kind=(\d+) count=(\d+)$", text, re.M)}
    same(set(lost), {LOST_STACKS, LOST_SCRIPTS}, "kinds of what was lost")
    same(len(re.findall(r"^\d+ \[\d+\] call .* stack=0 ", text, re.M)), lost[LOST_STACKS],
         "calls without a stack")
    check(67000 - 65536 <= lost[LOST_SCRIPTS] < 10000, "frames without a name", lost)


@case
def python_switched_off(here):
    run = quiet(here.both([supported()[-1][1], VICTIM, "lines"], CUTRACE_PYTHON="0"))
    check(not any(call.frames for call in dump(run.trace())), "no script frames")
    check("Python lines" not in report_text(run.trace()), "nobody misses what was not wanted")


@case
def python_sites(here):
    """Sites are named after the user's lines; a library's own only where there are no others."""
    for version, python in supported():
        folder = here.folder()
        package = folder / "site-packages"
        package.mkdir()
        (package / "vendor.py").write_text(
            "import ctypes, functools\nrt = ctypes.CDLL('libcudart.so.13')\n"
            "def wait():\n    rt.cudaDeviceSynchronize()\n"
            "if __name__ == '__main__':\n    wait()\n")
        (folder / "train.py").write_text(
            "import vendor, threading\ndef step():\n    vendor.wait()\n"
            "step()\none = threading.Thread(target=vendor.wait)\none.start()\none.join()\n")
        run = quiet(here.traced([python, "train.py"], folder=folder, PYTHONPATH=str(package)))
        same(sites(run), {"train.py:3 step": 1, "vendor.py:4 wait": 1}, f"{version}: sites")
        row = next(row for row in table(run.trace(), "callsites") if "train" in row["Call Site"])
        check("vendor.py:4 wait < train.py:3 step" in
              re.sub(r"< (?!\w+\.py).*? (?=< \w+\.py)", "", row["Stack"]),
              f"{version}: the stack shows all frames", row["Stack"])
        run = quiet(here.traced([python, "-m", "vendor"], PYTHONPATH=str(package)))
        same(sites(run), {"vendor.py:4 wait": 1}, f"{version}: sites of a module")
        run = quiet(here.traced([python, "-c", "import vendor; vendor.wait()"],
                                PYTHONPATH=str(package)))
        same(sites(run), {"<string>:1 <module>": 1}, f"{version}: sites of -c")


def sites(run):
    return {row["Call Site"]: int(row["Calls"]) for row in table(run.trace(), "callsites")
            if row["Call"] == "cudaDeviceSynchronize"}


@case
def python_too_old(here):
    """An interpreter whose layout is not known is left alone, and that is said."""
    other = [path for version, path in interpreters().items() if version[:2] not in SUPPORTED]
    if not other:
        return 77
    run = quiet(here.both([other[0], VICTIM, "lines"]))
    check(not any(call.frames for call in dump(run.trace())), "no script frames")
    says_blind(run.trace(), "the interpreter is not CPython 3.9 to 3.13")


# A library that only looks like Python, preloaded into a program of C.

FAKES = {  # version, thread state: what the report must say
    ("3.8.1", "null"): "the interpreter is not CPython 3.9 to 3.13",
    ("3.14.0", "null"): "the interpreter is not CPython 3.9 to 3.13",
    ("3.13.0 experimental free-threading build", "null"): "is a free-threaded build",
    ("3.12.3", "null"): "threads that have no Python state",
    ("3.12.3", "ending"): "made as the interpreter shut down, or after",
    ("3.12.3", "empty"): "no Python function ran on the thread",
    ("pypy", "null"): "the interpreter is not CPython",
}
FAKES.update({(f"3.{minor}.0", state): "frames could not be read"
              for minor in range(9, 14) for state in ("unmapped", "odd", "garbage", "ring", "code")})


@case
def python_pretended(here):
    """Whatever a layout turns out to be, the program runs on and the report says why."""
    for (version, state), text in FAKES.items():
        library = PATHS["PYPY"] if version == "pypy" else PATHS["PRETENDER"]
        bare = here.bare(victim("work", "40"))
        run = quiet(here.traced(victim("work", "40"), LD_PRELOAD=f"{PATHS['LIB']}:{library}",
                                PRETENDED_VERSION=version, PRETENDED_STATE=state))
        same((run.status, run.out), (bare.status, bare.out), f"{version} {state}: the program")
        same(len(calls(run.trace())), 160, f"{version} {state}: calls")
        says_blind(run.trace(), "the Python lines of 160 calls", text)


@case
def python_unused(here):
    """A program that is linked with Python and does not start it misses nothing."""
    run = quiet(here.traced(victim("work", "40"), LD_PRELOAD=f"{PATHS['LIB']}:{PATHS['PRETENDER']}",
                            PRETENDED_VERSION="3.12.3", PRETENDED_STATE="unused"))
    same(len(calls(run.trace())), 160, "calls")
    says_clean(run.trace())


@case
def python_loaded_late(here):
    """An embedded interpreter is used some time after it was loaded, and stays loaded."""
    run = quiet(here.traced([PATHS["LATE"], PATHS["PRETENDER"]], PRETENDED_VERSION="3.12.3",
                            PRETENDED_STATE="null"))
    same(run.status, 0, f"status (stderr {run.err!r})")
    text = report_text(run.trace())
    check("lines of 2 calls: made within a second of Python" in text, "the first calls", text)
    check("lines of 2 calls: made by threads that have no" in text, "the later calls", text)
