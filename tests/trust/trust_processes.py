# SPDX-License-Identifier: Apache-2.0
"""Children that no fork handler knows of, daemons, and many children at once."""
import re

from case_processes import ROUNDS, rounds_of
from case_ranks import launcher
from harness import (calls, check, cutrace, has_rounds, quiet, report_text, same, says_blind,
                     says_clean, trust, victim)

RANKS = 8


def child_started(here, how):
    """With CUDA in use its calls are not recorded; before that it has a trace of its own."""
    run = here.both(victim("child_after", how))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())
    same(len(list(run.folder.iterdir())), 1, "directories left")
    run = quiet(here.both(victim("child_before", how)))
    same(sorted(rounds_of(trace) for trace in run.traces()), [ROUNDS, 2 * ROUNDS],
         "rounds of the two processes")
    for trace in run.traces():
        has_rounds(trace, rounds_of(trace))
        says_clean(trace)


@trust("process _Fork")
def child_of_bare_fork(here):
    child_started(here, "_Fork")


@trust("process clone")
def child_of_clone(here):
    child_started(here, "clone")
    run = quiet(here.both(victim("child_in_memory")))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())


@trust("process raw SYS_fork")
def child_of_system_call(here):
    child_started(here, "SYS_fork")


@trust("process daemon")
def daemons(here):
    run = quiet(here.both(victim("daemon_before")))
    has_rounds(run.trace(), ROUNDS)
    says_clean(run.trace())
    run = here.both(victim("daemon_after"))
    same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
    has_rounds(run.trace(), ROUNDS)
    says_blind(run.trace(), "cut off")  # daemon() ends the parent without a word to anybody


@trust("process double fork")
def fork_twice(here):
    run = quiet(here.both(victim("fork_twice")))
    has_rounds(run.trace(), ROUNDS)
    says_clean(run.trace())
    run = here.both(victim("fork_twice", "used"))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())


@trust("process fork storm")
def fork_storm(here):
    run = quiet(here.traced(victim("storm")))
    found = re.fullmatch(r"1000 children ended well\n(\d+) calls\n", run.out)
    check(run.status == 0 and found, "all children ended as they should", run.out)
    same(len(calls(run.trace())), int(found[1]), "calls in calls.csv")
    says_clean(run.trace())
    same(len(list(run.folder.iterdir())), 1, "directories left")


@trust("process fork after CUDA started")
def fork_after_start(here):
    """The child is not traced, and never runs a line of CUPTI."""
    run = here.both(victim("fork_and_cuda"))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())
    run = quiet(here.traced(victim("without_cupti"), VICTIM_CUPTI="1"))
    same(run.out, here.bare(victim("without_cupti")).out, "stdout")
    same(run.out.count("child exited with 37"), 3, "children that ended well")
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())


@trust("process 8 ranks")
def eight_ranks(here):
    """A directory for each, named after its rank or not, each with its own calls."""
    for variables in ({}, {"CUTRACE_OUTPUT": "rank%q{RANK}"}, {"CUTRACE_OUTPUT": "one"}):
        run = quiet(here.traced(launcher("lonely_rank", ranks=RANKS), **variables))
        same((run.status, len(run.traces())), (0, RANKS), f"status and traces ({run.out})")
        same(len(list(run.folder.iterdir())), RANKS, "directories left")
        titles = set()
        for trace in run.traces():
            says_clean(trace)
            same(sum(row["Name"] == "cudaMalloc" for row in calls(trace)), 1 + 3, "allocations")
            titles.add(re.search(r"rank (\d+) of 8", report_text(trace))[1])
        same(sorted(titles), [str(rank) for rank in range(RANKS)], "ranks")
        if "%" in variables.get("CUTRACE_OUTPUT", ""):
            same({trace.name for trace in run.traces()}, {f"rank{i}" for i in range(RANKS)}, "names")
