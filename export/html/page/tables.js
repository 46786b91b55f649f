/* SPDX-License-Identifier: Apache-2.0 */
/* The ranked call sites, and a table of what is in view. */

const VISIBLE_ROWS = 200;

function cell(text, number) {
	return element('td', { class: number ? 'number' : undefined }, text);
}

function header(...names) {
	return element('thead', {}, element('tr', {}, ...names.map(([text, number, more]) =>
		element('th', { scope: 'col', class: [number ? 'number' : '', more || ''].join(' ').trim() || undefined },
			text))));
}

/* A cell with a bar behind its number, as long as its share of the most. */
function barCell(ns, most, colour) {
	const bar = element('i', { class: 'share ' + colour, 'aria-hidden': 'true' });

	bar.style.width = most > 0 ? Math.max(ns > 0 ? 2 : 0, 100 * ns / most) + '%' : '0';
	return element('td', { class: 'number bar-cell' }, bar, element('span', { class: ns ? undefined : 'zero' }, duration(ns)));
}

function siteRow(site, most) {
	const button = element('button', { type: 'button', class: 'link site' },
			       element('b', {}, nameOf(site.name)), ' ', element('span', { class: 'place' }, data.processes.length > 1 ?
					data.processes[site.process].label + ': ' : '', site.where));
	const row = element('tr', { 'data-site': site.id }, cell(String(site.rank + 1), true),
			    element('th', { scope: 'row' }, button),
			    element('td', { class: 'class' }, site.blockedNs ?
				    element('i', { class: 'chip c-' + PART_COLOURS[site.worst] }) : '',
				    site.blockedNs ? data.parts[site.worst][0] : ''),
			    barCell(site.lostNs, most.lost, 'c-culprit'), barCell(site.blockedNs, most.blocked, 'c-device-wait'),
			    cell(site.calls.toLocaleString('en'), true));

	/* a key's click has no position: then one wants to go there, too */
	row.addEventListener('click', (event) => selectSite(site.id, event.detail === 0));
	return row;
}

function fillSites() {
	const all = data.siteRows, known = data.processes.reduce((sum, process) => sum + process.sites, 0);
	const most = { lost: Math.max(0, ...all.map((site) => site.lostNs)),
		       blocked: Math.max(0, ...all.map((site) => site.blockedNs)) };
	const table = element('table', { id: 'site-table' },
		element('caption', { class: 'hidden' }, 'Call sites that cost most, most costly first'),
		header(['#', true], ['Call and place'], ['Blocked by', false, 'class'], ['Lost', true], ['Blocked', true],
		       ['Calls', true]),
		element('tbody', {}, ...all.map((site) => siteRow(site, most))));

	byId('sites').replaceChildren(table, known > all.length ?
		element('p', {}, `${known - all.length} places that cost less are not listed.`) : '');
	if (!all.length)
		byId('sites').replaceChildren(element('p', { class: 'empty' }, 'No call was recorded.'));
}

/* Exact items in view, and how many there are besides. */
function itemsInView() {
	const found = [];
	let summed = 0;

	for (const { lane } of rows) {
		if (!lane || lane.kind === 'copies')
			continue; /* they are in their streams */
		const [first, end] = itemsBetween(lane, view.from, view.to);

		for (let i = first; i < end; i++)
			found.push(lane.exact.indices[i]);
	}
	data.lanes.forEach((lane, index) => {
		const level = data.levels[0], buckets = level.lanes[index];

		if (lane.kind !== 'copies' && !lane.whole)
			for (let i = firstAbove(buckets.at, view.from / level.width - 1);
			     i < buckets.at.length && buckets.at[i] * level.width < view.to; i++)
				summed += buckets.count[i];
	});
	return { found, summed };
}

/* The longest of many, longest first; sorting them all would take too long. */
function longest(items, most) {
	const ns = Float64Array.from(items, (item) => data.items.ns[item]).sort();
	const least = ns[Math.max(0, ns.length - most)];

	return items.filter((item) => data.items.ns[item] >= least)
		.sort((a, b) => data.items.ns[b] - data.items.ns[a]).slice(0, most);
}

function visibleRow(item) {
	const items = data.items, waits = waitsOf(item).sort((a, b) => b.ns - a.ns);

	return element('tr', {}, cell(laneName(items.lane[item])),
		       element('th', { scope: 'row' }, goButton(nameOf(items.name[item]), () => selectItem(item))),
		       cell(when(items.start[item]), true), cell(duration(items.ns[item]), true),
		       cell(waits.length ? `${duration(waits[0].ns)} ${data.parts[waits[0].part][0]}` +
			    (waits[0].name ? ` for ${waits[0].name}` : '') : ''));
}

function fillVisible() {
	if (byId('visible').hidden)
		return;
	const { found, summed } = itemsInView();
	const caption = `From ${when(view.from)} to ${when(view.to)}: ` + (found.length > VISIBLE_ROWS ?
		`the longest ${VISIBLE_ROWS} of ` : '') + count(found.length, 'exact call') + ' and operations' +
		(summed ? `; of lanes that are summarised in part, ${summed.toLocaleString('en')} begin here in all` : '');

	byId('visible').replaceChildren(element('table', {}, element('caption', {}, caption),
		header(['Lane'], ['Call or operation'], ['Began at', true], ['Duration', true], ['Blocked']),
		element('tbody', {}, ...longest(found, VISIBLE_ROWS).map(visibleRow))));
}

function fillReport() {
	byId('report').replaceChildren(...data.processes.map((process) =>
		element('pre', { tabindex: '0', 'aria-label': 'Report of ' + process.label }, process.report)));
}

function lossLines(process) {
	const lead = data.processes.length > 1 ? process.label + ': ' : '';

	return process.losses.map(([n, text]) => element('li', {}, lead + (n ? n.toLocaleString('en') + ' ' : '') + text));
}

/* Always at the top: a clean look of partial data would mislead. */
function fillLosses() {
	const lines = data.processes.flatMap(lossLines), box = byId('losses');

	if (data.leftOut)
		lines.unshift(element('li', {}, count(data.leftOut, 'trace') + ' that could not be used'));
	if (data.droppedNames)
		lines.push(element('li', {}, count(data.droppedNames, 'name') + ' for which there was no room in this page'));
	if (data.droppedWaits)
		lines.push(element('li', {}, count(data.droppedWaits, 'wait') + ' for which there was no room in this page'));
	box.className = lines.length ? 'lossy' : 'lossless';
	box.replaceChildren(element('h2', {}, lines.length ? 'Not seen' : 'Nothing was dropped'),
			    lines.length ? element('ul', { tabindex: lines.length > 3 ? '0' : undefined }, ...lines) : '',
			    element('details', {}, element('summary', {}, 'Coverage'),
				    ...data.processes.map((process) => element('pre', {}, process.coverage))));
}

function fillFigures() {
	const sum = (key) => data.processes.reduce((all, process) => all + process[key], 0);
	const span = data.end - data.begin, busy = sum('deviceBusyNs'), idle = sum('deviceIdleNs');
	const figure = (id, name, value, note) => element('div', {}, element('dt', {}, name),
		element('dd', { id }, value), element('dd', { class: 'note' }, note));

	byId('figures').replaceChildren(
		figure('figure-lost', 'Lost to serialization', duration(sum('lostNs')),
		       data.processes.length > 1 ? 'of all processes' : share(sum('lostNs'), span) + ' of the run'),
		figure('figure-blocked', 'Threads blocked', duration(sum('blockedNs')),
		       `of ${duration(sum('callNs'))} in calls`),
		figure('figure-busy', 'Device busy', duration(busy), busy + idle ?
		       share(busy, busy + idle) + ' from first to last work' : 'no device times'),
		figure('figure-calls', 'Calls', sum('calls').toLocaleString('en'),
		       `${data.siteRows.length} places`),
		figure('figure-ops', 'Device operations', sum('ops').toLocaleString('en'),
		       count(data.lanes.filter((lane) => lane.kind === 'stream').length, 'stream')),
		figure('figure-run', 'Run', duration(span), count(data.processes.length, 'process').replace('sss', 'sses')));
}

/* What is exact and what is summed up. */
function fillExact() {
	const all = data.lanes.filter((lane) => lane.kind !== 'copies').reduce((sum, lane) => sum + lane.items, 0);
	const exact = data.items.count, finest = data.levels[0].width;

	byId('exact').replaceChildren(exact === all ?
		`Exact: all ${all.toLocaleString('en')} calls and operations.` :
		`Exact: ${exact.toLocaleString('en')} of ${all.toLocaleString('en')} calls and operations, those that ` +
		'blocked, were waited for, delayed others, were delayed or took longest. Of the others this ' +
		`page has sums by stretches of ${duration(finest)}: how many begin, for how long the lane was busy or ` +
		'blocked, and by what mostly. Sums of the table and the figures are of everything.',
		data.sharedLanes ? ` ${count(data.sharedLanes, 'call')} and operations are in lanes that several share.` : '',
		` Made by cutrace ${data.version}; plots by uPlot 1.6.32 (MIT).`);
}
