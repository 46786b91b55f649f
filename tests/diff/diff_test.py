#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`cutrace diff` on traces of a synthetic program that are stretched, moved and damaged.

diff_test.py CUTRACE GEN_TRACE
"""
import contextlib
import csv
import io
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "trust"))
from trace_file import CALL, DEVICE, NOTE, SCRIPT, SYNC, Trace, record  # noqa: E402

START_NS, FINISH_AT, REALTIME_AT, PROGRAM_AT, LOST_AT = 1000000000, 144, 40, 48, 152
CUPTI_LOSS, RANK = 5, 9  # enum ct_loss, enum ct_note_code
VERDICT = re.compile("  (worse|better)$", re.M)
ODD = '<Layer "1" & 2>::error'


class Maker:
    """Traces of one program in folders of their own."""

    def __init__(self, folder, gen_trace):
        subprocess.run([gen_trace, "--calls", "600", "--threads", "1", folder / "made"], check=True,
                       stdout=subprocess.DEVNULL)
        self.made, self.folder, self.random = folder / "made", folder, random.Random(1)
        self.clock = 0

    def run(self, name, factor=1.0, lines=0, finish=1, lost=0, program=None, at=None, rank=None):
        """One run: times as many times as long, Python's lines further down, its end, losses."""
        trace = Trace.of(self.made)
        for body in trace.all(CALL, DEVICE, SYNC):
            times = (START_NS + int((ns - START_NS) * 10 * factor)
                     for ns in struct.unpack_from("<QQ", body, 8))
            struct.pack_into("<QQ", body, 8, *times)
        for body in trace.all(SCRIPT):
            struct.pack_into("<I", body, 8, struct.unpack_from("<I", body, 8)[0] + lines)
        self.clock += 10**10
        struct.pack_into("<I", trace.header, FINISH_AT, finish)
        struct.pack_into("<Q", trace.header, REALTIME_AT, at or 17 * 10**17 + self.clock)
        struct.pack_into("<Q", trace.header, LOST_AT + 8 * CUPTI_LOSS, lost)
        if program:
            struct.pack_into("64s", trace.header, PROGRAM_AT, program.encode())
        if rank is not None:
            trace.add(record(NOTE, struct.pack("<HHQQ", RANK, 4, 0, rank) + b"RANK"))
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        trace.save(path)
        return path

    def runs(self, name, count=4, factor=1.0, noise=0.02, **how):
        for i in range(count):
            self.run(f"{name}/{i}", factor * (1 + self.random.uniform(-noise, noise)), **how)
        return self.folder / name


class Command:
    def __init__(self, cutrace, folder):
        self.cutrace, self.folder = cutrace, folder

    def __call__(self, *words, status=0, texts=(), absent=(), error=()):
        done = subprocess.run([self.cutrace, "diff", *map(str, words)], cwd=self.folder, text=True,
                              capture_output=True, check=False, timeout=60)
        flat = " ".join(done.stdout.split())
        assert done.returncode == status, (words, done)
        assert len(done.stderr.splitlines()) == bool(error), (words, done.stderr)
        for text in error:
            assert text in done.stderr, (text, done.stderr)
        for text in texts:
            assert text in flat, (text, done.stdout)
        for text in absent:
            assert text not in flat, (text, done.stdout)
        return done.stdout

    def rows(self, *words, **wanted):
        return list(csv.DictReader(io.StringIO(self(*words, "--format", "csv", **wanted))))


def unchanged(diff, make):
    one = make.run("one")
    text = diff(one, one, "--fail-over", "5%", texts=(
        "test none: significance takes 3 runs or more on each side, here are 1 and 1",
        "The run: no difference beyond 5 % in duration, blocked or lost time.",
        "Call sites: no difference", "not seen nothing was dropped"), absent=("NOT seen", "UNLIKE"))
    assert not VERDICT.search(text), text
    before, after = make.runs("quiet"), make.runs("quiet2")
    text = diff(before, after, "--fail-over", "1%", texts=(
        "The run: no difference beyond 1 %", "Welch's t-test", "Holm's", "4 runs of 1 process"))
    assert not VERDICT.search(text), text


def regressed(diff, make):
    before, after = make.runs("before"), make.runs("after", factor=1.25)
    error = ("cutrace: diff: more than 5 % (--fail-over). The run got worse: duration +2",)
    text = diff(before, after, "--fail-over", "5%", status=1, error=error,
                texts=("The run got worse: duration +2", "Call sites that got worse"))
    assert re.search(r"^    duration .* \+2\d\.\d %\s+(<0.001|0.00\d)  worse$", text, re.M), text
    diff(before, after, texts=("The run got worse",))
    diff(before, after, "--fail-over=40", texts=("no difference beyond 40 %",))
    diff(after, before, "--fail-over", "5%", texts=("The run got better: duration -",))
    diff("--before", *sorted(before.iterdir()), "--after", *sorted(after.iterdir()), "--fail-over", "5%",
         status=1, error=error)
    forms_agree(diff, before, after, error)
    annotations(diff, before, after, error)


def forms_agree(diff, before, after, error):
    rows = diff.rows(before, after, "--fail-over", "5", status=1, error=error)
    wrong = {row["Figure"]: row for row in rows if row["Scope"] == "run" and row["Verdict"] == "worse"}
    assert "duration" in wrong and float(wrong["duration"]["P"]) < 0.05, wrong
    whole = json.loads(diff(before, after, "--format", "json"))
    assert whole["regressed"] and whole["tested"] and whole["before"]["runs"] == 4, whole
    for name, figure in whole["run"].items():
        row, = [row for row in rows if row["Scope"] == "run" and row["Figure"] == name]
        assert abs(figure["before"]["mean"] - float(row["Mean Before"])) < 1, (name, figure, row)
        assert figure["verdict"] == row["Verdict"], (figure, row)
    sites = {(row["Call"], row["Call Site After"]) for row in rows if row["Scope"] == "call site"}
    assert sites == {(site["call"], site["after"]) for site in whole["call_sites"]}, sites
    for figure in ("blocked", "total", "calls"):
        total = sum(float(row["Mean Before"]) for row in rows
                    if row["Scope"] == "call site" and row["Figure"] == figure)
        assert abs(total - whole["run"][figure]["before"]["mean"]) < len(sites), figure


def annotations(diff, before, after, error):
    (diff.folder / "model").mkdir()
    (diff.folder / "model/layers.py").write_text("")
    text = diff(before, after, "--fail-over", "5%", "--annotate", "github", status=1, error=error)
    stop, table, lines = re.fullmatch(r"::stop-commands::(\S+)\n(.*)^::\1::\n(.*)", text, re.S | re.M).groups()
    assert len(stop) > 30 and "The run got worse" in table, text
    assert re.search(r"^::error file=model/layers\.py,line=\d+,title=cutrace::cuda\w+ at layers\.py", lines,
                     re.M), lines
    assert lines.startswith("::error title=cutrace::The run got worse: duration +"), lines
    assert all(re.match("::(error|warning|notice) ", line) for line in lines.splitlines()), lines
    assert "::error" not in diff(before, after, "--annotate", "github").replace(stop, ""), "no gate, no error"

    text = diff(before, after, "--annotate", "github", "-o", "github.txt")
    assert re.fullmatch(r"::stop-commands::(\S+)\n(.*)^::\1::\n", text, re.S | re.M), text
    assert (diff.folder / "github.txt").read_text().startswith("::warning title=cutrace::The run got worse")

    text = diff(before, after, "--fail-over", "5%", "--annotate", "junit", status=1, error=error)
    suite = xml.etree.ElementTree.fromstring(text).find("testsuite")
    cases, failures = suite.findall("testcase"), suite.findall("testcase/failure")
    assert (int(suite.get("tests")), int(suite.get("failures"))) == (len(cases), len(failures)), text
    assert any(case.get("file") == "model/layers.py" and int(case.get("line")) and
               case.find("failure") is not None for case in cases), text
    diff(before, after, "--annotate", "junit", "-o", "notes.xml", texts=("The run got worse",))
    assert xml.etree.ElementTree.parse(diff.folder / "notes.xml").find("testsuite").get("failures") == "0"
    diff(before, after, "--annotate", "junit", "-o", "notes.xml", status=1,
         error=("notes.xml: is there already",))


def moved(diff, make):
    before, after = make.runs("old", 3), make.runs("new", 3, lines=7)
    rows = diff.rows(before, after)
    matches = {row["Match"] for row in rows if row["Scope"] == "call site"}
    assert "moved" in matches and not matches & {"new", "gone"}, matches
    for row in rows:
        if row["Match"] == "moved":
            lines = [int(re.search(r":(\d+) ", row[side])[1]) for side in ("Call Site Before", "Call Site After")]
            assert lines[1] == lines[0] + 7, row
    diff(before, make.runs("longer", 3, factor=1.5, lines=7), texts=("matched by order)",))


def incomplete(diff, make):
    """Traces that do not tell all are named, and nothing is judged by them unasked."""
    whole = make.runs("whole", 3)
    for name, how in (("cut", {"finish": 0}), ("lossy", {"lost": 7})):
        other = make.runs(name, 3, **how)
        why = ("21 device records that CUPTI" if name == "lossy" else "the run was cut off", "UNLIKE some traces")
        text = diff(whole, other, "--fail-over", "5%", status=1, texts=why,
                    error=("cutrace: diff: cannot be judged: some traces do not tell all of their run",))
        assert text.index("NOT seen") < text.index("The run"), text
        diff(whole, other, "--fail-over", "5%", "--allow-incomplete", texts=why)
        notes = diff(whole, other, "--fail-over", "5%", "--annotate", "junit", status=1, error=("cannot be",))
        assert xml.etree.ElementTree.fromstring(notes).find("testsuite").get("errors") == "1", notes
        rows = diff.rows(whole, other)
        assert sum(row["Note"].startswith("incomplete: ") for row in rows) == 3, rows[:9]
    diff(whole, make.run("other", program="another"), texts=("UNLIKE not all runs are of the same program",))


def told_apart(diff, make):
    """What may be processes of one run is not taken for repeated runs."""
    together = make.runs("together", 3, at=16 * 10**17)
    whole = make.folder / "whole"
    why = "its traces ran at the same time, and have no ranks; say --processes"
    diff(whole, together, status=1, error=(why,))
    diff(whole, "--repeats", together, texts=("3 runs of 1 process",))
    diff(whole, "--processes", together, texts=("1 run of 3 processes",))
    for run in range(3):
        for rank in range(2):
            make.run(f"ranks/{run}/{rank}", rank=rank, at=15 * 10**17 + run * 10**10)
    diff("ranks/0", "ranks/1", texts=("before ranks/0: 1 run of 2 processes",))
    text = diff("ranks", "ranks", "--fail-over=5", texts=("before ranks: 3 runs of 2 processes", "no difference"))
    assert re.search(r"^    calls +1212 +0.0 % +1212 ", text, re.M), text
    wrong = "its runs are not of the same ranks; say --repeats"
    diff("--before", "ranks/0/0", "ranks/0/1", "--after", "ranks/1", status=1, error=(wrong,))
    diff("--processes", "--before", "ranks/0/0", "ranks/0/1", "--after", "ranks/1", status=1, error=(wrong,))
    diff("--before", whole, "--after", *together.iterdir(), status=1, error=("at the same time",))
    diff("--before", whole / "0", whole, "--after", whole, status=1, error=("given twice",))
    shutil.copytree(whole / "0", make.folder / "copied/0")
    shutil.copytree(whole / "0", make.folder / "copied/1")
    for words in (["copied"], ["--repeats", "copied"], ["--processes", "copied"]):
        diff(whole, *words, status=1, error=("copied/1: a copy of another trace",) if len(words) > 1 else ("say ",))
    diff(whole, make.folder / "missing", status=1, error=("missing: No such file",))


def odd_names(diff, make):
    """What a trace calls its functions ends neither an attribute nor a line."""
    make.run("odd")
    trace = Trace.of(make.folder / "odd")
    for chunk in trace.chunks:
        for i, body in enumerate(chunk):
            if body[0] == SCRIPT:
                chunk[i] = bytearray(record(SCRIPT, struct.pack(
                    "<IIHHB7x", *struct.unpack_from("<II", body, 4), 4, len(ODD), 1) + b"a\nb," + ODD.encode()))
    trace.save(make.folder / "odd")
    notes = xml.etree.ElementTree.fromstring(diff("one", "odd", "--annotate", "junit"))
    assert any(ODD in case.get("name") for case in notes.iter("testcase")), list(notes.iter("testcase"))
    lines = diff("one", "odd", "--annotate", "github").splitlines()
    shelter = lines[0].removeprefix("::stop-commands")
    for line in lines[lines.index(shelter + "::") + 1:]:
        assert re.match("::(warning|notice) ", line), line
        assert "file=" not in line or re.search(r"file=[^:,]*,line=\d+,title=", line), line


def main():
    cutrace, gen_trace = (os.path.abspath(argument) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="cutrace-diff.") as folder:
        make = Maker(pathlib.Path(folder), gen_trace)
        diff = Command(cutrace, pathlib.Path(folder))
        for check in (unchanged, regressed, moved, incomplete, told_apart, odd_names):
            with contextlib.redirect_stdout(sys.stderr):
                check(diff, make)
            print("ok", check.__name__)


if __name__ == "__main__":
    main()
