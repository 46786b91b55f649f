#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the tarball run on any x86-64 host with an old enough glibc?

tarball.py TARBALL GLIBC SOURCE BUILD

By what its ELF files ask for: no symbol version above GLIBC, no symbol that such a glibc lacks, no
library but glibc's and those inside, no search path of this machine; and by running it from a
folder with a space in its name, with this machine's libunwind out of reach, on the fake device and
the program victim of BUILD. What the loader then loads must be glibc's, the tarball's or the
program's.

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
# What moved into libc.so.6 in 2.34, and was elsewhere before.
MOVED = {"libdl.so.2": r"dl(open|close|v?sym|addr1?|error)$", "libpthread.so.0": r"pthread_"}


def read(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def elf_files(tree):
    return [path for path in sorted(tree.rglob("*"))
            if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]


def numbers(version):
    return [int(number) for number in version.split(".")]


def symbols(path):
    """Yield (undefined?, weak?, name, version) of a file's dynamic symbols."""
    for line in read("readelf", "--dyn-syms", "-W", path).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[0][:-1].isdigit():
            name, _, version = fields[7].partition("@")
            yield fields[6] == "UND", fields[4] == "WEAK", name, version.lstrip("@")


def newer(version, glibc):
    kind, _, number = version.partition("_")
    return kind == "GLIBC" and number[0].isdigit() and numbers(number) > numbers(glibc)


def old_functions(glibc):
    """What glibc has had since then or before: a newer one still has it, in that version too."""
    libraries = re.findall(r"(?:lib[cm]|ld-linux-x86-64)\.so\.\d \(.*\bx86-64.*\) => (.*)",
                           read("/sbin/ldconfig", "-p"))
    return {name for path in libraries for undefined, _, name, version in symbols(path)
            if not undefined and version.startswith("GLIBC_") and not newer(version, glibc)}


def check_symbols(files, glibc):
    """Yield the symbols that the files need and an old glibc has not."""
    known = old_functions(glibc)
    known |= {name for path in files for undefined, _, name, _ in symbols(path) if not undefined}
    for path in files:
        for undefined, weak, name, version in symbols(path):
            if undefined and newer(version, glibc):
                yield f"{path.name}: needs {name} of {version}: see packaging/old_glibc.c"
            elif undefined and not version and not weak and name not in known:
                yield f"{path.name}: needs {name}, which an old glibc has not"
        for version in re.findall(r"Name: (\S+)", read("readelf", "-VW", path).partition(
                ".gnu.version_r")[2]):
            if newer(version, glibc) or version.startswith(("GLIBCXX_", "GCC_")):
                yield f"{path.name}: needs {version}"


def check_libraries(files):
    """Yield where the files look for libraries that nobody has."""
    inside = {path.name for path in files}
    for path in files:
        dynamic = read("readelf", "-dW", path)
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
        wanted = {name for undefined, _, name, _ in symbols(path) if undefined}
        for library in needed - GLIBC - inside:
            yield f"{path.name}: needs {library}, which is not in the tarball"
        for library, names in MOVED.items():
            if library not in needed and any(re.match(names, name) for name in wanted):
                yield f"{path.name}: does not ask for {library}, where an old glibc has {names}"
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


def check_shared(tree):
    """Yield what is not beside the programs; manual pages are there if scdoc was."""
    for path in ("bash-completion/completions/cutrace", "zsh/site-functions/_cutrace", "doc/cutrace/README.md"):
        if not (tree / "share" / path).is_file():
            yield f"holds no share/{path}"
    if len(list(tree.glob("share/man/man*/*cutrace*.gz"))) not in (0, 3):
        yield "holds some manual pages, not all"


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
        files = elf_files(tree)
        bad = [*check_symbols(files, glibc), *check_libraries(files),
               *check_paths(tree, (source, build)), *check_exports(tree, build), *check_shared(tree),
               *check_runs(host, str(tree / "bin/cutrace"), f"{folder}/plain/lib/libcutrace.so"),
               *check_loaded(tree, host)]
    print(*(f"not ok {one}" for one in bad), sep="\n")
    print(f"{len(bad)} faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
