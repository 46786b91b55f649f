#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
How large a page of many operations is and how smooth: bench.py CUTRACE GEN_TRACE [OPERATIONS]

A frame is what the page's script draws while one zooms in from the whole run to a
microsecond and out again; the browser's own painting comes on top.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

import browser

FRAMES = '''
(() => {
	const [least, most] = whole(), times = [], middle = (least + most) / 2;
	for (let i = 0; i < 120; i++) {
		const span = (most - least) * (1000 / (most - least)) ** (Math.min(i, 120 - i) / 60);
		view.from = middle - span / 2;
		view.to = middle + span / 2;
		const begin = performance.now();
		drawTimeline();
		drawPlots();
		times.push(performance.now() - begin);
	}
	return times.sort((a, b) => a - b);
})()'''


def script_seconds(chromium):
    """Processor time that the page's thread has taken."""
    metrics = chromium.call('Performance.getMetrics')['metrics']
    return next(one['value'] for one in metrics if one['name'] == 'ThreadTime')


def main():
    cutrace, gen_trace = sys.argv[1:3]
    operations = sys.argv[3] if len(sys.argv) > 3 else '1000000'
    if not browser.find():
        sys.exit('bench: no chromium (Debian: apt-get install chromium)')
    with tempfile.TemporaryDirectory(prefix='cutrace-html.') as folder:
        trace, page = pathlib.Path(folder, 'trace'), pathlib.Path(folder, 'page.html')
        subprocess.run([gen_trace, '--calls', operations, trace], check=True)
        begin = time.monotonic()
        subprocess.run([cutrace, 'export', '--html', '-o', page, trace], check=True)
        print(f'written in {time.monotonic() - begin:.1f} s: {page.stat().st_size / 2**20:.1f} MiB')
        with browser.started() as chromium:
            begin = time.monotonic()
            chromium.call('Performance.enable', timeDomain='threadTicks')
            chromium.open(page)
            print(f'opened in {time.monotonic() - begin:.1f} s, {script_seconds(chromium):.1f} s of processor time')
            before = script_seconds(chromium)
            times = chromium.js(FRAMES)
            print(f'a frame takes {1000 * (script_seconds(chromium) - before) / len(times):.1f} ms of processor time')
            print(f'frames while zooming: median {times[60]:.1f} ms, slowest of 20 {times[114]:.1f} ms, '
                  f'slowest {times[-1]:.1f} ms')


if __name__ == '__main__':
    main()
