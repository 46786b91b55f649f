#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cuda-python: the driver API, whose functions the binding looks up by itself."""
import sys

import numpy

try:
    from cuda.bindings import driver
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)

import common


def check(result):
    if result[0] != driver.CUresult.CUDA_SUCCESS:
        sys.exit(f"driver call failed: {result[0]}")
    return result[1] if len(result) == 2 else result[1:]


check(driver.cuInit(0))
context = check(driver.cuDevicePrimaryCtxRetain(check(driver.cuDeviceGet(0))))
check(driver.cuCtxSetCurrent(context))
stream = check(driver.cuStreamCreate(0))
host = numpy.arange(1 << 16, dtype=numpy.float32)
back = numpy.empty_like(host)
memory = check(driver.cuMemAlloc(host.nbytes))
for _ in range(20):
    check(driver.cuMemcpyHtoDAsync(memory, host.ctypes.data, host.nbytes, stream))
    check(driver.cuMemsetD32Async(memory, 7, 16, stream))
    check(driver.cuMemcpyDtoHAsync(back.ctypes.data, memory, host.nbytes, stream))
    check(driver.cuStreamSynchronize(stream))
check(driver.cuMemFree(memory))
common.show("back", back)
