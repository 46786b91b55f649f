#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: training steps of some ms on the device, otherwise as torch_caching.py."""
import steps

WIDTH, BATCH = 2048, 1024

torch = steps.torch()
torch.manual_seed(1)
model = torch.nn.Sequential(*[layer for _ in range(4) for layer in
                              (torch.nn.Linear(WIDTH, WIDTH, device="cuda"), torch.nn.GELU())])
batch = torch.randn(BATCH, WIDTH, device="cuda")
steps.measure(steps.train(torch, model, batch, 0.1), torch.cuda.synchronize, steps=100, warm=1)
steps.show_weights(torch, model)
