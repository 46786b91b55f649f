#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every check of tests/trust/checks.txt is a test of suite trust. Usage: check_trust.py ROOT BUILD"""

import json
import os

import lint

LIST = 'tests/trust/checks.txt'
TESTS = 'meson-info/intro-tests.json'


def listed(root):
    """Yield (line, name); '#' begins a line that is no check."""
    for number, line in enumerate(lint.read(root, LIST).split('\n'), 1):
        if line and not line.startswith('#'):
            yield number, line


def in_suite(root, build):
    """The names of the tests that Meson has in suite trust."""
    with open(os.path.join(root, build, TESTS), encoding='utf-8') as file:
        return [test['name'] for test in json.load(file)
                if any(suite.split(':')[-1] == 'trust' for suite in test['suite'])]


def check(root, build):
    tests, names = in_suite(root, build), set()
    for number, name in listed(root):
        if name in names:
            yield LIST, number, f'"{name}" is there twice'
        names.add(name)
        if name not in tests:
            yield LIST, number, f'no test of suite trust is named "{name}"'
    for name in sorted(set(tests)):
        if tests.count(name) > 1:
            yield TESTS, 0, f'{tests.count(name)} tests are named "{name}"'
    if not names:
        yield LIST, 0, 'lists nothing'


def tree(text, *tests):
    return {LIST: text, 'build/' + TESTS: json.dumps(
        [{'name': name, 'suite': ['cutrace:shim', 'cutrace:trust']} for name in tests] +
        [{'name': 'exit other', 'suite': ['cutrace:shim']}])}


BAD = [
    (tree('exit return\nexit exit\n', 'exit return'), ['build'], 'named "exit exit"'),
    (tree('exit other\n'), ['build'], 'named "exit other"'),
    (tree('exit return\nexit return\n', 'exit return'), ['build'], 'twice'),
    (tree('exit return\n', 'exit return', 'exit return'), ['build'], '2 tests'),
    (tree('# none\n'), ['build'], 'nothing'),
]
GOOD = [(tree('# a list\nexit return\n', 'exit return', 'more than listed'), ['build'])]

if __name__ == '__main__':
    lint.main(check, BAD, GOOD)
