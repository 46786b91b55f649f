#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
NVTX ranges in the page of `cutrace export --html`: nvtx_test.py CUTRACE PROGRAM LIBCUTRACE FAKES

PROGRAM is kernels/nvtx_ranges, traced on the fake device. What the page shows must be what nvtx.csv, calls.csv
and the export as JSON lines say of the same trace.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import browser
from html_test import CONTRASTS, SKIPPED, Case
from page import Maker, duration, first_time, table

PATH = ['training', 'step', 'memory:free']  # around each cudaFree


class Ranges(Case):
    folder = None

    def setUp(self):
        self.directory = self.folder / 'trace'
        self.path = self.maker.page(self.directory)
        self.chromium.problems.clear()
        self.chromium.requests.clear()
        self.chromium.open(self.path)

    def ranges(self):
        """By thread and begin, from the trace's beginning."""
        lines = subprocess.run([self.maker.cutrace, 'export', '--jsonl', self.directory], check=True,
                               stdout=subprocess.PIPE).stdout.splitlines()
        found = [row for row in map(json.loads, lines) if row['type'] == 'nvtx_range']
        return sorted((row['start_ns'], row['duration_ns'], (row['domain'] + ':' if row['domain'] else '') + row['name'])
                      for row in found)

    def drawn(self):
        return self.js('[...Array(data.items.count).keys()].filter((i) => data.lanes[data.items.lane[i]].kind === "ranges")'
                       '.map((i) => [data.items.start[i], data.items.ns[i], nameOf(data.items.name[i])])')

    def test_each_is_in_the_lane_of_its_depth(self):
        ranges = self.ranges()
        self.assertEqual(len(ranges), 7)
        self.assertEqual(sorted(map(tuple, self.drawn())), ranges)
        lanes = self.js('rows.filter((row) => row.lane && row.lane.kind !== "stream").map(({ lane }) => [lane.kind, '
                        '[...new Set([...lane.exact.indices].map((i) => nameOf(data.items.name[i])))].sort()])')
        self.assertEqual(lanes[:3], [['ranges', [name]] for name in PATH])
        self.assertEqual(lanes[3][0], 'thread')

    def test_the_table_is_nvtx_csv(self):
        self.js('byId("tab-ranges").click()')
        rows = self.js('[...document.querySelectorAll("#range-table tbody tr")].map((row) => '
                       '[...row.children].map((cell) => cell.textContent))')
        wanted = []
        for row in sorted(table(self.directory, 'nvtx'), key=lambda row: row['NVTX Range'] == '(in no range)'):
            none = row['NVTX Range'] == '(in no range)'
            wanted.append(['outside all ranges' if none else row['NVTX Range'], '' if none else str(row['Ranges']),
                           str(row['Calls']), duration(row['Blocked (ns)']), duration(row['Blocked At Any Depth (ns)']),
                           duration(row['Lost (ns)']) if row['Lost (ns)'] else '-'])
        self.assertEqual([row[:3] + row[4:] for row in rows], wanted)

    def test_calls_are_put_down_to_their_innermost(self):
        calls = self.js('[...Array(data.items.count).keys()].filter((i) => data.lanes[data.items.lane[i]].kind === "thread")'
                        '.map((i) => [data.items.start[i] - data.begin, nameOf(data.items.range[i])])')
        first = first_time(self.directory)
        self.assertEqual(sorted(map(tuple, calls)), sorted((call['Start (ns)'] - first, call['NVTX Range'])
                                                           for call in table(self.directory, 'calls')))

    def test_a_wait_says_in_which_it_was(self):
        wait = max(table(self.directory, 'blocked'), key=lambda row: row['Blocked (ns)'] * (row['Class'] == 'device_wait'))
        self.show(wait['Start (ns)'] - wait['Blocked (ns)'], wait['Start (ns)'] + 2 * wait['Blocked (ns)'])
        self.chromium.click(*self.at('nvtx_ranges', wait['Start (ns)'] + wait['Blocked (ns)'] // 2))
        self.assertEqual(self.js('byId("timeline").dataset.item'), 'cudaFree')
        self.assertIn('NVTX range' + ' › '.join(PATH), self.text('#details'))
        self.js('[...document.querySelectorAll("#details .link")].find((one) => one.textContent === "step").click()')
        self.assertIn('In it3 calls, blocked', self.text('#details'))
        own = next(row for row in table(self.directory, 'nvtx') if row['NVTX Range'] == 'step')
        self.assertIn(f"All of this name3 ranges, {own['Calls At Any Depth']} calls, blocked "
                      f"{duration(own['Blocked At Any Depth (ns)'])}", self.text('#details'))
        self.assertIn('Insidetraining', self.text('#details'))

    def test_keys_reach_them_and_they_are_said(self):
        self.js('byId("timeline").focus()')
        self.chromium.key('ArrowUp')
        self.chromium.key('.', '.')
        self.js('new Promise((done) => setTimeout(done, 300))')
        said = self.text('#status')
        self.assertRegex(said, r'Lane NVTX ranges of nvtx_ranges \(\d+\), depth 3\.')
        self.assertIn('Selected: memory:free, ', said)
        self.chromium.key('r', 'r')
        self.assertEqual(self.js('rows.filter((row) => row.lane && row.lane.kind === "ranges").length'), 0)
        self.assertEqual(self.js('byId("ranges-button").getAttribute("aria-pressed")'), 'false')
        self.chromium.key('r', 'r')
        self.assertEqual(self.js('rows.filter((row) => row.lane && row.lane.kind === "ranges").length'), 3)

    def test_a_lane_is_coloured_where_one_was(self):
        _, _, name = self.ranges()[0]
        self.assertEqual(name, 'training')
        start = self.js('data.items.start[data.lanes.find(({ kind }) => kind === "ranges").exact.indices[0]]')
        for ns, colour in ((start - 10**6, 'strip'), (start + 10**6, 'kinds[KIND.RANGE]')):
            x, y = self.js(f'(() => {{ const c = byId("canvas").getBoundingClientRect(), b = barOf(1); '
                           f'return [c.x + x({ns}), c.y + b.top + b.height - 3]; }})()')
            wanted = self.js(f'[1, 3, 5].map((i) => parseInt(colours.{colour}.slice(i, i + 2), 16))')
            self.assertEqual(list(self.chromium.screenshot(int(x), int(y), 1, 1).pixel(0, 0)), wanted)

    def test_they_are_readable_and_have_names(self):
        for scheme in ('light', 'dark'):
            self.chromium.open(self.path, scheme=scheme)
            self.js('byId("tab-ranges").click(); document.querySelector("#range-table .link").click()')
            self.chromium.rest()
            self.assertEqual(self.js(CONTRASTS), [], scheme)
            light, dark = sorted(self.js(
                '[colours.kinds[KIND.RANGE], inkOn(colours.kinds[KIND.RANGE])].map((hex) => '
                'luminance([1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(" ")) + 0.05)'), reverse=True)
            self.assertGreater(light / dark, 4.5)
        for node in self.chromium.call('Accessibility.getFullAXTree')['nodes']:
            if node.get('role', {}).get('value') in ('button', 'tab', 'table', 'columnheader', 'rowheader'):
                self.assertTrue(node.get('name', {}).get('value'), node)

    def test_parts_make_no_difference(self):
        keys = ('data.rangeSums', 'data.lanes.filter(({ kind }) => kind === "ranges").map(({ name, items, busyNs }) => '
                '[name, items, busyNs])')
        whole = [self.js(key) for key in keys] + [self.drawn()]
        self.chromium.open(self.maker.page(self.directory, options=('--part-records=10',)))
        self.assertEqual([self.js(key) for key in keys] + [self.drawn()], whole)
        self.chromium.requests.clear()
        self.chromium.open(self.path)


def trace(program, library, fakes, directory, cutrace):
    subprocess.run([program], check=True, stdout=subprocess.DEVNULL, env={
        **os.environ, 'LD_LIBRARY_PATH': fakes, 'LD_PRELOAD': library, 'CUTRACE_QUIET': '1', 'CUTRACE_OUTPUT': directory})
    subprocess.run([cutrace, 'report', '--write-only', directory], check=True)


def main():
    if len(sys.argv) < 5:
        sys.exit('usage: nvtx_test.py CUTRACE PROGRAM LIBCUTRACE FAKES [TEST...]')
    if not browser.find():
        print('skipped: no chromium (Debian: apt-get install chromium)')
        sys.exit(SKIPPED)
    cutrace, program, library, fakes = sys.argv[1:5]
    with tempfile.TemporaryDirectory(prefix='cutrace-html.') as folder, browser.started() as Case.chromium:
        Ranges.folder = pathlib.Path(folder)
        Case.maker = Maker(cutrace, None, '', folder)
        trace(program, library, fakes, f'{folder}/trace', cutrace)
        result = unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2, exit=False).result
    sys.exit(not result.wasSuccessful())


if __name__ == '__main__':
    main()
