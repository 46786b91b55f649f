# SPDX-License-Identifier: Apache-2.0
"""What the lint checks share: findings, walking the tree, C without its comments."""

import os
import re
import sys
import tempfile

FOLDERS = ('analyze', 'cupti', 'export', 'kernels', 'shim', 'tests', 'tools', 'trace')


def sources(root, folders=FOLDERS):
    """Yield (path relative to root, text) of every text file of the project's folders."""
    for folder in folders:
        for where, dirs, files in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs if d[0] not in '._')
            for name in sorted(files):
                path = os.path.join(where, name)
                try:
                    with open(path, encoding='utf-8') as file:
                        yield os.path.relpath(path, root), file.read()
                except UnicodeDecodeError:
                    pass  # not text


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read()


_NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_lines(text):
    """Lines of C with comments and literals blanked, so that line numbers stay."""
    blank = _NOT_CODE.sub(lambda m: '\n' * m.group().count('\n') or ' ', text)
    return blank.split('\n')


def main(check, bad, good):
    """
    Run check(root, *arguments) -> findings (path, line, message) and exit 0 or 1.

    With --self-test, run it on made-up trees instead: each of `bad` is (files, arguments,
    text a finding must contain), each of `good` is (files, arguments) without findings.
    """
    if sys.argv[1:] == ['--self-test']:
        for files, arguments, expected in bad:
            found = _try(check, files, arguments)
            assert any(expected in f for f in found), f'{expected!r} not found in {found}'
        for files, arguments in good:
            found = _try(check, files, arguments)
            assert not found, f'unexpected: {found}'
        assert bad and good
        sys.exit(0)
    found = [f'{path}:{line}: {message}' for path, line, message in check(*sys.argv[1:])]
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)


def _try(check, files, arguments):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
        return [f'{path}:{line}: {message}' for path, line, message in check(root, *arguments)]
