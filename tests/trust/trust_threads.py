# SPDX-License-Identifier: Apache-2.0
"""Threads that end in unusual ways."""
import collections
import re

from case_ends import ROUNDS
from harness import (CALLS_PER_ROUND, PATHS, calls, check, has_rounds, quiet, report_text, same,
                     says_clean, table, trust, victim)


def hollow(*arguments):
    return [PATHS["HOLLOW_USER"], *map(str, arguments)]


def lost(trace, what):
    """The number before a line of what was not seen; 0 without one."""
    found = re.search(rf"(\d+) {re.escape(what)}", " ".join(report_text(trace).split()))
    return int(found[1]) if found else 0


@trust("threads detached")
def detached_threads(here):
    run = quiet(here.both(victim("detached")))
    has_rounds(run.trace(), 64 * ROUNDS)
    says_clean(run.trace())


@trust("threads exit during flush")
def thread_ends_in_flush(here):
    run = quiet(here.traced(victim("ends_in_flush", "3")))
    launches = int(re.fullmatch(r"(\d+) launches\n", run.out)[1])
    found = collections.Counter(row["Name"] for row in calls(run.trace()))
    same(dict(found), {"cudaLaunchKernel": launches, "cudaDeviceSynchronize": 1},
         "calls in calls.csv")
    same(len(table(run.trace(), "device")), launches, "kernels in device.csv")
    says_clean(run.trace())


@trust("threads TLS destructor calls CUDA")
def destructors_call_cuda(here):
    """In the first thread; then in each the thread itself, C++'s destructors, a key's that is older
    than cutrace's, and all four times one's that is newer."""
    run = quiet(here.both(victim("destructors")))
    rows = has_rounds(run.trace(), 1 + 20 * (1 + 1 + 1 + 4))
    per_thread = collections.Counter(row["Thread"] for row in rows)
    same(sorted(per_thread.values())[-1], 7 * CALLS_PER_ROUND, "calls of one thread")
    says_clean(run.trace())


def called(run):
    """Calls that the program says it made: the main ones."""
    return int(re.search(r"(\d+) calls", run.out)[1])


@trust("threads pthread_cancel")
def cancelled_threads(here):
    """A call is no place to be cancelled in because we are there; and what is cancelled leaves
    every call. Not at any instruction: functions must be made for that, and CUDA's are not."""
    run = here.both(hollow("cancel_pending", 3000))
    check("12000 calls, 4 threads were cancelled" in run.out, "none was cancelled in a call", run.out)
    same(len(calls(run.trace())), called(run), "calls in calls.csv")
    run = here.traced(hollow("cancel", 50))
    check("50 threads were cancelled" in run.out, "all were cancelled", (run.out, run.err))
    same(len(calls(run.trace())), called(run), "calls in calls.csv")
    check("damaged" not in report_text(run.trace()), "nothing is damaged")
