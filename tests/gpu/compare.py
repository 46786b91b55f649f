#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare cutrace's calls.csv and device.csv with an independent count of the same program.

compare.py REFERENCE_FILE CUTRACE_DIR

REFERENCE_FILE is what reference.so wrote (see reference.c). Every call counted there must
be in calls.csv exactly as often, every kernel, copy and memset in device.csv; and nothing
may be in the CSV files that the reference did not count. Driver calls are compared for
programs that make no runtime call; elsewhere they are the runtime's own, and those that
cutrace lists (made inside a runtime call that it does not trace) must be among them.
"""
import collections
import csv
import pathlib
import re
import sys

# Calls that cutrace leaves alone on purpose: they cannot wait and change nothing.
NOT_TRACED = re.compile(
    r"cudaGetLastError|cudaPeekAtLastError|cudaGetErrorString|cudaGetDevice\w*"
    r"|cudaDeviceGet(?!DefaultMemPool|MemPool)\w+|cudaDriverGetVersion|cudaRuntimeGetVersion|cudaMemPoolGetAttribute"
    r"|__cudaPushCallConfiguration|__cudaPopCallConfiguration|__cudaRegister\w+"
    r"|__cudaUnregister\w+|__cudaInitModule|__cudaGetKernel"
    r"|cuGetProcAddress|cuGetErrorString|cuDriverGetVersion|cuDeviceGet\w*"
    r"|cuDevicePrimaryCtxGetState|cuCtxGet\w+|cuCtxSetCurrent|cuCtxPushCurrent"
    r"|cuCtxPopCurrent|cuModuleGet\w+|cuLibraryGet\w+|cuKernelGet\w+|cuFuncGet\w+")
# The first call of a program starts CUDA, and in the midst of it the reference itself: CUPTI
# may have missed it, where cutrace has it from its wrapper.
STARTING = ("cudaSetDevice", "cuInit")
# How often a loop asks is another number in every run.
POLLING = ("cudaEventQuery", "cudaStreamQuery")
DEVICE_KINDS_ALL = ("kernel", "copy", "memset")
DEVICE_KINDS = {"memcpy": "copy", "fill": "memset"}


def plain_call(name):
    return re.sub(r"_v\d+$", "", name)


def plain_kernel(name):
    """The bare name of a kernel, mangled (_Z4spinx) or not (spin(long long))."""
    mangled = re.match(r"_Z(\d+)", name)
    if mangled:
        return name[mangled.end():mangled.end() + int(mangled[1])]
    return re.split(r"[(<]", name)[0].split()[-1]


def read_reference(path):
    counts = collections.Counter()
    for line in pathlib.Path(path).read_text().splitlines():
        kind, name, count = line.split()
        name = plain_kernel(name) if kind == "kernel" else name
        counts[kind, name] += int(count)
    return counts


def read_rows(folder, table):
    with open(pathlib.Path(folder) / f"{table}.csv", newline="") as file:
        return list(csv.DictReader(file))


def counted_calls(folder, origins):
    return collections.Counter(plain_call(row["Name"]) for row in read_rows(folder, "calls")
                               if row["Origin"] in origins)


def strangers(reference, found):
    """Driver calls listed beside runtime calls that the reference did not see as often."""
    wrong = 0
    for name, count in sorted(found.items()):
        counted = sum(n for (kind, key), n in reference.items()
                      if kind == "driver" and plain_call(key) == name)
        wrong += count > counted
        print("ok" if count <= counted else "not ok", f"driver {name} {counted}",
              f"(cutrace lists {count} of them)")
    return wrong


def counted_operations(folder):
    counts = collections.Counter()
    for row in read_rows(folder, "device"):
        kind = DEVICE_KINDS.get(row["Kind"].lower(), row["Kind"].lower())
        counts[kind, plain_kernel(row["Name"]) if kind == "kernel" else "-"] += 1
    return counts


def expected_calls(reference):
    """The counted calls that a trace must hold; says which it need not."""
    kind = "runtime" if any(key[0] == "runtime" for key in reference) else "driver"
    expected = collections.Counter()
    for (counted, name), count in sorted(reference.items()):
        if counted != kind:
            continue
        if NOT_TRACED.fullmatch(name):
            print(f"not traced by design: {name} {count}")
        else:
            expected[name] += count
    return expected


def expected_operations(reference):
    return collections.Counter({key: count for key, count in reference.items()
                                if key[0] in DEVICE_KINDS_ALL})


def label(key):
    return key if isinstance(key, str) else " ".join(key)


def agree(key, expected, found, graphs):
    """The same number; or as near as two runs, and a graph traced as one, can come."""
    if key in STARTING and found == expected + 1:
        return True
    if key in POLLING:
        return bool(found) == bool(expected)
    return found == expected or (graphs and key[0] in DEVICE_KINDS_ALL and found < expected)


def differences(expected, found, graphs=False):
    wrong = 0
    for key in sorted(set(expected) | set(found)):
        same = agree(key, expected[key], found[key], graphs)
        wrong += not same
        print("ok" if same else "not ok", label(key), expected[key],
              f"(cutrace has {found[key]})")
    return wrong


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: compare.py REFERENCE_FILE CUTRACE_DIR")
    reference, folder = read_reference(sys.argv[1]), sys.argv[2]
    expected = expected_calls(reference)
    lost = reference["dropped", "-"]
    driver_only = not any(key[0] == "runtime" for key in reference)
    wrong = differences(expected, counted_calls(
        folder, ("wrapper", "runtime", "driver") if driver_only else ("wrapper", "runtime")))
    if not driver_only:
        wrong += strangers(reference, counted_calls(folder, ("driver",)))
    operations = {key: count for key, count in counted_operations(folder).items()
                  if key[0] in DEVICE_KINDS_ALL}
    graphs = counted_operations(folder)["graph", "-"]
    if graphs:
        print(f"{graphs} graph launches are traced as one operation each")
    wrong += differences(expected_operations(reference), collections.Counter(operations),
                         bool(graphs))
    if not expected or lost:
        print(f"not ok the reference counted {sum(expected.values())} calls, lost {lost}")
        wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
