#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numba: a CUDA kernel compiled from Python. Exits with 77 where Numba is missing."""
import sys

try:
    import numba.cuda
    import numpy
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)

import common


@numba.cuda.jit
def add(out, left):
    at = numba.cuda.grid(1)
    if at < out.size:
        out[at] = left[at] + 1


left = numba.cuda.to_device(numpy.arange(1000, dtype=numpy.float32))
out = numba.cuda.device_array_like(left)
add[4, 256](out, left)
common.show("out", out.copy_to_host())
