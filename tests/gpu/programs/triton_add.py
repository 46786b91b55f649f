#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Triton: a kernel of one's own."""
import torch
import triton
import triton.language as tl

import common


@triton.jit
def add_kernel(left, right, out, count, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < count
    tl.store(out + at, tl.load(left + at, mask=inside) + tl.load(right + at, mask=inside),
             mask=inside)


left = torch.arange(10000, dtype=torch.float32, device="cuda")
out = torch.empty_like(left)
common.timed(lambda: add_kernel[(40,)](left, left, out, left.numel(), block=256), 50)
torch.cuda.synchronize()
common.show("out", out.cpu().numpy())
