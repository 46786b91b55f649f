#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom, and what analyze/ and export/ must not call. Usage: check_includes.py ROOT"""

import re

import lint

ALLOWED = {
    'trace': {'trace'},
    'cupti': {'cupti', 'trace'},
    'shim': {'shim', 'cupti', 'trace'},
    'analyze': {'analyze', 'trace'},
    'export': {'export', 'analyze', 'trace'},
    'tools': {'tools', 'export', 'analyze', 'trace'},
    'kernels': {'kernels'},
}
NO_CUDA = {'trace', 'analyze', 'export', 'tools'}
LIBC = re.compile(r'(assert|ctype|dirent|elf|errno|fcntl|inttypes|limits|link|pthread|sched|signal'
                  r'|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|time|unistd'
                  r'|sys/\w+)\.h')
ZSTD = re.compile(r'zstd(_errors)?\.h')
PACKS = ('trace/pack.c', 'trace/packed.c')  # the rest must stay fit for the traced program
INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')
ENVIRONMENT = re.compile(r'\b(secure_)?getenv\s*\(|\benviron\b')
PRINTS = re.compile(r'\b(v?printf|puts|putchar|perror|psignal)\s*\('
                    r'|\bv?fprintf\s*\(\s*(stderr|stdout)\b'
                    r'|\bf?put[cs]\s*\([^;]*\b(stderr|stdout)\b')


def check_include(path, quote, name):
    folder = path.split('/')[0]
    if quote == '<':
        if folder in NO_CUDA and name.startswith(('cuda', 'cupti')):
            return f'{folder} must not need CUDA headers: <{name}>'
        packs = path in PACKS and ZSTD.fullmatch(name)
        if folder == 'trace' and not LIBC.fullmatch(name) and not packs:
            return f'trace needs libc only: <{name}>'
        return None
    if folder == 'kernels' and '/' not in name:
        return None
    target = name.split('/')[0]
    if '/' not in name:
        return f'include by path from the root: "{name}"'
    if target not in ALLOWED[folder]:
        return f'{folder} must not include {target}: "{name}"'
    return None


def check(root):
    for path, text in lint.sources(root, sorted(ALLOWED)):
        if not path.endswith(('.c', '.h', '.def', '.cu')):
            continue
        folder = path.split('/')[0]
        for number, line in enumerate(text.split('\n'), 1):
            match = INCLUDE.match(line)
            message = match and check_include(path, *match.groups())
            if message:
                yield path, number, message
        if folder not in ('analyze', 'export'):
            continue
        for number, line in enumerate(lint.code_lines(text), 1):
            if ENVIRONMENT.search(line):
                yield path, number, f'{folder} must not read the environment'
            if PRINTS.search(line) and folder == 'export':
                yield path, number, 'export prints to its file only'
            elif PRINTS.search(line) and not path.startswith('analyze/report_'):
                yield path, number, 'analyze prints in report_*.c only'


if __name__ == '__main__':
    lint.main(
        check,
        bad=[
            ({'trace/a.c': '#include "shim/b.h"\n'}, [],
             'trace/a.c:1: trace must not include shim'),
            ({'trace/a.c': '\n#include <uthash.h>\n'}, [], 'trace/a.c:2: trace needs libc only'),
            ({'trace/writer.c': '#include <zstd.h>\n'}, [], 'trace needs libc only'),
            ({'cupti/a.c': '#include "shim/b.h"\n'}, [], 'cupti must not include shim'),
            ({'shim/a.h': '#include "analyze/b.h"\n'}, [], 'shim must not include analyze'),
            ({'analyze/a.c': '#include <cuda.h>\n'}, [], 'must not need CUDA'),
            ({'analyze/a.c': '#include <cupti.h>\n'}, [], 'must not need CUDA'),
            ({'analyze/a.c': '# include "cupti/b.h"\n'}, [], 'analyze must not include cupti'),
            ({'analyze/a.c': 'x = getenv("A");\n'}, [], 'environment'),
            ({'analyze/a.c': '\tprintf("a");\n'}, [], 'analyze/a.c:1: analyze prints'),
            ({'analyze/a.c': '\tfprintf(stderr, "a");\n'}, [], 'analyze prints'),
            ({'analyze/a.c': '#include "export/b.h"\n'}, [], 'analyze must not include export'),
            ({'export/a.c': '#include "tools/b.h"\n'}, [], 'export must not include tools'),
            ({'export/a.c': 'x = getenv("A");\n'}, [], 'export must not read the environment'),
            ({'export/a.c': 'printf("a");\n'}, [], 'export prints to its file only'),
            ({'tools/a.c': '#include "shim/b.h"\n'}, [], 'tools must not include shim'),
            ({'tools/a.c': '#include "b.h"\n'}, [], 'by path from the root'),
            ({'kernels/a.cu': '#include "trace/b.h"\n'}, [], 'kernels must not include trace'),
        ],
        good=[
            ({'trace/a.c': '#include <sys/mman.h>\n#include "trace/b.h"\n',
              'trace/pack.c': '#include <zstd.h>\n',
              'shim/a.c': '#include <cuda.h>\n#include "cupti/b.h"\n#include "trace/b.h"\n',
              'analyze/report_text.c': 'printf("a");\n',
              'analyze/a.c': '/* printf("a") */ snprintf(b, 2, "getenv(");\nfprintf(out, "x");\n',
              'kernels/a.cu': '#include "expect.h"\n'}, []),
        ])
