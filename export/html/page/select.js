/* SPDX-License-Identifier: Apache-2.0 */
/* Selecting sites, calls and operations, and saying so. */

/* What belongs to the selection: pairs, the exact calls of a site, exact victims. */
const selection = { pairs: [], calls: [], victims: new Set() };

function selectPairs(pairs) {
	selection.pairs = pairs;
	selection.victims = new Set(pairs.map((pair) => findItem(pair.victimLane, pair.victimStart)));
	selection.victims.delete(-1);
}

function markRow() {
	const chosen = view.site >= 0 ? String(view.site) : '';

	for (const row of byId('sites').querySelectorAll('tr[data-site]')) {
		row.classList.toggle('chosen', row.dataset.site === chosen);
		row.querySelector('button').setAttribute('aria-pressed', String(row.dataset.site === chosen));
	}
}

function selected() {
	const timeline = byId('timeline');

	timeline.dataset.item = view.item >= 0 ? nameOf(data.items.name[view.item]) : '';
	timeline.dataset.victims = selection.victims.size;
	markRow();
	fillDetails();
	redraw();
}

function selectSite(id, go) {
	const site = data.siteById.get(id);

	view.item = -1;
	view.site = site ? id : -1;
	selection.calls = [];
	for (let i = 0; site && i < data.items.count; i++)
		if (data.items.site[i] === id && data.kinds[data.items.name[i]] === KIND.CALL)
			selection.calls.push(i);
	selectPairs(site ? data.pairsOfSite.get(id) || [] : []);
	if (site && go && site.longestLane !== undefined)
		goTo(findItem(site.longestLane, site.longestNs), site.longestLane, site.longestNs, 1e6);
	else
		selected();
}

/* Select an exact item. Of a call that delayed others these are shown as well. */
function selectItem(item) {
	view.item = item;
	if (item < 0) {
		selectSite(-1, false);
		return;
	}
	if (view.site >= 0 && !stands(item))
		view.site = -1;
	if (view.site < 0)
		selectPairs(data.pairs.filter((pair) => pair.culpritLane === data.items.lane[item] &&
					      pair.culpritStart === data.items.start[item]));
	chooseLane(rowOfLane(data.items.lane[item]));
	selected();
}

/* Bring a lane into sight. */
function chooseLane(position) {
	if (position < 0 || position >= rows.length || !rows[position].lane)
		return;
	view.lane = position;
	const timeline = byId('timeline'), top = TOP + rows[position].offset - timeline.scrollTop;

	if (top < TOP)
		timeline.scrollTop -= TOP - top;
	else if (top + rowHeight(rows[position]) > size.height)
		timeline.scrollTop += top + rowHeight(rows[position]) - size.height;
}

/* Select an item and zoom to it with what it waited for; without one, zoom to that time. */
function goTo(item, laneIndex, start, ns) {
	if (item < 0 && start === undefined)
		return;
	if (item < 0) {
		showStretch(start, start + ns);
		chooseLane(rowOfLane(laneIndex));
		selected();
		return;
	}
	let from = data.items.start[item], to = from + data.items.ns[item];

	for (const wait of waitsOf(item))
		if (wait.lane >= 0) {
			from = Math.min(from, wait.otherStart);
			to = Math.max(to, wait.otherStart + wait.otherNs);
		}
	selectItem(item);
	showStretch(from, to);
}

/* An end of what is in view, within the run. */
function edge(ns, step) {
	return moment(Math.min(Math.max(ns, data.begin), data.end) - data.begin, step);
}

/* The range in view and the selection, for people who do not see the drawing. */
function say() {
	const timeline = byId('timeline'), step = (view.to - view.from) / 1000;
	const text = `${edge(view.from, step)} to ${edge(view.to, step)}`;

	timeline.dataset.from = view.from;
	timeline.dataset.to = view.to;
	timeline.dataset.links = linksDrawn;
	timeline.setAttribute('aria-valuetext', text);
	byId('range').textContent = `${text} (${duration(Math.min(view.to, data.end) - Math.max(view.from, data.begin))})`;
}

function announce() {
	const row = rows[view.lane], item = view.item;

	byId('status').textContent = [`In view: ${byId('range').textContent}.`,
		row && row.lane ? `Lane ${row.lane.name}.` : '',
		item >= 0 ? `Selected: ${nameOf(data.items.name[item])}, ${duration(data.items.ns[item])}.` : '',
		item >= 0 && data.items.range[item] ? `In NVTX range ${nameOf(data.items.range[item])}.` : ''].join(' ');
}
