#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: small training steps, with its caching allocator or, under
PYTORCH_NO_CUDA_MEMORY_CACHING=1, with a cudaMalloc and a cudaFree for every tensor.
Exit status 77 without PyTorch or a GPU that it can use."""
import steps

torch = steps.torch()
torch.manual_seed(1)
model = torch.nn.Sequential(*[layer for _ in range(4)
                              for layer in (torch.nn.Linear(512, 512), torch.nn.ReLU())]).cuda()
batch = torch.randn(256, 512, device="cuda")
steps.measure(steps.train(torch, model, batch, 0.01), torch.cuda.synchronize, steps=400, warm=1)
steps.show_weights(torch, model)
