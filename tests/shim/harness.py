# SPDX-License-Identifier: Apache-2.0
"""Running programs bare and traced in a folder of their own, and looking at what is left."""
import collections
import contextlib
import csv
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

TIMEOUT_S = 60
CALLS_PER_ROUND = 4  # victim.h
OURS = ("CUTRACE_", "CUDA_", "FAKE_", "LD_", "NVTX_", "VICTIM_", "PYTHON",
        # what launchers set: a rank must come from the test
        "RANK", "LOCAL_RANK", "WORLD_SIZE", "TORCHELASTIC_", "OMPI_", "PMI", "MPI_", "SLURM_")

PATHS = collections.defaultdict(str, {name.removeprefix("SHIM_TEST_"): value
                                      for name, value in os.environ.items()
                                      if name.startswith("SHIM_TEST_")})

CASES = {}
TRUST = {}  # check of tests/trust/checks.txt -> name of the case that tries it


class Failed(Exception):
    """A check does not hold; the text says which."""


def case(function):
    CASES[function.__name__] = function
    return function


def trust(check):
    """The case that tries this check of tests/trust/checks.txt."""
    def register(function):
        TRUST[check] = function.__name__
        return case(function)
    return register


def check(holds, what, found=None):
    if not holds:
        raise Failed(what if found is None else f"{what}; found: {found}")


def same(found, wanted, what):
    check(found == wanted, f"{what}: wanted {wanted!r}", repr(found))


def environment(**variables):
    """This environment without anything of ours or CUDA's, the fake device, and variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "LD_LIBRARY_PATH": PATHS["FAKE"], "PYTHONDONTWRITEBYTECODE": "1",
            **{name: value for name, value in variables.items() if value is not None}}


class Run:
    """One program that has run, in `folder`."""

    def __init__(self, command, folder, variables, prepare=None):
        done = subprocess.run(command, cwd=folder, env=environment(**variables),
                              timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, capture_output=True,
                              preexec_fn=prepare)
        self.command, self.folder = command, pathlib.Path(folder)
        self.status = done.returncode
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")

    def traces(self):
        return sorted(path.parent for path in self.folder.rglob("trace.cutrace"))

    def trace(self):
        traces = self.traces()
        check(len(traces) == 1, f"{self.command}: one trace is left",
              f"{[str(t) for t in traces]}, stderr {self.err!r}")
        return traces[0]

    def left(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


class Place:
    """A temporary folder with a fresh subfolder for each run."""

    def __init__(self, root):
        self.root, self.made = pathlib.Path(root), 0

    def folder(self):
        self.made += 1
        path = self.root / str(self.made)
        path.mkdir(mode=0o777)
        path.chmod(0o777)
        return path

    def bare(self, command, prepare=None, **variables):
        return Run(command, self.folder(), variables, prepare)

    def traced(self, command, prepare=None, folder=None, **variables):
        """Under the preload, quiet unless told otherwise."""
        variables = {"LD_PRELOAD": PATHS["LIB"], "CUTRACE_QUIET": "1", **variables}
        return Run(command, folder or self.folder(), variables, prepare)

    def both(self, command, prepare=None, folder=None, **variables):
        """Run bare and traced, compare what the program shows, return the traced run."""
        plain = {name: value for name, value in variables.items()
                 if not name.startswith("CUTRACE_")}
        bare = self.bare(command, prepare, **plain)
        traced = self.traced(command, prepare, folder, **variables)
        same(bare.err, "", f"{command}: stderr of the bare program")
        same(traced.out, bare.out, f"{command}: stdout (stderr {traced.err!r})")
        same(traced.status, bare.status, f"{command}: exit status (stderr {traced.err!r})")
        check(not bare.left(), f"{command}: the bare program leaves nothing", bare.left())
        return traced


def victim(*arguments):
    return [PATHS["VICTIM"], *arguments]


def cutrace(*arguments):
    return [PATHS["CUTRACE"], *map(str, arguments)]


@contextlib.contextmanager
def place():
    root = tempfile.mkdtemp(prefix="cutrace-shim.")
    os.chmod(root, 0o777)
    try:
        yield Place(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


# What a trace's folder holds.

def table(folder, name):
    with open(pathlib.Path(folder) / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def calls(folder):
    return table(folder, "calls")


def report_text(folder):
    return (pathlib.Path(folder) / "report.txt").read_text()


def quiet(run):
    same(run.err, "", f"{run.command}: stderr")
    return run


def one_line(run, *texts):
    """Exactly one line on stderr, ours, with these texts in it."""
    lines = run.err.splitlines()
    check(len(lines) == 1 and lines[0].startswith("cutrace: "),
          f"{run.command}: exactly one line of cutrace's on stderr", repr(run.err))
    for text in texts:
        check(text in lines[0], f"the line says {text!r}", lines[0])
    return run


def has_rounds(folder, rounds):
    """The calls of so many rounds of victim_cuda() are in calls.csv, each once."""
    rows = calls(folder)
    wanted = {name: rounds for name in
              ("cudaMalloc", "cudaMemset", "cudaDeviceSynchronize", "cudaFree")}
    same(dict(collections.Counter(row["Name"] for row in rows)), wanted, "calls in calls.csv")
    made = [row["Correlation"] for row in rows if row["Correlation"] not in ("", "0")]
    check(len(made) == len(set(made)), "no correlation id appears twice")
    return rows


def says_clean(folder):
    text = report_text(folder)
    check("NOT seen" not in text, "the report misses nothing", text)


def says_blind(folder, *texts):
    text = report_text(folder)
    check("NOT seen" in text and "nothing was dropped" not in text,
          "the report says what it has not seen", text)
    flat = " ".join(text.split())
    for wanted in texts:
        check(" ".join(wanted.split()) in flat, f"the report says {wanted!r}", text)


# Handicaps, for prepare=.

NOBODY = 65534


def as_nobody():
    """Root may write anywhere: be somebody else."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def file_size_limit(limit_bytes):
    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    return prepare


@contextlib.contextmanager
def small_disk(kilobytes):
    """A file system of that size, or None where this user may not mount one."""
    folder = tempfile.mkdtemp(prefix="cutrace-disk.")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", folder],
                             capture_output=True).returncode == 0
    try:
        yield pathlib.Path(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=False)
        os.rmdir(folder)


def main(arguments):
    if arguments == ["--list"]:
        named = {function: check for check, function in TRUST.items()}
        print("\n".join(f"{name}\t{named.get(name, '')}" for name in CASES))
        return 0
    if len(arguments) != 1 or arguments[0] not in CASES:
        print(f"usage: shim_test.py CASE; cases: {' '.join(CASES)}", file=sys.stderr)
        return 2
    try:
        with place() as here:
            return CASES[arguments[0]](here) or 0
    except (Failed, OSError, KeyError, subprocess.TimeoutExpired) as error:
        print(f"not ok: {type(error).__name__}: {error}")
        return 1
