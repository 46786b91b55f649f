/* SPDX-License-Identifier: Apache-2.0 */
/* What the renderers of a comparison share, and the renderers. */
#ifndef CT_ANALYZE_REPORT_DIFF_H
#define CT_ANALYZE_REPORT_DIFF_H

#include "analyze/diff.h"
#include "analyze/report.h"

/* One thing in which the runs are unlike, and what follows; a clause. */
const char *ct_report_unlike(enum ct_diff_unlike unlike);

/* How it was tested whether differences are chance; the whole run's verdict. A sentence each. */
void ct_report_diff_test(const struct ct_diff *diff, char *ret, size_t size);
void ct_report_diff_result(const struct ct_diff *diff, char *ret, size_t size);

/* "exact", "moved", ...; "better", "worse", "same", "not compared", "" if not judged. */
const char *ct_report_match(enum ct_diff_match match);
const char *ct_report_verdict(const struct ct_diff_figure *figure);

/* A change for people: "+23.9 %", "from 0". */
const char *ct_report_change(const struct ct_diff_figure *figure, char ret[16]);

/* A table for people. */
void ct_report_diff(const struct ct_diff *diff, FILE *to);

/* A row for each figure of the run, of classes and of call sites; what was unlike comes first. */
void ct_report_diff_csv(const struct ct_diff *diff, FILE *to);

/* How annotations are wanted. failed: the regression is beyond what is allowed. */
struct ct_diff_notes {
	bool failed;
	const char *(*source)(const char *path); /* as the checkout has it */
	const char *why; /* that it cannot be judged; NULL: it can */
};

/* A line for each call site that changed, as GitHub's runners take them from a step's output. */
void ct_report_diff_github(const struct ct_diff *diff, const struct ct_diff_notes *notes, FILE *to);

/* JUnit's XML: a test case for each figure of the run and each call site that changed. */
void ct_report_diff_junit(const struct ct_diff *diff, const struct ct_diff_notes *notes, FILE *to);

#endif
