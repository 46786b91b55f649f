#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the commands of a page of the documentation, and compare what they print.

page.py BUILD PAGE

A block that begins with ```console is a terminal: lines with "$ " are commands, run in turn in
one folder per page that holds the programs of kernels/, traces recorded on a GPU and the tarball;
what follows is what they print, where "..." stands for anything and numbers for any numbers: the
page shows a GPU's, here the fake device runs. "(exit status N)" is the last line where it is not 0.
A block that begins with ```sh REASON cannot run here, and says why: "```sh needs mpirun".
Any other block may hold no command of cutrace's.

Exit status: 0 all did as the page says, and its links lead somewhere; 1 not.
"""
import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TRIES = 3
FENCE = re.compile(r"^( *)```(\S*) ?(.*)$")
COMMAND = re.compile(r"^\s*(\$ )?([A-Z_]+=\S+ )*(cutrace(?!:)|LD_PRELOAD=)\b")
MASKS = [
    (re.compile(r"0x[0-9a-f]+"), "#"),
    (re.compile(r"\d[\d.,:]*( ?(ns|us|ms|s|%|B|KiB|MiB|GiB|MB|GB)(?![A-Za-z]))?"), "#"),
    (re.compile(r"on (NVIDIA|a fake|Fake|fake)[\w ]*"), "on DEVICE"),
]


def blocks(path):
    """Yield (line number, kind, rest of the fence's line, lines)."""
    kind = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if fence and kind is None:
            start, kind, rest, lines = number, fence[2], fence[3], []
        elif fence:
            yield start, kind, rest, lines
            kind = None
        elif kind is not None:
            lines.append(line)
        elif line.startswith("    ") and COMMAND.match(line):
            yield number, "indented", "", [line]
    assert kind is None, f"{path}: a block does not end"


def words(text):
    for mask, to in MASKS:
        text = mask.sub(to, text)
    return text.split()


def follows(wanted, printed):
    """Are the pieces of `wanted` between "..." in `printed`, in order? Returns what is missing."""
    printed, at = " ".join(words(printed)), 0
    for piece in wanted.split("..."):
        piece = " ".join(words(piece))
        found = printed.find(piece, at)
        if found < 0:
            return piece
        at = found + len(piece)
    return ""


def commands(lines):
    """Yield (command, what it prints, exit status)."""
    command, printed, status = None, [], 0
    for line in lines + ["$ "]:
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(printed), status
            command, printed, status = line[2:], [], 0
        elif command and command.endswith("\\"):
            command += "\n" + line
        elif line.startswith("(exit status "):
            status = int(re.search(r"\d+", line)[0])
        else:
            printed.append(line)


class Terminal:
    """A folder with the programs, the command and the fake device at hand."""

    def __init__(self, build, folder):
        self.folder = folder
        source = pathlib.Path(__file__).resolve().parents[2]
        for program in (build / "kernels").glob("*"):
            if program.is_file() and os.access(program, os.X_OK):
                (folder / program.name).symlink_to(program)
        for name in ("free_serializes", "pageable_copy_blocks"):
            (folder / f"{name}.h200").mkdir()
            with gzip.open(source / f"tests/golden/{name}.trace.gz") as packed:
                (folder / f"{name}.h200/trace.cutrace").write_bytes(packed.read())
        tarballs = (build / "packaging").glob("cutrace-*.tar.gz")
        for newest in sorted(tarballs, key=lambda path: path.stat().st_mtime)[-1:]:
            (folder / newest.name).symlink_to(newest)
        self.environment = {**os.environ, "PATH": f"{build / 'tools'}:{os.environ['PATH']}",
                            "LD_LIBRARY_PATH": f"{build / 'shim'}:{build / 'tests/fake'}",
                            "LC_ALL": "C.UTF-8"}

    def run(self, command):
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=120, check=False)
        return done.stdout, done.returncode


def check(terminal, where, lines):
    bad = 0
    for command, wanted, status in commands(lines):
        printed, got = terminal.run(command)
        missing = follows(wanted, printed) if wanted.strip() else ""
        ok = got == status and not missing
        print("ok" if ok else "not ok", f"{where}: {command}")
        if not ok:
            print(f"    exit status {got}, wanted {status}" if got != status else "",
                  f"    not printed: {missing}" if missing else "", "    it printed:", printed, sep="\n")
            bad += 1
    return bad


def anchors(path):
    """The anchors of a page's headings, as Git hosts make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def check_links(page):
    bad = 0
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or anchor and anchor not in anchors(target):
            print(f"not ok {page.name}: no such place: {link}")
            bad += 1
    return bad


def check_commands(build, page):
    """Run its commands, in a folder of their own."""
    bad = 0
    with tempfile.TemporaryDirectory(prefix="cutrace-docs.") as folder:
        terminal = Terminal(build, pathlib.Path(folder))
        for line, kind, _, lines in blocks(page):
            if kind == "console":
                bad += check(terminal, f"{page.name}:{line}", lines)
    return bad


def check_others(page):
    """Is there a command that none of this runs, without a reason?"""
    bad = 0
    for line, kind, rest, lines in blocks(page):
        where = f"{page.name}:{line}"
        if kind == "sh" and rest:
            print(f"skipped {where}: {rest}")
        elif kind != "console" and any(COMMAND.match(one) for one in lines):
            print(f"not ok {where}: a command that no test runs: say ```console or ```sh REASON")
            bad += 1
    return bad


def main():
    """What the fake device shows depends on how busy the machine is: a wrong page is wrong thrice."""
    build, page = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    bad = check_links(page) + check_others(page)
    for _ in range(TRIES):
        wrong = check_commands(build, page)
        if not wrong:
            break
    return 1 if bad or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
