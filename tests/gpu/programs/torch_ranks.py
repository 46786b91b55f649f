#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: torchrun starts two ranks on one GPU; their losses are averaged over Gloo."""
import os
import subprocess
import sys

import torch
import torch.distributed

import common


def work():
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    torch.manual_seed(rank)
    model = torch.nn.Linear(128, 128).cuda()
    total = torch.zeros(1)
    for _ in range(5):
        loss = model(torch.randn(32, 128, device="cuda")).square().mean()
        loss.backward()
        average = loss.detach().cpu()
        torch.distributed.all_reduce(average)
        total += average
    if rank == 0:
        common.show("total", total.numpy())
    torch.distributed.destroy_process_group()


if "RANK" in os.environ:
    work()
else:
    sys.exit(subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone",
                             "--nproc-per-node", "2", __file__],
                            env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode)
