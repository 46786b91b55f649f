# SPDX-License-Identifier: Apache-2.0
"""Children, and processes that have nothing to do with CUDA."""
import collections
import pathlib
import sys

from harness import (calls, case, check, cutrace, has_rounds, quiet, same, says_blind, says_clean,
                     trust, victim)

ROUNDS = 5


def parent_only(here, *arguments):
    """The child leaves nothing, and the parent's trace is whole."""
    run = quiet(here.both(victim(*arguments)))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())
    same(len(list(run.folder.iterdir())), 1, "directories left")
    return run


@trust("process fork")
def fork_child(here):
    """Children that end by exit() and by _exit(); before CUDA is used, one that uses it."""
    parent_only(here, "fork", "exit")
    parent_only(here, "fork", "_exit")
    two_traces(here, "fork_first", ROUNDS, ROUNDS)


@trust("process vfork and exec")
def vfork_child(here):
    """Another program, one that does not exist, and ourselves, using CUDA."""
    parent_only(here, "vfork_exec")
    two_traces(here, "vfork_self", 2 * ROUNDS, ROUNDS)


@trust("process posix_spawn")
def spawned_child(here):
    parent_only(here, "spawn")
    two_traces(here, "spawn_self", 2 * ROUNDS, ROUNDS)


@case
def shell_child(here):
    parent_only(here, "system")


@trust("process fork and exec")
def exec_in_child(here):
    """Both use CUDA, and the child alone does."""
    two_traces(here, "cuda_in_both", ROUNDS, ROUNDS)
    run = quiet(here.both(victim("cuda_in_child")))
    has_rounds(run.trace(), ROUNDS)
    same(len(list(run.folder.iterdir())), 1, "directories left: the parent makes none")


@case
def exec_over(here):
    """The program was replaced: as if cut off."""
    run = quiet(here.both(victim("exec_over")))
    same(here.bare(cutrace("report", run.trace())).status, 0, "cutrace report")
    has_rounds(run.trace(), ROUNDS)
    says_blind(run.trace(), "cut off")


def rounds_of(trace):
    return sum(row["Name"] == "cudaMalloc" for row in calls(trace))


def two_traces(here, mode, parent, child):
    run = quiet(here.both(victim(mode)))
    same(sorted(rounds_of(trace) for trace in run.traces()), sorted([parent, child]),
         "rounds of the two processes")
    for trace in run.traces():
        has_rounds(trace, rounds_of(trace))
        says_clean(trace)
    same(len(list(run.folder.iterdir())), 2, "directories left")


@case
def exec_before_cuda(here):
    run = quiet(here.both(victim("exec_before")))
    has_rounds(run.trace(), ROUNDS)
    says_clean(run.trace())


@case
def exec_after_cuda(here):
    """One process, two programs: the second neither shares nor overwrites the first's trace."""
    run = quiet(here.both(victim("exec_after")))
    first, second = run.traces()
    same(second.name, first.name + ".1", "the second's directory")
    same(here.bare(cutrace("report", first)).status, 0, "cutrace report of the first")
    has_rounds(first, 2 * ROUNDS)
    says_blind(first, "cut off")
    has_rounds(second, ROUNDS)
    says_clean(second)


PYTHON = str(pathlib.Path(__file__).with_name("victim_multi.py"))
WORKERS = 3
CALLS_OF_WORKER = {"cudaMalloc": 4, "cudaDeviceSynchronize": 4, "cudaFree": 4}


def python_workers(here, method, parent_too):
    run = quiet(here.both([sys.executable, "-B", PYTHON, method, str(int(parent_too))]))
    same(run.out, f"[0{', 0' * (WORKERS - 1)}]\n", "errors in the workers")
    same(len(run.traces()), WORKERS + parent_too, "traces left")
    same(len(list(run.folder.iterdir())), WORKERS + parent_too, "directories left")
    for trace in run.traces():
        made = collections.Counter(row["Name"] for row in calls(trace))
        made.pop("cuInit", None)  # the loaded runtime's own
        same(dict(made), CALLS_OF_WORKER, f"calls in {trace.name}")
        says_clean(trace)


@case
def multiprocessing_spawn(here):
    python_workers(here, "spawn", parent_too=False)


@case
def multiprocessing_spawn_after_cuda(here):
    python_workers(here, "spawn", parent_too=True)


@case
def multiprocessing_fork(here):
    """Forked before CUDA was used, and ended by os._exit()."""
    python_workers(here, "fork", parent_too=False)


@case
def multiprocessing_fork_after_cuda(here):
    """CUDA does not work in such workers: they fail as without us, and the parent is whole."""
    run = quiet(here.both([sys.executable, "-B", PYTHON, "fork", "1"]))
    made = collections.Counter(row["Name"] for row in calls(run.trace()))
    made.pop("cuInit", None)
    same(dict(made), CALLS_OF_WORKER, "calls of the parent")
    says_clean(run.trace())


@case
def reporter_invisible(here):
    run = quiet(here.both(victim("wait_at_end")))
    check(run.out.endswith("0 SIGCHLD\n"), "the program saw no child", run.out)
    has_rounds(run.trace(), ROUNDS)
    says_clean(run.trace())


@case
def children_ignored(here):
    """SIGCHLD is ignored: the reporter's status must reach us all the same."""
    run = quiet(here.both(victim("ignore_children")))
    has_rounds(run.trace(), ROUNDS)


@case
def without_cuda(here):
    for command in (["/bin/ls", "-l", "/usr/bin"], victim("without_cuda"),
                    ["/bin/bash", "-c", "for i in 1 2 3; do /bin/echo $i | cat; done; exit 3"]):
        run = quiet(here.both(command, CUTRACE_QUIET="0"))
        check(not run.left(), "nothing is left", run.left())


@case
def many_at_once(here):
    """Processes of one name and one output each get their own directory."""
    script = 'for i in 1 2 3 4 5 6 7 8; do "$0" return & done; wait'
    run = here.traced(["/bin/bash", "-c", script, *victim()], CUTRACE_OUTPUT="same")
    quiet(run)
    same(len(run.traces()), 8, "traces left")
    for trace in run.traces():
        same(len(calls(trace)), ROUNDS * 4, f"calls in {trace}")
