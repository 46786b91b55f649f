/* SPDX-License-Identifier: Apache-2.0 */
/* Everything there is to say about one trace, and the renderers that say it. */
#ifndef CT_ANALYZE_ANALYSIS_H
#define CT_ANALYZE_ANALYSIS_H

#include <stdio.h>

#include "analyze/busy.h"
#include "analyze/idle.h"
#include "analyze/ledger.h"
#include "analyze/model.h"
#include "analyze/serialize.h"
#include "analyze/site.h"
#include "analyze/totals.h"

struct ct_analysis {
	char *directory;
	struct ct_model *model;
	struct ct_sites *sites;
	struct ct_serialization *serialization;
	struct ct_idle *idle;
	struct ct_ledger *ledger;
	struct ct_busy busy;
	struct ct_totals totals;
};

/*
 * Load and analyze DIRECTORY/trace.cutrace. Returns 0 and an analysis for
 * ct_analysis_destroy(), or -errno as ct_reader_open() does.
 */
int ct_analysis_run(const char *directory, struct ct_analysis **ret);
void ct_analysis_destroy(struct ct_analysis *analysis); /* accepts NULL */

/* The report. summary_only: its first part, for the end of a program. */
void ct_report_text(const struct ct_analysis *analysis, bool summary_only, FILE *to);

/* A table: what it is called, what its file is called, and how to write it. */
struct ct_table {
	const char *file;
	void (*write)(const struct ct_analysis *analysis, FILE *to);
};

/* Every CSV file of a report; ends with a NULL file. */
extern const struct ct_table ct_tables[];

/*
 * Write report.txt and the CSV files into the analysis's directory; each replaces
 * an older one only when it is complete. Returns 0, or -errno with the name of the
 * file that failed in *ret_file.
 */
int ct_report_write(const struct ct_analysis *analysis, const char **ret_file);

/* One record as a line of text, for `cutrace dump`. */
void ct_report_record(const struct ct_item *item, FILE *to);

#endif
