/* SPDX-License-Identifier: Apache-2.0 */
/* Concurrency and memory over time, by uPlot, in step with the timeline. */

const PLOT_HEIGHT = 78, PLOT_HEIGHT_LOW = 54; /* the latter in a low window */
const PLOT_SERIES = 4; /* processes of a memory plot; the rest is said */
const BYTE_STEPS = Array.from({ length: 60 }, (one, power) => 2 ** power);
let plots = [];        /* { chart, fill } */

/* Values at the ends of buckets in view, as steps; gaps are zeros. */
function concurrencyInView() {
	const level = levelInView(), sums = level.sums;
	const times = [], streams = [], blocked = [];
	let expected = -1;

	for (let i = firstAbove(sums.at, view.from / level.width - 2); i < sums.at.length; i++) {
		const start = sums.at[i] * level.width;

		if (start > view.to)
			break;
		if (sums.at[i] !== expected) {
			const gap = Math.max(expected * level.width, view.from - level.width);

			times.push(Math.min(gap, start));
			streams.push(0);
			blocked.push(0);
		}
		times.push(start);
		streams.push(sums.streams[i]);
		blocked.push(sums.blocked[i]);
		expected = sums.at[i] + 1;
	}
	times.push(expected < 0 ? view.from : expected * level.width);
	streams.push(0);
	blocked.push(0);
	return [times, streams, blocked];
}

/* The most allocated within each of some 1000 stretches of the view, and what was left at its end. */
function poolInView(pool, times) {
	const values = [];
	let i = firstAbove(pool.at, times[0]) - 1, last = i >= 0 ? pool.last[i] : 0;

	for (let t = 0; t < times.length; t++) {
		const until = t + 1 < times.length ? times[t + 1] : Infinity;
		let most = last;

		while (i + 1 < pool.at.length && pool.at[i + 1] < until) {
			i++;
			most = Math.max(most, pool.most[i]);
			last = pool.last[i];
		}
		values.push(most);
	}
	return values;
}

function memoryInView() {
	const n = Math.min(1000, Math.ceil(size.plot)), times = [];

	for (let i = 0; i <= n; i++)
		times.push(view.from + (view.to - view.from) * i / n);
	return [times, ...data.memory.slice(0, PLOT_SERIES).flatMap((memory) =>
		memory.pools.map((pool) => poolInView(pool, times)))];
}

/* Drag on a plot: zoom to what was drawn. */
function zoomToDrag(chart) {
	if (chart.select.width < 3)
		return;
	show(chart.posToVal(chart.select.left, 'x'), chart.posToVal(chart.select.left + chart.select.width, 'x'));
	chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}

function plotOptions(series, format, incrs) {
	const axis = { stroke: colours.muted, font: FONT, grid: { stroke: colours.line, width: 1 },
		       ticks: { show: false } };

	return {
		width: Math.max(100, size.width), height: window.innerHeight < LOW ? PLOT_HEIGHT_LOW : PLOT_HEIGHT,
		legend: { show: false }, pxAlign: 1,
		padding: [6, 1, 6, 0],
		cursor: { points: { show: false }, y: false, drag: { x: true, y: false, setScale: false },
			  sync: { key: 'time' } },
		select: { show: true },
		hooks: { setSelect: [zoomToDrag] },
		scales: { x: { time: false, range: () => [view.from, view.to] },
			  y: { range: (chart, least, most) => [0, most > 0 ? most * 1.05 : 1] } },
		axes: [{ ...axis, show: false },
		       { ...axis, size: size.gutter || 58, gap: 6, space: 20, incrs,
			 values: (chart, ticks) => ticks.map(format) }],
		series: [{}, ...series],
	};
}

function steps(name, colour, dash) {
	return { label: name, stroke: colour, width: 1.25, dash, fill: dash ? undefined : colour + '33',
		 paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } };
}

function addPlot(title, note, options, fill) {
	const box = element('figure', { class: 'plot' }, element('figcaption', {}, element('b', {}, title), ' ', note));

	byId('plots').append(box);
	plots.push({ chart: new uPlot(options, fill(), box), fill });
}

function memoryNote() {
	const sum = (key) => data.memory.reduce((all, memory) => all + memory[key], 0);
	const parts = ['the most in each interval; device ' + bytes(data.memory.reduce(
		(most, memory) => Math.max(most, memory.mostBytes[0]), 0)) + ', page-locked ' + bytes(
		data.memory.reduce((most, memory) => Math.max(most, memory.mostBytes[1]), 0)) + ' (dashed) at most'];

	if (sum('sizeless'))
		parts.push(count(sum('sizeless'), 'allocation') + ' of unknown size not counted');
	if (sum('unknownFrees'))
		parts.push('more was in use than is known');
	if (data.memory.length > PLOT_SERIES)
		parts.push(`the first ${PLOT_SERIES} of ${data.memory.length} processes`);
	return parts.join('; ');
}

/* Anew, as colours are part of a plot. */
function makePlots() {
	plots.forEach(({ chart }) => chart.destroy());
	plots = [];
	byId('plots').replaceChildren();
	if (!size.width)
		return;
	addPlot('Concurrency', 'streams at work (filled), threads blocked (dashed): average of each interval',
		plotOptions([steps('streams at work', colours.kinds[KIND.KERNEL]),
			     steps('threads blocked', colours.parts[0], [4, 3])],
			    (v) => (v === Math.round(v) ? String(v) : v.toFixed(1))), concurrencyInView);
	if (data.memory.some((memory) => memory.allocations))
		addPlot('Allocated memory', memoryNote(),
			plotOptions(data.memory.slice(0, PLOT_SERIES).flatMap(() => [
				steps('device', colours.kinds[KIND.H2D]),
				steps('page-locked', colours.kinds[KIND.FILL], [4, 3])]), bytes, BYTE_STEPS), memoryInView);
}

function drawPlots() {
	plots.forEach(({ chart, fill }) => chart.setData(fill()));
}
