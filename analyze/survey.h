/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first look at a long trace: how its records lie in time and in the file, so that it
 * can then be read part by part.
 */
#ifndef CT_ANALYZE_SURVEY_H
#define CT_ANALYZE_SURVEY_H

#include <stdbool.h>

#include "analyze/density.h"
#include "trace/reader.h"

/* What a block of the file holds. */
struct ct_block_span {
	uint64_t first_ns, last_ns; /* of its records that have a time; first > last: none has */
	bool timeless;              /* it has EVENT records, which have none */
	bool facts;                 /* it has records that are about the run, not a moment of it */
};

struct ct_survey {
	struct ct_block_span *blocks;
	size_t block_count;
	struct ct_density density;  /* of calls and operations */
	uint64_t calls, ops, untimed_ops;
	uint64_t mode_changes;      /* notes of the mode; such traces are not analyzed in parts */
	uint64_t devices;           /* of operations, a bit each */
	uint64_t begin_ns, end_ns;  /* of all calls and operations; 0 if there are none */
	uint64_t damaged_bytes, damaged_at;
	uint64_t unknown_records;   /* of types that this version does not know */
};

/*
 * Look over all blocks with so many threads. Returns 0 and a survey for
 * ct_survey_destroy(), or -ENOMEM or another -errno of the reader.
 */
int ct_survey_make(const struct ct_reader *reader, unsigned threads, struct ct_survey **ret);
void ct_survey_destroy(struct ct_survey *survey); /* accepts NULL */

/* A part of the run, to be analyzed by itself. */
struct ct_window {
	uint64_t begin_ns, end_ns; /* it is about the calls and operations that begin here */
	uint64_t from_ns, to_ns;   /* and needs to see those under way here */
	uint64_t under_way;        /* calls and operations at begin_ns: 0 is a clean cut */
};

/*
 * Divide the run into windows of about so many calls and operations, where possible at
 * moments when nothing was under way; each is to see `around` records more on either side.
 * Returns 0 and *ret_count windows for free(), or -ENOMEM.
 */
int ct_survey_divide(const struct ct_survey *survey, uint64_t records, uint64_t around,
		     struct ct_window **ret, size_t *ret_count);

/* Let a window see so many records more on either side. Returns false if it sees all there are. */
bool ct_survey_widen(const struct ct_survey *survey, uint64_t records, struct ct_window *window);

#endif
