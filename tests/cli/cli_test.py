#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Go through the table of commands: what it says must be accepted, helped with and suggested.

cli_test.py CUTRACE SOURCE
"""
import pathlib
import re
import subprocess
import sys

from table import read_table

def run(cutrace, *words):
    return subprocess.run([cutrace, *words], capture_output=True, text=True, check=False, timeout=60,
                          stdin=subprocess.DEVNULL)


def refused(cutrace, words, *texts):
    """One line on stderr, with these texts, and status 2."""
    done = run(cutrace, *words)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and not done.stdout and len(lines) == 1, (words, done)
    assert all(text in lines[0] for text in ("cutrace: ", *texts)), (words, texts, lines)


def check_help(cutrace, commands, options):
    overview = run(cutrace, "--help").stdout
    for name, operands in commands.items():
        assert re.search(rf"^  {name} +\w", overview, re.M), f"{name} is not in --help"
        done = run(cutrace, name, "--help")
        assert done.returncode == 0 and not done.stderr, done
        assert done.stdout == run(cutrace, "help", name).stdout == run(cutrace, name, "-h").stdout, name
        assert f"usage: cutrace {name} " in done.stdout and operands in done.stdout, done.stdout
        assert max(map(len, done.stdout.splitlines())) < 100, f"{name}: lines are too long"
        for option in options:
            if option.command == name:
                shown = re.search(rf"^ +{f'-{option.letter}, ' if option.letter else ''}--{option.name}[\[= \n]",
                                  done.stdout, re.M)
                assert bool(shown) == bool(option.help), f"{name} --{option.name} in help: {shown}"
                assert not option.help or option.name not in ("fix-counts", "started-list"), "cutrace's own"
                assert " ".join(option.help.split()) in " ".join(done.stdout.split()), option.help


def check_accepted(cutrace, commands, options):
    """Options are read before --help ends it: whatever is refused comes first."""
    for option in options:
        ways = [option.good()]
        if option.letter:
            ways.append(f"-{option.letter}" + option.good().partition("=")[2])
        for way in ways:
            done = run(cutrace, option.command, way, "--help")
            assert done.returncode == 0 and "usage:" in done.stdout, (option.command, way, done)
        if option.kind == "FLAG":
            refused(cutrace, [option.command, f"--{option.name}=x"], f"--{option.name} takes no value")
        elif option.kind in ("WORD", "SWITCH", "NUMBER", "SIZE", "TIME"):
            refused(cutrace, [option.command, f"--{option.name}=\x7f"], f"--{option.name} takes ")
        if option.kind in ("TEXT", "FILE", "NUMBER", "SIZE", "TIME", "WORD"):
            refused(cutrace, [option.command, f"--{option.name}"], f"--{option.name} needs a value")
            refused(cutrace, [option.command, f"--{option.name}", "--help"], f"--{option.name} needs a value")


def check_units(cutrace):
    for option, good, bad in (
            ("--limit", ("0", "4096", "64m", "1G"), ("", "64Q", "M", "-1", "64MB", "1.5G", "9" * 30, f"{2 ** 54}k")),
            ("--auto-window", ("1s", "500US", "2ms", "0ns"), ("", "1", "1 s", "1.5s", "s", "1min", "18446744074s")),
            ("--runs", ("2", "30"), ("", "2x", " 2", "0x10"))):
        command = "prove" if option == "--runs" else "run"
        for value in good:
            assert run(cutrace, command, f"{option}={value}", "--help").returncode == 0, (option, value)
        for value in bad:
            if value or command != "run":  # an empty setting is none
                refused(cutrace, [command, f"{option}={value}", "x"], f"{option} takes a ", f'not "{value}"')
    for value in ("now", "API", "delay:30s", "Delay:1US", "signal", "signal:usr2", ""):
        assert run(cutrace, "run", f"--start={value}", "--help").returncode == 0, value
    for value in ("sometimes", "delay", "delay:", "delay:5", "delay:18446744074s", "signal:", "signal:KILL", "signal:12"):
        refused(cutrace, ["run", f"--start={value}", "x"], "--start takes now|api|delay:TIME|", f'not "{value}"')


def misspelt(word):
    """Two neighbours swapped, which is one mistake."""
    at = next((i for i in range(len(word) - 2, 0, -1) if word[i] != word[i + 1] and
               "-" not in word[i:i + 2]), 0)
    return word[:at] + word[at + 1] + word[at] + word[at + 2:]


def check_suggestions(cutrace, commands, options):
    for name in commands:
        wrong = misspelt(name)
        if wrong not in commands:
            refused(cutrace, [wrong, "x"], f"did you mean {name}?", wrong)
        refused(cutrace, [name, "--nothing-like-it"], "unknown option --nothing-like-it", f"cutrace {name} --help")
        refused(cutrace, [name, "--hlep"], "did you mean --help?")
        refused(cutrace, [name, "-?"], "unknown option -?")
    for option in options:
        if option.help:
            refused(cutrace, [option.command, "--" + misspelt(option.name)], f"did you mean --{option.name}?")
    refused(cutrace, ["report", "--a", "x"], "--a may be --all-rows;")  # and what is shown nowhere
    refused(cutrace, ["help", "reprot"], "did you mean report?")
    refused(cutrace, ["help", "nothing-like-it"], "cutrace --help")
    refused(cutrace, ["--versoin"], "did you mean --version?")
    refused(cutrace, ["no-such-program-at-all"], "no command, and no program on PATH")


def check_filters(cutrace):
    """What is no filter must not pass for none: the report would be of the whole run."""
    for option, bad in (("--from", ("", "1", "1e9s", "-1s", "99999999999s")), ("--min-blocked", ("nans", "0x1s"))):
        for value in bad:
            refused(cutrace, ["report", f"{option}={value}", "x"], f'{option} takes a time', f'not "{value}"')
    for words in (["--to=0s"], ["--from=1s", "--to=0s"], ["--to=0.1ns"], ["--from=2s", "--to=1s"]):
        refused(cutrace, ["report", *words, "x"], "--to must be later than --from")
    for names in ("", ",", "cudaFree,", ",cudaFree", "a,,b"):
        refused(cutrace, ["report", f"--only={names}", "x"], "--only needs names")


def check_full(cutrace):
    """Help that could not be printed is a failure, as any output."""
    for words in (["--help"], ["help"], ["--version"], ["report", "--help"], ["help", "report"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([cutrace, *words], stdout=full, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (1, b"cutrace: standard output: cannot be written\n"), (words, done)


def check_operands(cutrace, commands):
    for name, operands in commands.items():
        if not operands or operands[0] != "[":
            refused(cutrace, [name] if operands else [name, "x"], f"cutrace {name} --help")
        if operands and not operands.endswith(("...", "...]")):
            refused(cutrace, [name] + ["x"] * 9, "too many arguments")


def main():
    cutrace, source = sys.argv[1], pathlib.Path(sys.argv[2])
    commands, options = read_table(source)
    check_help(cutrace, commands, options)
    check_accepted(cutrace, commands, options)
    check_suggestions(cutrace, commands, options)
    check_units(cutrace)
    check_filters(cutrace)
    check_full(cutrace)
    check_operands(cutrace, commands)
    print(f"{len(commands)} commands, {len(options)} options")


if __name__ == "__main__":
    main()
