#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every query of docs/exports.md must run, and find something in one of some traces.

docs_test.py CUTRACE PAGE TRACE.gz...
"""
import gzip
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile

LOST = 152  # in the file's header


def queries_of(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.S | re.M)


def export(cutrace, traces, folder):
    for number, packed in enumerate(traces):
        trace = bytearray(gzip.open(packed).read())
        struct.pack_into("<Q", trace, LOST, 77)
        (folder / f"rank{number}").mkdir()
        (folder / f"rank{number}" / "trace.cutrace").write_bytes(trace)
    subprocess.run([cutrace, "export", "--sqlite", "-o", folder / "run.sqlite", folder], check=True)
    return sqlite3.connect(folder / "run.sqlite")


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: docs_test.py CUTRACE PAGE TRACE.gz...")
    queries = queries_of(pathlib.Path(sys.argv[2]).read_text(), "sql")
    assert len(queries) >= 5, "the page has queries"
    with tempfile.TemporaryDirectory(prefix="cutrace-docs.") as folder:
        db = export(sys.argv[1], sys.argv[3:], pathlib.Path(folder))
        for query in queries:
            rows = db.execute(query).fetchall()
            assert rows and any(any(row) for row in rows), f"finds nothing:\n{query}"
            print(f"{len(rows)} rows: {query.split('FROM')[1].split()[0]}")


if __name__ == "__main__":
    main()
