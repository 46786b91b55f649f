/* SPDX-License-Identifier: Apache-2.0 */
/* Names of calls and operations, each kept once. */
#ifndef CT_EXPORT_HTML_NAMES_H
#define CT_EXPORT_HTML_NAMES_H

#include "analyze/lookup.h"
#include "analyze/model.h"

/* What is named; a page has a colour for each. The order is that of the page's script. */
enum ct_html_kind {
	CT_HTML_CALL,
	CT_HTML_KERNEL,
	CT_HTML_H2D, /* host to device memory or an array of it */
	CT_HTML_D2H,
	CT_HTML_COPY, /* within a device, the host or between devices */
	CT_HTML_FILL,
	CT_HTML_GRAPH,
	CT_HTML_OTHER, /* texts: why a call waited, and the like */
	CT_HTML_RANGE  /* of NVTX */
};

#define CT_HTML_NAME_BYTES 512        /* a longer name is cut */
#define CT_HTML_NAMES_BYTES (8u << 20) /* all of them; what comes then has name 0 */

/* All zeros is an empty one. */
struct ct_html_names {
	struct ct_lookup lookup;
	CT_ARRAY(struct ct_html_name *) all; /* by number */
	size_t bytes;
	uint64_t dropped; /* uses of names that there was no room for */
};

struct ct_html_name {
	struct ct_link link;
	uint32_t id;
	size_t length;
	char text[]; /* its kind as a character, then the name */
};

/* The number of a name, added if it is new. CT_NONE: no memory. */
uint32_t ct_html_name(struct ct_html_names *names, enum ct_html_kind kind, const char *text);

void ct_html_names_free(struct ct_html_names *names);

#endif
