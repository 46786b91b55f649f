# SPDX-License-Identifier: Apache-2.0
"""Children, and processes that have nothing to do with CUDA."""
from harness import (calls, case, check, cutrace, has_rounds, quiet, same, says_blind, says_clean,
                     victim)

ROUNDS = 5


def parent_only(here, *arguments):
    """The child leaves nothing, and the parent's trace is whole."""
    run = quiet(here.both(victim(*arguments)))
    has_rounds(run.trace(), 2 * ROUNDS)
    says_clean(run.trace())
    same(len(list(run.folder.iterdir())), 1, "directories left")
    return run


@case
def fork_child_exits(here):
    parent_only(here, "fork", "exit")


@case
def fork_child_fast_exits(here):
    parent_only(here, "fork", "_exit")


@case
def fork_child_uses_cuda(here):
    """Its calls are not recorded, and do not land in the parent's trace."""
    run = here.both(victim("fork_and_cuda"))
    has_rounds(run.trace(), 2 * ROUNDS)


@case
def vfork_child(here):
    parent_only(here, "vfork_exec")


@case
def spawned_child(here):
    parent_only(here, "spawn")


@case
def shell_child(here):
    parent_only(here, "system")


@case
def both_use_cuda(here):
    run = quiet(here.both(victim("cuda_in_both")))
    traces = run.traces()
    same(len(traces), 2, "traces left")
    for trace in traces:
        has_rounds(trace, ROUNDS)
        says_clean(trace)


@case
def child_uses_cuda(here):
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
