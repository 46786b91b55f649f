# SPDX-License-Identifier: Apache-2.0
"""What the programs share: results are printed bit for bit, and the time of the steady part."""
import hashlib
import time


def show(name, array):
    """Print a digest of a NumPy array's bytes."""
    print(name, array.shape, hashlib.sha256(array.tobytes()).hexdigest()[:16], flush=True)


def timed(step, times, warm_up=3):
    """Call step() warm_up times, then `times` more; prints what one of those took."""
    for _ in range(warm_up):
        result = step()
    start = time.perf_counter()
    for _ in range(times):
        result = step()
    took = time.perf_counter() - start
    print(f"measured: step_us {took / times * 1e6:.1f}", flush=True)
    return result
