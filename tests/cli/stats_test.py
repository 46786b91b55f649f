#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the sums of `cutrace stats` agree with the files of the report, and `cutrace list` with the traces?

stats_test.py CUTRACE TRACE.gz...
"""
import collections
import csv
import gzip
import io
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

PARTS = ("device_wait", "lock_wait", "queue_full", "transfer", "first_use", "tool", "driver_work", "unexplained")
FINISH_NS, FINISH = 136, 144  # in the file header


def run(cutrace, *words, status=0):
    done = subprocess.run([cutrace, *map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, (words, done)
    return done


def stats(cutrace, directory, name, form="csv", options=()):
    return run(cutrace, "stats", "--format", form, "--report", name, *options, directory).stdout


def table(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter,
                               quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL))


def file_of(directory, name):
    return (directory / f"{name}.csv").read_text(encoding="utf-8")


def check_blocked(rows, calls):
    for row, part in zip(rows, PARTS):
        times = [int(call[part.replace("_", " ").title() + " (ns)"]) for call in calls]
        wanted = (part, "no" if part in ("tool", "driver_work") else "yes", str(sum(times)), str(sum(map(bool, times))))
        assert tuple(row.values()) == wanted, (row, wanted)


def check_copies(rows, device, exact=True):
    sums = collections.defaultdict(list)
    for op in device:
        if op["Kind"] in ("copy", "memset"):
            name = f"copy {op['Direction']} {op['Source Memory']} to {op['Target Memory']}"
            sums[name if op["Kind"] == "copy" else f"memset {op['Target Memory']}"].append(op)
    assert {row["Operation"] for row in rows} == set(sums), (rows, list(sums))
    assert [int(row["Total Time (ns)"]) for row in rows] == sorted((int(row["Total Time (ns)"]) for row in rows),
                                                                   reverse=True)
    for row in rows:
        ops = sums[row["Operation"]]
        times = [int(op["Duration (ns)"]) for op in ops]
        got = [int(row[name]) for name in ("Total Time (ns)", "Count", "Min (ns)", "Max (ns)", "Total (bytes)")]
        assert got == [sum(times), len(ops), min(times), max(times), sum(int(op["Bytes"]) for op in ops)], row
        middle = sorted(times)[(len(times) - 1) // 2: len(times) // 2 + 1]
        assert not exact or float(row["Med (ns)"]) == sum(middle) / len(middle), (row, middle)
        assert 0.995 * middle[0] <= float(row["Med (ns)"]) <= 1.005 * middle[-1], (row, middle)


def check_serialized(rows, pairs):
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for pair in pairs:
        harm = sums[pair["Culprit Call Site"], pair["Culprit"]]
        for place, value in enumerate((int(pair["Lost (ns)"]), int(pair["Delay (ns)"]), 1)):
            harm[place] += value
    got = {(row["Call Site"], row["Call"]): [int(row[name]) for name in ("Lost (ns)", "Delay (ns)", "Pairs")]
           for row in rows}
    assert got == dict(sums), (got, dict(sums))


def check_trace(cutrace, directory):
    run(cutrace, "report", "--write-only", directory)
    for name, file in (("calls", "cuda_api_sum"), ("kernels", "cuda_gpu_kern_sum"), ("callsites", "callsites")):
        assert stats(cutrace, directory, name) == file_of(directory, file), f"{directory}: {name} is not {file}.csv"
    check_blocked(table(stats(cutrace, directory, "blocked")), table(file_of(directory, "calls")))
    check_copies(table(stats(cutrace, directory, "copies")), table(file_of(directory, "device")))
    check_serialized(table(stats(cutrace, directory, "serialized")), table(file_of(directory, "serialized")))


def check_parts(cutrace, directory):
    """A run in parts, of which only sums are kept."""
    cut = ("--part-records", "50")
    calls, device = table(file_of(directory, "calls")), table(file_of(directory, "device"))
    check_blocked(table(stats(cutrace, directory, "blocked", options=cut)), calls)
    check_copies(table(stats(cutrace, directory, "copies", options=cut)), device, exact=False)


def check_formats(cutrace, directory):
    for name in ("calls", "kernels", "copies", "callsites", "blocked", "serialized"):
        rows = table(stats(cutrace, directory, name))
        assert table(stats(cutrace, directory, name, "tsv"), "\t") == rows, name
        objects = json.loads(stats(cutrace, directory, name, "json"))[0][name]
        assert [{key: "" if value is None else value if isinstance(value, str) else float(value)
                 for key, value in one.items()} for one in objects] == \
            [{key: float(value) if value and not isinstance(objects[0][key], str) else value
              for key, value in row.items()} for row in rows], name
        printed = stats(cutrace, directory, name, "table").split("\n")
        for row in rows:
            shown = [value.replace(",", "")[:48] for key, value in row.items() if key != "Stack"]
            assert any(all(value in line.replace(",", "") for value in shown) for line in printed), (name, row, printed)


def check_several(cutrace, root, traces):
    rows = table(stats(cutrace, root, "calls"))
    assert [row["Directory"] for row in rows] == sorted(row["Directory"] for row in rows)
    assert {row["Directory"] for row in rows} == set(map(str, traces))
    objects = json.loads(run(cutrace, "stats", "--format=json", root).stdout)
    assert [one["directory"] for one in objects] == list(map(str, traces)) and all(one["losses"] for one in objects)
    text = run(cutrace, "stats", root).stdout
    assert re.search(r" \d\d\d,\d{3},\d{3}  ", text), "numbers are grouped"
    assert all(f"trace {trace}\n" in text for trace in traces) and text.count("NOT seen") == len(traces), text
    done = run(cutrace, "stats", "--format", "tsv", root, status=2)
    assert "choose it with --report" in done.stderr and not done.stdout, done


def header_of(trace):
    data = (trace / "trace.cutrace").read_bytes()
    return {"pid": struct.unpack_from("I", data, 28)[0], "start": struct.unpack_from("Q", data, 32)[0],
            "program": data[48:112].rstrip(b"\0").decode(), "finish": struct.unpack_from("Q", data, FINISH_NS)[0]}


def check_list(cutrace, root, traces):
    rows = table(run(cutrace, "list", root, "--format=csv").stdout)
    assert [row["Directory"] for row in rows] == list(map(str, traces)), rows
    for row, trace in zip(rows, traces):
        header = header_of(trace)
        calls = len(table(file_of(trace, "calls")))
        wanted = [str(trace), header["program"], str(header["pid"]), row["Started"],
                  str(header["finish"] - header["start"]), str(calls), "whole",
                  str((trace / "trace.cutrace").stat().st_size), "no", "0"]
        assert list(row.values()) == wanted and row["Started"].endswith("Z"), (row, wanted)
    assert json.loads(run(cutrace, "list", root, "--format=json").stdout)[0]["PID"] == int(rows[0]["PID"])
    assert all(f" {row['PID']} " in run(cutrace, "list", root).stdout for row in rows), "a pid has no comma in it"
    run(cutrace, "pack", traces[0])
    first = table(run(cutrace, "list", root, "--format=csv").stdout)[0]
    assert (first["Packed"], first["Calls"]) == ("yes", rows[0]["Calls"]), first


def check_states(cutrace, root, trace):
    """Cut off, being written, damaged, no trace at all, hidden; other folders in between."""
    path = trace / "trace.cutrace"
    whole = path.read_bytes()
    for size in (100000, 4096):
        path.write_bytes(whole[:size])  # a copy that did not come to its end
        assert table(run(cutrace, "list", root, "--format=csv").stdout)[-1]["State"] == "damaged", size
    path.write_bytes(whole)
    with open(path, "r+b") as file:
        for offset, size in ((FINISH_NS, 8), (FINISH, 4)):
            file.seek(offset)
            file.write(bytes(size))
        file.flush()
        assert table(run(cutrace, "list", root, "--format=csv").stdout)[-1]["State"] == "being written"
    assert table(run(cutrace, "list", root, "--format=csv").stdout)[-1]["State"] == "cut off"
    with open(path, "r+b") as file:
        file.seek(65536)
        file.write(b"x" * 64)
    assert table(run(cutrace, "list", root, "--format=csv").stdout)[-1]["State"] == "damaged"
    deep, hidden, broken = root / "x/y/deep", root / ".hidden", root / "broken"
    for folder in (deep, hidden, broken):
        folder.mkdir(parents=True)
        (folder / "trace.cutrace").write_bytes(b"" if folder == broken else path.read_bytes())
    done = run(cutrace, "list", root, "--format=csv", status=1)
    assert f"cutrace: {broken}: not a cutrace trace" in done.stderr, done
    assert table(done.stdout)[-1]["Directory"] == str(deep) and str(hidden) not in done.stdout, done
    (root / "nothing").mkdir()
    done = run(cutrace, "list", root / "nothing", status=1)
    assert not done.stdout and "no trace below it" in done.stderr, done


def check_hostile(cutrace, root, trace):
    """A directory may have any name: it gives a terminal no commands and tables no rows or columns."""
    folder = os.fsencode(root / "hostile")
    names = [folder + b"/\x1b]0;x\x07\n::error::\xff\xc2\x9b", folder + b"/tab\tb", folder + b"/broken\x1b[2J"]
    for name in names:
        os.makedirs(name)
        with open(name + b"/trace.cutrace", "wb") as file:
            file.write(b"" if name == names[-1] else (trace / "trace.cutrace").read_bytes())

    def outputs(*words):
        done = subprocess.run([cutrace, *words], capture_output=True, check=False, timeout=60)
        return (done.stdout + done.stderr).decode()  # is UTF-8

    for words in (["stats", folder], ["list", folder], ["report", folder], ["report", names[0]], ["diff", *names[:2]],
                  ["ctl", folder, "status"], ["ctl", folder, "start"], ["pack", folder], ["pack", folder],
                  ["export", "--folded", folder]):
        text = outputs(*words)
        bad = [c for c in text if (c < " " and c != "\n") or "\x7f" <= c < "\xa0"]
        assert not bad and "\n::error" not in text, (words, bad, text)
    done = subprocess.run([cutrace, "stats", "--format=tsv", "-r", "blocked", folder], capture_output=True, check=False)
    assert {row.count(b"\t") for row in done.stdout.splitlines()} == {4}, done
    line = subprocess.run([cutrace, "report", names[0]], capture_output=True, check=False).stdout.splitlines()[-1]
    word = line.split(b"run.html ")[1].partition(b"   #")[0]
    done = subprocess.run([b"bash", b"-c", b"printf %s " + word], capture_output=True, check=True)
    assert done.stdout == names[0], (line, "the name is the directory's, as bash takes it")
    os.rename(names[1], folder + b"/-v")
    done = subprocess.run([os.path.abspath(cutrace), "report", "--", "-v"], cwd=folder, capture_output=True, check=True)
    assert b" -o run.html ./-v " in done.stdout, done.stdout


def check_nothing_left(cutrace, root, trace):
    """Of a trace that was cut before its first call all that figures are made of says so, and fails."""
    cut = root / "cut"
    cut.mkdir()
    (cut / "trace.cutrace").write_bytes((trace / "trace.cutrace").read_bytes()[:8192])
    for words in (["report", cut], ["report", trace, cut], ["stats", cut], ["stats", "--format=json", cut],
                  ["diff", trace, cut]):
        done = subprocess.run([cutrace, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and f"cutrace: {cut}: nothing was recorded before " in done.stderr, done
    text = (cut / "report.txt").read_text()
    assert "Nothing was recorded of this run: " in text and "0 ns in CUDA calls" not in text, text
    shutil.rmtree(cut)


def main():
    cutrace, *packed = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cutrace-stats.") as folder:
        root = pathlib.Path(folder)
        traces = sorted(root / pathlib.Path(path).name.partition(".")[0] for path in packed)
        for trace, path in zip(traces, sorted(packed, key=os.path.basename)):
            trace.mkdir()
            (trace / "trace.cutrace").write_bytes(gzip.open(path).read())
            check_trace(cutrace, trace)
            check_parts(cutrace, trace)
        check_formats(cutrace, traces[0])
        check_several(cutrace, root, traces)
        check_nothing_left(cutrace, root, traces[-1])
        check_list(cutrace, root, traces)
        check_hostile(cutrace, root, traces[-1])
        shutil.rmtree(root / "hostile")
        check_states(cutrace, root, traces[-1])


if __name__ == "__main__":
    main()
