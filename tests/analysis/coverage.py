# SPDX-License-Identifier: Apache-2.0
"""Branches of trace/ and analyze/ that tests took, as gcov counts them."""

import collections
import json
import os
import pathlib
import re
import subprocess

# What is reached at least, in percent, uthash's macros included. 90 is wanted: raise them.
LEAST = {'trace': 90, 'analyze': 90}
# A macro of uthash is up to 100 branches of another project's hash function, on one line.
UTHASH = re.compile(r'\bHASH_[A-Z_]+\(')


def branches(source, build):
    """Return {path: {(line, nth branch): times taken}}, summed over all programs."""
    source, build = os.path.realpath(source), os.path.realpath(build)
    taken = collections.defaultdict(collections.Counter)
    # not glob: it passes by files whose names begin with a dot, as those of sources from elsewhere do
    data = [str(path) for path in pathlib.Path(build).rglob('*.gcda')]
    for at in range(0, len(data), 50):
        out = subprocess.run(['gcov', '--json-format', '--stdout', '--branch-counts',
                              '--branch-probabilities'] + data[at:at + 50],
                             cwd=build, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             check=True).stdout
        for line in out.splitlines():
            for file in json.loads(line)['files']:
                path = os.path.relpath(os.path.join(build, file['file']), source)
                if re.match(r'(trace|analyze)/.*\.[ch]$', path): # a .def is the code of who expands it
                    for number in file['lines']:
                        for nth, branch in enumerate(number['branches']):
                            taken[path][number['line_number'], nth] += branch['count']
    return taken


def tell(source, build):
    """Print the figures; returns whether a folder is below its least."""
    sums = {folder: [0, 0, 0, 0] for folder in LEAST}
    for path, counts in sorted(branches(source, build).items()):
        with open(os.path.join(source, path), encoding='utf-8') as file:
            text = file.read().split('\n')
        ours = [n for (line, _), n in counts.items() if not UTHASH.search(text[line - 1])]
        figures = [sum(n > 0 for n in counts.values()), len(counts), sum(n > 0 for n in ours), len(ours)]
        for i, figure in enumerate(figures):
            sums[path.split('/')[0]][i] += figure
        if figures[3] and 100 * figures[2] < 90 * figures[3]:
            print(f'{path}: {figures[2]} of {figures[3]} branches, without uthash')
    below = False
    for folder, (taken, of, ours_taken, of_ours) in sums.items():
        assert of, f'nothing was measured of {folder}/'
        print(f'{folder}/: {100 * taken / of:.1f} % of {of} branches taken; without uthash\'s macros '
              f'{100 * ours_taken / of_ours:.1f} % of {of_ours}; wanted 90')
        below |= 100 * taken < LEAST[folder] * of
    return below
