#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: two processes started by multiprocessing (spawn), each with work of its own."""
import torch

import common


def work(rank, results):
    torch.manual_seed(rank)
    left = torch.randn(128, 128, device="cuda")
    for _ in range(5):
        left = torch.tanh(left @ left)
    results.put((rank, left.cpu().numpy()))


if __name__ == "__main__":
    context = torch.multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    workers = [context.Process(target=work, args=(rank, results)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for rank, result in sorted((results.get() for _ in workers), key=lambda pair: pair[0]):
        common.show(f"rank {rank}", result)
    for worker in workers:
        worker.join()
