# SPDX-License-Identifier: Apache-2.0
"""Traces, their tables and pages for the tests, made once each."""

import csv
import functools
import gzip
import pathlib
import subprocess

PARTS = ('Device Wait (ns)', 'Lock Wait (ns)', 'Queue Full (ns)', 'Transfer (ns)', 'First Use (ns)',
         'Unexplained (ns)')  # what counts as blocked
PROGRAM_AT = 48  # ct_file_header.program (trace/record.h)
PROGRAM_BYTES = 64


def duration(ns):
    """As report.txt has it, and so the page."""
    unit, name = next(((size, name) for size, name in ((10**9, 's'), (10**6, 'ms'), (10**3, 'us'))
                       if ns >= size), (1, 'ns'))
    value = ns / unit
    return f'{value:.{0 if unit == 1 or value >= 100 else 1 if value >= 10 else 2}f} {name}'


class Maker:
    def __init__(self, cutrace, gen_trace, golden, folder):
        self.cutrace, self.gen_trace = cutrace, gen_trace
        self.golden, self.folder = pathlib.Path(golden), pathlib.Path(folder)
        self.made = {}

    def trace(self, name, change=None):
        """The directory of a golden trace, or of one that gen-trace makes of `gen:CALLS`."""
        directory = self.folder / (name.replace(':', '-') + (change.__name__ if change else ''))
        if directory.exists():
            return directory
        directory.mkdir()
        if name.startswith('gen:'):
            subprocess.run([self.gen_trace, '--calls', name[4:], directory], check=True,
                           stdout=subprocess.DEVNULL)
        else:
            data = bytearray(gzip.decompress((self.golden / f'{name}.trace.gz').read_bytes()))
            if change:
                change(data)
            (directory / 'trace.cutrace').write_bytes(data)
        subprocess.run([self.cutrace, 'report', '--write-only', '--all-rows', directory], check=True)
        return directory

    def page(self, *directories, options=(), status=0):
        key = (directories, tuple(options))
        if key not in self.made:
            path = self.folder / f'page{len(self.made)}.html'
            done = subprocess.run([self.cutrace, 'export', '--html', '-o', path, *options, *directories],
                                  stderr=subprocess.PIPE, check=False)
            assert done.returncode == status, done
            self.made[key] = path
        return self.made[key]


@functools.cache
def table(directory, name):
    """Rows of a table; whole numbers are numbers."""
    with open(directory / f'{name}.csv', newline='', encoding='utf-8') as file:
        return [{key: int(value) if value.isdecimal() else value for key, value in row.items()}
                for row in csv.DictReader(file)]


def blocked(call):
    return sum(call[part] for part in PARTS)


@functools.cache
def first_time(directory):
    """When the page's ruler begins: the first record of the trace."""
    times = [row['Start (ns)'] for name in ('calls', 'device') for row in table(directory, name)]
    return min(times)


def most_allocated(calls):
    """The most device memory at a time, by cudaMalloc and cudaFree, which return in this order."""
    live, most, sizes = 0, 0, {}
    for call in sorted(calls, key=lambda call: call['Start (ns)'] + call['Duration (ns)']):
        if call['Name'] == 'cudaMalloc' and call['Result'] == 0:
            sizes[call['Address']] = call['Bytes']
            live += call['Bytes']
        elif call['Name'] == 'cudaFree':
            live -= sizes.pop(call['Address'], 0)
        most = max(most, live)
    return most


# Texts whose contrast with what is behind them is below 4.5 (WCAG 2.1, 1.4.3 AA)
CONTRASTS = r'''
window.luminance = (colour) => {
	const [r, g, b] = colour.match(/[\d.]+/g).map((v, i) => colour.startsWith('color(') ? Number(v) : v / 255)
		.map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
(() => {
	const poor = [];
	for (const element of document.querySelectorAll('body *')) {
		const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
		if (!own || !element.getClientRects().length || element.closest('.hidden, script, noscript, .skip'))
			continue;
		let behind = element;
		while (behind && /rgba\(0, 0, 0, 0\)/.test(getComputedStyle(behind).backgroundColor))
			behind = behind.parentElement;
		const a = luminance(getComputedStyle(element).color);
		const b = luminance(getComputedStyle(behind || document.body).backgroundColor);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5)
			poor.push([element.textContent.slice(0, 30), ratio]);
	}
	return poor;
})()'''
