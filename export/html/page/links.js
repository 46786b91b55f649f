/* SPDX-License-Identifier: Apache-2.0 */
/* Arrows from blocked calls to what they waited for, and from culprits to victims. */

const ARROWS_IN_VIEW = 40; /* without a selection: those of the longest waits */
const PAIRS_IN_VIEW = 12;  /* arrows to victims: of those that lost most */
const OUTLINE_LEAST = 5;   /* pixels; what is shorter has a mark below it only */
let linksDrawn = 0;        /* in the last frame, for whoever tests */

function rowOfLane(index) {
	return index >= 0 && rowOf.has(index) ? rowOf.get(index) : -1;
}

/* The middle of a lane's bar; undefined where that is scrolled out of sight. */
function laneMiddle(index) {
	const position = rowOfLane(index);

	if (position < 0)
		return undefined;
	const box = barOf(position), middle = box.top + box.height / 2;

	return middle > TOP && middle < size.height ? middle : undefined;
}

/* A curve with a head at its end. Ends out of view are cut off by the clip. */
function arrow(fromX, fromY, toX, toY, colour, dashed) {
	const bend = Math.max(24, Math.abs(toY - fromY) / 2), down = toY > fromY ? 1 : -1;
	const endY = toY - down * 8;

	paint.strokeStyle = colour;
	ink(colour);
	paint.setLineDash(dashed ? [5, 3] : []);
	paint.beginPath();
	paint.moveTo(fromX, fromY);
	paint.bezierCurveTo(fromX, fromY + down * bend, toX, endY - down * bend, toX, endY - down * 5);
	paint.stroke();
	paint.setLineDash([]);
	paint.beginPath();
	paint.moveTo(toX, endY + down);
	paint.lineTo(toX - 4, endY - down * 7);
	paint.lineTo(toX + 4, endY - down * 7);
	paint.fill();
	linksDrawn++;
}

/* From the middle of the blocked stretch that is in view to the end of what released it. */
function drawWaitArrow(laneIndex, wait, strong) {
	const fromY = laneMiddle(laneIndex), toY = laneMiddle(wait.lane);
	const left = Math.max(x(wait.start), size.gutter), right = Math.min(x(wait.start + wait.ns), size.width);
	const toX = x(wait.otherStart + wait.otherNs);

	if (wait.lane < 0 || fromY === undefined || toY === undefined || (right < left && !strong))
		return;
	paint.lineWidth = strong ? 2 : 1;
	paint.globalAlpha = strong ? 1 : 0.65;
	arrow((left + right) / 2, fromY, toX - Math.min(3, x(wait.otherStart + wait.otherNs) - x(wait.otherStart)) / 2,
	      toY, strong ? colours.ink : colours.parts[wait.part], false);
	paint.globalAlpha = 1;
}

function drawPairArrow(pair) {
	const fromY = laneMiddle(pair.culpritLane), toY = laneMiddle(pair.victimLane);
	const fromX = x(pair.culpritStart + pair.culpritNs), toX = x(pair.victimStart);

	if (fromY === undefined || toY === undefined || toX < size.gutter || fromX > size.width)
		return;
	paint.lineWidth = 1.5;
	arrow(fromX, fromY, toX, toY, colours.culprit, true);
}

function outline(laneIndex, start, ns, colour) {
	const position = rowOfLane(laneIndex);

	if (position < 0)
		return;
	const box = barOf(position), left = Math.max(x(start), size.gutter - 4);
	const right = Math.min(x(start + ns), size.width + 4);

	if (right < size.gutter || left > size.width)
		return;
	paint.strokeStyle = colour;
	paint.lineWidth = 2;
	paint.strokeRect(left - 1, box.top - 1, Math.max(right - left, 2) + 2, box.height + 2);
}

/* The longest waits of what is in view that are long enough to be seen. */
function waitsInView() {
	const found = [], least = (view.to - view.from) / size.plot * 6;

	rows.forEach(({ lane, index }) => {
		if (!lane || lane.kind !== 'thread')
			return;
		const [first, end] = itemsBetween(lane, view.from, view.to);

		for (let i = first; i < end; i++) {
			const item = lane.exact.indices[i];

			if (data.items.ns[item] >= least && data.items.waits[item] && stands(item))
				found.push(...waitsOf(item).filter((wait) => wait.ns >= least && wait.lane >= 0)
					   .map((wait) => ({ index, wait })));
		}
	});
	return found.sort((a, b) => b.wait.ns - a.wait.ns).slice(0, ARROWS_IN_VIEW);
}

function pairsInView() {
	return selection.pairs.filter((pair) => pair.victimStart + pair.victimNs > view.from &&
				      pair.culpritStart < view.to);
}

/* Below the bar: this is a culprit, or a victim. */
function mark(laneIndex, start, ns, colour) {
	const position = rowOfLane(laneIndex);

	if (position < 0)
		return;
	const box = barOf(position);

	bar(x(start), Math.max(x(start + ns), x(start) + 2), box.top + box.height - 1, 3, colour);
	if (x(start + ns) - x(start) >= OUTLINE_LEAST)
		outline(laneIndex, start, ns, colour);
}

function drawPairs() {
	const pairs = pairsInView();

	for (const pair of pairs) {
		mark(pair.victimLane, pair.victimStart, pair.victimNs, colours.victim);
		mark(pair.culpritLane, pair.culpritStart, pair.culpritNs, colours.culprit);
	}
	pairs.sort((a, b) => b.lost - a.lost || b.delay - a.delay).slice(0, PAIRS_IN_VIEW).forEach(drawPairArrow);
}

function drawLinks() {
	linksDrawn = 0;
	paint.save();
	paint.beginPath();
	paint.rect(size.gutter, TOP, size.plot + 1, size.height - TOP);
	paint.clip();
	if (view.arrows && size.gutter) /* in a narrow window they would hide the names */
		waitsInView().forEach(({ index, wait }) => drawWaitArrow(index, wait, false));
	drawPairs();
	if (view.item >= 0) {
		outline(data.items.lane[view.item], data.items.start[view.item], data.items.ns[view.item],
			colours.accent);
		for (const wait of waitsOf(view.item)) {
			if (wait.lane >= 0)
				outline(wait.lane, wait.otherStart, wait.otherNs, colours.accent);
			drawWaitArrow(data.items.lane[view.item], wait, true);
		}
	}
	restore();
}
