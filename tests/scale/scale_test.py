#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports and exports of 256 ranks: memory does not grow with them, nothing is lost, a user can read it.

scale_test.py CUTRACE GEN_TRACE PEAK [--all]

--all: every format of all ranks; else only those that are quick.
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

RANKS, SLOW, LATE, BROKEN, LOSING, LOST = 256, 200, 97, 13, 31, 77
LOST_AT = 152  # in a trace's header: records dropped
# What a rank more may take, in KiB; the page of --html keeps events up to a number, less than a MiB of so few.
RANK_KIB, PAGE_KIB = 64, 256


def make_ranks(gen_trace, folder):
    for rank in range(RANKS):
        subprocess.run([gen_trace, "--threads", "1", "--calls", "900" if rank == SLOW else "300", "--seed", str(rank),
                        "--rank", str(rank), "--world", str(RANKS), "--late", "1" if rank == LATE else "0",
                        folder / f"rank{rank}"], check=True, stdout=subprocess.DEVNULL)
    (folder / f"rank{BROKEN}" / "trace.cutrace").write_bytes(b"no trace" * 1000)
    trace = folder / f"rank{LOSING}" / "trace.cutrace"
    data = bytearray(trace.read_bytes())
    data[LOST_AT:LOST_AT + 8] = LOST.to_bytes(8, "little")
    trace.write_bytes(data)


class Run:
    peak = None  # the program that measures

    """A command that has been run: what it printed, and the most memory that it had."""
    def __init__(self, *words):
        reading, writing = os.pipe()
        done = subprocess.run([self.peak, str(writing), *words], pass_fds=[writing], capture_output=True,
                              check=False, text=True)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            self.kib = int(pipe.read())
        self.out, self.err, self.status = done.stdout, done.stderr, done.returncode


def check_memory(what, run, few, many):
    """Of few ranks and of many: what one more takes."""
    small, large = run(few), run(many)
    per_rank = (large.kib - small.kib) / (len(many) - len(few))
    print(f"{what}: {small.kib / 1024:.1f} MiB of {len(few)} ranks, {large.kib / 1024:.1f} MiB of {len(many)}")
    most = PAGE_KIB if what.endswith("html") else RANK_KIB
    assert per_rank < most, f"{what}: {per_rank:.0f} KiB for each rank more"
    return large


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_report(report, folder):
    flat = " ".join(report.out.split())
    assert report.status == 1, report.status
    assert report.err.startswith(f"cutrace: {folder}/rank{BROKEN}: not a cutrace trace") and \
        report.err.count("\n") == 1, report.err
    for text in (f"cutrace: {RANKS - 1} processes", f"Slowest: rank {SLOW} ", f"Late: rank {LATE} by 1.0",
                 f"1 trace could not be used ({folder}/rank{BROKEN})", f"rank {BROKEN} of {RANKS}: no trace of it",
                 f"{LOST} records dropped", f"(rank {LOSING})", f"next: cutrace report {folder}/rank{SLOW} "):
        assert text in flat, (text, report.out)
    lines = report.out.splitlines()
    assert len(lines) < 90, f"{len(lines)} lines"


def check_sums(folder, tables):
    """What is said of the run is what the reports of its processes say."""
    sites, per_rank = collections.Counter(), {}
    for rank in range(RANKS):
        if rank == BROKEN:
            continue
        here = rows(folder / f"rank{rank}" / "callsites.csv")
        for row in here:
            for column in ("Calls", "Total (ns)", "Blocked (ns)", "Lost (ns)"):
                sites[row["Call"], row["Call Site"], column] += int(row[column] or 0)
        per_rank[rank] = sum(int(row["Calls"]) for row in here), sum(int(row["Blocked (ns)"]) for row in here)
    merged = {(row["Call"], row["Call Site"], column): int(row[column]) for row in rows(tables / "ranks_callsites.csv")
              for column in ("Calls", "Total (ns)", "Blocked (ns)", "Lost (ns)")}
    assert merged == dict(sites)
    ranks = rows(tables / "ranks.csv")
    assert {int(row["Rank"]): (int(row["Calls"]), int(row["Blocked (ns)"])) for row in ranks} == per_rank
    assert [row["Rank"] for row in ranks if row["Slowest"] == "1"] == [str(SLOW)]
    return sum(calls for calls, _ in per_rank.values()), sum(blocked for _, blocked in per_rank.values())


def said_by(name, path):
    """Calls and time blocked, as an export has them; None: it is for others to read."""
    if name == "sqlite":
        return sqlite3.connect(path).execute("SELECT (SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME), sum(blocked) "
                                             "FROM CUTRACE_TOTALS").fetchone()
    if name == "jsonl":
        totals = [json.loads(line) for line in path.read_text().splitlines() if line.startswith('{"type":"totals"')]
        return sum(line["calls"] for line in totals), sum(line["blocked_ns"] for line in totals)
    if name == "folded":
        return None, sum(int(line.rsplit(" ", 1)[1]) for line in path.read_text().splitlines())
    return None


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: scale_test.py CUTRACE GEN_TRACE PEAK [--all]")
    cutrace, gen_trace, Run.peak = sys.argv[1:4]
    with tempfile.TemporaryDirectory(prefix="cutrace-scale.") as name:
        folder, tables, output = (pathlib.Path(name, part) for part in ("ranks", "tables", "output"))
        folder.mkdir()
        make_ranks(gen_trace, folder)
        every = [folder / f"rank{rank}" for rank in range(RANKS)]
        check_report(check_memory("report", lambda some: Run(cutrace, "report", "-o", tables, *some),
                                  every[14:30], every), folder)
        calls, blocked = check_sums(folder, tables)
        for kind in ("jsonl", "folded", "sqlite", "perfetto", "html"):
            some = every if "--all" in sys.argv or kind in ("jsonl", "folded") else every[14:78]
            run = check_memory(f"export --{kind}", lambda of, kind=kind: Run(
                cutrace, "export", f"--{kind}", "--force", "-o", output, *of), every[14:30], some)
            assert run.status == (some is every), (kind, run.err)
            said = said_by(kind, output)
            if said and some is every:
                assert said in ((calls, blocked), (None, blocked)), (kind, said, calls, blocked)


if __name__ == "__main__":
    main()
