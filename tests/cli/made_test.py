#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is every row of the table of commands in what is made from it, and does that work?

made_test.py SOURCE BASH_COMPLETION ZSH_COMPLETION [MANUAL_PAGE...]

bash completes words here; zsh, and man, which looks for mistakes in pages, do their part where they are installed.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from table import read_table

# Each line of standard input is a command line, its words parted by tabs; the last is completed.
BASH = """
source "$1"
while IFS= read -r line; do
    mapfile -d $'\\t' -t COMP_WORDS < <(printf '%s' "$line")
    [[ $line != *$'\\t' ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    _cutrace 2>/dev/null
    echo "${COMPREPLY[*]}"
done
"""
# What zsh's own functions are handed for the words behind "--".
ZSH = """
_arguments() { print -rl -- "$@" }
_describe() { print -rl -- ${(P)4} }
_files() { }
words=(cutrace $2 '') CURRENT=$3
source $1
"""


def complete(script, lines):
    with tempfile.TemporaryDirectory(prefix="cutrace-cli.") as folder:
        for name in ("trace.1", "trace.2"):
            os.mkdir(os.path.join(folder, name))
        pathlib.Path(folder, "trace.txt").touch()
        done = subprocess.run(["bash", "-c", BASH, "bash", script], input="".join("\t".join(line) + "\n" for line in lines),
                              capture_output=True, text=True, check=True, cwd=folder, timeout=60)
    assert not done.stderr, done.stderr
    return dict(zip(lines, (line.split() for line in done.stdout.split("\n"))))


def expected(commands, options):
    """Yield (words, what they are completed to)."""
    yield ("cutrace", ""), list(commands)
    yield ("cutrace", "rep"), ["report"]
    yield ("cutrace", "help", "doc"), ["doctor"]
    yield ("cutrace", "--quie"), ["--quiet"]
    yield ("cutrace", "report", "tra"), ["trace.1", "trace.2"]
    yield ("cutrace", "report", "trace.1", "tra"), ["trace.1", "trace.2"]
    yield ("cutrace", "dump", "trace.1", "tra"), []
    yield ("cutrace", "report", "--output", "=", "tra"), ["trace.1", "trace.2"]
    yield ("cutrace", "report", "-o", "tra"), ["trace.1", "trace.2"]
    yield ("cutrace", "prove", "bas", "--fix"), []
    yield ("cutrace", "prove", "--fix", "free", "--ru"), ["--runs="]
    yield ("cutrace", "run", "--quiet", "--", "--"), []
    for command in commands:
        words = [f"--{option.name}" + "=" * (option.kind not in ("FLAG", "SWITCH"))
                 for option in options if option.command == command and option.help]
        yield ("cutrace", command, "--"), words + ["--help"]
    for option in options:
        if option.help and option.kind in ("WORD", "SWITCH"):
            words = option.value.split("|")
            yield ("cutrace", option.command, f"--{option.name}", "="), words
            yield ("cutrace", option.command, f"--{option.name}", "=", words[0]), \
                [word for word in words if word.startswith(words[0])]


def check_bash(script, commands, options):
    wanted = dict(expected(commands, options))
    got = complete(script, list(wanted))
    for line, words in wanted.items():
        assert sorted(got[line]) == sorted(words), f"{line}: {got[line]}, but {words} was wanted"


def check_zsh(script, commands, options):
    if not shutil.which("zsh"):
        print("zsh is not installed: its completion was not run")
        return
    for command in commands:
        done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", script, command, "3"], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == 0 and not done.stderr, (command, done)
        for option in options:
            if option.command == command and option.help:
                assert re.search(rf"^(\(-. --{option.name}\))?--{option.name}(=-?)?\[", done.stdout, re.M), \
                    f"{command} --{option.name} is not completed: {done.stdout}"
    done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", script, "", "2"], capture_output=True, text=True, check=True,
                          timeout=60)
    assert [line.partition(":")[0] for line in done.stdout.split("\n")[:-1]] == list(commands), done


def plain(page):
    """A page as text, without bold and line breaks."""
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=True, timeout=60,
                          env={**os.environ, "MANWIDTH": "500", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "",
                               "MANROFFOPT": "-c"})
    assert not done.stderr, f"{page}: {done.stderr}"
    return re.sub(".\b", "", done.stdout)


def check_pages(pages, commands, options):
    if not pages or not shutil.which("man"):
        print("scdoc or man is not installed: pages were not read")
        return
    text = {pathlib.Path(page).name: plain(page) for page in pages}
    for command in commands:
        assert re.search(rf"^ +cutrace {command} \[OPTION", text["cutrace.1"], re.M), f"{command} is not in cutrace(1)"
    for option in options:
        if option.help:
            words = option.help.replace("`", "")
            assert re.search(rf"^ +(-. *, *)?--{option.name}\b", text["cutrace.1"], re.M), f"--{option.name} is not there"
            assert words in text["cutrace.1"], f"help of --{option.name} is not in cutrace(1)"
        if option.help and option.command == "run":
            assert f"CUTRACE_{option.name.upper().replace('-', '_')}=" in text["libcutrace.7"], option.name
            assert words in text["libcutrace.7"], option.name
    for fact in ("Flight recorder", "loss_count", "16 TOTAL", "Crash rules of the writer"):
        assert fact in text["cutrace-format.5"], f"{fact} is not in cutrace-format(5)"


def main():
    source, bash, zsh, *pages = map(os.path.abspath, sys.argv[1:])
    commands, options = read_table(pathlib.Path(source))
    check_bash(bash, commands, options)
    check_zsh(zsh, commands, options)
    check_pages(pages, commands, options)


if __name__ == "__main__":
    main()
