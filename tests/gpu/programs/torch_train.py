#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: eager training steps with Adam. The loss is read back in every step."""
import contextlib
import sys

import torch
import torch.profiler

import common

torch.manual_seed(1)
model = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(4)]).cuda()
optimizer = torch.optim.Adam(model.parameters(), foreach=False)
batch = torch.randn(64, 256, device="cuda")


def step():
    optimizer.zero_grad()
    loss = model(batch).square().mean()
    loss.backward()
    optimizer.step()
    return loss.item()


steps = int(sys.argv[sys.argv.index("--steps") + 1]) if "--steps" in sys.argv else 40

# With --profiler, as its users would profile it.
with torch.profiler.profile() if "--profiler" in sys.argv else contextlib.nullcontext():
    print("loss", common.timed(step, steps).hex())
common.show("weight", model[0].weight.detach().cpu().numpy())
