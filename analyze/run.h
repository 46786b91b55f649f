/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several processes as one run: in which order, which of them the others wait for and
 * why, and what each call site cost over all of them.
 *
 * The rank that the others wait for is not the one with the longest run: in a run with
 * collectives all ranks end together, and the slow one is the one that waits least. So
 * each rank's own time is computed, and the largest is looked for:
 *
 * - Where at least two ranks ran communication kernels, own time is from their first CUDA
 *   call to the rank's last work, less the time in which only communication kernels
 *   ran on its device. A rank that comes to a collective early waits there, in such a
 *   kernel; the last to come does not. Time outside CUDA counts as the rank's own, since
 *   what it does between collectives the others wait for. Ranks without communication
 *   kernels are not compared.
 * - Otherwise nothing in a trace tells the program's own code from a wait for another
 *   rank (MPI, sockets, pipes). Own time is then time in CUDA calls or with the device at
 *   work, and besides all time after every other rank had ended.
 *
 * Compared are the processes that ran at one moment, the one with most of them; where two
 * or more have a rank, only such. Processes of which a flight recorder kept only the last
 * part are not: their parts begin at different times.
 */
#ifndef CT_ANALYZE_RUN_H
#define CT_ANALYZE_RUN_H

#include "analyze/lookup.h"
#include "analyze/meet.h"
#include "analyze/process.h"
#include "analyze/report.h"

enum ct_run_basis {
	CT_RUN_NOTHING,       /* no two processes ran at the same time: no comparison */
	CT_RUN_COMMUNICATION, /* own time by communication kernels */
	CT_RUN_CUDA           /* own time by time in CUDA */
};

/* A figure of one process beside the median of the others that are compared. */
struct ct_versus {
	uint64_t mine, others;
};

/* The process that the others wait for, and what tells it from them. */
struct ct_slowest {
	uint32_t process;         /* into processes; CT_NONE = none stands out */
	struct ct_versus own_ns;
	/* time waited for a device that only communicated is left out of these two */
	enum ct_part part;        /* the class with the most excess; CT_PART_COUNT = none has */
	struct ct_versus part_ns;
	uint32_t site;            /* into sites: where its calls took the most excess; CT_NONE */
	struct ct_versus site_ns; /* time in its calls */
	uint32_t site_calls;
	struct ct_versus late_ns; /* from from_ns to its first CUDA call */
	bool device_known;        /* of it and of others; only these are in the next three */
	struct ct_versus work_ns, comm_ns, outside_ns;
};

/* Calls of one API from one place, over all processes that made them. */
struct ct_run_site {
	const char *call, *where;
	uint32_t processes;       /* that made them */
	uint32_t worst;           /* process with the most blocked time */
	enum ct_part part;        /* that cost it most */
	const char *remedy;       /* for it; "" = none */
	uint64_t calls, total_ns, blocked_ns, lost_ns; /* sums */
	bool judged;              /* lost_ns is known of some of them */
	uint64_t min_ns, median_ns, max_ns; /* blocked, over the processes that made them */
};

/* Columns of the report's table of processes. */
enum ct_column {
	CT_COLUMN_SPAN,
	CT_COLUMN_OWN,
	CT_COLUMN_DEVICE,
	CT_COLUMN_BLOCKED,
	CT_COLUMN_LOST,
	CT_COLUMNS
};

/* A column over the processes of which it is known. */
struct ct_spread {
	uint64_t least, median, most;
	uint32_t where; /* the process with most; CT_NONE = known of none */
};

struct ct_run {
	CT_ARRAY(struct ct_process) processes; /* by rank, then start; without rank last */
	CT_ARRAY(struct ct_run_site) sites;    /* most blocked time first */
	uint64_t begin_ns, end_ns;             /* time of day, of all processes */
	enum ct_run_basis basis;
	uint64_t from_ns;                      /* time of day: first CUDA call of those compared */
	uint64_t usual_begin_ns;               /* of those compared: the median of their first CUDA calls */
	struct ct_slowest slowest;
	struct ct_spread spread[CT_COLUMNS];
	struct ct_meet meet;                   /* collectives of NCCL; processes are as above */
	struct ct_names left_out;              /* traces that could not be used */
	const struct ct_filter *filter;        /* of the calls shown; NULL: all are. The caller's */
	struct ct_lookup texts;                /* private: of the processes' sites, each once */
};

/* The time of day, less a process's clock, differs by less between processes that share the clock. */
#define CT_RUN_CLOCK_NS 1000000000u

/* A rank stands out if its own time exceeds the median of the others by both. */
#define CT_SLOWEST_LEAST_NS 1000000
#define CT_SLOWEST_LEAST_PERCENT 5

/* Returns an empty run for ct_run_destroy(), or NULL without memory. */
struct ct_run *ct_run_create(void);
void ct_run_destroy(struct ct_run *run); /* accepts NULL */

/* Add a process, which then belongs to the run. Returns 0, or -ENOMEM and it does not. */
int ct_run_add(struct ct_run *run, const struct ct_process *process);

/* All have been added: order and compare them, merge their sites. Returns 0 or -ENOMEM. */
int ct_run_finish(struct ct_run *run);

/* Internal steps of ct_run_finish(); values is room for a number of each process. */
void ct_run_find_own_times(struct ct_run *run);
void ct_run_find_spread(struct ct_run *run, uint64_t *values);
int ct_run_merge_sites(struct ct_run *run, uint64_t *values);

/* Orders the values; of an even number of them the mean of the two in the middle; 0 of none. */
uint64_t ct_run_median(uint64_t *values, size_t count);

/* By how much mine is more than that of the others; 0 if it is not. */
uint64_t ct_run_excess(struct ct_versus versus);

/* The report. summary_only: its first part, for the end of a run. */
void ct_report_run(const struct ct_run *run, bool summary_only, FILE *to);

/*
 * Parts of it. Who began late, if anyone did; least, median and most of each column of the table of
 * processes, below its head, whose first column has that width.
 */
void ct_report_run_late(const struct ct_run *run, FILE *to);
void ct_report_run_spread(const struct ct_run *run, int width, FILE *to);

/* Of a filtered report: what is left out, and what is shown of each process. */
void ct_report_run_filter(const struct ct_run *run, FILE *to);
void ct_report_run_shown(const struct ct_run *run, FILE *to);
void ct_report_run_shown_csv(const void *run, FILE *to);

/*
 * When a process made its first CUDA call, or the first that a flight recorder kept, as time of day.
 * threads: that may work on it. Returns 0 or -errno as ct_reader_open() does.
 */
int ct_run_began(const char *directory, unsigned threads, uint64_t *ret_ns);

/*
 * Write ranks.csv and ranks_callsites.csv, filtered ranks_shown.csv in the place of the first, into a directory, as ct_report_write() does.
 * Returns 0, or -errno with the name of the file that failed in *ret_file.
 */
int ct_report_run_write(const struct ct_run *run, const char *directory, const char **ret_file);

#endif
