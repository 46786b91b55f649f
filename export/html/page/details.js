/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to say about the selected call, operation or site. */

const LISTED = 50; /* calls, victims and the like in one list */

function goButton(text, go) {
	return element('button', { type: 'button', class: 'link', click: go }, text);
}

function facts(pairs) {
	const list = element('dl', { class: 'facts' });

	for (const [name, ...value] of pairs.filter(([, value]) => value !== undefined && value !== ''))
		list.append(element('dt', {}, name), element('dd', {}, ...value));
	return list;
}

function when(ns) {
	return moment(ns - data.begin, 1000);
}

function laneName(index) {
	return index >= 0 ? data.lanes[index].name : '';
}

/* Elements one in another; nothing without any. */
function path(steps) {
	return steps.length ? [element('span', {}, ...steps.flatMap((step, i) => [i ? ' › ' : '', step]))] : [];
}

function goToItem(item) {
	return goButton(nameOf(data.items.name[item]), () => goTo(item));
}

/* The way to a call's innermost NVTX range, from the outermost; only what is exact can be gone to. */
function rangesOfCall(item) {
	const { process, id } = data.lanes[data.items.lane[item]], innermost = data.items.range[item];
	const around = rangesAt(process, id, data.items.start[item]), last = around[around.length - 1];
	const known = last !== undefined && data.items.name[last] === innermost;

	return path([...around.map(goToItem), ...innermost && !known ? [nameOf(innermost)] : []]);
}

/* A call's time by parts: of the waits, cutrace's own, and what is left is the driver's work. */
function partsOf(item) {
	const parts = new Map();
	let rest = data.items.ns[item] - data.items.tool[item];

	for (const wait of waitsOf(item)) {
		parts.set(wait.part, (parts.get(wait.part) || 0) + wait.ns);
		rest -= wait.part === PART.POLLING ? 0 : wait.ns;
	}
	parts.set(PART.TOOL, data.items.tool[item]);
	parts.set(PART.DRIVER_WORK, Math.max(0, rest));
	return [...parts].filter(([, ns]) => ns > 0).sort((a, b) => b[1] - a[1]);
}

function partsTable(item) {
	const parts = partsOf(item);
	const bar = element('div', { class: 'parts', 'aria-hidden': 'true' });

	for (const [part, ns] of parts.filter(([part]) => part !== PART.POLLING)) {
		const piece = element('i', { class: 'c-' + PART_COLOURS[part] });

		piece.style.flexGrow = ns;
		bar.append(piece);
	}
	return [bar, element('table', { class: 'small', 'aria-label': 'What its time was spent on' }, element('tbody', {}, ...parts.map(([part, ns]) =>
		element('tr', {}, element('td', {}, element('i', { class: 'chip c-' + PART_COLOURS[part] })),
			element('th', { scope: 'row' }, data.parts[part][0]),
			element('td', { class: 'number' }, duration(ns)),
			element('td', {}, data.parts[part][1])))))];
}

function waitLine(wait) {
	const target = wait.lane >= 0 ? findItem(wait.lane, wait.otherStart) : -1;
	const text = wait.name || 'something that is not known';

	return element('li', {}, element('b', {}, data.parts[wait.part][0]), ` ${duration(wait.ns)} `,
		       'for ',
		       wait.lane >= 0 ? goButton(text, () => goTo(target, wait.lane, wait.otherStart, wait.otherNs)) :
		       text,
		       wait.lane >= 0 ? `, ${laneName(wait.lane)}` : '',
		       wait.why ? element('span', { class: 'why' }, ': ' + wait.why) : '');
}

function heading(text, ...more) {
	return element('h2', {}, text, ...more);
}

function subheading(text) {
	return element('h3', {}, text);
}

function siteLink(siteId) {
	const site = data.siteById.get(siteId);

	if (siteId < 0)
		return '';
	if (!site)
		return 'a place beyond those listed';
	return goButton(`${site.where}`, () => selectSite(siteId, false));
}

function stackList(text) {
	const frames = text ? text.split(' < ') : [];

	return frames.length ? [subheading('Stack, innermost first'),
				element('ol', { class: 'stack' }, ...frames.map((f) => element('li', {}, f)))] : [];
}

function victimList(pairs) {
	if (!pairs.length)
		return [];
	const lost = pairs.reduce((sum, pair) => sum + pair.lost, 0);

	return [subheading(`Delayed by it: ${count(pairs.length, 'operation')}, ${duration(lost)} lost`),
		element('ul', { class: 'list' }, ...pairs.slice(0, LISTED).map((pair) => element('li', {},
			goButton(nameOf(pair.victimName) || 'operation', () =>
				goTo(findItem(pair.victimLane, pair.victimStart), pair.victimLane,
				     pair.victimStart, pair.victimNs)),
			` on ${laneName(pair.victimLane)} at ${when(pair.victimStart)}: ` +
			`${duration(pair.delay)} later, ${duration(pair.lost)} lost`))),
		pairs.length > LISTED ? element('p', {}, `and ${pairs.length - LISTED} more`) : ''];
}

function callDetails(item) {
	const items = data.items, site = data.siteById.get(items.site[item]);
	const pairs = data.pairs.filter((pair) => pair.culpritLane === items.lane[item] &&
					pair.culpritStart === items.start[item]);
	const waits = waitsOf(item);

	return [heading(nameOf(items.name[item])),
		facts([['Duration', duration(items.ns[item])], ['Began at', when(items.start[item])],
		       ['Thread', laneName(items.lane[item])], ['Place', siteLink(items.site[item])],
		       ['NVTX range', ...rangesOfCall(item)],
		       ['Bytes', items.bytes[item] ? bytes(items.bytes[item]) : ''],
		       ['Result', items.error[item] ? 'error ' + items.error[item] : '']]),
		...partsTable(item),
		waits.length ? subheading('Waited') : '',
		waits.length ? element('ul', { class: 'list' }, ...waits.map(waitLine)) : '',
		...victimList(pairs),
		site && site.remedy ? element('p', { class: 'remedy' }, element('b', {}, 'Instead: '), site.remedy) : '',
		...stackList(site ? site.stack : '')];
}

/* Exact calls that waited for an operation. */
function waitersOf(item) {
	const found = [], items = data.items;

	for (let w = 0; w < data.waits.length; w += WAIT_FIELDS)
		if (data.waits[w + 3] === items.lane[item]) {
			const call = firstAbove(items.firstWait, w / WAIT_FIELDS) - 1;

			if (items.start[call] + data.waits[w + 4] === items.start[item])
				found.push({ call, ns: data.waits[w + 2] });
		}
	return found;
}

function opDetails(item) {
	const items = data.items, waiters = waitersOf(item);
	const delays = data.pairs.filter((pair) => pair.victimLane === items.lane[item] &&
					 pair.victimStart === items.start[item]);
	const submitted = items.by[item] >= 0 ? findItem(items.by[item], items.start[item] - items.queued[item]) : -1;

	return [heading(nameOf(items.name[item])),
		facts([['Duration', duration(items.ns[item])], ['Began at', when(items.start[item])],
		       ['Stream', laneName(items.lane[item])],
		       ['Bytes', items.bytes[item] ? bytes(items.bytes[item]) : ''],
		       ['Rate', items.bytes[item] && items.ns[item] ?
			(items.bytes[item] / items.ns[item]).toFixed(2) + ' GB/s' : ''],
		       ['Submitted', items.by[item] >= 0 ? `${duration(items.queued[item])} before, by ` +
			laneName(items.by[item]) : 'by a call that is not known'],
		       ['Place', siteLink(items.site[item])],
		       ['NVTX range', items.range[item] ? nameOf(items.range[item]) : '']]),
		submitted >= 0 ? goButton('Go to the call that submitted it', () => goTo(submitted)) : '',
		waiters.length ? subheading('Waited for by') : '',
		element('ul', { class: 'list' }, ...waiters.slice(0, LISTED).map(({ call, ns }) => element('li', {},
			goButton(nameOf(items.name[call]), () => goTo(call)),
			` in ${laneName(items.lane[call])}, ${duration(ns)}`))),
		waiters.length > LISTED ? element('p', {}, `and ${waiters.length - LISTED} more`) : '',
		delays.length ? subheading('Delayed') : '',
		element('ul', { class: 'list' }, ...delays.map((pair) => element('li', {},
			`${duration(pair.delay)} (${duration(pair.lost)} lost) by `,
			goButton('a call', () => goTo(findItem(pair.culpritLane, pair.culpritStart), pair.culpritLane,
						     pair.culpritStart, pair.culpritNs)), ' at ',
			siteLink(pair.site))))];
}

/* Exact calls of a range's thread that began in it. */
function callsIn(range) {
	const { process, thread } = data.lanes[data.items.lane[range]], start = data.items.start[range];
	const lane = data.lanes.find((one) => one.kind === 'thread' && one.process === process && one.id === thread);

	if (!lane)
		return { calls: [], whole: true };
	return { calls: [...lane.exact.indices.slice(...itemsBetween(lane, start, endOf(range)))]
		.filter((item) => data.items.start[item] >= start), whole: lane.whole };
}

/* What of a call was blocked, and not by asking again and again. */
function blockedOf(item) {
	return waitsOf(item).reduce((sum, wait) => sum + (wait.part === PART.POLLING ? 0 : wait.ns), 0);
}

function rangeDetails(item) {
	const items = data.items, lane = data.lanes[items.lane[item]], { calls, whole } = callsIn(item);
	const blocked = calls.filter((call) => items.waits[call]), around = rangesAt(lane.process, lane.thread, items.start[item]);
	const same = data.rangeSums.find((sum) => sum.process === lane.process && sum.name === items.name[item]);
	const outer = around.slice(0, Math.max(0, around.indexOf(item)));

	return [heading(nameOf(items.name[item]), ' ', element('span', { class: 'place' }, 'NVTX range')),
		facts([['Duration', duration(items.ns[item] + items.tool[item])],
		       ['Began at', items.tool[item] ? `${duration(items.tool[item])} before the trace` : when(items.start[item])],
		       ['Ended', items.error[item] ? 'not before the run did' : ''],
		       ['In', laneName(items.lane[item])],
		       ['Inside', ...path(outer.map(goToItem))],
		       ['In it', `${count(calls.length, whole ? 'call' : 'exact call')}, blocked ` +
			duration(calls.reduce((sum, call) => sum + blockedOf(call), 0))],
		       ['All of this name', same ? `${count(same.ranges, 'range')}, ${count(same.allCalls, 'call')}, blocked ` +
			duration(same.allBlocked) : '']]),
		blocked.length ? subheading('Blocked in it, longest first') : '',
		element('ul', { class: 'list' }, ...longest(blocked, LISTED).map((call) => element('li', {},
			goButton(nameOf(items.name[call]), () => goTo(call)),
			` ${duration(items.ns[call])} at ${when(items.start[call])}`))),
		blocked.length > LISTED ? element('p', {}, `and ${blocked.length - LISTED} more`) : ''];
}

/* What is selected is a call, a range or, else, an operation. */
function itemDetails(item) {
	const make = { [KIND.CALL]: callDetails, [KIND.RANGE]: rangeDetails }[data.kinds[data.items.name[item]]] || opDetails;

	return make(item);
}

function siteDetails(id) {
	const site = data.siteById.get(id), calls = selection.calls;

	return [heading(nameOf(site.name), ' ', element('span', { class: 'place' }, 'at ' + site.where)),
		site.remedy ? element('p', { class: 'remedy' }, element('b', {}, 'Instead: '), site.remedy) : '',
		facts([['Lost', lostText(site)], ['Blocked', duration(site.blockedNs)],
		       ['In all', `${duration(site.totalNs)} in ${count(site.calls, 'call')}`],
		       ['Class', data.parts[site.worst][0] + (site.certainty ? ` (${site.certainty})` : '')],
		       ['Longest wait for', site.waitedFor],
		       ['NVTX range', site.range ? nameOf(site.range) + ', of the longest wait' : ''],
		       ['Device idle', site.idleNs ? duration(site.idleNs) + ' meanwhile' : ''],
		       ['Process', data.processes.length > 1 ? data.processes[site.process].label : '']]),
		...victimList(selection.pairs),
		subheading(calls.length === site.calls ? `Its ${count(calls.length, 'call')}, longest first` :
			   `The ${calls.length} of its ${count(site.calls, 'call')} that are exact here, longest first`),
		element('ul', { class: 'list' }, ...longest(calls, LISTED).map((item) => element('li', {},
				goButton(duration(data.items.ns[item]), () => goTo(item)),
				` at ${when(data.items.start[item])}, ${laneName(data.items.lane[item])}`))),
		calls.length > LISTED ? element('p', {}, `and ${calls.length - LISTED} more in the timeline`) : '',
		...stackList(site.stack)];
}

function fillDetails() {
	const box = byId('details');

	if (view.item >= 0)
		box.replaceChildren(...itemDetails(view.item).filter((one) => one !== ''));
	else if (view.site >= 0)
		box.replaceChildren(...siteDetails(view.site).filter((one) => one !== ''));
	else
		box.replaceChildren(element('p', { class: 'empty' }, 'Select a call site in the table, or a call or ' +
					    'operation in the timeline, to see what it waited for and whom it delayed.'));
	box.scrollTop = 0;
}
