#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Run `cutrace prove` with each fix on programs that have what it changes, and print what was predicted
beside what was measured. What is asserted is that the fix did something and changed no result; how
much it saves is printed, not judged.

prove.py CUTRACE KERNELS SUFFIX [ROUNDS]

KERNELS is the folder of the programs, SUFFIX "" or "_static" for the runtime inside them.
"""
import pathlib
import re
import subprocess
import sys

ROUNDS = "5"
CASES = (  # fix, program, argument, what the fix must have done
    ("free", "free_serializes", (), r"[1-9]\d* of \d+ frees of cudaMalloc memory did not wait"),
    ("pin", "pageable_pipeline", (), r"[1-9]\d* asynchronous cop(?:y|ies) of pageable memory"),
    ("all", "pageable_pipeline", ("--frees",),
     r"[1-9]\d* of \d+ frees of .*[1-9]\d* asynchronous cop(?:y|ies) of pageable memory"),
)


def value(text, pattern):
    found = re.search(pattern, text, re.M)
    return found[1] if found else "nothing"


def try_fix(cutrace, kernels, suffix, rounds, fix, program, arguments, did):
    """Returns what is wrong, or None; prints all that prove says, and a line of figures."""
    command = [str(cutrace), "prove", "--fix", fix, "--runs", rounds, "--",
               str(kernels / (program + suffix)), *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(run.stdout)
    print(f"figures: {fix:4} {program}{suffix} {' '.join(arguments)}: predicted",
          value(run.stdout, r"^predicted +(.*), by one traced run"), "| saved",
          value(run.stdout, r"^saved +(.*)"))
    if run.returncode != 0:
        return f"prove ends with {run.returncode}"
    if not re.search(did, run.stdout, re.S):
        return f"it does not say {did!r}"
    return None


def main():
    cutrace, kernels, suffix = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    rounds = sys.argv[4] if len(sys.argv) > 4 else ROUNDS
    failed = 0
    for fix, program, arguments, did in CASES:
        wrong = try_fix(cutrace, kernels, suffix, rounds, fix, program, arguments, did)
        print("not ok" if wrong else "ok", fix, program + suffix, *([":", wrong] if wrong else []))
        failed += wrong is not None
    return 1 if failed else 0


sys.exit(main())
