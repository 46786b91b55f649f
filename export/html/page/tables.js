/* SPDX-License-Identifier: Apache-2.0 */
/* The ranked call sites, and a table of what is in view. */

const VISIBLE_ROWS = 200, VISIBLE_RANGES = 50;
const LOSSES_SHOWN = 2; /* lines, as in the style sheet; the others are scrolled to */

function cell(text, number) {
	return element('td', { class: number ? 'number' : undefined }, text);
}

function header(...names) {
	return element('thead', {}, element('tr', {}, ...names.map(([text, number, more]) =>
		element('th', { scope: 'col', class: [number ? 'number' : '', more || ''].join(' ').trim() || undefined },
			text))));
}

/* A cell with a bar behind its number, as long as its share of the most. */
function barCell(ns, most, colour, text = duration(ns)) {
	const bar = element('i', { class: 'share ' + colour, 'aria-hidden': 'true' });

	bar.style.width = most > 0 ? Math.max(ns > 0 ? 2 : 0, 100 * ns / most) + '%' : '0';
	return element('td', { class: 'number bar-cell' }, bar, element('span', { class: ns ? undefined : 'zero' }, text));
}

/* As the report has it. */
function lostText(site) {
	return site.judged ? duration(site.lostNs) : '-';
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
			    barCell(site.lostNs, most.lost, 'c-culprit', lostText(site)), barCell(site.blockedNs, most.blocked, 'c-device-wait'),
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

/* The longest exact range of a name; -1 if none is exact. */
function longestRange(process, name) {
	let best = -1;

	for (let i = 0; i < data.items.count; i++)
		if (data.items.name[i] === name && data.lanes[data.items.lane[i]].process === process &&
		    (best < 0 || data.items.ns[i] > data.items.ns[best]))
			best = i;
	return best;
}

function rangeRow(sum, most) {
	const lead = data.processes.length > 1 ? data.processes[sum.process].label + ': ' : '';
	const go = () => goTo(longestRange(sum.process, sum.name));
	const blocked = sum.part >= 0 && sum.blocked > 0;

	return element('tr', {},
		       element('th', { scope: 'row' }, lead, sum.name < 0 ? 'outside all ranges' :
			       goButton(nameOf(sum.name), go)),
		       cell(sum.name < 0 ? '' : sum.ranges.toLocaleString('en'), true),
		       cell(sum.calls.toLocaleString('en'), true),
		       element('td', { class: 'class' }, blocked ?
			       element('i', { class: 'chip c-' + PART_COLOURS[sum.part] }) : '',
			       blocked ? data.parts[sum.part][0] : ''),
		       barCell(sum.blocked, most, 'c-device-wait'), cell(duration(sum.allBlocked), true),
		       cell(sum.lost ? duration(sum.lost) : '-', true));
}

/* Sums by name of NVTX ranges, as in nvtx.csv; their tab is there if there are any. */
function fillRanges() {
	const all = data.rangeSums, known = data.processes.reduce((sum, process) => sum + process.rangeNames, 0);
	const most = Math.max(0, ...all.map((sum) => sum.blocked));

	if (!all.length)
		return;
	byId('tab-ranges').hidden = byId('ranges-button').hidden = false;
	byId('ranges').replaceChildren(element('table', { id: 'range-table' },
		element('caption', {}, 'Each call counts in the innermost range of its thread around it; ' +
			'“with inner ones” counts it in all that are around it.'),
		header(['NVTX range'], ['Times', true], ['Calls', true], ['Mostly blocked by', false, 'class'], ['Blocked', true],
		       ['With inner ones', true], ['Lost', true]),
		element('tbody', {}, ...all.map((sum) => rangeRow(sum, most)))), known > all.length ?
		element('p', {}, `${count(known - all.length, 'name')} with less time blocked not listed.`) : '');
}

/* Exact items in view, and how many there are besides. */
function itemsInView() {
	const found = [];
	let summed = 0;

	for (const { lane } of rows) {
		if (!lane || !countsAlone(lane))
			continue;
		const [first, end] = itemsBetween(lane, view.from, view.to);

		for (let i = first; i < end; i++)
			found.push(lane.exact.indices[i]);
	}
	data.lanes.forEach((lane, index) => {
		const level = data.levels[0], buckets = level.lanes[index];

		if (countsAlone(lane) && !lane.whole)
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

	return byLength(items.filter((item) => data.items.ns[item] >= least)).slice(0, most);
}

function byLength(items) {
	return items.sort((a, b) => data.items.ns[b] - data.items.ns[a]);
}

/* The ranges of lanes that are shown or not: their table need not be. */
function rangesInView() {
	return data.lanes.filter((lane) => lane.kind === 'ranges').flatMap((lane) =>
		[...lane.exact.indices.slice(...itemsBetween(lane, view.from, view.to))]);
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
	const { found, summed } = itemsInView(), ranges = rangesInView();
	const most = (items, limit) => (items.length > limit ? `the longest ${limit} of ` : '');
	const caption = `From ${edge(view.from, 1000)} to ${edge(view.to, 1000)}: ${most(found, VISIBLE_ROWS)}` +
		count(found.length, 'exact call or operation').replace('call or operations', 'calls and operations') +
		(ranges.length ? `, ${most(ranges, VISIBLE_RANGES)}${count(ranges.length, 'exact NVTX range')}` : '') +
		(summed ? `; of lanes that are summarised in part, ${summed.toLocaleString('en')} begin here in all` : '');

	byId('visible').replaceChildren(element('table', {}, element('caption', {}, caption),
		header(['Lane'], ['Call, operation or range'], ['Began at', true], ['Duration', true], ['Blocked']),
		element('tbody', {}, ...byLength([...longest(found, VISIBLE_ROWS), ...longest(ranges, VISIBLE_RANGES)])
			.map(visibleRow))));
}

function fillReport() {
	byId('report').replaceChildren(...data.processes.map((process) =>
		element('pre', { tabindex: '0', 'aria-label': 'Report of ' + process.label }, process.report)));
}

function lossLines(process) {
	const lead = data.processes.length > 1 ? process.label + ': ' : '';

	return process.losses.map(([n, text]) => element('li', {}, lead + (n ? things(n, text) : text)));
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
	box.replaceChildren(element('h2', {}, lines.length > LOSSES_SHOWN ? `Not seen (${lines.length})` : lines.length ? 'Not seen' : 'Nothing was dropped'),
			    lines.length ? element('ul', { tabindex: lines.length > LOSSES_SHOWN ? '0' : undefined }, ...lines) : '',
			    element('details', {}, element('summary', {}, 'Coverage'),
				    ...data.processes.map((process) => element('pre', {}, process.coverage))));
}

function fillFigures() {
	const sum = (key) => data.processes.reduce((all, process) => all + process[key], 0);
	const span = data.end - data.begin, busy = sum('deviceBusyNs'), idle = sum('deviceIdleNs');
	const figure = (id, name, value, note) => element('div', {}, element('dt', {}, name),
		element('dd', { id }, value), element('dd', { class: 'note' }, note));

	byId('figures').replaceChildren(
		figure('figure-lost', 'Lost to serialization', sum('lostNs') ? duration(sum('lostNs')) : '-',
		       data.processes.length > 1 ? 'of all processes' : share(sum('lostNs'), span) + ' of the run'),
		figure('figure-blocked', 'Threads blocked', duration(sum('blockedNs')),
		       `of ${duration(sum('callNs'))} in calls`),
		figure('figure-busy', 'Device busy', duration(busy), busy + idle ?
		       share(busy, busy + idle) + ' from first to last work' : 'no device times'),
		figure('figure-calls', 'Calls', sum('calls').toLocaleString('en'),
		       count(data.siteRows.length, 'place')),
		figure('figure-ops', 'Device operations', sum('ops').toLocaleString('en'),
		       count(data.lanes.filter((lane) => lane.kind === 'stream').length, 'stream')),
		figure('figure-run', 'Run', duration(span), count(data.processes.length, 'process')));
}

/* What is exact and what is summed up. */
function fillExact() {
	const sum = (lanes, value) => lanes.reduce((all, lane) => all + value(lane), 0);
	const lanes = data.lanes.filter(countsAlone), ranges = data.lanes.filter((lane) => lane.kind === 'ranges');
	const own = (lane) => lane.exact.indices.length, items = (lane) => lane.items;
	const all = sum(lanes, items), exact = sum(lanes, own), finest = data.levels[0].width;

	byId('exact').replaceChildren(exact === all ?
		`Exact: all ${all.toLocaleString('en')} calls and operations.` :
		`Exact: ${exact.toLocaleString('en')} of ${all.toLocaleString('en')} calls and operations, those that ` +
		'blocked, were waited for, delayed others, were delayed or took longest. Of the others this ' +
		`page has sums by stretches of ${duration(finest)}: how many begin, for how long the lane was busy or ` +
		'blocked, and by what mostly. Sums of the table and the figures are of everything.',
		sum(ranges, own) < sum(ranges, items) ? ` NVTX ranges: the longest ${sum(ranges, own).toLocaleString('en')} of ` +
			`${sum(ranges, items).toLocaleString('en')}.` : '',
		data.sharedLanes ? ` ${data.sharedLanes.toLocaleString('en')} of them all are in lanes that several share.` : '',
		` Made by cutrace ${data.version}; plots by uPlot 1.6.32 (MIT).`);
}
