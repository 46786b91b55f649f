#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that exports of a run with two devices keep them apart.

devices_test.py CUTRACE LIBCUTRACE PROGRAM

PROGRAM drives two devices, whose streams have the same numbers. Exit status 0 if every format
has the device of each stream, 77 if the program skipped itself. The page is looked at where there
is a browser.
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


def main():
    cutrace, lib, program = sys.argv[1:4]
    with tempfile.TemporaryDirectory(prefix="cutrace-devices.") as out:
        status = subprocess.run([program], stdout=subprocess.DEVNULL, timeout=120, env={
            **os.environ, "LD_PRELOAD": os.path.abspath(lib), "CUTRACE_QUIET": "1",
            "CUTRACE_OUTPUT": os.path.join(out, "run")}).returncode
        if status == SKIPPED:
            return SKIPPED
        assert status == 0, status
        run = next(pathlib.Path(out).rglob("report.txt")).parent
        paths = {name: pathlib.Path(out) / f"out.{name}" for name in ("sqlite", "jsonl", "perfetto", "html")}
        for name, path in paths.items():
            subprocess.run([cutrace, "export", f"--{name}", "-o", path, run], check=True)
        check_sqlite(paths["sqlite"], collections.Counter(
            (int(row["Device"]), int(row["Context"]), int(row["Stream"])) for row in table(run, "device")))
        check_jsonl(paths["jsonl"])
        check_perfetto(paths["perfetto"])
        check_page(paths["html"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
