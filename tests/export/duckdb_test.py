#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every DuckDB query of docs/exports.md must run and find something, and agree with the export.

duckdb_test.py CUTRACE PAGE TRACE.gz...

Needs node and its package @duckdb/node-api, in NODE_PATH or installed globally (npm i -g
@duckdb/node-api); without them it is skipped.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import docs_test

RUN = """
const { DuckDBInstance } = require('@duckdb/node-api');
async function main() {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  for (const query of JSON.parse(process.argv[1])) {
    const reader = await connection.runAndReadAll(query);
    console.log(JSON.stringify(reader.getRowsJson()));
  }
}
main().catch((error) => { console.error(String(error)); process.exit(1); });
"""


def environment():
    """One in which node finds the package, or None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node:
        return None
    places = [os.environ.get("NODE_PATH", "")]
    if npm:
        places.append(subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False).stdout.strip())
    env = dict(os.environ, NODE_PATH=":".join(filter(None, places)))
    there = subprocess.run([node, "-e", "require('@duckdb/node-api')"], env=env, capture_output=True, check=False)
    return env if there.returncode == 0 else None


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: duckdb_test.py CUTRACE PAGE TRACE.gz...")
    env = environment()
    if not env:
        print("skipped: no node with @duckdb/node-api")
        sys.exit(77)
    cutrace = os.path.abspath(sys.argv[1])
    queries = docs_test.queries_of(pathlib.Path(sys.argv[2]).read_text(), "duckdb")
    assert len(queries) >= 3, "the page has queries"
    with tempfile.TemporaryDirectory(prefix="cutrace-duckdb.") as folder:
        db = docs_test.export(cutrace, sys.argv[3:], pathlib.Path(folder))
        ranks = sorted(pathlib.Path(folder).glob("rank*"))
        for rank in ranks:
            subprocess.run([cutrace, "report", "--write-only", "--all-rows", rank], check=True)
        subprocess.run([cutrace, "export", "--jsonl", "-o", pathlib.Path(folder, "run.jsonl"), *ranks], check=True)
        done = subprocess.run(["node", "-e", RUN, json.dumps(queries)], cwd=folder, env=env, check=True,
                              capture_output=True, text=True)
        tables = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(tables) == len(queries) and all(tables), tables
        calls = db.execute("SELECT count(*), sum(deviceWait) FROM CUPTI_ACTIVITY_KIND_RUNTIME").fetchone()
        found = sum(int(row[1]) for row in tables[0]), sum(int(row[2]) for row in tables[0])
        assert found == calls, (found, calls)
    print("\n".join(f"{len(rows)} rows" for rows in tables))


if __name__ == "__main__":
    main()
