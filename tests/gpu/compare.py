#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare cutrace's calls.csv and device.csv with an independent count of the same program.

compare.py REFERENCE_FILE CUTRACE_DIR...

REFERENCE_FILE is what reference.so wrote (see reference.c), less the process id behind it.
Every call counted there must be in calls.csv exactly as often, every kernel, copy and memset
in device.csv; and nothing may be in the CSV files that the reference did not count. Of the
driver calls made within another call cutrace lists those whose outer call it leaves alone.
"""
import collections
import csv
import pathlib
import re
import sys

# Calls that cutrace leaves alone on purpose: each asks a question or builds something on the
# host, and none waits for the device or loads code.
NOT_TRACED = re.compile("|".join((
    r"cudaGetLastError|cudaPeekAtLastError|cudaGetErrorString|cudaGetErrorName",
    r"cudaGetDevice\w*|cudaDeviceGet(?!DefaultMemPool|MemPool|StreamPriorityRange)\w+|cudaMemPoolGetAttribute",
    r"cudaDriverGetVersion|cudaRuntimeGetVersion|cudaGetDriverEntryPoint\w*|cudaGetExportTable",
    r"cudaEventElapsedTime|cudaPointerGetAttributes|cudaHostGetDevicePointer",
    r"cudaStreamIsCapturing|cudaStreamGetCaptureInfo|cudaThreadExchangeStreamCaptureMode",
    r"cudaStreamGet\w+|cudaGraphGet\w+|cudaDeviceCanAccessPeer|cudaCtxResetPersistingL2Cache",
    r"__cudaPushCallConfiguration|__cudaPopCallConfiguration|__cudaRegister\w+",
    r"__cudaUnregister\w+|__cudaInitModule|__cudaGetKernel",
    r"cuGetProcAddress|cuGetErrorString|cuGetErrorName|cuDriverGetVersion|cuGetExportTable",
    r"cuDeviceGet\w*|cuDeviceTotalMem|cuDeviceCanAccessPeer|cuDevicePrimaryCtxGetState",
    r"cuCtxGet\w+|cuCtxSetCurrent|cuCtxPushCurrent|cuCtxPopCurrent|cuModuleGetLoadingMode",
    r"cuLibraryGet(?!Global)\w+|cuKernelGet(?!Function)\w+|cuFuncGet(?!Attribute)\w+",
    r"cuModuleGetTexRef|cuModuleEnumerateFunctions|cuOccupancy\w+|cuEventElapsedTime",
    r"cuPointerGetAttributes?|cuMemHostGetDevicePointer|cuMemGetAddressRange",
    r"cuMemGetAllocation\w+|cuMemRetainAllocationHandle|cuMemExportToShareableHandle",
    r"cuMulticastGetGranularity|cuTensorMapEncode\w+|cuStreamIsCapturing",
    r"cuStreamGet\w+|cuThreadExchangeStreamCaptureMode|cuGraphGet\w+|cuDevSmResource\w+",
    r"cuDevResource\w+|cuGreenCtxGet\w+|cuProfiler\w+")))
# The first call of a program starts CUDA, and in the midst of it the reference itself: CUPTI
# may have missed it, where cutrace has it from its wrapper.
STARTING = ("cudaSetDevice", "cuInit")
# What the first call does inside, which the reference takes for a call by itself.
STARTING_INSIDE = ("cuLibraryLoadData", "cuDevicePrimaryCtxRetain")
# How often a loop asks is another number in every run.
POLLING = ("cudaEventQuery", "cudaStreamQuery")
DEVICE_KINDS_ALL = ("kernel", "copy", "memset")
DEVICE_KINDS = {"memcpy": "copy", "fill": "memset"}


def plain_call(name):
    return re.sub(r"_v\d+$", "", name)


def plain_kernel(name):
    """The last part of a kernel's name, mangled or not: "spin" of _Z4spinx, of spin(long
    long), of _ZN2at4spinILi4EEEvT_ and of void at::spin<4>(int)."""
    mangled = re.match(r"_ZN?K?", name)
    if not mangled:
        name = name.replace("(anonymous namespace)::", "")
        return re.split(r"[(<]", name)[0].split()[-1].split("::")[-1]
    at, part = mangled.end(), name
    while length := re.match(r"\d+", name[at:]):
        at += length.end()
        part = name[at:at + int(length[0])]
        at += int(length[0])
        if not name.startswith("_ZN"):
            break
    return part


def read_reference(path):
    """The counts of all processes that wrote path.PID, added up."""
    path, counts = pathlib.Path(path), collections.Counter()
    files = sorted(path.parent.glob(path.name + ".*"))
    if not files:
        raise FileNotFoundError(f"no {path}.PID")
    for line in "".join(file.read_text() for file in files).splitlines():
        kind, rest = line.split(" ", 1)
        name, count = rest.rsplit(" ", 1)
        name = plain_kernel(name) if kind == "kernel" else name
        counts[kind, name] += int(count)
    return counts


def read_rows(folders, table):
    for folder in folders:
        with open(pathlib.Path(folder) / f"{table}.csv", newline="") as file:
            yield from csv.DictReader(file)


def counted_calls(folders, origins):
    return collections.Counter(plain_call(row["Name"]) for row in read_rows(folders, "calls")
                               if row["Origin"] in origins)


def counted_operations(folders):
    counts = collections.Counter()
    for row in read_rows(folders, "device"):
        kind = DEVICE_KINDS.get(row["Kind"].lower(), row["Kind"].lower())
        counts[kind, plain_kernel(row["Name"]) if kind == "kernel" else "-"] += 1
    return counts


def expected_calls(reference, kind):
    """The counted calls that a trace must hold; says which it need not."""
    expected = collections.Counter()
    for (counted, name), count in sorted(reference.items()):
        if counted != kind:
            continue
        if NOT_TRACED.fullmatch(name):
            print(f"not traced by design: {name} {count}")
        else:
            expected[plain_call(name)] += count
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
    if key in STARTING_INSIDE and found == expected - 1:
        return True
    if key in POLLING:
        return bool(found) == bool(expected)
    return found == expected or (graphs and key[0] in DEVICE_KINDS_ALL and found < expected)


def differences(expected, found, graphs=False):
    """Prints each; returns how many were found as expected, and how many were to be found."""
    same = 0
    for key in sorted(set(expected) | set(found)):
        agrees = agree(key, expected[key], found[key], graphs)
        same += expected[key] if agrees else min(expected[key], found[key])
        if not agrees and found[key] > expected[key]:
            same -= found[key] - expected[key]
        print("ok" if agrees else "not ok", label(key), expected[key],
              f"(cutrace has {found[key]})")
    return same, sum(expected.values())


def allow_inner(reference, expected, found):
    """Driver calls that cutrace lists since it leaves the call around them alone."""
    for name in found:
        inner = sum(count for (kind, key), count in reference.items()
                    if kind == "inner" and plain_call(key) == name)
        if expected[name] < found[name] <= expected[name] + inner:
            expected[name] = found[name]


def compare_calls(reference, folders):
    runtime, driver = expected_calls(reference, "runtime"), expected_calls(reference, "driver")
    listed = counted_calls(folders, ("driver",))
    allow_inner(reference, driver, listed)
    found = counted_calls(folders, ("wrapper", "runtime"))
    pairs = differences(runtime, found), differences(driver, listed)
    return sum(same for same, _ in pairs), sum(all_of for _, all_of in pairs)


def compare_operations(reference, folders):
    counted = counted_operations(folders)
    found = collections.Counter({key: count for key, count in counted.items()
                                 if key[0] in DEVICE_KINDS_ALL})
    graphs = counted["graph", "-"]
    if graphs:
        print(f"{graphs} graph launches are traced as one operation each")
    return differences(expected_operations(reference), found, bool(graphs))


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: compare.py REFERENCE_FILE CUTRACE_DIR...")
    reference, folders = read_reference(sys.argv[1]), sys.argv[2:]
    calls, all_calls = compare_calls(reference, folders)
    operations, all_operations = compare_operations(reference, folders)
    lost = reference["dropped", "-"]
    if not all_calls or lost:
        print(f"not ok the reference counted {all_calls} calls, lost {lost}")
        return 1
    return 0 if calls == all_calls and operations == all_operations else 1


if __name__ == "__main__":
    sys.exit(main())
