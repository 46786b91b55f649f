#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print a manual page in scdoc(5) of a page of Markdown: from_markdown.py HEAD PAGE

HEAD is how the manual page begins. Of Markdown, what our pages have: headings, paragraphs, lists, tables, and
blocks between ```. Backquotes and ** become bold, * underlined, links what they are called.
"""
import pathlib
import re
import sys

SPAN = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\*(.+?)\*|\[([^\]]+)\]\([^)]*\)")


def escape(text):
    return re.sub(r"([\\_*])", r"\\\1", text)


def inline(text):
    out, at = "", 0
    for span in SPAN.finditer(text):
        code, strong, emphasis, link = span.groups()
        out += escape(text[at:span.start()])
        out += f"*{escape(code or strong)}*" if code or strong else f"_{escape(emphasis)}_" if emphasis else inline(link)
        at = span.end()
    return out + escape(text[at:])


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table(lines):
    """The last column takes what is left of the line."""
    head = cells(lines[0])
    for place, cell in enumerate(head):
        column = ("|" if place == 0 else ":") + ("<" if place == len(head) - 1 else "[")
        yield f"{column} {f'*{escape(cell)}*' if cell else ''}"
    for line in lines[2:]:
        row = cells(line)
        for place, cell in enumerate(row + [""] * (len(head) - len(row))):
            yield f"{'|' if place == 0 else ':'}  {inline(cell)}"
    yield ""


def literal(lines):
    yield "```"
    yield from lines
    yield "```"
    yield ""


def blocks(text):
    """Yield (kind, lines)."""
    fenced = re.compile(r"^```.*?\n(.*?)^```$", re.S | re.M)
    at = 0
    for block in fenced.finditer(text):
        yield from (("text", part.split("\n")) for part in re.split(r"\n\s*\n", text[at:block.start()]) if part.strip())
        yield "literal", block[1].rstrip("\n").split("\n")
        at = block.end()
    yield from (("text", part.split("\n")) for part in re.split(r"\n\s*\n", text[at:]) if part.strip())


def items(lines):
    """A list: continuation lines belong to the item before."""
    for line in lines:
        if line.startswith("- "):
            yield [line[2:]]
        else:
            yield [None, line.strip()]


def listed(lines):
    joined = []
    for item in items(lines):
        if item[0] is None:
            joined[-1] += " " + item[1]
        else:
            joined.append(item[0])
    yield from (f"- {inline(item)}" for item in joined)
    yield ""


def page(text):
    text = re.sub(r"<!--.*?-->\n", "", text, flags=re.S)
    for kind, lines in blocks(text):
        lines = [line for line in lines if line.strip()] if kind == "text" else lines
        heading = re.match(r"(#+) (.*)", lines[0])
        if kind == "literal":
            yield from literal(lines)
        elif heading and len(heading[1]) == 1:
            continue  # the page's own title
        elif heading:
            yield from ("#" * (len(heading[1]) - 1) + " " + heading[2].replace("`", ""), "")
            if lines[1:]:
                yield from (inline(" ".join(lines[1:])), "")
        elif lines[0].startswith("|"):
            yield from table(lines)
        elif lines[0].startswith("- "):
            yield from listed(lines)
        else:
            yield from (inline(" ".join(lines)), "")


def main():
    head, text = (pathlib.Path(path).read_text(encoding="utf-8") for path in sys.argv[1:3])
    sys.stdout.reconfigure(encoding="utf-8")
    print(head)
    print("\n".join(page(text)).rstrip("\n"))


if __name__ == "__main__":
    main()
