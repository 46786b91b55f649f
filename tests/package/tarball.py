#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the tarball run on any x86-64 host with an old enough glibc?

tarball.py TARBALL GLIBC SOURCE BUILD

By what its ELF files ask for: no symbol version above GLIBC, no library but glibc's and those
inside, no search path of this machine; and by running it from a folder with a space in its name,
with this machine's libunwind out of reach, on the fake device and the program victim of BUILD.
What the loader then loads must be glibc's, the tarball's or the program's.

Exit status: 0 yes; 1 no.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# glibc 2.28's own libraries.
GLIBC = {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1",
         "ld-linux-x86-64.so.2"}
ROUNDS = 5  # of victim's calls


def read(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def elf_files(tree):
    return [path for path in sorted(tree.rglob("*"))
            if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]


def numbers(version):
    return [int(number) for number in version.split(".")]


def check_elf(tree, glibc):
    """Yield what is wrong with the ELF files."""
    files = elf_files(tree)
    inside = {path.name for path in files}
    for path in files:
        dynamic = read("readelf", "-dW", path)
        for symbol in re.findall(r"\*UND\*.*\bGLIBC_([\d.]+\)? +\S+)", read("objdump", "-T", path)):
            version, name = re.match(r"([\d.]+)\)? +(\S+)", symbol).groups()
            if numbers(version) > numbers(glibc):
                yield f"{path.name}: needs {name} of GLIBC_{version}: see packaging/old_glibc.c"
        for version in re.findall(r"Name: (\S+)", read("readelf", "-VW", path).partition(
                ".gnu.version_r")[2]):
            kind, _, number = version.partition("_")
            if kind == "GLIBC" and numbers(number) > numbers(glibc) or kind in ("GLIBCXX", "GCC"):
                yield f"{path.name}: needs {version}"
        for needed in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
            if needed not in GLIBC | inside:
                yield f"{path.name}: needs {needed}, which is not in the tarball"
        for folders in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic):
            for folder in folders.split(":"):
                if not folder.startswith("$ORIGIN"):
                    yield f"{path.name}: searches {folder}"
    if not {"cutrace", "libcutrace.so", "libunwind.so.8"} <= inside:
        yield f"only these are in the tarball: {inside}"


def check_paths(tree, folders):
    """Yield the files that hold a path of this machine."""
    for path in sorted(tree.rglob("*")):
        for folder in folders:
            if path.is_file() and bytes(folder) in path.read_bytes():
                yield f"{path.name}: holds the path {folder}"


class Host:
    """A folder to run in, without this machine's libunwind."""

    def __init__(self, folder, build):
        self.folder, self.build = folder, build
        (folder / "hidden").mkdir()
        (folder / "hidden/libunwind.so.8").touch()  # found first, and no library
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("CUTRACE_", "CUDA_", "FAKE_", "LD_", "VICTIM_"))}
        self.environment = {**kept, "LC_ALL": "C", "LD_DEBUG": "files",
                            "LD_DEBUG_OUTPUT": str(folder / "loaded"),
                            "LD_LIBRARY_PATH": f"{folder / 'hidden'}:{build / 'tests/fake'}"}

    def run(self, *command, **variables):
        done = subprocess.run(command, cwd=self.folder, env={**self.environment, **variables},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def loaded(self):
        """The paths of all libraries that any of the processes has loaded."""
        logs = [path.read_text(errors="replace") for path in self.folder.glob("loaded.*")]
        return set(re.findall(r"calling init: (.*)", "\n".join(logs)))


def check_runs(tree, host):
    """Yield what does not work when run."""
    victim, cutrace = str(host.build / "tests/shim/victim"), str(tree / "bin/cutrace")
    plain = host.folder / "plain"  # LD_PRELOAD ends names at spaces
    plain.symlink_to(tree)
    runs = {
        "cutrace run": (7, (cutrace, "run", "--output=run.dir", victim, "return"), {}),
        "cutrace report": (0, (cutrace, "report", "run.dir"), {}),
        "cutrace doctor": (0, (cutrace, "doctor"), {}),
        "LD_PRELOAD": (7, (victim, "return"), {"LD_PRELOAD": f"{plain}/lib/libcutrace.so",
                                               "CUTRACE_OUTPUT": "preload.dir"}),
    }
    for name, (wanted, command, variables) in runs.items():
        status, printed = host.run(*command, **variables)
        if status != wanted:
            yield f"{name}: exit status {status}, wanted {wanted}; it printed: {printed}"
    for trace in ("run.dir", "preload.dir"):
        calls = host.folder / trace / "calls.csv"
        rows = calls.read_text().count("cudaFree") if calls.exists() else -1
        if rows != ROUNDS:
            yield f"{trace}: cudaFree is {rows} times in calls.csv, wanted {ROUNDS}"


def check_loaded(tree, host):
    """Yield the libraries that were loaded from elsewhere."""
    loaded = host.loaded()
    for path in map(pathlib.Path, loaded):
        real = path.resolve()
        if not (real.is_relative_to(tree) or real.is_relative_to(host.build)
                or path.name in GLIBC or re.match(r"/proc/\d+/fd/", str(path))):
            yield f"loaded from this machine: {path}"
    if not any(path.endswith("/libunwind.so.8") for path in loaded):
        yield "libunwind was not loaded"


def main():
    tarball, glibc = sys.argv[1:3]
    source, build = (pathlib.Path(path).resolve() for path in sys.argv[3:5])
    with tempfile.TemporaryDirectory(prefix="cutrace-tarball.") as folder:
        folder = pathlib.Path(folder).resolve()
        (folder / "with space").mkdir()
        (folder / "host").mkdir()
        subprocess.run(["tar", "-C", folder / "with space", "-xf", tarball], check=True)
        tree, = (folder / "with space").iterdir()
        host = Host(folder / "host", build)
        bad = [*check_elf(tree, glibc), *check_paths(tree, (source, build)),
               *check_runs(tree, host), *check_loaded(tree, host)]
    print(*(f"not ok {one}" for one in bad), sep="\n")
    print(f"{len(bad)} faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
