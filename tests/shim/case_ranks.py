# SPDX-License-Identifier: Apache-2.0
"""Runs of several processes: ranks, names, and the report of the run."""
import collections
import csv
import os
import pathlib
import shutil
import signal
import socket
import sys

from harness import (calls, case, check, cutrace, has_rounds, one_line, quiet, report_text, same,
                     says_blind, says_clean, victim)

LAUNCHER = str(pathlib.Path(__file__).with_name("launcher.py"))
RANKS = 4
SLOW = 2
ROUNDS = 5


def launcher(*arguments, ranks=RANKS):
    return [sys.executable, "-B", LAUNCHER, str(ranks), *victim(*arguments)]


def parallel(here, *arguments, **variables):
    """One directory for each worker, none for the launcher."""
    run = quiet(here.traced(launcher(*arguments), **variables))
    same((run.status, len(run.traces())), (0, RANKS), f"status and traces ({run.out})")
    same(len(list(run.folder.iterdir())), RANKS, "directories left")
    return run


def table_of(folder, name):
    with open(pathlib.Path(folder) / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def merged(here, *arguments, output=None):
    options = ["--output", output] if output else []
    return here.bare(cutrace("report", *options, *arguments))


def flat(text):
    return " ".join(text.split())


@case
def rank_in_report(here):
    for variables, text in (({"RANK": "3", "WORLD_SIZE": "8"}, ", rank 3 of 8)"),
                            ({"PMI_RANK": "0"}, ", rank 0)"),
                            ({"RANK": "x", "WORLD_SIZE": "8"}, ")"),
                            ({}, ")")):
        run = quiet(here.traced(victim("return"), **variables))
        title = report_text(run.trace()).splitlines()[0]
        pid = run.trace().name.rsplit(".", 1)[1]
        check(f"(pid {pid}{text}" in title, f"{variables}: the title says {text}", title)


@case
def identity_in_trace(here):
    run = quiet(here.traced(["/bin/sh", "-c", 'echo $$; "$0" return', *victim()], RANK="3",
                            LOCAL_RANK="1", WORLD_SIZE="8"))
    notes = [line.split("note code=")[1] for line in
             here.bare(cutrace("dump", run.trace())).out.splitlines() if "note code=" in line]
    for note in (f"7 value=0 {socket.gethostname()}", f"8 value={run.out.split()[0]} ",
                 "9 value=3 RANK", "10 value=1 LOCAL_RANK", "11 value=8 WORLD_SIZE"):
        check(note in notes, f"a note says {note!r}", notes)


@case
def rank_names(here):
    run = parallel(here, "lonely_rank", CUTRACE_OUTPUT="%n-%h-%q{RANK}of%q{WORLD_SIZE}-%p")
    host = socket.gethostname()
    for rank, trace in enumerate(run.traces()):
        check(trace.name.startswith(f"victim-{host}-{rank}of{RANKS}-"), "the name", trace.name)
        check(trace.name.rsplit("-", 1)[1].isdigit(), "the name ends with a pid", trace.name)


@case
def rank_names_taken(here):
    """All ranks are given one name: each still has a directory of its own."""
    run = parallel(here, "lonely_rank", CUTRACE_OUTPUT="same")
    same([path.name for path in run.traces()], ["same"] + [f"same.{i}" for i in range(1, RANKS)],
         "directories")
    run = merged(here, run.folder, output="out")
    same([row["Rank"] for row in table_of(run.folder / "out", "ranks")],
         [str(rank) for rank in range(RANKS)], "ranks in ranks.csv")


def names_the_slow_one(report, *texts):
    same((report.status, report.err), (0, ""), "status and stderr of the merged report")
    check(f"Slowest: rank {SLOW} " in report.out, "the slow rank is named", report.out)
    for text in texts:
        check(text in flat(report.out), f"the report says {text!r}", report.out)


def slow_row(folder):
    rows = table_of(folder, "ranks")
    same([row["Slowest"] for row in rows], [str(int(i == SLOW)) for i in range(RANKS)], "Slowest")
    return rows[SLOW], [row for row in rows if row is not rows[SLOW]]


@case
def slow_rank_alone(here):
    """No collectives: it spends most time in CUDA, in slow_step()'s cudaFree."""
    run = parallel(here, "lonely_rank", VICTIM_SLOW=str(SLOW))
    report = merged(here, run.folder, output="out")
    names_the_slow_one(report, "class device_wait", "call site cudaFree at victim_ranks.c:",
                       "slow_step, 3 calls took", "instead: allocate with cudaMallocAsync", "no communication kernels were seen",
                       "not seen nothing was dropped")
    slow, others = slow_row(report.folder / "out")
    check(all(int(slow["Own (ns)"]) > int(row["Own (ns)"]) for row in others),
          "its own time is the largest", slow)


@case
def slow_rank_in_collectives(here):
    """All end together; the slow one is the one that does not wait in the collective."""
    run = parallel(here, "meeting_rank", VICTIM_SLOW=str(SLOW))
    report = merged(here, run.folder, output="out")
    names_the_slow_one(report, "class device_wait", "call site cudaFree at victim_ranks.c:",
                       "slow_step, 3 calls took", "instead: allocate with cudaMallocAsync", "only communication kernels ran")
    slow, others = slow_row(report.folder / "out")
    same({row["Compared"] for row in others}, {"1"}, "all are compared")
    for row in others:
        check(int(row["Communication Only (ns)"]) > 500e6 > int(slow["Communication Only (ns)"]),
              "the others wait in the collective", row)


def reducing(here):
    """Ranks that meet in kernels as NCCL's: one of them frees memory before it comes."""
    meetings = here.folder() / "meet"
    meetings.write_bytes(bytes(4096))
    return parallel(here, "reducing_rank", VICTIM_SLOW=str(SLOW), VICTIM_MEET=str(meetings))


def names_the_late_one(report):
    same((report.status, report.err), (0, ""), "status and stderr of the merged report")
    for text in (f"Late: rank {SLOW} came last to ", "blocked, most in cudaFree at victim_ranks.c:",
                 "all_reduce waited ", f"for rank {SLOW}'s AllReduce"):
        check(text in flat(report.out), f"the report says {text!r}", report.out)
    check("not matched" not in report.out, "all are matched", report.out)
    rows = table_of(report.folder / "out", "ranks_nccl")
    same([row["Stands Out"] for row in rows], [str(int(i == SLOW)) for i in range(RANKS)], "Stands Out")
    same({row["Collectives"] for row in rows}, {"6"}, "collectives")
    late = rows[SLOW]
    check(int(late["Late (ns)"]) > 60e6 and "reducing_rank" in late["Delayed By"], "how late", late)
    for row in rows[:SLOW] + rows[SLOW + 1:]:
        check(int(row["Waited (ns)"]) > int(late["Waited (ns)"]), "the others waited longer", row)


@case
def late_to_collectives(here):
    """The late rank is named: by the clock that all share, and by durations where they have several."""
    run = reducing(here)
    report = merged(here, run.folder, output="out")
    names_the_late_one(report)
    for trace in run.traces():
        text = flat(report_text(trace))
        check("NCCL: its kernels" in text and "AllReduce 6 " in text, "each one's own report", text)
    for rank, trace in enumerate(run.traces()):  # as if each were of another host, set otherwise
        file = trace / "trace.cutrace"
        data = bytearray(file.read_bytes())
        day_ns = int.from_bytes(data[40:48], "little") + rank * 5 * 10**9  # start_realtime_ns
        data[40:48] = day_ns.to_bytes(8, "little")
        file.write_bytes(data)
    report = merged(here, run.folder, output="out")
    names_the_late_one(report)
    check("Clocks of different hosts were not compared" in flat(report.out), "by durations", report.out)


@case
def late_device(here):
    """The devices of one process are compared in its own report."""
    run = quiet(here.traced(victim("reducing_devices"), FAKE_DEVICES="2"))
    text = flat(report_text(run.trace()))
    for wanted in ("Late: device 1 came last to 6 of 6 collectives", "while its device was at work, most in spin_work",
                   "for device 1's AllReduce"):
        check(wanted in text, f"the report says {wanted!r}", text)


@case
def merged_tables(here):
    run = parallel(here, "lonely_rank", VICTIM_SLOW=str(SLOW))
    merged(here, run.folder, output="out/tables")
    report = merged(here, *run.traces(), output="tables")
    for rank, (row, trace) in enumerate(zip(table_of(report.folder / "tables", "ranks"),
                                            sorted(run.traces(), key=rank_of(here)))):
        same((row["Rank"], row["Rank Variable"], row["Local Rank"], row["Size"], row["Host"]),
             (str(rank), "RANK", str(rank), str(RANKS), socket.gethostname()), "identity")
        same((row["Directory"], row["Program"]), (str(trace), "victim"), "directory and program")
        same(int(row["Calls"]), len(calls(trace)), f"calls of rank {rank}")
        parts = sum(int(row[part]) for part in ("Device Wait (ns)", "Lock Wait (ns)",
                                                "Queue Full (ns)", "Transfer (ns)",
                                                "First Use (ns)", "Unexplained (ns)"))
        same(parts, int(row["Blocked (ns)"]), "the classes add up to the blocked time")
    sites = table_of(report.folder / "tables", "ranks_callsites")
    total = collections.Counter()
    for trace in run.traces():
        total.update(row["Name"] for row in calls(trace))
    found = collections.Counter()
    for row in sites:
        found[row["Call"]] += int(row["Calls"])
        check(int(row["Min Blocked (ns)"]) <= int(row["Median Blocked (ns)"])
              <= int(row["Max Blocked (ns)"]) <= int(row["Blocked (ns)"]), "in order", row)
    same(found, total, "calls of all sites")
    slow = [row for row in sites if "slow_step" in row["Call Site"] and row["Call"] == "cudaFree"]
    same([(row["Ranks"], row["Worst Rank"]) for row in slow], [("1", f"rank {SLOW}")], "slow_step")
    quick = [row for row in sites if "quick_step" in row["Call Site"] and row["Call"] == "cudaFree"]
    same([row["Ranks"] for row in quick], [str(RANKS)], "ranks at quick_step")


def rank_of(here):
    return lambda trace: int(report_text(trace).split(", rank ")[1].split()[0])


@case
def merged_twice(here):
    """The own reports are made anew, and the same; order of the arguments does not matter."""
    run = parallel(here, "lonely_rank")
    before = {path: path.read_bytes() for path in run.folder.rglob("*.*") if path.is_file()}
    for path in run.folder.rglob("report.txt"):
        path.unlink()
    first = quiet(merged(here, *run.traces()))
    second = quiet(merged(here, *reversed(run.traces())))
    same(first.out, second.out, "the merged report")
    for path, content in before.items():
        same(path.read_bytes(), content, f"{path}")
    check(not first.left(), "no tables without --output", first.left())


@case
def merged_of_one(here):
    """A directory, or one that holds just one, is reported on as ever; with --output it stays as it is."""
    run = quiet(here.traced(victim("return")))
    for directory in (run.trace(), run.folder):
        report = quiet(merged(here, directory))
        same((report.status, report.out.split("\ncutrace: the report is")[0]),
             (0, report_text(run.trace())), f"report {directory}")
    (run.trace() / "report.txt").write_text("mine")
    report = quiet(merged(here, run.trace(), output="out"))
    text = report_text(report.folder / "out")
    check(report.out.startswith(text + "\ncutrace: the report is report.txt in out,"), "its own report", report.out)
    check("(pid" in text.splitlines()[0], "of one process", text)
    same((len(table_of(report.folder / "out", "ranks")), len(table_of(report.folder / "out", "calls"))),
         (1, len(table_of(run.trace(), "calls"))), "rows of ranks.csv and calls.csv")
    same((run.trace() / "report.txt").read_text(), "mine", "what lies beside the trace")


@case
def merged_bad_members(here):
    """What cannot be used is named, a line each; the others are reported."""
    run = parallel(here, "lonely_rank", CUTRACE_OUTPUT="rank%q{RANK}")
    good = [run.folder / f"rank{rank}" for rank in range(RANKS)]
    folder = here.folder()
    for name, content in (("damaged", os.urandom(70000)), ("cut", b"CUTRACE\n")):
        (folder / name).mkdir()
        (folder / name / "trace.cutrace").write_bytes(content)
    (folder / "hollow").mkdir()
    bad = {folder / "missing": "No such file", folder / "damaged": "not a cutrace trace",
           folder / "cut": "not a cutrace trace", folder / "hollow": "no trace.cutrace in it",
           f"{good[1]}/": "given twice"}
    if os.geteuid() == 0:
        shutil.copytree(good[3], folder / "foreign")
        os.chown(folder / "foreign" / "trace.cutrace", 12345, 12345)
        bad[folder / "foreign"] = "another user (uid 12345)"
    report = merged(here, *good[:3], *bad, output="out")
    same(report.status, 1, "exit status")
    lines = report.err.splitlines()
    same(len(lines), len(bad), f"lines on stderr ({report.err})")
    for name, why in bad.items():
        check(any(line.startswith(f"cutrace: {name}: ") and why in line for line in lines),
              f"a line says {why!r} of {name}", report.err)
    check(report.out.startswith("cutrace: 3 processes"), "the others are reported", report.out)
    check(f"rank 3 of {RANKS}: no trace of it" in flat(report.out), "what is missing", report.out)
    same([row["Rank"] for row in table_of(report.folder / "out", "ranks")], ["0", "1", "2"],
         "ranks in ranks.csv")
    report = merged(here, *list(bad)[:4])
    same((report.status, bool(report.out)), (1, False), "without a good one: status, stdout")


@case
def merged_unwritable(here):
    """Tables that cannot be written: one line, and the report is printed all the same."""
    run = parallel(here, "lonely_rank")
    folder = here.folder()
    (folder / "file").write_text("x")
    report = one_line(merged(here, run.folder, output=folder / "file"), str(folder / "file"))
    same((report.status, report.out.startswith("cutrace: 4 processes")), (1, True), "status, report")
    check("the tables of the run are" not in report.out, "none were written", report.out)
    one_line(merged(here, run.traces()[0], output=run.traces()[1]), "holds a trace")
    report = merged(here, run.folder, output=folder / "no" / "parent")
    same((report.status, (folder / "no" / "parent" / "ranks.csv").exists()), (0, True), "made, with its parent")


@case
def merged_not_at_once(here):
    """One after the other: none waited for another."""
    folder = here.folder()
    for rank in range(2):
        here.traced(victim("work", "20"), folder=folder, RANK=str(rank))
    report = quiet(merged(here, folder))
    check("Slowest: cannot be said" in report.out, "no verdict", report.out)


@case
def merged_cut_off(here):
    """A rank that was killed is in the report, and said to be cut off."""
    run = parallel(here, "lonely_rank", CUTRACE_OUTPUT="rank%q{RANK}")
    killed = here.traced(victim("signal", str(int(signal.SIGKILL))), RANK="4", WORLD_SIZE="5")
    report = quiet(merged(here, run.folder, killed.trace()))
    check("the end: the run was cut off" in flat(report.out) and "(rank 4)" in report.out,
          "the report says whose end is missing", report.out)
    says_blind(killed.trace(), "cut off")


def run_launcher(here, *arguments, options=(), **variables):
    return here.bare(cutrace("run", *options, "--", *launcher(*arguments)), **variables)


@case
def run_of_several(here):
    """One summary, that of the run, at its end; each process's own report is there."""
    run = run_launcher(here, "lonely_rank", VICTIM_SLOW=str(SLOW))
    same((run.status, len(run.traces())), (0, RANKS), "status and traces")
    lines = run.err.splitlines()
    same([line for line in lines if line.startswith("cutrace: ") and "process" not in line], [],
         "no summary of a single process")
    check(lines[0].startswith(f"cutrace: {RANKS} processes (victim)"), "the summary", run.err)
    check(f"Slowest: rank {SLOW} " in run.err and "slow_step" in run.err, "the slow rank", run.err)
    for trace in run.traces():
        says_clean(trace)
        check(trace.name in run.err, "the directory is named", run.err)
    check(len(lines) < 45, "it is short", run.err)
    check(max(map(len, lines)) <= 100, "it fits a terminal", run.err)


@case
def run_of_several_quiet(here):
    run = quiet(run_launcher(here, "lonely_rank", options=["--quiet"]))
    for trace in run.traces():
        says_clean(trace)
    run = quiet(run_launcher(here, "lonely_rank", options=["--report=0"]))
    same(sorted(path.name for path in run.folder.rglob("*.*") if path.is_file()),
         ["trace.cutrace"] * RANKS, "files")


@case
def run_of_several_killed(here):
    """Of workers that were killed the reports are made, and the launcher's status is kept."""
    run = run_launcher(here, "signal", str(int(signal.SIGKILL)))
    same(run.status, here.bare(launcher("signal", str(int(signal.SIGKILL)))).status, "status")
    same(len(run.traces()), RANKS, "traces")
    check("the end: the run was cut off" in flat(run.err), "the summary says so", run.err)
    for trace in run.traces():
        has_rounds(trace, ROUNDS)
        says_blind(trace, "cut off")


@case
def run_of_one_worker(here):
    """A launcher with one worker: that one's own summary, once."""
    run = here.bare(cutrace("run", "--", *launcher("return", ranks=1)))
    titles = [line for line in run.err.splitlines() if line.startswith("cutrace: victim (pid ")]
    same((run.status, len(titles)), (7, 1), f"status and summaries ({run.err})")
    check(", rank 0 of 1)" in titles[0], "the rank", titles[0])
