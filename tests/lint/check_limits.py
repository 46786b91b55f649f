#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes, licence lines, forbidden calls, leftovers. Usage: check_limits.py ROOT"""

import ast
import os
import re

import lint

FUNCTION_LINES = 70
FILE_LINES = 500
COUNTED = ('.c', '.h', '.def', '.cu', '.py', '.js')
SPDX = 'SPDX-License-Identifier: Apache-2.0'
# Run inside the traced program, on every call of it.
HOT = ('shim/entry.c', 'shim/hook.c', 'shim/real.c', 'shim/thread.c', 'shim/totals.c', 'shim/wrap.c',
       'shim/wrap_driver.c', 'trace/flight.c', 'trace/keep.c', 'trace/wipe.c',
       'trace/writer.c')
FORBIDDEN = re.compile(r'\b(_?_?exit|abort|(?:vf|vd|f|d|v)?printf|malloc|calloc|realloc|strdup)'
                       r'\s*\(')
LEFTOVER = re.compile(r'\b(' + '|'.join(('TO' 'DO', 'FIX' 'ME', 'X' 'XX')) + r')\b')


def c_functions(text):
    """Yield (line, lines) of what stands between "{" and "}" at the left edge."""
    start = None
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('{'):
            start = number
        elif line.startswith('}') and start is not None:
            yield start, number - start - 1
            start = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno


def check_sizes(path, text):
    lines = text.count('\n')
    if lines > FILE_LINES:
        yield path, FILE_LINES + 1, f'{lines} lines in a file, at most {FILE_LINES} allowed'
    functions = python_functions if path.endswith('.py') else c_functions
    for line, count in functions(text):
        if count > FUNCTION_LINES:
            yield path, line, f'{count} lines in a function, at most {FUNCTION_LINES} allowed'


def check(root):
    for path, text in lint.sources(root):
        counted = path.endswith(COUNTED)
        script = text.startswith('#!')
        head = text.split('\n')[:3 if script else 2]
        if (counted or script) and not any(SPDX in line for line in head):
            yield path, 1, f'no "{SPDX}" at the top'
        if counted:
            yield from check_sizes(path, text)
        for number, line in enumerate(text.split('\n'), 1):
            if LEFTOVER.search(line):
                yield path, number, 'something was left for later'
        if path in HOT:
            for number, line in enumerate(lint.code_lines(text), 1):
                match = FORBIDDEN.search(line)
                if match:
                    yield path, number, f'{match[1]}() must not be called here'
    for path in HOT:
        if not os.path.exists(os.path.join(root, path)):
            yield path, 1, 'is gone: correct the list in check_limits.py'


if __name__ == '__main__':
    TOP = f'/* {SPDX} */\n'
    tree = {path: TOP for path in HOT}
    body = '\tx();\n'
    lint.main(
        check,
        bad=[
            ({**tree, 'trace/a.c': 'int a;\n'}, [], 'trace/a.c:1: no "SPDX'),
            ({**tree, 'tools/a': '#!/bin/sh\n\n\n# ' + SPDX + '\n'}, [], 'tools/a:1: no "SPDX'),
            ({**tree, 'trace/a.c': TOP + 'int f(void)\n{\n' + body * 71 + '}\n'}, [],
             'trace/a.c:3: 71 lines in a function'),
            ({**tree, 'tools/a.py': f'# {SPDX}\ndef f():\n' + '    x()\n' * 71}, [],
             'tools/a.py:2: 71 lines in a function'),
            ({**tree, 'kernels/a.cu': TOP + 'int a;\n' * 500}, [], 'kernels/a.cu:501: 501 lines'),
            ({**tree, 'export/a.js': TOP + 'a();\n' * 500}, [], 'export/a.js:501: 501 lines'),
            ({**tree, 'shim/hook.c': TOP + '\tp = malloc(1);\n'}, [], 'shim/hook.c:2: malloc()'),
            ({**tree, 'trace/writer.c': TOP + '\tfprintf(f, "x");\n'}, [], 'fprintf()'),
            ({**tree, 'shim/wrap.c': TOP + '\texit (1);\n'}, [], 'exit()'),
            ({**tree, 'trace/a.md': 'a\nTO' 'DO: b\n'}, [], 'trace/a.md:2: something was left'),
            ({}, [], 'shim/hook.c:1: is gone'),
        ],
        good=[
            ({**tree, 'trace/a.c': TOP + 'int f(void)\n{\n' + body * 70 + '}\n',
              'shim/hook.c': TOP + '/* no malloc() here */\nsnprintf(a, 2, "exit(");\n'
                                   'fast_exit();\n',
              'tests/a.c': TOP + 'mkdtemp("a-XXXXXX");\n' + 'int a;\n' * 498}, []),
        ])
