/* SPDX-License-Identifier: Apache-2.0 */
/* The data as export/html/write.c writes it, unpacked into typed arrays. */

const KIND = { CALL: 0, KERNEL: 1, H2D: 2, D2H: 3, COPY: 4, FILL: 5, GRAPH: 6, OTHER: 7, RANGE: 8 };
const PART = { TOOL: 5, DRIVER_WORK: 6, POLLING: 8 };
const WAIT_FIELDS = 8; /* part, start, ns, other lane, its start, its ns, name, why */
const PAIR_FIELDS = 10;
const RANGE_SUM_FIELDS = 10;

/* Exact calls and operations of a lane: indices, and the latest end up to each of them. */
function laneItems(items, indices) {
	const latest = new Float64Array(indices.length);
	let end = 0;

	for (let i = 0; i < indices.length; i++) {
		end = Math.max(end, items.start[indices[i]] + items.ns[indices[i]]);
		latest[i] = end;
	}
	return { indices, latest };
}

/* The first position in sorted values from which on they are greater than `value`. */
function firstAbove(values, value) {
	let low = 0, high = values.length;

	while (low < high) {
		const middle = (low + high) >> 1;

		if (values[middle] > value)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

function unpackItems(raw) {
	const n = raw.start.length;
	const items = { count: n, start: new Float64Array(n), firstWait: new Uint32Array(n + 1) };

	for (const key of ['ns', 'bytes', 'tool', 'queued'])
		items[key] = Float64Array.from(raw[key]);
	for (const key of ['lane', 'name', 'site', 'copies', 'by', 'waits', 'error'])
		items[key] = Int32Array.from(raw[key]);
	items.range = raw.range.length ? Int32Array.from(raw.range) : new Int32Array(n);
	for (let i = 0; i < n; i++) {
		const same = i > 0 && items.lane[i] === items.lane[i - 1];

		items.start[i] = raw.start[i] + (same ? items.start[i - 1] : 0);
		items.firstWait[i + 1] = items.firstWait[i] + items.waits[i];
	}
	return items;
}

function giveLanesTheirItems(lanes, items) {
	const own = lanes.map(() => []);

	for (let i = 0; i < items.count; i++) {
		own[items.lane[i]].push(i);
		if (items.copies[i] >= 0)
			own[items.copies[i]].push(i);
	}
	lanes.forEach((lane, index) => {
		if (lane.kind === 'copies')
			own[index].sort((a, b) => items.start[a] - items.start[b]);
		lane.exact = laneItems(items, Uint32Array.from(own[index]));
		lane.whole = lane.exact.indices.length === lane.items;
	});
}

/* Buckets of a lane at one level, as columns; those that came as one are many again. */
function unpackBuckets(flat, thread) {
	const width = thread ? 6 : 4;
	let n = 0, i = 0, at = 0;

	for (let f = 0; f < flat.length; f += width)
		n += Math.max(1, -flat[f + 1]);
	const buckets = { at: new Float64Array(n), count: new Uint32Array(n), busy: new Uint16Array(n),
			  name: new Int32Array(n), blocked: new Uint16Array(n), part: new Int8Array(n) };

	for (let f = 0; f < flat.length; f += width) {
		at += flat[f] - 1;
		for (let run = Math.max(1, -flat[f + 1]); run > 0; run--, i++) {
			buckets.at[i] = ++at;
			buckets.count[i] = Math.max(0, flat[f + 1]);
			buckets.busy[i] = flat[f + 2];
			buckets.name[i] = flat[f + 3];
			buckets.blocked[i] = thread ? flat[f + 4] : 0;
			buckets.part[i] = thread ? flat[f + 5] : -1;
		}
	}
	return buckets;
}

/* Copies are in their streams' lanes as well, and NVTX ranges are no work. */
function countsAlone(lane) {
	return lane.kind !== 'copies' && lane.kind !== 'ranges';
}

/* All buckets of a level: how many lanes of a kind are at work, or blocked, on average. */
function sumLevel(level, lanes) {
	const end = level.lanes.reduce((most, { at }) => Math.max(most, at.length ? at[at.length - 1] + 1 : 0), 0);
	const streams = new Float64Array(end), blocked = new Float64Array(end), used = new Uint8Array(end);

	level.lanes.forEach((buckets, index) => {
		const thread = lanes[index].kind === 'thread';
		const [sums, shares] = thread ? [blocked, buckets.blocked] : [streams, buckets.busy];

		if (!countsAlone(lanes[index]))
			return;
		for (let i = 0; i < buckets.at.length; i++) {
			sums[buckets.at[i]] += shares[i] / 1000;
			used[buckets.at[i]] = 1;
		}
	});
	const at = Float64Array.from(used.keys()).filter((b) => used[b]);

	return { at, streams: at.map((b) => streams[b]), blocked: at.map((b) => blocked[b]) };
}

function unpackLevels(raw, lanes) {
	return raw.map(({ shift, lanes: flat }) => {
		const level = { width: 2 ** shift,
				lanes: flat.map((one, i) => unpackBuckets(one, lanes[i].kind === 'thread')) };

		level.sums = sumLevel(level, lanes);
		return level;
	});
}

/* Changes of allocated bytes: time, the most within that bucket, what was left at its end. */
function unpackMemory(memory) {
	const pools = memory.pools.map((flat) => {
		const n = flat.length / 3;
		const pool = { at: new Float64Array(n), most: new Float64Array(n), last: new Float64Array(n) };
		let at = 0;

		for (let i = 0; i < n; i++) {
			at += flat[3 * i];
			pool.at[i] = at * 2 ** memory.shift;
			pool.most[i] = flat[3 * i + 1];
			pool.last[i] = flat[3 * i + 2];
		}
		return pool;
	});

	return { ...memory, width: 2 ** memory.shift, pools };
}

function unpackPairs(flat) {
	const pairs = [];

	for (let i = 0; i < flat.length; i += PAIR_FIELDS) {
		const [site, culpritLane, culpritStart, culpritNs, victimLane, victimStart, victimNs, victimName,
		       delay, lost] = flat.slice(i, i + PAIR_FIELDS);

		pairs.push({ site, culpritLane, culpritStart, culpritNs, victimLane, victimStart, victimNs,
			     victimName, delay, lost });
	}
	return pairs;
}

/* Of each name of NVTX ranges; name -1: of calls in no range. */
function unpackRangeSums(flat, process) {
	const sums = [];

	for (let i = 0; i < flat.length; i += RANGE_SUM_FIELDS) {
		const [name, part, ranges, calls, total, blocked, lost, allCalls, allBlocked, allLost] =
			flat.slice(i, i + RANGE_SUM_FIELDS);

		sums.push({ process, name, part, ranges, calls, total, blocked, lost, allCalls, allBlocked, allLost });
	}
	return sums;
}

function group(list, key) {
	const groups = new Map();

	for (const one of list) {
		if (!groups.has(key(one)))
			groups.set(key(one), []);
		groups.get(key(one)).push(one);
	}
	return groups;
}

/* As ct_sites_rank() does it, for the places of all processes. */
function rankSites(sites) {
	const most = Math.max(0, ...sites.map((site) => Math.max(site.lostNs, site.asked ? 0 : site.blockedNs)));
	const lost = (site) => (site.lostNs < Math.floor(most / 100) ? 0 : site.lostNs);

	sites.sort((a, b) => lost(b) - lost(a) || b.blockedNs - a.blockedNs || b.totalNs - a.totalNs);
}

function loadData(raw) {
	const items = unpackItems(raw.items);
	const data = { ...raw, items, pairs: unpackPairs(raw.pairs) };

	data.kinds = Uint8Array.from(raw.names, (name) => Number(name[0]));
	data.names = raw.names.map((name) => name.slice(1));
	giveLanesTheirItems(raw.lanes, items);
	data.levels = unpackLevels(raw.levels, raw.lanes);
	data.memory = raw.processes.map((process) => unpackMemory(process.memory));
	data.rangeSums = raw.processes.flatMap(({ ranges }, process) => unpackRangeSums(ranges, process))
		.sort((a, b) => (a.name < 0) - (b.name < 0) || b.blocked - a.blocked || b.allBlocked - a.allBlocked);
	data.begin = Math.min(...raw.processes.map((process) => process.beginNs));
	data.end = Math.max(...raw.processes.map((process) => process.endNs), data.begin + 1);
	rankSites(raw.sites);
	data.siteById = new Map(raw.sites.map((site, rank) => [site.id, { ...site, rank }]));
	data.siteRows = [...data.siteById.values()];
	data.pairsOfSite = group(data.pairs, (pair) => pair.site);
	return data;
}

/* What the page is about; set once, when it is loaded. */
let data;

function nameOf(index) {
	return index > 0 ? data.names[index] : '';
}

/* The waits of an exact call, with times of the page. */
function waitsOf(item) {
	const waits = [];

	for (let w = data.items.firstWait[item]; w < data.items.firstWait[item + 1]; w++) {
		const [part, start, ns, lane, otherStart, otherNs, name, why] =
			data.waits.slice(w * WAIT_FIELDS, (w + 1) * WAIT_FIELDS);

		waits.push({ part, ns, lane, otherNs, start: data.items.start[item] + start,
			     otherStart: data.items.start[item] + otherStart, name: nameOf(name),
			     why: nameOf(why) });
	}
	return waits;
}

/* The exact item of a lane that starts there; -1 if it is not among them. */
function findItem(laneIndex, start) {
	const { indices } = data.lanes[laneIndex].exact;
	let low = 0, high = indices.length;

	while (low < high) {
		const middle = (low + high) >> 1;

		if (data.items.start[indices[middle]] < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < indices.length && data.items.start[indices[low]] === start ? indices[low] : -1;
}

/* Positions [first, end) in a lane's exact items that may be seen between two times. */
function itemsBetween(lane, from, to) {
	const { indices, latest } = lane.exact;
	let first = firstAbove(latest, from), low = first, high = indices.length;

	while (low < high) {
		const middle = (low + high) >> 1;

		if (data.items.start[indices[middle]] < to)
			low = middle + 1;
		else
			high = middle;
	}
	return [first, low];
}

/* The exact NVTX ranges of a thread that were under way at a time, the outermost first. */
function rangesAt(process, thread, time) {
	const found = [];

	for (const lane of data.lanes) {
		if (lane.kind !== 'ranges' || lane.process !== process || lane.thread !== thread)
			continue;
		const [first, end] = itemsBetween(lane, time, time + 1);

		found.push(...lane.exact.indices.slice(first, end)
			.filter((item) => data.items.start[item] <= time && endOf(item) > time));
	}
	return found.sort((a, b) => data.items.start[a] - data.items.start[b] || endOf(b) - endOf(a));
}

function endOf(item) {
	return data.items.start[item] + data.items.ns[item];
}
