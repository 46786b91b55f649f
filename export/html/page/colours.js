/* SPDX-License-Identifier: Apache-2.0 */
/* Colours of what is drawn, from the style sheet, for the scheme in use. */

const PART_COLOURS = ['device-wait', 'lock-wait', 'queue-full', 'transfer', 'first-use', 'tool', 'work',
		      'unexplained', 'polling'];
const KIND_COLOURS = ['work', 'kernel', 'h2d', 'd2h', 'copy', 'fill', 'graph', 'other', 'range'];
let colours = {};

/* Black or white, whichever is easier to read on a colour (WCAG 2 relative luminance). */
function inkOn(colour) {
	const channel = (at) => {
		const value = parseInt(colour.slice(at, at + 2), 16) / 255;

		return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
	};
	const luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);

	return luminance > 0.179 ? '#000000' : '#ffffff';
}

function readColours() {
	const style = getComputedStyle(document.documentElement);
	const read = (name) => style.getPropertyValue('--' + name).trim();

	colours = { ink: read('ink'), muted: read('muted'), line: read('line'), paper: read('paper'),
		    panel: read('panel'), accent: read('accent'), culprit: read('culprit'),
		    victim: read('victim'), strip: read('strip'),
		    parts: PART_COLOURS.map((name) => read('c-' + name)),
		    kinds: KIND_COLOURS.map((name) => read('c-' + name)) };
	colours.kindInks = colours.kinds.map(inkOn);
	colours.partInks = colours.parts.map(inkOn);
}

function isDark() {
	const chosen = document.documentElement.dataset.theme;

	return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

function applyTheme() {
	byId('theme').textContent = isDark() ? 'Light' : 'Dark';
	readColours();
	makePlots();
	redraw();
}

function toggleTheme() {
	document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
	applyTheme();
}

/* The colours that this run needs, with what they mean. */
function makeLegend() {
	const parts = new Set(), kinds = new Set();
	const names = { [KIND.KERNEL]: 'kernel', [KIND.H2D]: 'copy H2D', [KIND.D2H]: 'copy D2H',
			[KIND.COPY]: 'other copy', [KIND.FILL]: 'memset', [KIND.GRAPH]: 'graph',
			[KIND.RANGE]: 'NVTX range' };
	const entry = (colour, text, title) =>
		element('li', { title }, element('i', { class: 'chip c-' + colour }), text);

	for (let w = 0; w < data.waits.length; w += WAIT_FIELDS)
		parts.add(data.waits[w]);
	data.kinds.forEach((kind) => kinds.add(kind));
	byId('legend').replaceChildren(
		...Object.keys(names).map(Number).filter((kind) => kinds.has(kind))
			.map((kind) => entry(KIND_COLOURS[kind], names[kind])),
		entry('work', 'call: driver work', 'In a call, and not blocked'),
		...[...parts].sort().map((part) => entry(PART_COLOURS[part], data.parts[part][0],
							 'Blocked: ' + data.parts[part][1])));
}
