/* SPDX-License-Identifier: Apache-2.0 */
/* Fill the page and start. */

/* The report's first sentence: which program, when, for how long, on which device. */
function fillTitle() {
	const first = data.processes[0].coverage.split('\nseen')[0].replace(/\s+/g, ' ').replace(/^cutrace: /, '');
	const label = data.processes.length > 1 ? `${data.processes.length} processes` : data.processes[0].label;
	const more = data.processes.length > 1 ? '' : first.startsWith(label) ? first.slice(label.length) : ', ' + first;

	document.title = 'cutrace: ' + label;
	byId('title').replaceChildren(label, element('span', { class: 'more' }, more));
}

function start() {
	data = loadData(JSON.parse(byId('data').textContent));
	byId('data').remove(); /* its text is not needed any more */
	fillTitle();
	makeRows();
	fillLosses();
	fillFigures();
	fillSites();
	fillRanges();
	fillReport();
	fillDetails();
	fillExact();
	makeLegend();
	size.window = window.innerHeight;
	[view.from, view.to] = whole();
	resize();
	applyTheme();
	fitTables();
	afterDraw.push(announce, fillVisible);
	listen();
	document.documentElement.dataset.ready = 'yes';
}

start();
