#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: a DataLoader with two forked workers and pinned batches feeds the device."""
import torch
from torch.utils.data import DataLoader, TensorDataset

import common

torch.manual_seed(1)
torch.zeros(1, device="cuda")  # the workers are forked from a process that uses CUDA
data = TensorDataset(torch.arange(4096, dtype=torch.float32).reshape(64, 64))
total = torch.zeros(64, device="cuda")
for epoch in range(2):
    for (rows,) in DataLoader(data, batch_size=8, num_workers=2, pin_memory=True):
        total += rows.to("cuda", non_blocking=True).sum(0)
common.show("total", total.cpu().numpy())
