/* SPDX-License-Identifier: Apache-2.0 */
/* The timeline: an overview, a ruler and the lanes, on one canvas. */

const OVERVIEW = 18, RULER = 22, TOP = OVERVIEW + RULER;
const NARROW = 700;           /* CSS pixels; below, a lane's name stands above it */
const WIDE = 1000, TABLES_LEAST = 240;
const LOW = 900;              /* CSS pixels of a window; below, the tables get more of it */
const GUTTER = 176;
const ITEMS_DRAWN = 4000;     /* of a lane; of more, buckets are drawn */
const TEXT_LEAST = 34;        /* pixels of a bar that get a text */
const FONT = '11px system-ui, sans-serif';

let paint;                    /* the canvas's context */
const size = { width: 0, height: 0, gutter: 0, plot: 0, lane: LANE, scroll: 0 };

function x(ns) {
	return size.gutter + (ns - view.from) / (view.to - view.from) * size.plot;
}

function timeAt(px) {
	return view.from + (px - size.gutter) / size.plot * (view.to - view.from);
}

function resize() {
	const timeline = byId('timeline'), canvas = byId('canvas');
	const ratio = window.devicePixelRatio || 1;
	const narrow = timeline.clientWidth < NARROW;

	size.gutter = narrow ? 0 : GUTTER;
	size.lane = narrow ? LANE_NARROW : LANE;
	const total = TOP + placeRows() + FOOT;
	const height = Math.min(total, Math.max(200, Math.round(window.innerHeight * (window.innerHeight < LOW ? 0.33 : 0.38))));

	timeline.style.height = height + 'px';
	byId('extent').style.height = Math.max(0, total - height) + 'px';
	size.width = timeline.clientWidth;
	size.height = height;
	size.plot = Math.max(1, size.width - size.gutter - 1);
	canvas.style.width = size.width + 'px';
	canvas.style.height = height + 'px';
	canvas.width = Math.round(size.width * ratio);
	canvas.height = Math.round(height * ratio);
	paint = canvas.getContext('2d');
	paint.setTransform(ratio, 0, 0, ratio, 0, 0);
	redraw();
}

/* Wide windows: the tables take what the timeline leaves, and the page itself need not scroll. */
function fitTables() {
	const split = byId('split');
	const wide = window.innerWidth >= WIDE;
	const rest = window.innerHeight - split.getBoundingClientRect().top - window.scrollY -
		byId('exact').offsetHeight;

	split.style.height = wide ? Math.max(TABLES_LEAST, Math.floor(rest)) + 'px' : '';
}

let inked = ''; /* the colour that the canvas has: setting it anew takes longer than a bar */

function ink(colour) {
	if (colour !== inked)
		paint.fillStyle = inked = colour;
}

/* After save(): the canvas has an older colour again. */
function restore() {
	paint.restore();
	inked = '';
}

function bar(left, right, top, height, colour) {
	ink(colour);
	paint.fillRect(left, top, Math.max(right - left, 1), height);
}

function label(text, left, right, middle, colour) {
	const from = Math.max(left, size.gutter) + 4;

	if (right - from < TEXT_LEAST || !text)
		return;
	const dim = paint.globalAlpha < 1; /* then black or white on it would be hard to read */

	paint.save();
	paint.beginPath();
	paint.rect(from, middle - 9, right - from - 3, 18);
	paint.clip();
	paint.globalAlpha = 1;
	ink(dim ? colours.ink : colour);
	paint.fillText(text, from, middle);
	restore();
}

/* Is an exact item of the selected site, or delayed by it? Without a site, all are. */
function stands(item) {
	if (view.site < 0)
		return true;
	return data.items.site[item] === view.site && data.kinds[data.items.name[item]] === KIND.CALL ||
	       selection.victims.has(item);
}

function drawCall(item, box) {
	const left = x(data.items.start[item]), right = x(data.items.start[item] + data.items.ns[item]);
	const middle = box.top + box.height / 2;
	let text = colours.kindInks[KIND.CALL], most = 0;

	bar(left, right, box.top, box.height, colours.kinds[KIND.CALL]);
	for (const wait of right - left >= 2 ? waitsOf(item) : []) {
		if (wait.part === PART.POLLING)
			continue; /* it lies between calls */
		bar(x(wait.start), Math.max(x(wait.start + wait.ns), x(wait.start) + 1), box.top, box.height,
		    colours.parts[wait.part]);
		if (wait.ns > most) {
			most = wait.ns;
			text = wait.ns * 2 > data.items.ns[item] ? colours.partInks[wait.part] : text;
		}
	}
	label(nameOf(data.items.name[item]), left, right, middle, text);
}

/* A call too short for its parts: the colour of what blocked it, if anything did. */
function callColour(item) {
	return data.items.waits[item] ? colours.parts[data.waits[data.items.firstWait[item] * WAIT_FIELDS]] :
		colours.kinds[KIND.CALL];
}

function drawItem(item, box) {
	const name = data.items.name[item], kind = data.kinds[name];
	let left = x(data.items.start[item]), right = x(data.items.start[item] + data.items.ns[item]);

	if (right - left < 1) {
		left = Math.floor(left); /* a whole pixel of one colour */
		right = left + 1;
	}
	if (kind === KIND.CALL) {
		if (right - left >= 2)
			drawCall(item, box);
		else
			bar(left, left + 1, box.top, box.height, callColour(item));
		return;
	}
	if (right - left > 4)
		right -= 0.5; /* so that one can tell it from the next */
	bar(left, right, box.top, box.height, colours.kinds[kind]);
	label(nameOf(name), left, right, box.top + box.height / 2, colours.kindInks[kind]);
}

/* Of two items in one pixel, the one to be seen: of the selection, else the longer. */
function preferred(item, other) {
	if (other < 0 || stands(item) !== stands(other))
		return other < 0 || stands(item) ? item : other;
	return data.items.ns[item] > data.items.ns[other] ? item : other;
}

/* Items of at least so many pixels; of those that share a pixel, one. */
function drawItems(lane, box, first, end, least) {
	let pixel = -1, small = -1;
	const draw = (item) => {
		if (item < 0)
			return;
		paint.globalAlpha = stands(item) ? 1 : 0.3;
		drawItem(item, box);
	};

	for (let i = first; i < end; i++) {
		const item = lane.exact.indices[i], left = x(data.items.start[item]);
		const width = x(data.items.start[item] + data.items.ns[item]) - left;

		if (width < least)
			continue;
		if (width >= 1 || Math.floor(left) !== pixel) {
			draw(small);
			small = -1;
			pixel = Math.floor(left);
		}
		if (width >= 1)
			draw(item);
		else
			small = preferred(item, small);
	}
	draw(small);
	paint.globalAlpha = 1;
}

/* The level whose buckets are at least a pixel wide, or the finest. */
function levelInView() {
	const nsPerPixel = (view.to - view.from) / size.plot;

	return data.levels.find((level) => level.width >= nsPerPixel) || data.levels[data.levels.length - 1];
}

function eachBucket(buckets, width, visit) {
	for (let i = firstAbove(buckets.at, view.from / width - 1); i < buckets.at.length; i++) {
		const start = buckets.at[i] * width;

		if (start >= view.to)
			return;
		visit(i, Math.max(x(start), size.gutter), x(start + width));
	}
}

function drawBuckets(lane, index, box, alpha) {
	const level = levelInView(), buckets = level.lanes[index];

	paint.globalAlpha = alpha;
	eachBucket(buckets, level.width, (i, left, right) => {
		const name = buckets.name[i], height = Math.max(1, box.height * buckets.busy[i] / 1000);

		if (buckets.busy[i])
			bar(left, right, box.top + box.height - height, height,
			    colours.kinds[name < 0 ? KIND.OTHER : data.kinds[name]]);
	});
	if (lane.kind === 'thread')
		eachBucket(buckets, level.width, (i, left, right) => {
			const height = Math.max(1, box.height * buckets.blocked[i] / 1000);

			if (buckets.blocked[i])
				bar(left, right, box.top + box.height - height, height,
				    colours.parts[buckets.part[i] < 0 ? PART.DRIVER_WORK : buckets.part[i]]);
		});
	paint.globalAlpha = 1;
}

/* How a lane is drawn now: all its items, or buckets with the longer of the exact items on top. */
function modeOf(lane) {
	const [first, end] = itemsBetween(lane, view.from, view.to);

	return { first, end, exact: lane.whole && end - first <= ITEMS_DRAWN };
}

/* Of exact items, those of the selected site and its victims are drawn whatever their size. */
function drawChosen(lane, box, first, end) {
	let last = -1;

	for (let i = first; i < end; i++) {
		const item = lane.exact.indices[i], left = x(data.items.start[item]);

		if (left - last < 1 || !stands(item))
			continue;
		bar(left, Math.max(x(data.items.start[item] + data.items.ns[item]), left + 2), box.top,
		    box.height, selection.victims.has(item) ? colours.victim : callColour(item));
		last = left + 2;
	}
}

function drawLane(position) {
	const { lane, index } = rows[position], box = barOf(position), mode = modeOf(lane);

	paint.save();
	paint.beginPath();
	paint.rect(size.gutter, box.top, size.plot, box.height);
	paint.clip();
	bar(size.gutter, size.width, box.top, box.height, colours.strip);
	if (mode.exact) {
		drawItems(lane, box, mode.first, mode.end, 0);
	} else {
		drawBuckets(lane, index, box, view.site < 0 ? 1 : 0.35);
		if (view.site >= 0)
			drawChosen(lane, box, mode.first, mode.end);
		else
			drawItems(lane, box, mode.first, mode.end, 3);
	}
	restore();
}

/* Cut a text until it fits, but not the number in brackets that it may end with. */
function fitted(text, width) {
	const tail = (/ \(\d+\)$/.exec(text) || [''])[0];
	let head = text.slice(0, text.length - tail.length);

	if (paint.measureText(text).width <= width)
		return text;
	while (head.length > 1 && paint.measureText(head + '…' + tail).width > width)
		head = head.slice(0, -1);
	return head + '…' + tail;
}

/* Of NVTX ranges: the bars have names, and what they are is said once. */
function drawRangesName(position, chosen) {
	const top = rowTop(position), { lane } = rows[position];

	if (chosen)
		bar(0, 3, top + 1, LANE_RANGES - 2, colours.accent);
	if (!size.gutter)
		return;
	ink(colours.muted);
	paint.fillText(lane.id === 0 ? 'NVTX ranges' : lane.thread ? '' : 'other NVTX ranges', 20,
		       top + LANE_RANGES / 2);
}

function drawName(position) {
	const { lane } = rows[position], top = rowTop(position);
	const chosen = position === view.lane && document.activeElement === byId('timeline');

	if (lane.kind === 'ranges') {
		drawRangesName(position, chosen);
		return;
	}
	const busy = share(lane.kind === 'thread' ? lane.blockedNs : lane.busyNs, data.end - data.begin);
	const tail = busy + (size.gutter ? '' : lane.kind === 'thread' ? ' blocked' : ' busy');
	const middle = size.gutter ? top + LANE / 2 : top + 8;
	const right = size.gutter ? size.gutter - 8 : size.width - 4;

	if (chosen)
		bar(0, 3, top + 2, size.lane - 4, colours.accent);
	ink(colours.muted);
	paint.textAlign = 'right';
	paint.fillText(tail, right, middle);
	paint.textAlign = 'left';
	ink(colours.ink);
	paint.fillText(fitted(rows[position].name, right - paint.measureText(tail).width - 20), 8, middle);
}

function drawGroup(position) {
	const top = rowTop(position), { group, wide } = rows[position];

	if (wide)
		bar(0, size.width, top + 2, GROUP - 2, colours.panel);
	ink(wide ? colours.ink : colours.muted);
	paint.font = '600 ' + FONT;
	paint.fillText(fitted(group, (wide ? size.width : size.gutter || size.width) - 70), 8, top + GROUP / 2 + 2);
	paint.font = FONT;
	if (!size.gutter || wide)
		return;
	paint.textAlign = 'right';
	paint.fillText(['thread', 'ranges'].includes(rows[position + 1].lane.kind) ? 'blocked' : 'busy', size.gutter - 8,
		       top + GROUP / 2 + 2);
	paint.textAlign = 'left';
}

/* A step of 1, 2 or 5 times a power of ten, so that some 110 pixels are between ticks. */
function tickStep() {
	const least = (view.to - view.from) / size.plot * 110;
	const power = 10 ** Math.floor(Math.log10(least));

	return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least);
}

/* Times are shown from the run's beginning. */
function drawRuler() {
	const step = tickStep();

	bar(0, size.width, 0, TOP, colours.paper);
	ink(colours.muted);
	for (let t = Math.ceil((view.from - data.begin) / step) * step; t + data.begin < view.to; t += step) {
		const at = x(t + data.begin);

		paint.fillText(moment(t, step), at + 4, OVERVIEW + RULER / 2 + 1);
		bar(at, at + 1, OVERVIEW + 4, RULER - 4, colours.line);
		ink(colours.muted);
	}
	bar(0, size.width, TOP - 1, 1, colours.line);
}

function drawGrid() {
	const step = tickStep();

	for (let t = Math.ceil((view.from - data.begin) / step) * step; t + data.begin < view.to; t += step)
		bar(x(t + data.begin), x(t + data.begin) + 1, TOP, size.height, colours.line);
}

/* The whole run: how many streams are at work, how many threads blocked, and what is in view. */
function drawOverview() {
	const [least, most] = whole(), scale = size.plot / (most - least);
	const level = data.levels.find(({ width }) => width * scale >= 1) || data.levels[data.levels.length - 1];
	const high = (values) => values.reduce((a, b) => Math.max(a, b), 1);
	const sums = level.sums, streams = high(sums.streams), blocked = high(sums.blocked);
	const left = size.gutter + (view.from - least) * scale;
	const right = size.gutter + (view.to - least) * scale;

	bar(size.gutter, size.width, 2, OVERVIEW - 2, colours.strip);
	for (let i = 0; i < sums.at.length; i++) {
		const from = size.gutter + (sums.at[i] * level.width - least) * scale;
		const work = sums.streams[i] / streams * (OVERVIEW - 4) * 0.6;
		const wait = sums.blocked[i] / blocked * (OVERVIEW - 4) * 0.4;

		bar(from, from + level.width * scale, OVERVIEW - work, work, colours.kinds[KIND.KERNEL]);
		bar(from, from + level.width * scale, 2, wait, colours.parts[0]);
	}
	paint.globalAlpha = 0.65; /* what is out of view */
	bar(size.gutter, left, 2, OVERVIEW - 2, colours.paper);
	bar(right, size.width, 2, OVERVIEW - 2, colours.paper);
	paint.globalAlpha = 1;
	bar(left, left + 1, 2, OVERVIEW - 2, colours.accent);
	bar(right - 1, right, 2, OVERVIEW - 2, colours.accent);
	if (size.gutter) {
		ink(colours.muted);
		paint.fillText('Whole run', 8, OVERVIEW / 2 + 2);
		paint.fillText('Time from the beginning', 8, OVERVIEW + RULER / 2 + 1);
	}
}

function drawTimeline() {
	if (!paint)
		return;
	size.scroll = byId('timeline').scrollTop; /* before anything changes: asking later costs a layout */
	paint.clearRect(0, 0, size.width, size.height);
	paint.font = FONT;
	paint.textBaseline = 'middle';
	paint.textAlign = 'left';
	drawGrid();
	for (let i = 0; i < rows.length; i++) {
		const top = rowTop(i);

		if (top > size.height || top + rowHeight(rows[i]) < TOP)
			continue;
		if (rows[i].group) {
			drawGroup(i);
		} else {
			drawName(i);
			drawLane(i);
		}
	}
	drawLinks();
	drawRuler();
	drawOverview();
	say();
}
