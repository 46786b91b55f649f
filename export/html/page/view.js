/* SPDX-License-Identifier: Apache-2.0 */
/* What is in view, what is selected, and when to draw. */

const LEAST_SPAN_NS = 50;

const view = {
	from: 0, to: 1,       /* ns */
	lane: 0,              /* position in `rows` of the lane chosen by keyboard */
	item: -1,             /* selected exact call or operation */
	site: -1,             /* id of the selected site */
	hover: -1,
	arrows: true,
	ranges: true,         /* lanes of NVTX ranges are shown */
	frames: 0,            /* drawn so far, for whoever measures */
};
const afterDraw = [];         /* called when the view has come to rest */
let pending = 0, resting = 0;

function whole() {
	const margin = (data.end - data.begin) * 0.01;

	return [data.begin - margin, data.end + margin];
}

/* Show a stretch of time, within the run and no shorter than makes sense. */
function show(from, to) {
	const [least, most] = whole();
	let span = Math.min(Math.max(to - from, LEAST_SPAN_NS), most - least);
	let begin = (from + to - span) / 2;

	begin = Math.min(Math.max(begin, least), most - span);
	view.from = begin;
	view.to = begin + span;
	redraw();
}

function zoom(factor, around) {
	const middle = around === undefined ? (view.from + view.to) / 2 : around;

	show(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}

function pan(ns) {
	show(view.from + ns, view.to + ns);
}

/* A stretch with some room around it; what is in view stays if it fits well. */
function showStretch(start, end) {
	const span = Math.max(end - start, LEAST_SPAN_NS / 4);

	show(start - span * 1.5, end + span * 1.5);
}

function redraw() {
	if (!pending)
		pending = requestAnimationFrame(() => {
			pending = 0;
			view.frames++;
			drawTimeline();
			drawPlots();
		});
	clearTimeout(resting);
	resting = setTimeout(() => afterDraw.forEach((call) => call()), 150);
}
