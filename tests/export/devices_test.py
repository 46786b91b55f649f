#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that exports of a run with two devices keep them apart.

devices_test.py CUTRACE LIBCUTRACE PROGRAM COPIES

PROGRAM drives two devices, whose streams have the same numbers; COPIES copies from device 0 to 1. Exit
status 0 if every format has the device of each stream, and both of each copy, 77 if a program skipped
itself. The page is looked at where there is a browser.
"""
import collections
import csv
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import pftrace

sys.path.append(str(pathlib.Path(__file__).parents[1] / "html"))
import browser

SKIPPED = 77


def table(directory, name):
    with open(directory / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def check_sqlite(path, wanted):
    with sqlite3.connect(path) as base:
        found = base.execute("""SELECT deviceId, contextId, streamId, count(*)
            FROM CUPTI_ACTIVITY_KIND_KERNEL GROUP BY 1, 2, 3""").fetchall()
        assert {row[:3]: row[3] for row in found} == wanted, found
        waits = base.execute("""SELECT waitedForDeviceId, count(DISTINCT waitedForNameId)
            FROM CUTRACE_WAITS WHERE waitedForKind = 'kernel' GROUP BY 1 ORDER BY 1""").fetchall()
        assert waits == [(0, 1), (1, 1)], waits
        victims = base.execute("SELECT DISTINCT victimDeviceId FROM CUTRACE_SERIALIZED ORDER BY 1").fetchall()
        assert victims == [(0,), (1,)], victims


def check_jsonl(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    devices = collections.defaultdict(set)
    for line in lines:
        if line.get("waited_for") and line["waited_for"].get("stream") is not None:
            devices[line["waited_for"]["name"]].add(line["waited_for"]["device"])
    assert len(devices) == 2 and all(len(one) == 1 for one in devices.values()), devices
    assert {line["victim_device"] for line in lines if "victim" in line} == {0, 1}


def check_perfetto(path):
    """Each device is a track, whose children its streams are: names alone do not tell them."""
    trace = pftrace.Trace(path)
    of = collections.defaultdict(set)
    for uuid, track in trace.tracks.items():
        if trace.name(uuid).startswith("stream "):
            of[trace.name(track["parent_uuid"][0])].add(trace.name(uuid).split(" of ")[0])
    assert of == {"device 0": {"stream 7", "stream 13"}, "device 1": {"stream 7", "stream 13"}}, of


def check_page(path):
    if not browser.find():
        print("no browser: the page was not looked at")
        return
    with browser.started() as chromium:
        chromium.open(path)
        groups = chromium.js("rows.filter((row) => row.group).map((row) => row.group)")
        assert groups == ["Host threads", "Streams, GPU 0", "Streams, GPU 1"], groups
        assert chromium.problems == [], chromium.problems


def trace(lib, program, out):
    """Where its report is, or None: it skipped itself."""
    status = subprocess.run([program], stdout=subprocess.DEVNULL, timeout=120, env={
        **os.environ, "LD_PRELOAD": os.path.abspath(lib), "CUTRACE_QUIET": "1",
        "CUTRACE_OUTPUT": os.path.join(out, os.path.basename(program))}).returncode
    assert status in (0, SKIPPED), status
    return None if status else next(pathlib.Path(out, os.path.basename(program)).rglob("report.txt")).parent


def export(cutrace, run):
    paths = {name: run / f"out.{name}" for name in ("sqlite", "jsonl", "perfetto", "html")}
    for name, path in paths.items():
        subprocess.run([cutrace, "export", f"--{name}", "-o", path, run], check=True)
    return paths


def check_copies(run, paths):
    """All go from device 0 to 1, and every format says so."""
    rows = [(row["Source Device"], row["Target Device"]) for row in table(run, "device") if row["Direction"] == "P2P"]
    assert rows and set(rows) == {("0", "1")}, rows
    with sqlite3.connect(paths["sqlite"]) as base:
        found = base.execute("SELECT srcDeviceId, dstDeviceId FROM CUPTI_ACTIVITY_KIND_MEMCPY WHERE copyKind = 10")
        assert found.fetchall() == [(0, 1)] * len(rows)
    lines = [json.loads(line) for line in paths["jsonl"].read_text().splitlines()]
    found = [(line["source_device"], line["target_device"]) for line in lines if line.get("direction") == "P2P"]
    assert found == [(0, 1)] * len(rows), found
    found = [(piece.notes["source device"], piece.notes["target device"]) for piece in pftrace.Trace(paths["perfetto"]).slices
             if "source device" in piece.notes]
    assert found and set(found) == {(0, 1)}, found


def main():
    cutrace, lib, program, copies = sys.argv[1:5]
    with tempfile.TemporaryDirectory(prefix="cutrace-devices.") as out:
        run, copied = trace(lib, program, out), trace(lib, copies, out)
        if not run or not copied:
            return SKIPPED
        paths = export(cutrace, run)
        check_sqlite(paths["sqlite"], collections.Counter(
            (int(row["Device"]), int(row["Context"]), int(row["Stream"])) for row in table(run, "device")))
        check_jsonl(paths["jsonl"])
        check_perfetto(paths["perfetto"])
        check_page(paths["html"])
        check_copies(copied, export(cutrace, copied))
    return 0


if __name__ == "__main__":
    sys.exit(main())
