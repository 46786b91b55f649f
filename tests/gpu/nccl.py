#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is the rank that is late to collectives named?

nccl.py late_rank CUTRACE PROGRAM   two ranks of kernels/late_rank on one GPU, whose kernel waits as NCCL's
nccl.py torch CUTRACE               PyTorch on two GPUs: all-reduces to which rank 1 comes 5 ms late, and
                                    steps of DistributedDataParallel

Exit status: 0 it is, 1 it is not (and what was printed), 77 cannot be tried here.
"""
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
TIMEOUT_S = 150
LATE = 1
REDUCTIONS = 40
LATE_S = 0.005


def skip(why):
    print(why)
    sys.exit(SKIPPED)


def run(command, **variables):
    return subprocess.run(command, env={**os.environ, **variables}, timeout=TIMEOUT_S, check=True,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout


def late_rank(cutrace, folder, program):
    shared = pathlib.Path("/dev/shm") / f"cutrace-late-rank.{os.getpid()}"
    shared.write_bytes(bytes(4096))
    try:
        ranks = [subprocess.Popen([cutrace, "run", "--quiet", f"--output={folder}/rank{rank}", "--", program,
                                   str(shared)], stdout=subprocess.DEVNULL,
                                  env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2"})
                 for rank in range(2)]
        for rank in ranks:
            if rank.wait(timeout=TIMEOUT_S):
                sys.exit(f"late_rank ended with {rank.returncode}")
    finally:
        for rank in ranks:
            rank.kill()
        shared.unlink()
    return 8, "cudaFree at late_rank.cu:"


def work():
    """A rank of the PyTorch program."""
    import torch
    import torch.distributed as dist

    rank = int(os.environ["LOCAL_RANK"])
    torch.cuda.set_device(rank)
    dist.init_process_group("nccl")
    data = torch.ones(1 << 20, device="cuda")
    for _ in range(REDUCTIONS):
        if rank == LATE:
            time.sleep(LATE_S)
        dist.all_reduce(data)
        torch.cuda.synchronize()
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(512, 512).cuda(), device_ids=[rank])
    for _ in range(5):
        model(torch.ones(64, 512, device="cuda")).square().mean().backward()
    torch.cuda.synchronize()
    dist.destroy_process_group()


def torch_ranks(cutrace, folder):
    try:
        import torch
    except ImportError as error:
        skip(f"no PyTorch: {error}")
    if torch.cuda.device_count() < 2 or not torch.distributed.is_nccl_available():
        skip(f"{torch.cuda.device_count()} GPUs, NCCL: {torch.distributed.is_nccl_available()}")
    run([cutrace, "run", "--quiet", f"--output={folder}/rank%q{{RANK}}", "--", sys.executable, "-m",
         "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__, "work"],
        OMP_NUM_THREADS="1")
    return REDUCTIONS, "its own code"


def judge(report, rows, collectives, delay):
    """What does not hold, one line each."""
    text = " ".join(report.split())
    late = rows[LATE] if len(rows) > LATE else {}
    for holds, what in ((len(rows) == 2, f"{len(rows)} ranks in ranks_nccl.csv"),
                        (f"Late: rank {LATE} came last to " in text, "rank 1 is not named"),
                        (delay in text, f"what delayed it is not said: {delay}"),
                        (int(late.get("Collectives", 0)) >= collectives, f"collectives matched: {late}"),
                        (int(late.get("Late", 0)) >= collectives * 3 // 4, f"late: {late}")):
        if not holds:
            yield what


def main():
    what, cutrace, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cutrace-nccl.") as folder:
        folder = pathlib.Path(folder)
        wanted = late_rank(cutrace, folder, *rest) if what == "late_rank" else torch_ranks(cutrace, folder)
        report = run([cutrace, "report", "--output", str(folder / "tables"),
                      *map(str, sorted(folder.glob("rank*")))])
        with open(folder / "tables" / "ranks_nccl.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    bad = list(judge(report, rows, *wanted))
    print(report, *bad, sep="\n")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(work() if sys.argv[1:] == ["work"] else main())
