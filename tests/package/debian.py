#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build the Debian package from a copy of the source, and run what it holds.

debian.py SOURCE BUILD VERSION

As `dpkg-buildpackage -b` builds it, but for debug symbols; judged by lintian where that is
installed; unpacked, not installed; run on the fake device and the program victim of BUILD.

Exit status: 0 all is well; 1 not; 77 dpkg-buildpackage or debhelper is not installed.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from host import Host, check_runs

LIBRARY = "usr/lib/x86_64-linux-gnu/libcutrace.so"


def build(source, copy):
    """Build in `copy`. Returns the path of the package."""
    shutil.copytree(source, copy, ignore=lambda folder, names: [
        name for name in names if pathlib.Path(folder) == source
        and (name.startswith("build") or name in (".git", ".dist"))])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEB_")}
    # the build dependencies are here by whatever way: what is missing, the build says
    with open(copy.parent / "log", "w", encoding="utf-8") as log:
        done = subprocess.run(["dpkg-buildpackage", "-b", "-us", "-uc", "-d"], cwd=copy,
                              env={**kept, "DEB_BUILD_OPTIONS": "noautodbgsym parallel=2"},
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if done.returncode:
        print((copy.parent / "log").read_text()[-4000:])
        sys.exit(f"dpkg-buildpackage: exit status {done.returncode}")
    package, = copy.parent.glob("*.deb")
    return package


def check_lintian(package):
    """Yield what lintian says."""
    if not shutil.which("lintian"):
        print("lintian is not installed: the package was not judged by it")
        return
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", package],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"lintian: {done.stdout}{done.stderr}"


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True,
                          text=True).stdout.strip()


def check_package(package, root, version):
    """Yield what is wrong with the package and its files, unpacked in `root`."""
    if field(package, "Version").rpartition("-")[0] != version:
        yield f"version {field(package, 'Version')}, but the project's is {version}"
    if "libunwind8" not in field(package, "Depends"):
        yield "does not depend on libunwind8, which is found by dlopen()"
    for path in ("usr/bin/cutrace", LIBRARY, "usr/share/man/man1/cutrace.1.gz",
                 "usr/share/man/man7/libcutrace.7.gz", "usr/share/man/man5/cutrace-format.5.gz",
                 "usr/share/bash-completion/completions/cutrace",
                 "usr/share/zsh/vendor-completions/_cutrace"):
        if not (root / path).is_file():
            yield f"holds no {path}"
    if (root / "usr/libexec").exists():
        yield "holds what only tests use"


def main():
    source, built = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    if not (shutil.which("dpkg-buildpackage") and shutil.which("dh")):
        print("dpkg-buildpackage or debhelper is not installed")
        return 77
    with tempfile.TemporaryDirectory(prefix="cutrace-debian.") as folder:
        folder = pathlib.Path(folder).resolve()
        package, root = build(source, folder / "source"), folder / "root"
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
        bad = [*check_package(package, root, sys.argv[3]), *check_lintian(package),
               *check_runs(Host(folder / "host", built), str(root / "usr/bin/cutrace"),
                           str(root / LIBRARY))]
    print(*(f"not ok {one}" for one in bad), sep="\n")
    print(f"{len(bad)} faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
