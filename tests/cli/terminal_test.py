#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Colors and the line that says how far it is: on a terminal, and nowhere else.

terminal_test.py CUTRACE TRACE.gz
"""
import gzip
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
import threading

SGR = re.compile("\033\\[[0-9;]*m")


class Pipe:
    """What a command writes to a pipe or, if it is one, to a terminal."""
    def __init__(self, terminal):
        self.read_end, self.write_end = pty.openpty() if terminal else os.pipe()
        self.data = b""
        self.thread = threading.Thread(target=self.drain)
        self.thread.start()

    def drain(self):
        try:
            while more := os.read(self.read_end, 65536):
                self.data += more
        except OSError:  # so ends a terminal
            pass

    def text(self):
        os.close(self.write_end)
        self.thread.join()
        os.close(self.read_end)
        return self.data.decode().replace("\r\n", "\n")


def run(*words, terminals="", **variables):
    """stdout and stderr of a command; terminals: "out", "err" or "out err"."""
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CUTRACE_QUIET")}
    env.update({"TERM": "xterm"}, **variables)
    out, err = Pipe("out" in terminals), Pipe("err" in terminals)
    subprocess.run(list(map(str, words)), stdout=out.write_end, stderr=err.write_end, env=env, check=False)
    return out.text(), err.text()


def screen(text):
    """What is left on the screen: a line is written over from its begin, and cleared."""
    lines = [""]
    for piece in re.split("(\r\033\\[K|\n)", text):
        if piece == "\n":
            lines.append("")
        elif piece == "\r\033[K":
            lines[-1] = ""
        else:
            lines[-1] += piece
    return "\n".join(lines)


def check_colors(cutrace, trace):
    plain, _ = run(cutrace, "report", trace)
    assert "\033" not in plain
    colored, _ = run(cutrace, "report", trace, terminals="out")
    assert "\033[1mCall sites that cost most\033[0m\n" in colored, colored
    lost = re.search("\n  1 +\033\\[31m([0-9.]+ ms)\033\\[0m", colored)
    assert lost and f"Serialization cost \033[31m{lost[1]}\033[0m" in colored, colored
    assert "\033[33mNOT seen\033[0m" in colored, colored
    for text in (colored, run(cutrace, "report", "--color", "always", trace, NO_COLOR="1", TERM="dumb")[0]):
        assert SGR.search(text) and SGR.sub("", text) == plain, "colors change no text"
    assert SGR.search(run(cutrace, "report", "--color=ALWAYS", trace)[0]), "words are taken in any case of letters"
    assert SGR.search(run(cutrace, "report", "--color=Auto", trace, terminals="out")[0])
    for words, variables in ((("--color=never",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})):
        assert run(cutrace, "report", *words, trace, terminals="out", **variables)[0] == plain, (words, variables)
    assert SGR.search(run(cutrace, "report", trace, terminals="out", NO_COLOR="")[0]), "an empty NO_COLOR is none"
    assert "\033" not in (trace / "report.txt").read_text()
    assert re.search("saves \033\\[31m[0-9.]+ ms\033\\[0m", run(cutrace, "whatif", trace, terminals="out")[0])
    doctor, _ = run(cutrace, "doctor", terminals="out", CUDA_INJECTION64_PATH="/none")
    assert doctor.startswith("\033[33mNO\033[0m    injection"), doctor


def check_progress(cutrace, trace, folder):
    for words in (("report",), ("whatif",), ("export", "--jsonl"), ("report", "--part-records", "64")):
        _, err = run(cutrace, *words, "--eager", trace, terminals="err")
        assert "\r\033[Kcutrace: analyzed" in err and screen(err) == "", (words, err)
    assert re.search(" [1-9][0-9]? %,", err), err  # of the one in parts
    for terminals, variables in (("", {}), ("out", {}), ("err", {"TERM": "dumb"}), ("err", {"CUTRACE_QUIET": "1"})):
        assert run(cutrace, "report", "--eager", trace, terminals=terminals, **variables)[1] == "", (terminals, variables)
    assert run(cutrace, "export", "--jsonl", "--eager", trace, terminals="out err")[1] == "", "not between its lines"
    assert run(cutrace, "report", "--at-exit", "--eager", trace, terminals="err")[1].startswith("cutrace: "), \
        "not at the end of a program"
    (folder / "broken").mkdir()
    (folder / "broken" / "trace.cutrace").write_bytes(b"nothing" * 1000)
    _, err = run(cutrace, "report", "--eager", folder, terminals="err")
    assert "cutrace: analyzed 2 of 2 traces, 100 %," in err, err
    assert re.fullmatch("cutrace: .*/broken: not a cutrace trace.*\n", screen(err)), err


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: terminal_test.py CUTRACE TRACE.gz")
    with tempfile.TemporaryDirectory(prefix="cutrace-terminal.") as name:
        trace = pathlib.Path(name, "runs", "run")
        trace.mkdir(parents=True)
        (trace / "trace.cutrace").write_bytes(gzip.open(sys.argv[2]).read())
        check_colors(sys.argv[1], trace)
        check_progress(sys.argv[1], trace, trace.parent)


if __name__ == "__main__":
    main()
