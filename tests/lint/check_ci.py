#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""GitHub's workflow tests with .ci/run, and with nothing else. Usage: check_ci.py ROOT"""

import re

import lint

WORKFLOW, LOCAL = '.github/workflows/ci.yml', '.ci/run'
COMMAND = 'bash .ci/run'
OTHER = re.compile(r'\b(meson|ninja|quickstart|pytest|make)\b')
LEAVE_OUT = re.compile(r'^\s*(- )?(if|continue-on-error|working-directory|shell):')


def check(root):
    lines = [line for line in enumerate(lint.read(root, WORKFLOW).split('\n'), 1)
             if line[1].strip() and not line[1].lstrip().startswith('#')]
    number, last = lines[-1]
    if re.sub(r'^\s*(- )?run: ', '', last) != COMMAND:
        yield WORKFLOW, number, f'the last step is not "{COMMAND}"'
    for number, line in lines:
        if OTHER.search(line):
            yield WORKFLOW, number, f'builds or tests by another command than "{COMMAND}"'
        if LEAVE_OUT.match(line):
            yield WORKFLOW, number, 'may leave a step or its failure out'
    commands = [line for line in lint.read(root, LOCAL).split('\n')
                if line and not line.startswith(('#', 'cd '))]
    if commands != ['exec bash tools/quickstart test']:
        yield LOCAL, 0, f'more than one command, or not the one that README names: {commands}'


def tree(*steps, run='#!/bin/sh\nexec bash tools/quickstart test\n'):
    return {WORKFLOW: 'jobs:\n  test:\n    steps:\n' + ''.join(f'      {s}\n' for s in steps),
            LOCAL: run}


BAD = [
    (tree('- run: bash .ci/run || true'), [], 'the last step'),
    (tree('- run: bash .ci/run', '- run: echo'), [], 'the last step'),
    (tree('- run: meson setup build', '- run: bash .ci/run'), [], 'another command'),
    (tree('- continue-on-error: true', '  run: bash .ci/run'), [], 'may leave'),
    (tree('- run: bash .ci/run', run='exec bash tools/quickstart demo\n'), [], 'not the one'),
]
GOOD = [(tree('- uses: actions/checkout@v4', '# meson', '- run: bash .ci/run'), [])]

if __name__ == '__main__':
    lint.main(check, BAD, GOOD)
