#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CuPy: elementwise kernels, a reduction, a copy back."""
import cupy

import common

values = cupy.arange(1 << 16, dtype=cupy.float32)
result = common.timed(lambda: cupy.sqrt(values) + values * 2, 20)
print("sum", float(result[:1000].sum()).hex())
common.show("result", cupy.asnumpy(result))
