#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Report on two ranks that were recorded on real GPUs, and check who was late to NCCL's collectives.

golden_ranks.py CUTRACE NAME RANK0.gz RANK1.gz [OPTION]

NAME is what `gpu-test` tried (tests/gpu/nccl.py): late_rank, two ranks on one H200 whose kernel waits as
NCCL's does, for 8 collectives before which rank 1 frees behind a 20 ms kernel; nccl_two_gpus, PyTorch
on two H200: 40 all-reduces before which rank 1 sleeps for 5 ms, then DistributedDataParallel.
"""
import csv
import gzip
import pathlib
import subprocess
import sys
import tempfile

# Of rank 1: how many collectives, to how many it was late, the median in ns, what it did, and where.
WANTED = {"late_rank": (8, (8, 8), (20.0e6, 20.3e6), "blocked", "cudaFree at late_rank"),
          "nccl_two_gpus": (50, (40, 42), (5.1e6, 5.5e6), "own", "")}
failed = []


def check(holds, what, found):
    print("ok" if holds else "not ok", f"{what}: {found}")
    failed.extend([] if holds else [what])


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def check_late(row, wanted):
    collectives, late, median, delay, where = wanted
    check(int(row["Collectives"]) == collectives, "all collectives are matched", row["Collectives"])
    check(late[0] <= int(row["Late"]) <= late[1], "how often rank 1 was late", row["Late"])
    check(median[0] <= int(row["Median Late (ns)"]) <= median[1], "by how much", row["Median Late (ns)"])
    check(row["Stands Out"] == "1", "it stands out", row["Stands Out"])
    check(row["Delay"] == delay and row["Delayed By"].startswith(where), "what delayed it", row)
    check(int(row["Delay (ns)"]) <= int(row["Late (ns)"]), "it was not delayed for longer than it was late", row)


def main():
    cutrace, name, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cutrace-ranks.") as folder:
        folder = pathlib.Path(folder)
        for rank, packed in enumerate(rest[:2]):
            (folder / f"rank{rank}").mkdir()
            (folder / f"rank{rank}" / "trace.cutrace").write_bytes(gzip.open(packed).read())
        text = subprocess.run([cutrace, "report", *rest[2:], "--output", folder / "tables", folder / "rank0",
                               folder / "rank1"], check=True, capture_output=True, text=True).stdout
        rows = read(folder / "tables" / "ranks_nccl.csv")
        check(len(rows) == 2, "ranks", rows)
        check_late(rows[1], WANTED[name])
        check("Late: rank 1 came last to " in text, "it is named", [line for line in text.splitlines() if "Late" in line])
        check("not matched" not in text.lower(), "every kernel of NCCL is of a collective", "")
        for rank in range(2):
            report = (folder / f"rank{rank}" / "report.txt").read_text()
            check("; on NVIDIA H200" in " ".join(report.split()), "each used one GPU of two", report[:200])
            check("2 devices" not in report and "No device" not in report, "and its report is of one", "")
            idle = {row["Idle Device"] for row in read(folder / f"rank{rank}" / "idle.csv")}
            check(idle == {rows[rank]["Device"]}, "whose idle time it is about", idle)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
