# SPDX-License-Identifier: Apache-2.0
"""Starts workers as torchrun does: launcher.py WORKERS PROGRAM [arguments]; uses no CUDA.

Workers that like may write to the descriptor VICTIM_READY and then read VICTIM_GO, which
ends when all have done so (or have ended): so they run at the same time.
"""
import os
import subprocess
import sys


def main():
    size = int(sys.argv[1])
    ready, say_ready = os.pipe()
    go, say_go = os.pipe()
    workers = [subprocess.Popen(sys.argv[2:], pass_fds=(say_ready, go), env={
        **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "TORCHELASTIC_RUN_ID": "none", "VICTIM_READY": str(say_ready), "VICTIM_GO": str(go)})
        for rank in range(size)]
    os.close(say_ready)
    left = size
    while left and (got := os.read(ready, left)):
        left -= len(got)
    os.close(say_go)
    return max(worker.wait() for worker in workers)


if __name__ == "__main__":
    sys.exit(main())
