/* SPDX-License-Identifier: Apache-2.0 */
/* Mouse, touch and keys. */

const TOUCH_SLOP = 4;      /* pixels that a click may move */
const pointers = new Map(); /* that are down: where they are */
let drag = null;           /* what they do */

function place(event) {
	const box = byId('canvas').getBoundingClientRect();

	return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/* The exact item at a point: of several, the shortest. */
function itemAt(point) {
	const position = rows.findIndex((row, i) => point.y >= Math.max(rowTop(i), TOP) &&
					point.y < rowTop(i) + rowHeight(row));

	if (position < 0 || !rows[position].lane || point.x < size.gutter)
		return { position, item: -1 };
	const { lane } = rows[position], reach = (view.to - view.from) / size.plot * 2;
	const time = timeAt(point.x), [first, end] = itemsBetween(lane, time - reach, time + reach);
	const drawn = modeOf(lane).exact ? 0 : reach * 1.5; /* shorter ones are not drawn */
	let best = -1;

	for (let i = first; i < end; i++) {
		const item = lane.exact.indices[i];

		if ((data.items.ns[item] >= drawn || view.site >= 0 && stands(item)) &&
		    (best < 0 || data.items.ns[item] < data.items.ns[best]))
			best = item;
	}
	return { position, item: best };
}

function bucketAt(point, position) {
	const { index } = rows[position], level = levelInView(), buckets = level.lanes[index];
	const at = Math.floor(timeAt(point.x) / level.width), i = firstAbove(buckets.at, at) - 1;

	if (i < 0 || buckets.at[i] !== at)
		return [];
	const noun = { thread: 'call', ranges: 'range' }[rows[position].lane.kind] || 'operation';

	return [`${count(buckets.count[i], noun)} ${buckets.count[i] === 1 ? 'begins' : 'begin'} in ` +
		`${duration(level.width)}`, `${noun === 'range' ? 'in ranges' : 'busy'} ${buckets.busy[i] / 10} %` + (buckets.name[i] > 0 ?
		`, mostly ${nameOf(buckets.name[i])}` : ''), buckets.blocked[i] ? `blocked ${buckets.blocked[i] / 10} %` +
		(buckets.part[i] >= 0 ? `, mostly ${data.parts[buckets.part[i]][0]}` : '') : ''];
}

function tipLines(point) {
	const { position, item } = itemAt(point);

	if (position < 0 || !rows[position].lane || point.x < size.gutter)
		return [];
	if (item < 0)
		return bucketAt(point, position);
	const items = data.items, site = data.siteById.get(items.site[item]);

	return [nameOf(items.name[item]), `${duration(items.ns[item])} from ${when(items.start[item])}`,
		...waitsOf(item).sort((a, b) => b.ns - a.ns).slice(0, 2).map((wait) =>
			`${data.parts[wait.part][0]} ${duration(wait.ns)}` + (wait.name ? `: ${wait.name}` : '')),
		site ? site.where : ''];
}

function showTip(event) {
	const tip = byId('tip'), lines = drag ? [] : tipLines(place(event)).filter(Boolean);

	tip.hidden = !lines.length;
	if (!lines.length)
		return;
	tip.replaceChildren(...lines.map((line, i) => element(i ? 'div' : 'b', {}, line)));
	tip.style.left = Math.max(4, Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)) + 'px';
	tip.style.top = Math.max(4, Math.min(event.clientY + 16, window.innerHeight - tip.offsetHeight - 8)) + 'px';
}

function onWheel(event) {
	const point = place(event);

	if (size.gutter && point.x < size.gutter)
		return; /* over the names, the wheel scrolls the lanes */
	event.preventDefault();
	byId('tip').hidden = true;
	const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? size.height : 1;
	const sideways = event.shiftKey ? event.deltaX + event.deltaY : event.deltaX;

	if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY))
		pan(sideways * unit / size.plot * (view.to - view.from));
	else
		zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY * unit)) * 0.0025), timeAt(point.x));
}

/* On the overview one moves what is in view, on the ruler one draws a stretch, below one pans. */
function dragKind(point) {
	return point.y < OVERVIEW ? 'overview' : point.y < TOP ? 'stretch' : 'pan';
}

function moveOverview(point) {
	const [least, most] = whole(), half = (view.to - view.from) / 2;
	const middle = least + (point.x - size.gutter) / size.plot * (most - least);

	show(middle - half, middle + half);
}

function onDown(event) {
	const point = place(event);

	if (event.button !== 0)
		return;
	pointers.set(event.pointerId, point);
	if (pointers.size === 2) {
		const [a, b] = [...pointers.values()];

		drag = { kind: 'pinch', near: timeAt(Math.min(a.x, b.x)), far: timeAt(Math.max(a.x, b.x)), moved: true };
		return;
	}
	drag = { kind: dragKind(point), start: point, time: timeAt(point.x), from: view.from, to: view.to, moved: false };
	if (drag.kind === 'overview')
		moveOverview(point);
}

/* Keep both fingers on the times that they touched. */
function pinch() {
	const xs = [...pointers.values()].map((point) => point.x - size.gutter).sort((a, b) => a - b);
	const scale = (drag.far - drag.near) / Math.max(xs[1] - xs[0], 8);

	show(drag.near - xs[0] * scale, drag.near - xs[0] * scale + scale * size.plot);
}

function onMove(event) {
	const point = place(event);

	if (!drag || !pointers.has(event.pointerId)) {
		showTip(event);
		return;
	}
	pointers.set(event.pointerId, point);
	if (drag.kind === 'pinch') {
		pinch();
		return;
	}
	if (!drag.moved && Math.abs(point.x - drag.start.x) > TOUCH_SLOP) {
		drag.moved = true;
		byId('timeline').setPointerCapture(event.pointerId);
	}
	if (drag.kind === 'overview')
		moveOverview(point);
	else if (drag.moved && drag.kind === 'pan') {
		const ns = (drag.start.x - point.x) / size.plot * (drag.to - drag.from);

		show(drag.from + ns, drag.to + ns);
	}
}

function onUp(event) {
	const known = pointers.delete(event.pointerId), point = place(event), done = drag;

	if (!known || !done || done.kind === 'pinch') {
		drag = pointers.size ? drag : null;
		return;
	}
	drag = null;
	if (done.kind === 'stretch' && done.moved) {
		const time = timeAt(point.x);

		show(Math.min(done.time, time), Math.max(done.time, time));
	} else if (done.kind === 'pan' && !done.moved && event.type === 'pointerup') {
		const { position, item } = itemAt(point);

		chooseLane(position);
		selectItem(item);
	}
}

/* The exact item of the chosen lane before or after the selected one, or the first in view. */
function step(direction) {
	const row = rows[view.lane];

	if (!row || !row.lane || !row.lane.exact.indices.length)
		return;
	const { indices } = row.lane.exact;
	let at = view.item >= 0 ? indices.indexOf(view.item) : -1;

	at = at >= 0 ? at + direction : itemsBetween(row.lane, view.from, view.to)[0];
	at = Math.max(0, Math.min(at, indices.length - 1));
	selectItem(indices[at]);
	const start = data.items.start[indices[at]], end = start + data.items.ns[indices[at]];

	if (end < view.from || start > view.to)
		pan((start + end) / 2 - (view.from + view.to) / 2);
}

function stepLane(direction) {
	let at = view.lane + direction;

	while (at >= 0 && at < rows.length && !rows[at].lane)
		at += direction;
	chooseLane(at);
	redraw();
}

const EVERYWHERE = {
	'+': () => zoom(0.6), '=': () => zoom(0.6), '-': () => zoom(1 / 0.6), '_': () => zoom(1 / 0.6),
	a: () => byId('arrows').click(), r: () => byId('ranges-button').click(), t: toggleTheme, '?': () => byId('help').showModal(),
	Escape: () => selectItem(-1),
};
const ON_TIMELINE = {
	ArrowLeft: () => pan((view.from - view.to) * 0.15), ArrowRight: () => pan((view.to - view.from) * 0.15),
	ArrowUp: () => stepLane(-1), ArrowDown: () => stepLane(1), ',': () => step(-1), '.': () => step(1),
	Home: () => show(...whole()), Enter: () => view.item >= 0 && goTo(view.item),
};

function onKey(event) {
	const here = document.activeElement;
	const timeline = here === byId('timeline') || here === document.body;
	const action = EVERYWHERE[event.key] || (timeline ? ON_TIMELINE[event.key] : undefined);

	if (!action || event.ctrlKey || event.metaKey || event.altKey || byId('help').open)
		return;
	event.preventDefault();
	action();
}

function showTab(name, focus) {
	for (const tab of byId('lists').querySelectorAll('[role=tab]')) {
		const chosen = tab.id === 'tab-' + name;

		tab.setAttribute('aria-selected', String(chosen));
		tab.tabIndex = chosen ? 0 : -1;
		byId(tab.getAttribute('aria-controls')).hidden = !chosen;
		if (chosen && focus)
			tab.focus();
	}
	fillVisible();
}

/* Without NVTX there is no tab for its ranges. */
function tabNames() {
	return ['sites', 'ranges', 'visible', 'report'].filter((name) => !byId('tab-' + name).hidden);
}

/* Lanes come or go: what was chosen by keyboard stays so, if it is there. */
function toggleRanges() {
	const chosen = rows[view.lane];

	view.ranges = !view.ranges;
	byId('ranges-button').setAttribute('aria-pressed', String(view.ranges));
	makeRows();
	if (chosen && rowOf.has(chosen.index))
		view.lane = rowOf.get(chosen.index);
	resize();
	fitTables();
}

function onTabKey(event) {
	const names = tabNames(), at = names.indexOf(event.target.id.slice(4));
	const move = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: names.length - 1 }[event.key];

	if (at < 0 || move === undefined)
		return;
	event.preventDefault();
	event.stopPropagation();
	showTab(names[(move + names.length) % names.length], true);
}

function listen() {
	const timeline = byId('timeline');

	timeline.addEventListener('wheel', onWheel, { passive: false });
	timeline.addEventListener('pointerdown', onDown);
	timeline.addEventListener('pointermove', onMove);
	timeline.addEventListener('pointerup', onUp);
	timeline.addEventListener('pointercancel', onUp);
	timeline.addEventListener('pointerleave', () => { byId('tip').hidden = true; });
	timeline.addEventListener('scroll', redraw);
	timeline.addEventListener('focus', redraw);
	timeline.addEventListener('blur', redraw);
	document.addEventListener('keydown', onKey);
	byId('lists').addEventListener('keydown', onTabKey);
	for (const name of tabNames())
		byId('tab-' + name).addEventListener('click', () => showTab(name, false));
	byId('zoom-in').addEventListener('click', () => zoom(0.6));
	byId('zoom-out').addEventListener('click', () => zoom(1 / 0.6));
	byId('zoom-all').addEventListener('click', () => show(...whole()));
	byId('zoom-selection').addEventListener('click', () => view.item >= 0 && goTo(view.item));
	byId('ranges-button').addEventListener('click', toggleRanges);
	byId('theme').addEventListener('click', toggleTheme);
	byId('help-button').addEventListener('click', () => byId('help').showModal());
	byId('arrows').addEventListener('click', () => {
		view.arrows = !view.arrows;
		byId('arrows').setAttribute('aria-pressed', String(view.arrows));
		redraw();
	});
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
	new ResizeObserver(() => {
		if (byId('timeline').clientWidth !== size.width || window.innerHeight !== size.window) {
			size.window = window.innerHeight;
			resize();
			makePlots();
			fitTables();
		}
	}).observe(document.documentElement);
}
