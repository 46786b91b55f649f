#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: torch.compile, which launches Triton's kernels through the driver."""
import torch

import common

torch.manual_seed(1)
values = torch.randn(1 << 16, device="cuda")


@torch.compile
def wave(x):
    return torch.sin(x) * torch.cos(x) + x.square()


result = common.timed(lambda: wave(values), 20)
common.show("result", result.cpu().numpy())
