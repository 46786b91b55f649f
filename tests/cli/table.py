# SPDX-License-Identifier: Apache-2.0
"""The table of commands, read from tools/commands.def and what it includes: nobody else is asked."""
import re

STRINGS = r'"(?:[^"\\]|\\.)*"'


class Option:
    def __init__(self, command, name, letter, kind, value, help_text):
        self.command, self.name, self.letter = command, name.lower().replace("_", "-"), letter
        self.kind, self.value, self.help = kind, value, help_text

    def good(self):
        """A command line's words that give it a value it takes."""
        value = {"FLAG": "", "FILE": "=x", "NUMBER": "=7", "SIZE": "=64M", "TIME": "=500us", "TEXT": "=x"}
        return f"--{self.name}" + ("=" + self.value.partition("|")[0] if "|" in self.value else value[self.kind])


def text_of(strings):
    return "".join(part[1:-1] for part in re.findall(STRINGS, strings)).replace('\\"', '"')


def read(source, name):
    """The table without comments, files that it includes in their place."""
    text = re.sub(r"/\*.*?\*/", "", (source / name).read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r'#include "(.*?)"', lambda found: read(source, found[1]), text)


def read_table(source):
    """Returns the operands of each command by its name, and all options."""
    text = re.sub(r"#\w+.*", "", read(source, "tools/commands.def"))
    kinds = {kind: (on_line, value) for kind, on_line, value in re.findall(
        r'#define SETTING_(\w+) CT_KIND_(\w+), "(.*)"', (source / "tools/commands.c").read_text(encoding="utf-8"))}
    commands = re.findall(r'CT_COMMAND\(\s*(\w+),\s*"(.*?)"', text)
    options = []
    for row in re.finditer(rf"(CT_\w+)\(([^\"]*?)((?:{STRINGS}|[\s,])*)\)\s*(?=CT_|$)", text):
        words = [word.strip() for word in row[2].split(",") if word.strip()]
        strings = re.findall(rf"{STRINGS}(?:\s*{STRINGS})*", row[3])
        if row[1] == "CT_ARG":
            command, name, letter, kind = words
            options.append(Option(command, name, letter.strip("'0"), kind, *map(text_of, strings)))
        elif row[1] == "CT_OPTION":
            options.append(Option("run", words[0], "o" * (words[0] == "OUTPUT"), *kinds[words[2]],
                                  text_of(strings[1])))
        elif row[1] == "CT_EXPORT_FORMAT":
            options.append(Option("export", words[0], "", "FLAG", "", text_of(strings[0])))
    assert len(options) == text.count("CT_ARG(") + text.count("CT_OPTION(") + text.count("CT_EXPORT_FORMAT("), \
        "rows that were not understood"
    assert len(commands) > 7 and len(options) > 30, (commands, len(options))
    return dict(commands), options
