/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and elements. Texts of a trace are only ever text nodes: they may be hostile. */
'use strict';

const UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'us'], [1, 'ns']];

/* A duration for people: four significant characters, as in report.txt. */
function duration(ns) {
	const [unit, name] = UNITS.find(([size]) => Math.abs(ns) >= size) || UNITS[3];
	const value = ns / unit, size = Math.abs(value);

	return value.toFixed(unit === 1 || size >= 100 ? 0 : size >= 10 ? 1 : 2) + ' ' + name;
}

/* A point in time, so exact that points `step` apart differ. */
function moment(ns, step) {
	const [unit, name] = UNITS.find(([size]) => Math.abs(ns) >= size) || UNITS[3];
	const digits = Math.max(0, Math.ceil(Math.log10(unit / Math.max(step, 1)) - 1e-9));

	return (ns / unit).toFixed(Math.min(digits, 9)) + ' ' + name;
}

function bytes(n) {
	const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
	let unit = 0;

	while (n >= 1024 && unit < names.length - 1) {
		n /= 1024;
		unit++;
	}
	return (unit === 0 ? n : n.toFixed(n >= 100 ? 0 : n >= 10 ? 1 : 2)) + ' ' + names[unit];
}

function count(n, noun) {
	return n.toLocaleString('en') + ' ' + noun + (n === 1 ? '' : noun.endsWith('s') ? 'es' : 's');
}

/* The same of things that begin with a noun in the plural, of one word or two: as ct_report_things() has it. */
function things(n, text) {
	const noun = /^\S*[^s, ](?= ) \w+s\b|^\w+s\b/.exec(text), one = n === 1 && noun ? noun[0].length : 0;

	return n.toLocaleString('en') + ' ' + (one ? noun[0].replace(/(?<=sh|ss)es$|s$/, '') : '') + text.slice(one);
}

function share(part, whole) {
	return whole > 0 ? Math.round(100 * part / whole) + ' %' : '';
}

/* An element with attributes and children; a text becomes a text node. */
function element(tag, attributes, ...children) {
	const made = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes || {}))
		if (typeof value === 'function')
			made.addEventListener(name, value);
		else if (value !== undefined && value !== false)
			made.setAttribute(name, value === true ? '' : value);
	made.append(...children.filter((child) => child !== undefined && child !== null));
	return made;
}

function byId(id) {
	return document.getElementById(id);
}
