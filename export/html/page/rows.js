/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the timeline: which lanes there are, in which order, and where each lies. */

/* heights, in CSS pixels */
const LANE = 22, LANE_NARROW = 34, LANE_RANGES = 18, GROUP = 22, FOOT = 6;
const GPU_OF_NAME = /, GPU \d+(, context \d+)?/;

let rows = [];           /* { lane, index, name } or { group, wide } */
const rowOf = new Map(); /* positions among them, by index of lane */

/* A thread's NVTX ranges are above its calls, the outermost on top. */
function owner(lane) {
	return lane.thread || lane.id;
}

function depth(lane) {
	return lane.kind === 'ranges' ? lane.id : Infinity;
}

/* What the title of a group says of its lanes needs not be said of each; another context does. */
function shortName(lane, others) {
	const short = lane.name.replace(GPU_OF_NAME, '');

	return others.some((one) => one.lane !== lane && one.lane.name.replace(GPU_OF_NAME, '') === short) ?
		lane.name : short;
}

/* Of a kind, in order; where they are of several devices, in a group for each. */
function groupsOf(kind, title, process) {
	const lanes = data.lanes.map((lane, index) => ({ lane, index }))
		.filter(({ lane }) => lane.process === process && (lane.kind === kind ||
			kind === 'thread' && lane.kind === 'ranges' && view.ranges))
		.sort((a, b) => owner(a.lane) - owner(b.lane) || depth(a.lane) - depth(b.lane));
	const devices = [...new Set(lanes.map(({ lane }) => lane.device ?? Infinity))].sort((a, b) => a - b);

	/* names say it where the process could use several devices */
	const one = devices.length === 1 && !lanes.some(({ lane }) => GPU_OF_NAME.test(lane.name));

	return devices.map((device) => ({
		title: one || kind === 'thread' ? title :
			device === Infinity ? `${title}, others` : `${title}, GPU ${device}`,
		lanes: lanes.filter(({ lane }) => (lane.device ?? Infinity) === device),
	}));
}

function makeRows() {
	const groups = [['thread', 'Host threads'], ['stream', 'Streams'], ['copies', 'Copies']];

	rows = [];
	data.processes.forEach((process, number) => {
		if (data.processes.length > 1)
			rows.push({ group: process.label, wide: true });
		for (const [kind, name] of groups)
			for (const { title, lanes } of groupsOf(kind, name, number))
				rows.push({ group: title }, ...lanes.map(({ lane, index }) =>
					({ lane, index, name: shortName(lane, lanes) })));
	});
	view.lane = rows.findIndex((row) => row.lane && row.lane.kind !== 'ranges');
	rowOf.clear();
	rows.forEach((row, position) => rowOf.set(row.index, position));
}

function rowHeight(row) {
	return row.group ? GROUP : row.lane.kind === 'ranges' ? LANE_RANGES : size.lane;
}

/* Where a row begins, as far as the rows were scrolled when they were last drawn. */
function rowTop(position) {
	return TOP + rows[position].offset - size.scroll;
}

/* Row by row; returns where the last one ends. */
function placeRows() {
	let offset = 0;

	for (const row of rows) {
		row.offset = offset;
		offset += rowHeight(row);
	}
	return offset;
}

/* The bar of a lane within its row. */
function barOf(position) {
	const top = rowTop(position);

	if (rows[position].lane.kind === 'ranges')
		return { top: top + 1, height: LANE_RANGES - 2 };
	return size.gutter ? { top: top + 2, height: LANE - 4 } : { top: top + 15, height: LANE - 5 };
}
