/* SPDX-License-Identifier: Apache-2.0 */
/* What `report` of one trace and of several share. */
#ifndef CT_TOOLS_REPORT_H
#define CT_TOOLS_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/analysis.h"
#include "analyze/filter.h"
#include "analyze/run.h"
#include "tools/members.h"
#include "tools/tool.h"

/* What was asked for. */
struct ct_report_wish {
	enum ct_report_mode mode;
	const char *output; /* for the tables of a run; of a single process, for all its files */
	bool all_rows;
	bool foreign; /* traces of other users as well */
	char **operands; /* what the command was given: directories of traces, or of those */
	int count;
	bool progress; /* show how far it is; eager: see ct_progress_begin() */
	bool eager;
	uint64_t part_records; /* for tests: analyze any trace in parts of so many; 0 = as usual */
	struct ct_filter filter; /* files of what is shown go to `output`, or are not written */
};

/* What became of the files of a report. */
struct ct_report_files {
	const char *to;     /* their directory; NULL: none are wanted, as those of a trace are of all of it */
	const char *failed; /* the file that could not be written */
	int r;              /* and why, -errno; 0: they are written */
	bool nothing;       /* the trace is damaged so that nothing is left of the run */
};

/*
 * Analyze one trace and write its report and tables. options: `process` and `threads` of them.
 * Returns what ct_analysis_run() does.
 */
int ct_report_make(const char *directory, const struct ct_report_wish *wish,
		   struct ct_analysis_options options, struct ct_analysis **ret,
		   struct ct_report_files *ret_files);

/* Make the folder that files go to, where it is missing. Returns 0 if it is there, or -errno. */
int ct_report_folder(const char *directory);

/* Print what could not be written, or that nothing is left of the run. Returns the exit status. */
int ct_report_tell(const char *directory, const struct ct_report_files *files);

/* Write out what was printed. Returns `status`, or CT_EXIT_FAILED if it cannot be, printed. */
int ct_report_flush(int status);

/* Which files of the report of several processes were written: each one's own, the tables of all. */
struct ct_report_written {
	bool own, tables;
};

/* Print where the files of a trace's report are, if anywhere, and what to do next. */
void ct_report_next(const char *directory, const char *to);
void ct_report_next_several(const struct ct_run *run, const struct ct_report_wish *wish,
			    struct ct_report_written written);

/* As ct_report_several(), with everything that can be wished for. */
int ct_report_members(const struct ct_members *members, const struct ct_report_wish *wish);

#endif
