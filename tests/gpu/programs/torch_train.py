#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: eager training steps with Adam. The loss is read back in every step."""
import torch

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


print("loss", common.timed(step, 40).hex())
common.show("weight", model[0].weight.detach().cpu().numpy())
