#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pack traces: whatever a command makes of them is, byte for byte, what it was before.

golden_pack.py CUTRACE TRACE.gz...

Of every trace: the report, the CSV files and the dump before packing, after it, and after
unpacking, and the tables of all of them as one run. Where NAME.packed lies beside NAME.trace.gz,
that is the trace as the first version of the packing had it: its dump is still the same.
"""
import gzip
import pathlib
import subprocess
import sys
import tempfile


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def results(cutrace, traces, tables):
    """What all commands make of the traces, by file name; a dump has the name of its trace."""
    report = run(cutrace, "report", "--output", tables, traces)
    made = {path.relative_to(traces): path.read_bytes() for path in traces.rglob("*")
            if path.is_file() and path.name != "trace.cutrace"}
    made |= {path.name: path.read_bytes() for path in tables.iterdir()}
    made |= {folder.name: run(cutrace, "dump", folder) for folder in traces.iterdir()}
    made["stdout"] = report
    return made


def differing(before, after):
    return sorted(str(name) for name in before.keys() | after.keys()
                  if before.get(name) != after.get(name))


def packed_of_old(cutrace, archives, folder):
    """Dumps of the traces that were packed when this was new, by name."""
    made = {}
    for old in (pathlib.Path(archive.replace(".trace.gz", ".packed")) for archive in archives):
        if old.exists():
            folder.mkdir(exist_ok=True)
            (folder / "trace.cutrace").write_bytes(old.read_bytes())
            made[old.stem] = run(cutrace, "dump", folder)
    return made


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: golden_pack.py CUTRACE TRACE.gz...")
    cutrace, *archives = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cutrace-pack.") as folder:
        traces, tables = pathlib.Path(folder, "traces"), pathlib.Path(folder, "tables")
        for archive in archives:
            trace = traces / pathlib.Path(archive).name.removesuffix(".trace.gz") / "trace.cutrace"
            trace.parent.mkdir(parents=True)
            with gzip.open(archive) as packed:
                trace.write_bytes(packed.read())
        files = sorted(traces.rglob("trace.cutrace"))
        sizes = sum(path.stat().st_size for path in files)
        before = results(cutrace, traces, tables)
        run(cutrace, "pack", traces)
        assert all(path.read_bytes()[:8] == b"CUTRACEZ" for path in files)
        packed_sizes = sum(path.stat().st_size for path in files)
        wrong = differing(before, results(cutrace, traces, tables))
        run(cutrace, "pack", "--unpack", traces)
        assert all(path.read_bytes()[:8] == b"CUTRACE\n" for path in files)
        wrong += differing(before, results(cutrace, traces, tables))
        old = packed_of_old(cutrace, archives, pathlib.Path(folder, "old"))
        wrong += differing({name: before[name] for name in old}, old)
    assert old
    print(f"{len(files)} traces, {len(before)} results; {sizes} bytes, packed {packed_sizes}")
    print("\n".join(f"differs: {name}" for name in wrong))
    return 1 if wrong or len(before) < 12 * len(files) else 0


if __name__ == "__main__":
    sys.exit(main())
