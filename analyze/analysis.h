/* SPDX-License-Identifier: Apache-2.0 */
/* Everything there is to say about one trace, and the renderers that say it. */
#ifndef CT_ANALYZE_ANALYSIS_H
#define CT_ANALYZE_ANALYSIS_H

#include <stdio.h>

#include "analyze/busy.h"
#include "analyze/copies.h"
#include "analyze/durations.h"
#include "analyze/filter.h"
#include "analyze/idle.h"
#include "analyze/ledger.h"
#include "analyze/meet.h"
#include "analyze/model.h"
#include "analyze/nccl.h"
#include "analyze/nvtx.h"
#include "analyze/serialize.h"
#include "analyze/site.h"
#include "analyze/site_totals.h"
#include "analyze/totals.h"

struct ct_whatif;

/*
 * A trace of up to CT_WHOLE_RECORDS calls and operations is analyzed in one piece. A longer
 * one is in parts: then model, pairs and gaps hold only what is worth telling, the sums are
 * of everything.
 */
struct ct_analysis {
	char *directory;
	struct ct_model *facts;        /* of an analysis in parts: what they share; else NULL */
	struct ct_places *places;      /* as above */
	struct ct_model *model;
	struct ct_sites *sites;
	struct ct_serialization *serialization;
	struct ct_idle *idle;
	struct ct_ledger *ledger;
	struct ct_busy busy;           /* only if asked for */
	struct ct_nccl nccl;
	struct ct_meet meet;           /* of its devices, as ranks */
	struct ct_totals totals;
	struct ct_totals shown;        /* of calls that no filter leaves out: ct_totals_show() */
	const struct ct_filter *filter; /* NULL: everything is shown */
	struct ct_nvtx_sums nvtx;      /* ranked, but of a part */
	struct ct_site_totals *site_totals;
	struct ct_whatif *whatif;      /* NULL in parts */
	/*
	 * In parts: the one in the middle of the run, with its predictions, which are of nothing but
	 * that part. It has places of the whole.
	 */
	struct ct_analysis *excerpt;
	bool all_rows;                 /* tables by event are made all the same */
	size_t parts, parts_cut;       /* in parts: how many, and those cut while work was under way */
	struct ct_durations *by_api;   /* in parts: of calls, by enum ct_api; else NULL */
	struct ct_durations *by_name;  /* in parts: of kernels, by string id; 0 = no name */
	size_t name_count;
	struct ct_copies *copies;      /* in parts: of copies and memsets; else NULL */
};

#define CT_WHOLE_RECORDS 1000000u /* some 400 MB of memory */
#define CT_PART_RECORDS 32768u   /* some 12 MB a thread: what a cache holds */
#define CT_AROUND_PARTS 16       /* a part also sees such a share of itself on either side, */
#define CT_AROUND_LEAST 512      /* and no less than this; more where that does not do */
#define CT_ANALYSIS_THREADS 8     /* at most */

/* All zeros is what is wanted but for tests and tables of rows. */
struct ct_analysis_options {
	uint64_t whole_records, part_records; /* instead of the above; 0 = as above */
	unsigned threads;                     /* 0 = one for each processor */
	bool process;                         /* fill `busy`, for ct_process_take() */
	uint64_t whatif_events;               /* replayed for predictions; 0 = CT_WHATIF_EVENTS */
	const struct ct_filter *filter;       /* outlives the analysis; nothing is predicted then */
	/* Called for the analysis of each part, in order of time; not 0 ends with that error. */
	int (*part)(void *arg, const struct ct_analysis *part);
	void *arg;
	/* NULL, or called whenever a part is done, of so many in all; by one thread at a time. */
	void (*progress)(void *arg, size_t done, size_t all);
	void *progress_arg;
};

/*
 * Load and analyze DIRECTORY/trace.cutrace. Returns 0 and an analysis for
 * ct_analysis_destroy(), or -errno as ct_reader_open() does, or of options->part.
 */
int ct_analysis_run(const char *directory, const struct ct_analysis_options *options,
		    struct ct_analysis **ret);
void ct_analysis_destroy(struct ct_analysis *analysis); /* accepts NULL */

/* Analyze analysis->model, with texts of stacks from `places` or, if NULL, its own. 0 or -ENOMEM. */
int ct_analysis_of_model(struct ct_analysis *analysis, struct ct_places *places, bool process);

/* Free what is in an analysis. */
void ct_analysis_clear(struct ct_analysis *analysis);

/* Analyze a long trace in parts; takes the reader, also on failure. Fills *to as far as it got. */
struct ct_survey;
int ct_analysis_in_parts(struct ct_analysis *to, struct ct_reader *reader,
			 const struct ct_survey *survey,
			 const struct ct_analysis_options *options);

/* How many threads may work on it. */
unsigned ct_analysis_threads(const struct ct_analysis_options *options);

/* The report. summary_only: its first part, for the end of a program. */
void ct_report_text(const struct ct_analysis *analysis, bool summary_only, FILE *to);

/* A table: its file, its first line, and how to write the others. */
struct ct_table {
	const char *file, *header;
	void (*write)(const struct ct_analysis *analysis, FILE *to);
	bool of_limit; /* only of a trace that keeps the newest records */
	bool predicted; /* only of a trace of which something is predicted */
	bool by_event; /* a row per call, operation or wait: long runs make it on demand only */
	bool of_nvtx;  /* only of a trace with ranges of NVTX */
	bool of_run;   /* has no calls in it that could be left out: none of a filtered report */
};

/* Every CSV file of a report; ends with a NULL file. */
extern const struct ct_table ct_tables[];

/*
 * Write report.txt and the CSV files into the analysis's directory; each replaces
 * an older one only when it is complete. Of an analysis in parts, tables by event are
 * left out, and removed if there are old ones, unless `rows` has written them. Returns 0,
 * or -errno with the name of the file that failed in *ret_file.
 */
struct ct_rows;
int ct_report_write(const struct ct_analysis *analysis, struct ct_rows *rows,
		    const char **ret_file);
/* The same into another directory: where a filtered report goes. */
int ct_report_write_to(const struct ct_analysis *analysis, const char *directory,
		       struct ct_rows *rows, const char **ret_file);

/*
 * The tables by event of a run that is analyzed in parts: opened before, added to by each
 * part (ct_rows_add() is an options.part), put in place by ct_report_write(). Nothing is
 * written if there are no parts. Return 0 or -errno; ct_rows_close() accepts NULL.
 */
int ct_rows_open(const char *directory, struct ct_rows **ret);
int ct_rows_add(void *rows, const struct ct_analysis *part);
void ct_rows_close(struct ct_rows *rows);

/* One record as a line of text, for `cutrace dump`. */
void ct_report_record(const struct ct_item *item, FILE *to);

#endif
