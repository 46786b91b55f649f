#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CuPy: a normalised power iteration with a nonlinear term, without CuPy's memory pool (as under
cupy.cuda.set_allocator(None)), so with a cudaMalloc and a cudaFree for every temporary; with
--fixed, with it. Exit status 77 without CuPy or a GPU that it can use."""
import sys

import steps

try:
    import cupy
    cupy.cuda.runtime.getDeviceCount()
except Exception as error:  # of many kinds: what it is built on may be missing
    steps.skip(error)

SIZE = 512

if "--fixed" not in sys.argv:
    cupy.cuda.set_allocator(None)
entries = cupy.arange(SIZE * SIZE, dtype=cupy.float32).reshape(SIZE, SIZE)
matrix = cupy.sin(entries) / SIZE
vector = cupy.ones(SIZE, dtype=cupy.float32)


def step():
    global vector
    product = matrix @ vector
    bent = cupy.tanh(product * 4) + vector / 8
    vector = bent / cupy.sqrt((bent * bent).sum())


steps.measure(step, cupy.cuda.Device().synchronize, steps=2000, warm=10)
steps.show(cupy.asnumpy(vector).tobytes())
