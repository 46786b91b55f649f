#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
GitHub's workflows test with one command and nothing else: that of a change with .ci/run, that of
each night also what takes long. Usage: check_ci.py ROOT
"""

import re

import lint

LOCAL = '.ci/run'
COMMANDS = {'.github/workflows/ci.yml': 'bash .ci/run',
            '.github/workflows/nightly.yml': 'bash tools/quickstart all'}
OTHER = re.compile(r'\b(meson|ninja|quickstart|pytest|make)\b')
LEAVE_OUT = re.compile(r'^\s*(- )?(if|continue-on-error|working-directory|shell):')


def check(root):
    for workflow, command in COMMANDS.items():
        lines = [line for line in enumerate(lint.read(root, workflow).split('\n'), 1)
                 if line[1].strip() and not line[1].lstrip().startswith('#')]
        number, last = lines.pop()
        if re.sub(r'^\s*(- )?run: ', '', last) != command:
            yield workflow, number, f'the last step is not "{command}"'
        for number, line in lines:
            if OTHER.search(line):
                yield workflow, number, f'builds or tests by another command than "{command}"'
        for number, line in lines + [(number, last)]:
            if LEAVE_OUT.match(line):
                yield workflow, number, 'may leave a step or its failure out'
    commands = [line for line in lint.read(root, LOCAL).split('\n')
                if line and not line.startswith(('#', 'cd '))]
    if commands != ['exec bash tools/quickstart test']:
        yield LOCAL, 0, f'more than one command, or not the one that README names: {commands}'


def tree(*steps, nightly='bash tools/quickstart all', run='#!/bin/sh\nexec bash tools/quickstart test\n'):
    head = 'jobs:\n  test:\n    steps:\n'
    return {'.github/workflows/ci.yml': head + ''.join(f'      {s}\n' for s in steps),
            '.github/workflows/nightly.yml': head + f'      - run: {nightly}\n', LOCAL: run}


BAD = [
    (tree('- run: bash .ci/run || true'), [], 'the last step'),
    (tree('- run: bash .ci/run', '- run: echo'), [], 'the last step'),
    (tree('- run: meson setup build', '- run: bash .ci/run'), [], 'another command'),
    (tree('- continue-on-error: true', '  run: bash .ci/run'), [], 'may leave'),
    (tree('- run: bash .ci/run', nightly='bash .ci/run'), [], 'the last step'),
    (tree('- run: bash .ci/run', run='exec bash tools/quickstart demo\n'), [], 'not the one'),
]
GOOD = [(tree('- uses: actions/checkout@v4', '# meson', '- run: bash .ci/run'), [])]

if __name__ == '__main__':
    lint.main(check, BAD, GOOD)
