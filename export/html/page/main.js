/* SPDX-License-Identifier: Apache-2.0 */
/* Fill the page and start. */

function start() {
	data = loadData(JSON.parse(byId('data').textContent));
	byId('data').remove(); /* its text is not needed any more */
	const title = data.processes.length === 1 ? data.processes[0].label : `${data.processes.length} processes`;

	document.title = 'cutrace: ' + title;
	byId('title').textContent = title;
	makeRows();
	fillLosses();
	fillFigures();
	fillSites();
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
