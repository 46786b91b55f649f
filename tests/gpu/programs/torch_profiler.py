#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch: the program runs its own profiler, which wants CUPTI for itself."""
import torch
from torch.profiler import ProfilerActivity, profile

import common

torch.manual_seed(1)
left = torch.randn(512, 512, device="cuda")


def steps():
    product = left
    for _ in range(10):
        product = torch.tanh(product @ left)
    torch.cuda.synchronize()
    return product


steps()
with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
    product = steps()
kernels = [event for event in profiler.events()
           if event.device_type == torch.autograd.DeviceType.CUDA]
print("the profiler saw kernels:", len(kernels) > 0)
host = [event.time_range for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CPU]
first, last = min(time.start for time in host), max(time.end for time in host)
print("on the host's clock:", all(first <= kernel.time_range.start <= last for kernel in kernels))
steps()
common.show("product", product.cpu().numpy())
