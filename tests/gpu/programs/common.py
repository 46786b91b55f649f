# SPDX-License-Identifier: Apache-2.0
"""What the programs share: results are printed bit for bit, and the time of the steady part."""
import hashlib
import time


def show(name, array):
    """Print a digest of a NumPy array's bytes."""
    print(name, array.shape, hashlib.sha256(array.tobytes()).hexdigest()[:16], flush=True)


def timed(step, times, warm_up=3):
    """
    Call step() warm_up times, then `times` more; prints what one of those took: the median, and
    what a tenth of them did not exceed, as a busy neighbour seldom slows all.
    """
    took = []
    for _ in range(warm_up):
        result = step()
    for _ in range(times):
        start = time.perf_counter()
        result = step()
        took.append((time.perf_counter() - start) * 1e6)
    took.sort()
    print(f"measured: step_us {took[times // 2]:.1f}", flush=True)
    print(f"measured: quiet_us {took[times // 10]:.1f}", flush=True)
    return result
