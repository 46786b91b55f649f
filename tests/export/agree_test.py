#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is exported of a trace must be what the report's tables say of it.

agree_test.py CUTRACE TRACE.gz...

Each trace is reported on, and exported in one piece and in small parts, in every format.
"""
import collections
import csv
import gzip
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile

import pftrace

BLOCKED = ("Device Wait (ns)", "Lock Wait (ns)", "Queue Full (ns)", "Transfer (ns)",
           "First Use (ns)", "Unexplained (ns)")
PARTS = {"device_wait": "Device Wait (ns)", "lock_wait": "Lock Wait (ns)",
         "queue_full": "Queue Full (ns)", "transfer": "Transfer (ns)",
         "first_use": "First Use (ns)", "tool": "Tool (ns)", "unexplained": "Unexplained (ns)"}


def memory_of(calls):
    """Blocks that came into being, and bytes left at the end, as calls.csv tells."""
    blocks, made, unknown = {}, 0, 0

    def when(call):  # an address is had from the return of its allocation up to its free
        allocates = re.search("[Aa]lloc|HostRegister|Create", call["Name"])
        return int(call["Start (ns)"]) + (int(call["Duration (ns)"]) if allocates else 0)

    for call in sorted(calls, key=when):
        name, address = call["Name"], call["Address"]
        if call["Result"] != "0" or call["Captured"]:
            continue
        if name == "cudaDeviceReset":
            blocks.clear()
        elif re.fullmatch("(cudaMalloc|cuMemAlloc|cuArray.*Create|cuMipmapped.*Create|cudaHost(Alloc|Register)"
                          "|cuMemHost(Alloc|Register)|cuMemCreate).*", name) and address != "0x0":
            made += 1
            blocks[address] = int(call["Bytes"])
        elif re.fullmatch("(cudaFree|cuMemFree|cu.*ArrayDestroy|cu.*HostUnregister|cuMemRelease).*", name):
            unknown += address != "0x0" and address not in blocks
            blocks.pop(address, None)
    return made, sum(blocks.values()), unknown


class Tables:
    """Sums of the CSV files."""

    def __init__(self, folder):
        def rows(name):
            with open(folder / name, newline="") as table:
                return list(csv.DictReader(table))

        calls, device = rows("calls.csv"), rows("device.csv")
        self.calls = collections.Counter(row["Name"] for row in calls)
        self.parts = {part: sum(int(row[column]) for row in calls) for part, column in PARTS.items()}
        self.blocked = sum(int(row[column]) for row in calls for column in BLOCKED)
        self.starts = sorted(int(row["Start (ns)"]) for row in calls)
        self.kinds = collections.Counter(row["Kind"] for row in device)
        self.device_ns = sum(int(row["Duration (ns)"]) for row in device)
        self.copied = sum(int(row["Bytes"] or 0) for row in device if row["Kind"] == "copy")
        self.polling = sum(int(row["Blocked (ns)"]) for row in rows("blocked.csv")
                           if row["Class"] == "polling")
        self.memory = memory_of(calls)
        pairs = rows("serialized.csv")
        self.pairs = (len(pairs), sum(int(row["Lost (ns)"]) for row in pairs))
        self.idle = sum(int(row["Duration (ns)"]) for row in rows("idle.csv"))
        sites = rows("callsites.csv")
        self.sites = (len(sites), sum(int(row["Blocked (ns)"]) for row in sites))


def same(what, exported, table):
    assert exported == table, f"{what}: exported {exported}, in the tables {table}"


def without_zeros(counts):
    return {key: value for key, value in counts.items() if value}


def check_sqlite(path, tables):
    db = sqlite3.connect(path)

    def one(query):
        return db.execute(query).fetchone()

    def pairs(query):
        return dict(db.execute(query).fetchall())

    calls = "CUPTI_ACTIVITY_KIND_RUNTIME"
    same("integrity", one("PRAGMA integrity_check")[0], "ok")
    same("calls", pairs(f"SELECT value, count(*) FROM {calls} JOIN StringIds ON id = nameId GROUP BY 1"),
         dict(tables.calls))
    same("blocked", one("SELECT ifnull(sum(deviceWait + lockWait + queueFull + transfer + firstUse + "
                        f"unexplained), 0) FROM {calls}")[0], tables.blocked)
    waits = pairs("SELECT value, sum(end - start) FROM CUTRACE_WAITS JOIN StringIds ON id = classId GROUP BY 1")
    same("polling", waits.pop("polling", 0), tables.polling)
    same("waits", waits, without_zeros(tables.parts))
    offset = one("SELECT csvOffset FROM PROCESSES")[0]
    same("starts", [start - offset for start, in db.execute(f"SELECT start FROM {calls} ORDER BY 1")],
         tables.starts)
    kinds = {"kernel": "KERNEL", "copy": "MEMCPY", "memset": "MEMSET", "graph": "GRAPH_TRACE"}
    ns = 0
    for kind, table in kinds.items():
        count, sum_ns = one(f"SELECT count(*), ifnull(sum(end - start), 0) FROM CUPTI_ACTIVITY_KIND_{table}")
        same(kind, count, tables.kinds[kind])
        ns += sum_ns
    same("device time", ns, tables.device_ns)
    same("bytes", one("SELECT ifnull(sum(bytes), 0) FROM CUPTI_ACTIVITY_KIND_MEMCPY")[0], tables.copied)
    memory = "CUDA_GPU_MEMORY_USAGE_EVENTS"
    made, = one(f"SELECT count(*) FROM {memory} WHERE memoryOperationType = 0")
    left, = one(f"SELECT ifnull(sum(now), 0) FROM {memory} WHERE rowid IN "
                f"(SELECT max(rowid) FROM {memory} GROUP BY deviceId, memKind)")
    unknown = one("SELECT ifnull(sum(count), 0) FROM CUTRACE_LOSSES WHERE text LIKE 'frees of memory%'")[0]
    same("memory", (made, left, unknown), tables.memory)
    same("pairs", one("SELECT count(*), ifnull(sum(lost), 0) FROM CUTRACE_SERIALIZED"), tables.pairs)
    same("idle", one("SELECT ifnull(sum(end - start), 0) FROM CUTRACE_IDLE")[0], tables.idle)
    same("sites", one("SELECT count(*), ifnull(sum(blocked), 0) FROM CUTRACE_CALLSITES"), tables.sites)
    same("names without text", one(
        f"SELECT count(*) FROM {calls} LEFT JOIN StringIds ON id = nameId WHERE value IS NULL")[0], 0)
    same("kernels whose call is another process's or none that launches", one(
        "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL k WHERE graphId IS NULL AND NOT EXISTS (SELECT 1 FROM "
        f"{calls} c WHERE c.correlationId = k.correlationId AND c.globalTid >> 24 = k.globalPid >> 24)")[0],
        0)


def check_jsonl(path, tables):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_type = collections.defaultdict(list)
    for line in lines:
        by_type[line["type"]].append(line)
    calls, operations = by_type["call"], by_type["operation"]
    same("lines", by_type["end"], [{"type": "end", "lines": len(lines)}])
    same("calls", collections.Counter(call["name"] for call in calls), tables.calls)
    same("blocked", sum(call["parts_ns"].get(part, 0) for call in calls for part in PARTS if part != "tool"),
         tables.blocked)
    waits = collections.Counter()
    for wait in by_type["wait"]:
        waits[wait["class"]] += wait["duration_ns"]
    same("polling", waits.pop("polling", 0), tables.polling)
    same("waits", dict(waits), without_zeros(tables.parts))
    offset = by_type["process"][0]["csv_offset_ns"]
    same("starts", sorted(call["start_ns"] - offset for call in calls), tables.starts)
    same("kinds", collections.Counter(op["kind"] for op in operations), tables.kinds)
    same("device time", sum(op["duration_ns"] for op in operations), tables.device_ns)
    same("bytes", sum(op["bytes"] for op in operations if op["kind"] == "copy"), tables.copied)
    pairs = by_type["serialized"]
    same("pairs", (len(pairs), sum(pair["lost_ns"] for pair in pairs)), tables.pairs)
    same("idle", sum(gap["duration_ns"] for gap in by_type["idle"]), tables.idle)
    sites = by_type["site"]
    same("sites", (len(sites), sum(site["blocked_ns"] for site in sites)), tables.sites)


def check_folded(path, tables):
    weights = [line.rsplit(" ", 1) for line in path.read_text().splitlines()]
    assert all(stack and ns.isdigit() for stack, ns in weights)
    same("blocked", sum(int(ns) for _, ns in weights), tables.blocked)
    parts = collections.Counter()
    for stack, ns in weights:
        if int(ns):
            parts[stack.rsplit(";", 1)[1].strip("[]")] += int(ns)
    same("parts", dict(parts), without_zeros({p: ns for p, ns in tables.parts.items() if p != "tool"}))


def check_flows(trace, tables):
    """Every operation has an arrow from its call; every wait for one, an arrow from it."""
    by_flow = collections.defaultdict(list)
    for piece in trace.slices:
        for flow in piece.begins + piece.ends:
            by_flow[flow].append(piece)
    submitted = released = 0
    for pieces in by_flow.values():
        kinds = [piece.category for piece in sorted(pieces, key=lambda p: p.start)]
        operations = [kind for kind in kinds if kind not in ("call", "wait")]
        assert len(operations) <= 1, f"a flow of several operations: {kinds}"
        submitted += len(operations) and "call" in kinds
        released += len(operations) and "wait" in kinds
    waits = [p for p in trace.slices if p.name in ("device_wait", "polling") and "waited for" in p.notes and p.ends]
    same("operations with a call", submitted, sum(tables.kinds.values()))
    assert bool(waits) == bool(released), (len(waits), released)
    for wait in waits:
        assert any(p.category not in ("call", "wait") for flow in wait.ends for p in by_flow[flow])


def check_perfetto(path, tables):
    trace = pftrace.Trace(path)
    calls = [p for p in trace.slices if p.category == "call"]
    operations = [p for p in trace.slices if p.category in ("kernel", "copy", "memset", "graph")]
    same("calls", collections.Counter(call.name for call in calls), tables.calls)
    same("kinds", collections.Counter(op.category for op in operations), tables.kinds)
    same("device time", sum(op.end - op.start for op in operations), tables.device_ns)
    same("bytes", sum(op.notes["bytes"] for op in operations if op.category == "copy"), tables.copied)
    waits = collections.Counter()
    for piece in trace.slices:
        if piece.category == "wait":
            waits[piece.name] += piece.end - piece.start
            assert piece.name == "polling" or piece.depth == 1, "a wait is in its call"
    same("polling", waits.pop("polling", 0), tables.polling)
    same("waits", dict(waits), without_zeros(tables.parts))
    check_flows(trace, tables)
    running = {track: values for track, values in trace.counters.items()
               if trace.name(track).startswith("operations running")}
    for values in running.values():
        same("operations that never end", values[-1][1], 0)
    same("memory left", sum(values[-1][1] for track, values in trace.counters.items()
                            if " memory" in trace.name(track)), tables.memory[1])
    busy = sum(value * (then - time) for values in running.values()
               for (time, value), (then, _) in zip(values, values[1:]))
    same("concurrency, integrated", busy, tables.device_ns)


CHECKS = {"sqlite": check_sqlite, "jsonl": check_jsonl, "folded": check_folded, "perfetto": check_perfetto}


def check_trace(cutrace, packed, folder):
    with gzip.open(packed) as trace:
        (folder / "trace.cutrace").write_bytes(trace.read())
    for options in ([], ["--part-records=100"]):
        subprocess.run([cutrace, "report", "--write-only", "--all-rows", *options, folder], check=True)
        tables = Tables(folder)
        for name, check in CHECKS.items():
            path = folder / f"out.{name}"
            subprocess.run([cutrace, "export", f"--{name}", "--force", "-o", path, *options, folder], check=True)
            check(path, tables)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: agree_test.py CUTRACE TRACE.gz...")
    failed = 0
    for packed in sys.argv[2:]:
        with tempfile.TemporaryDirectory(prefix="cutrace-export.") as folder:
            try:
                check_trace(sys.argv[1], packed, pathlib.Path(folder))
            except AssertionError as error:
                failed += 1
                print(f"{pathlib.Path(packed).name}: {error}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
