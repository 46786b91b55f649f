#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command of tools/savings works: savings_test.py SAVINGS CUTRACE PROGRAMS

On the fake device, two programs of kernels/ and three that go wrong. What times are measured
is not looked at, but that they were and where they went. Prints one line a check.
"""
import contextlib
import io
import itertools
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import types

import facts

SAVINGS, CUTRACE, PROGRAMS = (os.path.abspath(path) for path in sys.argv[1:])
GOOD = f"exec {PROGRAMS}/helper_on_default $*"


def command(folder, only, *options):
    return [sys.executable, "-B", SAVINGS, "--cutrace", CUTRACE, "--programs", str(folder), "--only",
            only, *options]


def savings(folder, only, *options):
    return subprocess.run(command(folder, only, *options), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)


def row_of(run, name):
    """The cells of a program's row in the table."""
    for line in run.stdout.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells and cells[0] == name:
            return cells
    return []


def note(tally, holds, what, found):
    """With what was found where it does not hold."""
    tally.note(holds, what, "" if holds else found)


def check_order(tally):
    """Of any two ways each comes first as often, so a machine that grows slower favours none."""
    in_turn = runpy.run_path(SAVINGS)["in_turn"]
    rounds = [in_turn(list("tbfp"), i) for i in range(8)]
    for one, other in itertools.combinations("tbfp", 2):
        before = sum(order.index(one) < order.index(other) for order in rounds)
        note(tally, before == 4, f"{one} before {other} in half of the rounds", before)
    note(tally, {order[0] for order in rounds} == set("tbfp"), "each is the first", rounds)


def check_saved(tally):
    """What is saved is of all pairs: a slow run of each kind, in rounds apart, is no saving of its own."""
    shift = runpy.run_path(SAVINGS)["shift"]
    runs = {name: [types.SimpleNamespace(work_ms=ms) for ms in times] for name, times in (
        ("bare", (100, 190, 101, 102)), ("fixed", (61, 60, 140, 62)))}
    saved = shift(types.SimpleNamespace(**runs), "work_ms")
    note(tally, saved == 40, "what is saved is the median of all pairs", saved)


def check_places(tally):
    """A place that two callers come to is one, also without the source lines that say so."""
    tool = runpy.run_path(SAVINGS)
    measured = tool["Measured"](tool["chosen"]("pinned_queue")[0], ["none"], CUTRACE)
    rows = [{"Rank": "", "Change": "hoist", "Call": call, "Call Site": site, "Calls": calls}
            for call, site, calls in (("cudaFreeHost", "pinned_queue+0x27 from +0x30", "99"),
                                      ("cudaFreeHost", "pinned_queue+0x27 from +0x31", "1"),
                                      ("cudaFreeHost", "pinned_queue+0x90", "1"),
                                      ("cudaFree", "pinned_queue+0x91", "99"))]
    note(tally, measured.made(rows) == rows[:2], "calls are counted by place, whoever came there",
         measured.made(rows))


def check_failed(tally, folder):
    """What was measured of a program that fails in a later round is kept."""
    tool = runpy.run_path(SAVINGS)

    def measure(one, _):
        if one.rounds == 2:
            raise tool["Failed"]("it is over")
        one.rounds += 1

    tool["Measured"].measure, tool["Measured"].raw = measure, lambda one: one.rounds
    args = types.SimpleNamespace(cutrace=CUTRACE, rounds=4, raw=folder / "failed.json")
    measured = tool["Measuring"](tool["chosen"]("cg_solver"), args, lambda program: ["none"])
    with contextlib.redirect_stderr(io.StringIO()):
        measured.run(folder)
    found = [json.loads(args.raw.read_text()), measured.failed, measured.how()]
    note(tally, found == [[2], 1, "4 rounds"], "rounds before a failure are kept", found)


def check_unmeasured(tally, folder):
    """Programs that were not reached, or ended in the middle of their first round, did not fail."""
    path = folder / "helper_on_default"
    path.write_text("#!/bin/sh\nkill $KILL\nexec sleep 60\n")
    path.chmod(0o755)
    run = subprocess.run(["sh", "-c", 'KILL=$$ exec "$@"', "sh", *command(
        folder, "helper_on_default,pinned_queue", "--rounds", "3")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    note(tally, run.returncode == 1 and
         "0 programs, 0 skipped, 0 failed; ENDED in round 1 of 3, 2 not measured" in run.stdout,
         "what was not measured did not fail", run.stdout + run.stderr)


def check_table(tally, folder):
    kept = folder / "kept"
    run = savings(PROGRAMS, "freeing_thread,helper_on_default", "--rounds", "2", "--keep", kept)
    again = savings(PROGRAMS, "", "--again", kept)
    over = savings(PROGRAMS, "helper_on_default", "--rounds", "1", "--keep", kept)
    note(tally, run.returncode == 0, "it ends with 0", run.stdout + run.stderr)
    note(tally, over.returncode == 1 and over.stderr == f"savings: {kept}: not empty; --keep wants a"
         " folder of its own\n", "what was kept is not overwritten", over.stdout + over.stderr)
    note(tally, again.returncode == 0, "so does the table made again", again.stdout + again.stderr)
    data = {one["program"]: one for one in json.loads((kept / "raw.json").read_text())}
    names = sorted(entry.name for entry in kept.iterdir())
    note(tally, names == ["freeing_thread", "helper_on_default", "raw.json"], "nothing else is kept",
         names)
    for name, fix in ("freeing_thread", "free"), ("helper_on_default", None):
        cells, one = row_of(run, name), data[name]
        note(tally, len(cells) == 11 and cells[9] == "same", f"{name}: a row, same results", cells)
        likely = [ms for _, ms, _ in one["predicted_ms"]]
        note(tally, len(likely) == 2 and all(ms > 0 for ms in likely),
             f"{name}: a saving is predicted, by each round", one["predicted_ms"])
        tally.note(cells[2].startswith(f"{sum(likely) / 2:.0f} ("), f"{name}: and printed")
        note(tally, row_of(again, name) == cells, f"{name}: the same again", row_of(again, name))
        tally.note([len(one["bare"]), len(one["fixed"])] == [2, 2], f"{name}: two rounds")
        note(tally, [proof["fix"] for proof in one["prove"]] == ([fix] * 2 if fix else []),
             f"{name}: proved with {fix}", one["prove"])
    proof = data["freeing_thread"]["prove"][0]
    note(tally, proof["saved_ms"] is not None and proof["memory"].count("MiB") == 2,
         "what prove printed was understood", proof)
    tally.note("wrong results: 0" in run.stdout, "no wrong results")


def check_kept(tally, folder):
    """A file that is not of this version's format is refused in one line."""
    for text, why in (None, "No such file"), ("[", "Expecting value"), ("[1]", "by another version"), \
            ('[{"program": "cg_solver", "traced": [{}]}]', "of savings: no 'whole_ms'"):
        file = folder / "raw.json"
        if text:
            file.write_text(text)
        run = savings(PROGRAMS, "", "--again", folder)
        note(tally, run.returncode == 1 and run.stderr.count("\n") == 1 and not run.stdout
             and run.stderr.startswith(f"savings: {file}: ") and why in run.stderr,
             f"{text or 'no file'}: refused", run.stdout + run.stderr)


def check_ended(tally, folder):
    """
    A time limit in the middle of the second round: the first is in the table and the file, and
    what `cutrace run` has started and made is gone.
    """
    path, kept, left = folder / "helper_on_default", folder / "ended", folder / "left"
    path.write_text(f"#!/bin/sh\necho >> {folder}/runs\n[ $(wc -l < {folder}/runs) -lt 6 ] ||"
                    f" {{ echo /proc/$$ $CUTRACE_STARTED_LIST > {left}; kill $KILL; exec sleep 60; }}\n"
                    f"{GOOD}\n")
    path.chmod(0o755)
    run = subprocess.run(["sh", "-c", 'KILL=$$ exec "$@"', "sh", *command(
        folder, "helper_on_default", "--rounds", "3", "--keep", kept)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = run.stdout + run.stderr
    note(tally, run.returncode == 1 and "; ENDED in round 2 of 3" in found, "a limit is told", found)
    note(tally, len(row_of(run, "helper_on_default")) == 11, "and the first round is printed", found)
    data = json.loads((kept / "raw.json").read_text())
    note(tally, [len(data[0][name]) for name in ("traced", "bare", "fixed", "whatif")] == [1] * 4,
         "and kept, and no more", data)
    names = left.read_text().split()
    note(tally, len(names) == 2 and not any(map(os.path.exists, names)), "and nothing is left", names)


def check_alone(tally, folder, script, status, *texts):
    """A program in the place of helper_on_default."""
    path = folder / "helper_on_default"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    run = savings(folder, "helper_on_default", "--rounds", "1")
    found = run.stdout + run.stderr
    note(tally, run.returncode == status, f"{script.splitlines()[0]}: it ends with {status}", found)
    for text in texts:
        note(tally, text in found, f"and says {text!r}", found)


def main():
    tally = facts.Tally()
    with tempfile.TemporaryDirectory(prefix="cutrace-savings-test.") as folder:
        folder = pathlib.Path(folder)
        check_table(tally, folder)
        check_alone(tally, folder, f"echo result: $1\n{GOOD}", 1, "fixed differs from bare",
                    "wrong results: 1")
        check_alone(tally, folder, "echo no device >&2; exit 77", 1, "skipped: no device")
        check_alone(tally, folder, "exit 3", 1, "bare run ended with 3")
        check_ended(tally, folder)
        check_failed(tally, folder)
        check_unmeasured(tally, folder)
        check_kept(tally, folder)
    check_order(tally)
    check_saved(tally)
    check_places(tally)
    tally.note(savings(PROGRAMS, "no_such").returncode == 1, "unknown programs are refused")
    print(f"{tally.passed} held, {tally.failed} did not")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
