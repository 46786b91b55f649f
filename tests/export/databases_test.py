#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every query of docs/databases.md for an engine must run, and find what the files hold.

databases_test.py ENGINE CUTRACE PAGE TRACE.gz...

ENGINE: csv (the files alone), duckdb or clickhouse. Those need node and @duckdb/node-api or chdb, in NODE_PATH or
installed globally (npm i -g @duckdb/node-api); without it the test is skipped. Nothing is installed here.
"""
import collections
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import docs_test

PACKAGES = {"duckdb": "@duckdb/node-api", "clickhouse": "chdb"}
RUN = {"duckdb": """
const { DuckDBInstance } = require('@duckdb/node-api');
async function main() {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  for (const query of JSON.parse(process.argv[1])) {
    const reader = await connection.runAndReadAll(query);
    console.log(JSON.stringify(reader.getRowsJson()));
  }
}
main().catch((error) => { console.error(String(error)); process.exit(1); });
""", "clickhouse": """
const { query } = require('chdb');
for (const text of JSON.parse(process.argv[1])) {
  const rows = query(text, 'JSONCompactEachRow').trim().split('\\n');
  console.log(JSON.stringify(rows.map((row) => JSON.parse(row))));
}
"""}
DECIMAL = {"Time (%)", "Avg (ns)", "Med (ns)", "StdDev (ns)"}
TEXT = re.compile(r"Name|Call|Call Site|Class|Waited For|Why|Also Waited For|Origin|Kind|Direction|.* Memory|Grid|Block|"
                  r"Culprit|Culprit Call Site|Victim|Evidence|Remedy|Stack|Certainty|Cause|Next Operation|Documented|Source|"
                  r"Change|Fix|Warning|Rank Variable|Host|Program|Directory|Worst Rank")


def environment(package):
    """One in which node finds the package, or None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node:
        return None
    places = [os.environ.get("NODE_PATH", "")]
    if npm:
        places.append(subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False).stdout.strip())
    env = dict(os.environ, NODE_PATH=":".join(filter(None, places)))
    there = subprocess.run([node, "-e", f"require('{package}')"], env=env, capture_output=True, check=False)
    return env if there.returncode == 0 else None


def prepare(cutrace, traces, folder):
    """Ranks with their tables, those of the run, and its exports; a last rank has no copies: empty columns."""
    docs_test.export(cutrace, traces, folder).close()
    ranks = sorted(folder.glob("rank*"))
    subprocess.run([cutrace, "report", "--write-only", "--all-rows", "-o", folder / "tables", *ranks], check=True)
    subprocess.run([cutrace, "export", "--jsonl", "-o", folder / "run.jsonl", *ranks], check=True)
    return ranks


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def check_types(folder):
    """Each field is what the page says of its column."""
    files = sorted(folder.glob("*/*.csv"))
    assert len(files) > 20, files
    for path in files:
        assert b"\r\n" not in path.read_bytes()
        for row in rows(path):
            for column, value in row.items():
                wanted = (r"0x[0-9a-f]+" if column == "Address" else r"yes" if column == "Captured" else
                          r"[0-9]+(\.[0-9]+)?" if column in DECIMAL else r".+" if TEXT.fullmatch(column) else r"-?[0-9]+")
                assert not value or re.fullmatch(wanted, value, re.S), (path.name, column, value)
                assert wanted != "-?[0-9]+" or not value or abs(int(value)) < 2**63, (path.name, column, value)


def summed(folder, name, key, value, where=lambda row: True):
    """[key, count, sum] of a table of all ranks, as SQL would."""
    count, total = collections.Counter(), collections.Counter()
    for path in folder.glob(f"rank*/{name}.csv"):
        for row in filter(where, rows(path)):
            count[row[key]] += 1
            total[row[key]] += int(row[value] or 0)
    return {name: (count[name], total[name]) for name in count}


def answers(folder):
    """What each query must find, as a set of tuples, by a part of its text."""
    calls = summed(folder, "calls", "Name", "Device Wait (ns)")
    copied = summed(folder, "device", "Direction", "Bytes", lambda row: row["Kind"] == "copy")
    lost = {(row["Call Site"], row["Call"]): (int(row["Ranks"]), int(row["Lost (ns)"]))
            for row in rows(folder / "tables" / "ranks_callsites.csv") if row["Lost (ns)"] not in ("", "0")}
    waits = collections.Counter()
    for path in folder.glob("rank*/blocked.csv"):
        for row in rows(path):
            if row["Class"] == "device_wait":
                waits[f"{path.parent.name}/{path.name}", row["Waited For"] or None] += int(row["Blocked (ns)"])
    events = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
    kernels, classes, number = collections.Counter(), collections.Counter(), collections.Counter()
    for event in events:
        if event["type"] == "operation":
            kernels[event["name"]] += event["duration_ns"]
        if event["type"] == "wait":
            classes[event["class"]] += event["duration_ns"]
            number[event["class"]] += 1
    return {
        "/calls.csv": {(name, *sums) for name, sums in calls.items()},
        "/device.csv": {(name, total) for name, (_, total) in copied.items()},
        "/callsites.csv": {(*key, *sums) for key, sums in lost.items()},
        "/blocked.csv": {(*key, ns) for key, ns in waits.items()},
        "/ranks.csv": {(row["Directory"], int(row["Own (ns)"]) if row["Own (ns)"] else None, int(row["Blocked (ns)"]),
                        int(row["Records Lost"])) for row in rows(folder / "tables" / "ranks.csv")},
        "run.jsonl": set(kernels.items()),
        "CUTRACE_WAITS": {(name, number[name], ns) for name, ns in classes.items()},
    }


def value(field):
    """Engines write large numbers as texts, and may begin a path with here."""
    if isinstance(field, str) and re.fullmatch("-?[0-9]+", field):
        return int(field)
    return field.removeprefix("./") if isinstance(field, str) else field


def run_queries(engine, page, env, folder):
    queries = docs_test.queries_of(page, engine)
    assert len(queries) >= 3, "the page has queries"
    done = subprocess.run(["node", "-e", RUN[engine], json.dumps(queries)], cwd=folder, env=env, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted = answers(folder)
    for query, line in zip(queries, done.stdout.splitlines(), strict=True):
        found = {tuple(value(field) for field in row) for row in json.loads(line)}
        right = next(rows for text, rows in wanted.items() if text in query)
        assert found == right and found, f"{query}\nfinds\n{found}\nand not\n{right}"
        print(f"{len(found)} rows, as the files hold: {query.split('FROM')[1].split()[0]}")


def main():
    if len(sys.argv) < 5:
        sys.exit("usage: databases_test.py ENGINE CUTRACE PAGE TRACE.gz...")
    engine, cutrace, page = sys.argv[1], os.path.abspath(sys.argv[2]), pathlib.Path(sys.argv[3]).read_text()
    env = environment(PACKAGES[engine]) if engine in PACKAGES else {}
    if env is None:
        print(f"skipped: no node with {PACKAGES[engine]}")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="cutrace-databases.") as name:
        folder = pathlib.Path(name)
        prepare(cutrace, sys.argv[4:], folder)
        if engine in PACKAGES:
            run_queries(engine, page, env, folder)
        else:
            check_types(folder)


if __name__ == "__main__":
    main()
