/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a page holds of one or more processes, gathered part by part. Times are nanoseconds
 * from the export's beginning.
 */
#ifndef CT_EXPORT_HTML_PAGE_H
#define CT_EXPORT_HTML_PAGE_H

#include "export/export.h"
#include "export/html/item.h"
#include "export/html/lane.h"
#include "export/html/memory.h"
#include "export/html/names.h"

#define CT_HTML_SITES 2000 /* rows of the ranked table, shared by all processes */
#define CT_HTML_SITES_LEAST 20 /* of a process */
#define CT_HTML_RANGE_NAMES 2000 /* rows of the table of NVTX ranges, shared by all processes */
#define CT_HTML_RANGE_NAMES_LEAST 20 /* of a process */
#define CT_HTML_RANGE_DEPTHS 16 /* lanes of a thread's NVTX ranges; deeper ones share one a process */
#define CT_HTML_RANGE_LANES 256 /* of all processes: streams and threads need theirs */
#define CT_HTML_RANGE_LANES_LEAST 1 /* of a process */
#define CT_HTML_PAIRS 10000 /* of a process */
#define CT_HTML_TEXT_BYTES 4096 /* of a stack or a remedy */

/* Call sites of a process, by place and call; their rows come when it has ended. */
struct ct_html_site_key {
	const char *where; /* of the process's places */
	uint32_t process, name;
};

struct ct_html_site {
	struct ct_link link; /* by key */
	struct ct_html_site_key key;
	uint32_t index;      /* among all */
	bool told;           /* what follows is filled */
	uint32_t calls;
	uint64_t total_ns, blocked_ns, lost_ns, idle_ns;
	bool asked;          /* its waits are asked for: CT_SYNC */
	bool judged;         /* lost_ns is known */
	enum ct_part worst;
	char *where, *waited_for, *remedy, *stack;
	uint32_t range;        /* name of the NVTX range around the call with the longest wait; 0: none */
	const char *certainty;
	uint32_t longest_lane; /* the call with the longest wait; CT_NONE */
	uint64_t longest_ns;   /* when it began */
};

/* A culprit and a victim. */
struct ct_html_pair {
	uint32_t site, culprit_lane, victim_lane, victim_name;
	uint64_t culprit_start_ns, culprit_end_ns;
	uint64_t victim_start_ns, victim_end_ns;
	uint64_t delay_ns, lost_ns;
};

/* All NVTX ranges of one name, as struct ct_nvtx_sum has them. */
struct ct_html_range_sum {
	uint32_t name; /* CT_NONE: calls made in no range */
	enum ct_part part; /* most of the time blocked; CT_PART_COUNT: of no one class */
	uint64_t ranges, calls, total_ns, blocked_ns, lost_ns;
	uint64_t all_calls, all_blocked_ns, all_lost_ns;
};

struct ct_html_loss {
	uint64_t count; /* 0: the text says it all */
	char *text;
};

struct ct_html_process {
	char label[128];
	char *coverage, *report; /* as in report.txt */
	struct ct_html_memory memory;
	struct ct_totals totals;
	CT_ARRAY(struct ct_html_loss) losses;
	uint64_t begin_ns, end_ns;   /* of everything recorded */
	uint64_t lost_ns;            /* without all waits the run would be this much shorter */
	uint64_t device_busy_ns, device_idle_ns;
	uint64_t sites;
	CT_ARRAY(struct ct_html_range_sum) range_sums; /* most time blocked first */
	uint64_t range_names; /* that there are, listed or not */
	uint32_t range_lanes; /* of its own, so far */
};

struct ct_html {
	const struct ct_export *export;
	struct ct_html_names names;
	struct ct_lanes lanes;
	struct ct_html_items items;
	struct ct_html_items ranges; /* of NVTX; at the end they are among the items */
	struct ct_lookup site_keys;
	CT_ARRAY(struct ct_html_site *) sites; /* in order of their first calls */
	CT_ARRAY(uint32_t) rows;               /* sites, process by process, most costly first */
	CT_ARRAY(struct ct_html_pair) pairs;
	CT_ARRAY(struct ct_html_process) processes;
};

/* A part, or the whole run, of a process that is being gathered. */
struct ct_html_source {
	struct ct_html *html;
	uint32_t process;
	const struct ct_analysis *analysis;
	uint64_t *op_ns;   /* by operation of the model: its longest wait or delay */
	uint64_t *call_ns; /* by call: how long it delayed others at most */
	uint32_t *polls;   /* by call: its loop of queries, CT_NONE; NULL: there are none */
};

/*
 * Find what is not in the model itself. Returns 0 or -ENOMEM; ct_html_source_close() in either
 * case. Not of an analysis in parts at its end, which has lost that.
 */
int ct_html_source_open(struct ct_html_source *from);
void ct_html_source_close(struct ct_html_source *from);

/* A time of a source's trace, on the page; 0 for what comes before its beginning. */
uint64_t ct_html_time(const struct ct_html_source *from, uint64_t ns);

/* Lanes of a call's thread, an operation's stream and its direction; NULL: no memory. */
struct ct_lane *ct_html_thread_lane(const struct ct_html_source *from, uint32_t tid);
struct ct_lane *ct_html_stream_lane(const struct ct_html_source *from, const struct ct_op *op);
struct ct_lane *ct_html_copies_lane(const struct ct_html_source *from, const struct ct_op *op);

/* The first lane of a thread's NVTX ranges in which none is under way at a time; NULL: no memory. */
struct ct_lane *ct_html_range_lane(const struct ct_html_source *from, uint32_t tid, uint64_t start_ns);

enum ct_html_kind ct_html_kind_of(const struct ct_device_op *op);

/* The number of an operation's name; CT_NONE: no memory. */
uint32_t ct_html_op_name(const struct ct_html_source *from, uint32_t op);

/* The name of the innermost NVTX range around a call, 0 without one; CT_NONE: no memory. */
uint32_t ct_html_range_of(const struct ct_html_source *from, const struct ct_host_call *call);

/* A call's site on the page, added if it is new; CT_NONE: no memory. */
uint32_t ct_html_site_of(const struct ct_html_source *from, uint32_t call);

/*
 * Keep a call or an operation of an open source's model with this score or, if that is more,
 * its own. Return 0 or -ENOMEM.
 */
int ct_html_keep_call(const struct ct_html_source *from, uint32_t call, uint64_t score);
int ct_html_keep_op(const struct ct_html_source *from, uint32_t op, uint64_t score);

/* Gather the NVTX ranges that begin in the core of a part; the sums of a process, at its end. */
int ct_html_gather_ranges(const struct ct_html_source *from);
int ct_html_gather_range_sums(const struct ct_html_source *from);

/* At a process's end, its lanes of NVTX ranges get the names of their threads. */
void ct_html_name_range_lanes(const struct ct_html_source *from);

/* Gather the core of a part of a process's run. Returns 0 or -ENOMEM. */
int ct_html_gather(struct ct_html *html, uint32_t process, const struct ct_analysis *part);

/* A process's sums, sites, pairs, losses and report. Returns 0 or -ENOMEM. */
int ct_html_gather_end(struct ct_html *html, uint32_t process, const struct ct_analysis *analysis);

/* Write the data, one JSON object, with what has been gathered; lanes are used up. */
void ct_html_write(struct ct_html *html, FILE *to);

#endif
