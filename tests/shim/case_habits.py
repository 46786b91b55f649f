# SPDX-License-Identifier: Apache-2.0
"""What a program can notice of us, and ways of reaching CUDA."""
import collections

from harness import (PATHS, calls, case, check, has_rounds, one_line, quiet, same, says_blind,
                     says_clean, table, trust, victim)

LOADER_ROUNDS = 5


def clean(here, *arguments, rounds):
    run = quiet(here.both(victim(*arguments)))
    has_rounds(run.trace(), rounds)
    says_clean(run.trace())
    return run


@case
def moving_frames(here):
    clean(here, "moving_frames", rounds=12)


@case
def thread_in_constructor(here):
    """A constructor waits, with the loader's lock, for a thread that calls CUDA first."""
    run = quiet(here.both(victim("constructor", PATHS["JOINER"])))
    same(sum(call["Name"] == "cudaMallocHost" for call in calls(run.trace())), 1,
         "cudaMallocHost in calls.csv")


@case
def without_lines(here):
    """Calls are named after the program's functions, and not after lines of the C library."""
    run = quiet(here.both([PATHS["PLAIN"]]))
    same({row["Name"]: row["Call Site"] for row in calls(run.trace())},
         {"cudaMalloc": "plain main", "cudaDeviceSynchronize": "plain waits"}, "call sites")
    says_blind(run.trace(), ": no module on their stacks has debug information")


@case
@trust("threads 16 KiB stack")
def small_stacks(here):
    """Both for threads of a program that is traced already, and for its very first use of CUDA."""
    clean(here, "small_stacks", rounds=17)
    small_stack_first(here)


def small_stack_first(here):
    """Of our own start; looking for CUPTI takes more, as does the driver's own start."""
    run = quiet(here.both(victim("small_first"), CUTRACE_CUPTI="0"))
    has_rounds(run.trace(), 1)


@trust("threads 1000 short-lived")
def short_threads(here):
    run = clean(here, "short_threads", rounds=1000)
    threads = {row["Thread"] for row in calls(run.trace())}
    check(len(threads) > 1, "calls carry their thread", len(threads))


@case
def every_wrapper(here):
    """Each passes on its result, keeps errno, and records its call once."""
    run = one_line(here.both([PATHS["EVERY"], "page"]), "never initialised", "cutrace doctor")
    printed = collections.Counter(line.split(":")[0] for line in run.out.splitlines())
    check(len(printed) > 100, "many functions were called", len(printed))
    check(all(line.endswith("errno 1234") for line in run.out.splitlines()), "errno is kept",
          run.out)
    found = collections.Counter(row["Name"] for row in calls(run.trace()))
    aliases = sum(printed.values()) - sum((printed & found).values())
    same(sum(found.values()), sum(printed.values()), "calls in calls.csv")
    check(aliases < 20, "calls under another name", sorted(printed - found))


def loaded(here, rounds, *arguments):
    run = quiet(here.both([PATHS["LOADER"], *arguments]))
    rows = calls(run.trace())
    rows = [row for row in rows if row["Name"] != "cuInit"]  # each loaded runtime's own
    wanted = {name: rounds for name in ("cudaMalloc", "cudaDeviceSynchronize", "cudaFree")}
    same(dict(collections.Counter(row["Name"] for row in rows)), wanted, "calls in calls.csv")
    check(all(row["Origin"] == "runtime" for row in rows), "CUPTI alone saw them")
    says_clean(run.trace())


@case
def runtime_dlopened(here):
    """Each call once, the first one too."""
    loaded(here, LOADER_ROUNDS)


@case
def runtime_dlopened_again(here):
    loaded(here, 2 * LOADER_ROUNDS, "again")


@case
def seen_once(here):
    """A wrapped call that CUPTI sees as well is one record, joined to its device operation."""
    run = clean(here, "work", "50", rounds=50)
    rows = calls(run.trace())
    check(all(row["Origin"] == "wrapper" for row in rows), "wrappers see all of these calls")
    check(all(row["Correlation"] != "0" for row in rows), "CUPTI has seen each of them as well")
    with_op = {row["Correlation"] for row in rows if row["Name"] == "cudaMemset"}
    fills = {row["Correlation"] for row in table(run.trace(), "device")}
    same(fills, with_op, "correlation ids of the fills")
