#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: a CUDA graph is captured once and replayed."""
import torch

import common

torch.manual_seed(1)
model = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(4)]).cuda()
batch = torch.randn(64, 256, device="cuda")
side = torch.cuda.Stream()
side.wait_stream(torch.cuda.current_stream())
with torch.cuda.stream(side), torch.no_grad():
    model(batch)
torch.cuda.current_stream().wait_stream(side)
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph), torch.no_grad():
    output = model(batch)
common.timed(graph.replay, 50)
torch.cuda.synchronize()
common.show("output", output.cpu().numpy())
