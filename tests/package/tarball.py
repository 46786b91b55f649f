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
import pathlib
import re
import subprocess
import sys
import tempfile

from host import Host, check_runs

# glibc 2.28's own libraries.
GLIBC = {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1",
         "ld-linux-x86-64.so.2"}


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


def exports(library):
    return set(read("nm", "-D", "--defined-only", "--format=just-symbols", library).split())


def check_exports(tree, build):
    """Yield what the library puts in place of the program's own, and should not."""
    wanted, found = exports(build / "shim/libcutrace.so"), exports(tree / "lib/libcutrace.so")
    if found != wanted:
        yield f"libcutrace.so: exports {found - wanted}, and lacks {wanted - found}"


def check_paths(tree, folders):
    """Yield the files that hold a path of this machine."""
    for path in sorted(tree.rglob("*")):
        for folder in folders:
            if path.is_file() and bytes(folder) in path.read_bytes():
                yield f"{path.name}: holds the path {folder}"


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
        subprocess.run(["tar", "-C", folder / "with space", "-xf", tarball], check=True)
        tree, = (folder / "with space").iterdir()
        (folder / "plain").symlink_to(tree)
        host = Host(folder / "host", build)
        host.hide("libunwind.so.8")
        bad = [*check_elf(tree, glibc), *check_paths(tree, (source, build)), *check_exports(tree, build),
               *check_runs(host, str(tree / "bin/cutrace"), f"{folder}/plain/lib/libcutrace.so"),
               *check_loaded(tree, host)]
    print(*(f"not ok {one}" for one in bad), sep="\n")
    print(f"{len(bad)} faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
