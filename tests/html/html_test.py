#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The page of `cutrace export --html` in headless Chromium: html_test.py CUTRACE GEN_TRACE GOLDEN THIRD_PARTY

What it shows must be what the CSV files of the same trace say.
"""

import hashlib
import pathlib
import re
import sys
import tempfile
import unittest

import browser
from page import CONTRASTS, Maker, blocked, duration, first_time, most_allocated, table

SKIPPED = 77


class Case(unittest.TestCase):
    """A page of a golden trace in which frees serialize two streams."""

    chromium = maker = None  # of all cases
    name, options = 'free_serializes', ()

    def setUp(self):
        self.directory = self.maker.trace(self.name)
        self.path = self.maker.page(self.directory, options=self.options)
        self.chromium.problems.clear()
        self.chromium.requests.clear()
        self.chromium.open(self.path)

    def tearDown(self):
        self.assertEqual(self.chromium.problems, [])
        self.assertEqual(set(self.chromium.requests) - {'data:,'}, {f'file://{self.path}'})

    def js(self, expression):
        return self.chromium.js(expression)

    def text(self, selector):
        return self.js(f'document.querySelector({selector!r}).textContent')

    def view(self):
        return self.js('[Number(byId("timeline").dataset.from), Number(byId("timeline").dataset.to)]')

    def middle(self, selector):
        return self.js(f'(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect(); '
                       'return [b.x + b.width / 2, b.y + b.height / 2]; })()')

    def assertSame(self, view, other):
        for ns, wanted in zip(view, other):
            self.assertAlmostEqual(ns, wanted, delta=1)

    def at(self, lane, ns):
        """Where a time of the trace is in a lane, on the screen."""
        first = first_time(self.directory)
        return self.js(f'(() => {{ const i = rows.findIndex((row) => row.lane && row.lane.name.startsWith({lane!r}));'
                       'const c = byId("canvas").getBoundingClientRect(), box = barOf(i);'
                       f'return [c.x + x(data.begin + {ns - first}), c.y + box.top + box.height / 2]; }})()')

    def show(self, start, end):
        first = first_time(self.directory)
        self.js(f'show(data.begin + {start - first}, data.begin + {end - first})')
        self.chromium.rest()


class Numbers(Case):
    def test_sites_are_those_of_the_table(self):
        sites = table(self.directory, 'callsites')
        shown = self.js('[...document.querySelectorAll("#site-table tbody tr")].map((row) => '
                        '[...row.children].map((cell) => cell.textContent))')
        self.assertEqual(len(shown), len(sites))
        reported = re.findall(r'^ +\d+  +(-|\S+ \S+) +\S+ \S+ +\d+  cuda',
                              (self.directory / 'report.txt').read_text(), re.M)
        self.assertIn('-', reported)
        self.assertEqual([row[3] for row in shown[:len(reported)]], reported)
        for row, site in zip(shown, sites):
            self.assertEqual(row[1], f"{site['Call']} {site['Call Site']}")
            self.assertEqual(row[2], site['Class'] if site['Blocked (ns)'] else '')
            if row[3] != '-' or site['Lost (ns)']:
                self.assertEqual(row[3], duration(site['Lost (ns)']))
            self.assertEqual(row[4:], [duration(site['Blocked (ns)']), f"{site['Calls']:,}"])

    def test_figures_are_sums_of_the_tables(self):
        calls = table(self.directory, 'calls')
        self.assertEqual(self.text('#figure-calls'), f'{len(calls):,}')
        self.assertEqual(self.text('#figure-ops'), f"{len(table(self.directory, 'device')):,}")
        self.assertEqual(self.text('#figure-blocked'), duration(sum(map(blocked, calls))))
        lost = re.search(r'Serialization cost (\S+ \S+) \(', (self.directory / 'report.txt').read_text())
        self.assertEqual(self.text('#figure-lost'), lost.group(1))

    def test_what_was_not_seen_is_at_the_top(self):
        lines = self.js('[...document.querySelectorAll("#losses li")].map((line) => line.textContent)')
        report = (self.directory / 'report.txt').read_text()
        unseen = re.search(r'NOT seen  (.*?)\ntrust', report, re.S).group(1)
        self.assertEqual(re.sub(r'\s+', ' ', ' '.join(lines)), re.sub(r'\s+', ' ', unseen))

    def test_memory_is_what_calls_had_allocated(self):
        self.assertEqual(self.js('data.memory[0].mostBytes[0]'), most_allocated(table(self.directory, 'calls')))

    def test_every_exact_call_has_its_row(self):
        first = first_time(self.directory)
        rows = [[call['Start (ns)'] - first, call['Duration (ns)'], call['Name'], blocked(call)]
                for call in table(self.directory, 'calls')]
        shown = self.js('[...Array(data.items.count).keys()].filter((i) => data.kinds[data.items.name[i]] === 0)'
                        '.map((i) => [data.items.start[i] - data.begin, data.items.ns[i], nameOf(data.items.name[i]),'
                        'waitsOf(i).reduce((sum, wait) => sum + wait.ns, 0)])')
        self.assertEqual(sorted(shown), sorted(rows))

    def test_the_table_of_what_is_in_view(self):
        first, ops, calls = first_time(self.directory), table(self.directory, 'device'), table(self.directory, 'calls')
        start, end = ops[50]['Start (ns)'], ops[60]['Start (ns)']
        self.show(start, end)
        self.chromium.click(*self.middle('#tab-visible'))
        inside = [row for row in ops + calls
                  if row['Start (ns)'] < end and row['Start (ns)'] + row['Duration (ns)'] > start]
        self.assertEqual(self.js('document.querySelectorAll("#visible tbody tr").length'), len(inside))
        longest = max(row['Duration (ns)'] for row in inside)
        self.assertIn(duration(longest), self.text('#visible tbody tr'))
        self.assertGreater(start, first)


class Trifles(Case):
    """A loss of 1.1 ms beside a first use of 400 ms does not stand first."""

    name = 'nvtx_ranges'
    test_sites_are_those_of_the_table = Numbers.test_sites_are_those_of_the_table

    def test_ranges_without_loss_have_none(self):
        lost = self.js('[...document.querySelectorAll("#range-table tbody tr")].map((row) => row.lastChild.textContent)')
        known = [row['Lost (ns)'] for row in table(self.directory, 'nvtx')]
        self.assertEqual(sorted(lost), sorted(duration(ns) if ns else '-' for ns in known))
        self.assertIn('-', lost)


class NoLoss(Case):
    name = 'free_idle'

    def test_none_is_told(self):
        self.assertEqual(self.text('#figure-lost'), '-')


class Moving(Case):
    def test_the_wheel_zooms_around_the_pointer(self):
        x, y = self.middle('#canvas')
        before, time = self.view(), self.js(f'timeAt({x})')
        self.chromium.wheel(x, y, -200)
        after = self.view()
        self.assertLess(after[1] - after[0], 0.8 * (before[1] - before[0]))
        self.assertAlmostEqual(self.js(f'timeAt({x})'), time, delta=(after[1] - after[0]) / 1000)
        self.chromium.wheel(x, y, 400)
        self.assertSame(self.view(), before)

    def test_keys_zoom_and_move(self):
        before = self.view()
        self.js('byId("timeline").focus()')
        self.chromium.key('+', '+')
        near = self.view()
        self.assertLess(near[1] - near[0], before[1] - before[0])
        self.chromium.key('ArrowRight')
        moved = self.view()
        self.assertGreater(moved[0], near[0])
        self.assertAlmostEqual(moved[1] - moved[0], near[1] - near[0], delta=1)
        self.chromium.key('ArrowLeft')
        self.assertAlmostEqual(self.view()[0], near[0], delta=1)
        self.chromium.key('-', '-')
        self.chromium.key('Home')
        self.assertSame(self.view(), before)

    def test_dragging_pans_and_on_the_ruler_zooms(self):
        x, y = self.middle('#canvas')
        self.chromium.wheel(x, y, -240)
        before, time = self.view(), self.js(f'timeAt({x})')
        self.chromium.drag(x, y, x + 100, y)
        self.assertAlmostEqual(self.js(f'timeAt({x + 100})'), time, delta=(before[1] - before[0]) / 500)
        top = self.js('byId("canvas").getBoundingClientRect().y + OVERVIEW + 8')
        wanted = self.js(f'[timeAt({x}), timeAt({x + 200})]')
        self.chromium.drag(x, top, x + 200, top)
        for got, want in zip(self.view(), wanted):
            self.assertAlmostEqual(got, want, delta=(before[1] - before[0]) / 200)

    def test_two_fingers_pinch(self):
        x, y = self.middle('#canvas')
        before = self.view()
        self.chromium.touch('touchStart', (x - 50, y), (x + 50, y))
        self.chromium.touch('touchMove', (x - 150, y), (x + 150, y))
        self.chromium.touch('touchEnd')
        self.chromium.rest()
        after = self.view()
        self.assertAlmostEqual((after[1] - after[0]) / (before[1] - before[0]), 1 / 3, delta=0.02)

    def test_concurrency_follows_the_view(self):
        ops = [op for op in table(self.directory, 'device') if op['Duration (ns)'] > 10**6]
        self.show(ops[10]['Start (ns)'], ops[10]['Start (ns)'] + ops[10]['Duration (ns)'])
        busy = self.js('plots[0].chart.data[1].slice(3, -3)')
        self.assertTrue(busy and all(0.9 <= value <= 1.01 for value in busy), busy)


class Selecting(Case):
    def culprit(self):
        return max(table(self.directory, 'serialized'), key=lambda pair: pair['Lost (ns)'])

    def test_a_site_shows_its_calls_and_victims(self):
        self.chromium.click(*self.middle('#site-table tbody tr td:first-child'))
        site, pairs = table(self.directory, 'callsites')[0], table(self.directory, 'serialized')
        pairs = [pair for pair in pairs if pair['Culprit Call Site'] == site['Call Site']]
        victims = {(pair['Victim Stream'], pair['Victim Start (ns)']) for pair in pairs}
        self.assertEqual(self.js('byId("timeline").dataset.victims'), str(len(victims)))
        self.assertEqual(self.js('document.querySelector("tr.chosen button").getAttribute("aria-pressed")'), 'true')
        details = self.text('#details')
        self.assertIn(f"Its {site['Calls']} calls", details)
        self.assertIn(f"{len(pairs)} operations", details)
        self.assertIn(site['Remedy'], details)
        self.assertGreater(int(self.js('byId("timeline").dataset.links')), 0)

    def test_enter_goes_to_the_longest_wait(self):
        before = self.view()
        self.js('document.querySelector("#site-table button").focus()')
        self.chromium.key('Enter')
        after, site = self.view(), table(self.directory, 'callsites')[0]
        self.assertLess(after[1] - after[0], (before[1] - before[0]) / 10)
        self.assertEqual(self.js('byId("timeline").dataset.item'), site['Call'])
        waits = [row['Blocked (ns)'] for row in table(self.directory, 'blocked')
                 if row['Call Site'] == site['Call Site'] and row['Class'] == site['Class']]
        self.assertIn(f"{site['Class']} {duration(max(waits))} for {site['Waited For']}", self.text('#details'))

    def test_tab_walks_through_the_sites(self):
        self.js('byId("tab-sites").focus()')
        seen = []
        for _ in range(3):
            self.chromium.key('Tab')
            seen.append(self.js('document.activeElement.textContent'))
        self.assertEqual(seen, [f"{site['Call']} {site['Call Site']}"
                                for site in table(self.directory, 'callsites')[:3]])

    def test_a_blocked_call_points_to_what_it_waited_for(self):
        wait = max((row for row in table(self.directory, 'blocked') if row['Class'] == 'device_wait'),
                   key=lambda row: row['Blocked (ns)'])
        end = wait['Start (ns)'] + wait['Blocked (ns)']
        self.show(wait['Start (ns)'] - wait['Blocked (ns)'], end + wait['Blocked (ns)'])
        self.js('byId("arrows").click()')
        self.chromium.rest()
        self.assertEqual(self.js('byId("timeline").dataset.links'), '0')
        self.chromium.click(*self.at('free_serializes', (wait['Start (ns)'] + end) // 2))
        self.assertEqual(self.js('byId("timeline").dataset.item'), wait['Call'])
        self.assertGreater(int(self.js('byId("timeline").dataset.links')), 0)
        self.assertIn(wait['Why'], self.text('#details'))
        self.chromium.click(*self.middle('#details .list .link'))
        self.assertEqual(self.js('byId("timeline").dataset.item'), wait['Waited For'])
        self.assertEqual(self.js('data.items.start[view.item] - data.begin'),
                         wait['Waited For Start (ns)'] - first_time(self.directory))

    def test_keys_step_through_a_lane(self):
        self.js('byId("timeline").focus()')
        for _ in range(3):
            self.chromium.key('ArrowDown')
        self.chromium.key('.', '.')
        first = self.js('view.item')
        self.chromium.key('.', '.')
        self.assertEqual(self.js('view.item'), first + 1)
        self.chromium.key('Escape')
        self.assertEqual(self.js('view.item'), -1)

    def test_help_opens(self):
        self.chromium.key('?', '?')
        self.assertTrue(self.js('byId("help").open'))
        self.chromium.key('Escape')
        self.assertFalse(self.js('byId("help").open'))


class Pixels(Case):
    def colour(self, name):
        text = self.js(f'getComputedStyle(document.documentElement).getPropertyValue("--{name}").trim()')
        return tuple(int(text[i:i + 2], 16) for i in (1, 3, 5))

    def test_a_lane_is_coloured_where_the_stream_was_busy(self):
        ops = [op for op in table(self.directory, 'device') if op['Stream'] == 13]
        longs = [op for op in ops if op['Duration (ns)'] > 10**6][10:18]
        self.show(longs[0]['Start (ns)'], longs[-1]['Start (ns)'] + longs[-1]['Duration (ns)'])
        for op, later in zip(longs, longs[1:]):
            end = op['Start (ns)'] + op['Duration (ns)']
            for ns, name in ((end - op['Duration (ns)'] // 5, 'c-kernel'), ((end + later['Start (ns)']) // 2, 'strip')):
                x, y = self.at('stream 13', ns)
                self.assertEqual(self.chromium.screenshot(int(x), int(y) + 6, 1, 1).pixel(0, 0), self.colour(name), op)


class Summaries(Case):
    """So many operations that lanes are drawn from the analyzer's sums."""

    name = 'gen:120000'

    def shares(self, ops, buckets, wide):
        """For how much of each bucket of the page one of the operations ran."""
        offset, sums = first_time(self.directory) - self.js('data.begin'), [0] * buckets
        for op in ops:
            start = op['Start (ns)'] - offset
            end = start + op['Duration (ns)']
            for bucket in range(int(start // wide), int(end // wide) + 1):
                sums[bucket] += max(0, min(end, (bucket + 1) * wide) - max(start, bucket * wide))
        return [ns / wide for ns in sums]

    def test_heights_are_the_share_of_time_that_a_stream_was_busy(self):
        stream = table(self.directory, 'device')[0]['Stream']
        index = self.js(f'data.lanes.findIndex((lane) => lane.name === "stream {stream}")')
        self.assertFalse(self.js(f'modeOf(data.lanes[{index}]).exact'))
        left, top, width, height = self.js(
            f'(() => {{ const c = byId("canvas").getBoundingClientRect(), b = barOf(rowOfLane({index}));'
            'return [c.x + size.gutter, c.y + b.top, size.plot, b.height]; })()')
        image = self.chromium.screenshot(left, top, width, height)
        empty = self.js('[1, 3, 5].map((i) => parseInt(colours.strip.slice(i, i + 2), 16))')
        wide, end = self.js('[levelInView().width, data.end]')
        ops = [op for op in table(self.directory, 'device') if op['Stream'] == stream]
        shares = self.shares(ops, int(end // wide) + 2, wide)
        checked = range(int(self.js('data.begin') // wide) + 2, int(end // wide) - 2, 7)
        columns = self.js(f'{list(checked)}.map((bucket) => Math.floor(x((bucket + 0.5) * {wide}) - size.gutter))')
        self.assertGreater(len(columns), 50)
        for bucket, column in zip(checked, columns):
            filled = sum(image.pixel(column, row) != tuple(empty) for row in range(image.height)) / image.height
            near = shares[bucket - 1:bucket + 2]  # a pixel may show some of a neighbour
            self.assertTrue(min(near) - 0.08 <= filled <= max(near) + 0.08, (bucket, filled, near))

    def test_sums_are_of_everything(self):
        calls, ops = table(self.directory, 'calls'), table(self.directory, 'device')
        self.assertEqual(self.text('#figure-calls'), f'{len(calls):,}')
        self.assertIn(f'of {len(calls) + len(ops):,} calls and operations', self.text('#exact'))
        for lane in self.js('data.lanes'):
            rows = [row for row in (calls if lane['kind'] == 'thread' else ops)
                    if row['Thread' if lane['kind'] == 'thread' else 'Stream'] == lane['id']]
            if lane['kind'] == 'copies':
                continue
            self.assertEqual(lane['items'], len(rows), lane['name'])
            self.assertEqual(lane['busyNs'], sum(row['Duration (ns)'] for row in rows))
            self.assertEqual(lane['blockedNs'], sum(map(blocked, rows)) if lane['kind'] == 'thread' else 0)
        for level in self.js('data.levels.map((level) => level.lanes.map((lane) => '
                             'lane.count.reduce((a, b) => a + b, 0)))'):
            self.assertEqual(level, self.js('data.lanes.map((lane) => lane.items)'))

    def test_what_blocked_longest_is_exact(self):
        longest = sorted(table(self.directory, 'blocked'), key=lambda row: -row['Blocked (ns)'])[:1000]
        first = first_time(self.directory)
        exact = set(map(tuple, self.js(
            '[...Array(data.items.count).keys()].flatMap((i) => waitsOf(i).map((wait) => '
            '[wait.start - data.begin, wait.ns]))')))
        for row in longest:
            self.assertIn((row['Start (ns)'] - first, row['Blocked (ns)']), exact)


class Parts(Case):
    """A run that is analyzed in parts gives the same page, but for what the parts make of it."""

    name, options = 'free_and_copy_loop', ('--part-records=100',)

    def test_it_is_that_of_one_piece(self):
        keys = ('data.lanes.map(({ name, items, busyNs, blockedNs }) => [name, items, busyNs, blockedNs])',
                'data.memory[0].mostBytes', '[data.items.count, data.waits.length]',
                'data.siteRows.map((site) => [site.where, site.calls, site.totalNs, site.blockedNs]).sort()')
        parts = [self.js(key) for key in keys]
        self.chromium.open(self.maker.page(self.directory))
        self.assertEqual([self.js(key) for key in keys], parts)
        self.chromium.requests.clear()
        self.chromium.open(self.path)


class Looks(Case):
    def test_no_width_scrolls_sideways(self):
        for width in (1280, 390):
            for action in ('1', 'selectSite(data.siteRows[0].id, true)', 'showTab("visible")', 'showTab("report")'):
                self.chromium.open(self.path, width=width)
                self.js(action)
                self.chromium.rest()
                self.assertLessEqual(self.js('document.documentElement.scrollWidth'), width, action)

    def test_both_schemes_are_readable(self):
        lights = []
        for scheme in ('light', 'dark'):
            self.chromium.open(self.path, scheme=scheme)
            self.js('selectSite(data.siteRows[0].id, true)')
            self.chromium.rest()
            poor = self.js(CONTRASTS)
            self.assertEqual(poor, [], scheme)
            lights.append(self.js('luminance(getComputedStyle(document.body).backgroundColor)'))
            self.chromium.key('t', 't')
            lights.append(self.js('luminance(getComputedStyle(document.body).backgroundColor)'))
        self.assertGreater(min(lights[0], lights[3]), 0.8)
        self.assertLess(max(lights[1], lights[2]), 0.1)

    def test_everything_has_a_name(self):
        self.js('selectSite(data.siteRows[0].id, true)')
        nodes = self.chromium.call('Accessibility.getFullAXTree')['nodes']
        for node in nodes:
            role = node.get('role', {}).get('value')
            if role in ('button', 'tab', 'application', 'table', 'columnheader', 'rowheader', 'dialog', 'region'):
                self.assertTrue(node.get('name', {}).get('value'), node)
        roles = [node.get('role', {}).get('value') for node in nodes]
        for role in ('application', 'table', 'tablist', 'tabpanel', 'status', 'rowheader'):
            self.assertIn(role, roles)


def hostile(data):
    """The program's name, and that of a kernel, are markup."""
    name = b'</script><img src=x onerror=owned=1><script>owned=1</script>'
    data[48:48 + 64] = name.ljust(64, b'\0')
    data[:] = data.replace(b'_Z4spinx', b'<b>&"\\\'>')


class Hostile(Case):
    def setUp(self):
        self.directory = self.maker.trace(self.name, hostile)
        self.path = self.maker.page(self.directory)
        self.chromium.problems.clear()
        self.chromium.requests.clear()
        self.chromium.open(self.path)

    def test_it_has_the_licence_of_its_plots(self):
        licence = pathlib.Path(Library.third_party, 'uplot', 'LICENSE').read_text()
        self.assertIn(licence, self.path.read_text(encoding='utf-8'))

    def test_names_are_texts(self):
        self.assertEqual(self.js('typeof owned'), 'undefined')
        self.assertIn('</script><img src=x onerror=owned=1>', self.text('#title'))
        self.js('selectSite(data.siteRows[0].id, true)')
        self.assertIn('<b>&"\\\'>', self.text('#details'))
        self.assertEqual(self.js('document.images.length + document.querySelectorAll("#details b > b").length'), 0)


class Several(Case):
    def setUp(self):
        self.directory = self.maker.trace('free_serializes')
        self.path = self.maker.page(self.directory, self.maker.trace('two_threads'),
                                    self.maker.folder / 'nowhere', status=1)
        self.chromium.problems.clear()
        self.chromium.requests.clear()
        self.chromium.open(self.path)

    def test_processes_are_side_by_side(self):
        both = [self.directory, self.maker.trace('two_threads')]
        self.assertEqual(self.text('#figure-calls'), f"{sum(len(table(one, 'calls')) for one in both):,}")
        lost = sorted((site['Lost (ns)'] for one in both for site in table(one, 'callsites')), reverse=True)
        self.assertEqual(self.js('data.siteRows.map((site) => site.lostNs)'), lost)
        self.assertIn('free_serializes (pid 1828): ', self.text('#site-table tbody tr'))
        self.assertEqual(self.js('rows.filter((row) => row.group && row.group.includes("Host threads")).length'), 2)

    def test_of_what_shares_a_pixel_the_longer_is_seen(self):
        ops = [op for op in table(self.directory, 'device') if op['Stream'] == 13]
        left, y = self.at('stream 13', ops[1]['Start (ns)'])
        right, _ = self.at('stream 13', ops[-1]['Start (ns)'])
        image = self.chromium.screenshot(int(left), int(y), int(right - left), 1)
        seen = {image.pixel(column, 0) for column in range(image.width)}
        kernel, fill = (tuple(self.js(f'[1, 3, 5].map((i) => parseInt(colours.kinds[KIND.{kind}].slice(i, i + 2), 16))'))
                        for kind in ('KERNEL', 'FILL'))
        self.assertIn(kernel, seen)
        self.assertNotIn(fill, seen)

    def test_a_trace_that_is_missing_is_said_at_the_top(self):
        self.assertEqual(self.text('#losses li'), '1 trace that could not be used')


class Library(unittest.TestCase):
    third_party = None

    def test_it_is_the_one_that_its_readme_says(self):
        folder = pathlib.Path(self.third_party, 'uplot')
        lines = re.findall(r'^\| `(\S+)` \|[^|]*\| ([0-9a-f]{64}) \|$', (folder / 'README.md').read_text(), re.M)
        self.assertEqual(len(lines), 3)
        for name, digest in lines:
            self.assertEqual(hashlib.sha256((folder / name).read_bytes()).hexdigest(), digest, name)


def main():
    if len(sys.argv) < 5:
        sys.exit('usage: html_test.py CUTRACE GEN_TRACE GOLDEN THIRD_PARTY [TEST...]')
    if not browser.find():
        print('skipped: no chromium (Debian: apt-get install chromium)')
        sys.exit(SKIPPED)
    cutrace, gen_trace, golden, Library.third_party = sys.argv[1:5]
    with tempfile.TemporaryDirectory(prefix='cutrace-html.') as folder, browser.started() as Case.chromium:
        Case.maker = Maker(cutrace, gen_trace, golden, folder)
        result = unittest.main(argv=sys.argv[:1] + sys.argv[5:], verbosity=2, exit=False).result
    sys.exit(not result.wasSuccessful())


if __name__ == '__main__':
    main()
