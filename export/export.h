/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces in the formats of other tools: the table of formats, and what drives them. A
 * format is handed the run part by part, so it needs no more memory for a long one, and
 * every process's sums and losses at its end.
 */
#ifndef CT_EXPORT_EXPORT_H
#define CT_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyze/analysis.h"

/* Where an export goes and what it is of, for as long as it is being written. */
struct ct_export {
	FILE *to;           /* NULL if the format writes by name */
	const char *path;   /* an empty file if the format writes by name, else NULL */
	uint64_t begin_ns;  /* time of day at which the first of the processes began to trace */
	size_t processes;   /* that it is of */
	size_t left_out;    /* traces that were asked for and could not be used */
};

/* One process of an export. */
struct ct_export_process {
	const struct ct_export *export;
	const char *directory;
	uint32_t index; /* from 0 */
};

/*
 * A format. Its functions return 0 or -errno, which ends the export; only `open` and
 * `destroy` are called in any case. The first failure of `to` need not be reported.
 */
struct ct_export_format {
	bool by_name; /* writes a file of its own, no stream */
	bool binary;  /* not for a terminal */

	/* Returns a writer for `destroy` in *ret. */
	int (*open)(const struct ct_export *export, void **ret);
	/* A process begins; NULL: nothing is to be done. The model has the run's facts at least. */
	int (*begin_process)(void *writer, const struct ct_export_process *process,
			     const struct ct_model *model);
	/*
	 * The calls and operations of the core of a part of a process's run, in order of time. A
	 * short run is one part. NULL: the format needs none.
	 */
	int (*part)(void *writer, const struct ct_export_process *process,
		    const struct ct_analysis *part);
	/* A process whose parts have all been given: its sums, and what was not seen of it. */
	int (*end_process)(void *writer, const struct ct_export_process *process,
			   const struct ct_analysis *analysis);
	/* All processes have been given. NULL: nothing is to be done. */
	int (*finish)(void *writer);
	void (*destroy)(void *writer); /* accepts NULL */
};

#define CT_EXPORT_FORMAT(name, summary) extern const struct ct_export_format ct_export_##name;
#include "export/formats.def"
#undef CT_EXPORT_FORMAT

/* Every format, as export/formats.def has them; ends with NULL. */
extern const struct ct_export_format *const ct_export_formats[];

/* What is to be exported. */
struct ct_export_job {
	const struct ct_export_format *format;
	char **directories; /* of traces that can be opened */
	size_t count;
	size_t left_out;
	FILE *to;           /* as in struct ct_export */
	const char *path;
	/*
	 * NULL, or called whenever so much of a trace is written, all 0: the trace is done. Several
	 * threads call it, but one at a time for a trace.
	 */
	void (*progress)(void *arg, size_t trace, size_t done, size_t all);
	void *progress_arg;
	/* for tests: export any trace in parts of so many, with so many threads; 0 = as usual */
	uint64_t part_records;
	unsigned threads;
};

/*
 * Export. Returns 0, or -errno with the directory or, if writing failed, NULL in
 * *ret_directory; then what has been written is of no use.
 */
int ct_export_write(const struct ct_export_job *job, const char **ret_directory);

/* A time of a trace, as ns since the export's begin_ns; negative before it. */
int64_t ct_export_time(const struct ct_export *export, const struct ct_model *model, uint64_t ns);

/* "rank 3", or "program (pid 77)" if there is none; cut to fit. */
const char *ct_export_label(const struct ct_model *model, char *ret, size_t size);

/*
 * Say what an export lacks, a sentence at a time: what was lost or not seen of a process,
 * and what of it is in no export of a long run. count: of what the sentence begins with;
 * 0 = the sentence says it all. visit() returning not 0 ends it. Returns 0, -ENOMEM or
 * what visit() returned.
 */
int ct_export_losses(const struct ct_analysis *analysis,
		     int (*visit)(void *arg, uint64_t count, const char *text), void *arg);

#endif
