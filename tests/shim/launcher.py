# SPDX-License-Identifier: Apache-2.0
"""Starts workers as torchrun does: launcher.py WORKERS PROGRAM [arguments]; uses no CUDA."""
import os
import subprocess
import sys


def main():
    size = int(sys.argv[1])
    workers = [subprocess.Popen(sys.argv[2:], env={
        **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
        "TORCHELASTIC_RUN_ID": "none"}) for rank in range(size)]
    return max(worker.wait() for worker in workers)


if __name__ == "__main__":
    sys.exit(main())
