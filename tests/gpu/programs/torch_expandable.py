#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: expandable segments, which allocate with the driver's virtual-memory calls."""
import os

os.environ["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"

import torch

import common

total = torch.zeros(1, device="cuda")
for mib in (2, 16, 64, 128, 32):
    block = torch.ones(mib << 18, device="cuda")
    total += block.sum()
    del block
    torch.cuda.empty_cache()
common.show("total", total.cpu().numpy())
