/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a report of several processes needs to know of each: a digest of its analysis,
 * small enough to keep for hundreds of ranks when the analysis itself is gone.
 */
#ifndef CT_ANALYZE_PROCESS_H
#define CT_ANALYZE_PROCESS_H

#include "analyze/analysis.h"
#include "analyze/interval.h"

/*
 * Of each process no more is kept, however long it ran: spans of time in CUDA, thinned by
 * ct_spans_thin(), and call sites, the costliest, with all others as one.
 */
#define CT_PROCESS_SPANS 4096
#define CT_PROCESS_SITES 2048
#define CT_PROCESS_OTHERS "(other places)" /* where those others are */

/* All calls of one API from one place, of one process. */
struct ct_process_site {
	char *call, *where;
	char *source;       /* path of the source file, as in place.h; NULL = not known */
	uint32_t calls;
	uint64_t total_ns, blocked_ns, lost_ns;
	bool judged;        /* lost_ns is known: ct_site_judged() */
	uint64_t parts[CT_PART_COUNT];
	uint64_t comm_wait_ns; /* of blocked_ns: for the device while it only communicated */
	enum ct_part worst; /* the part that cost most, driver work and tool aside */
	const char *remedy; /* what to do about it; "" = nothing; static text */
};

struct ct_process_shown {
	uint64_t calls, call_ns, blocked_ns;
	uint64_t parts[CT_PART_COUNT];
	uint64_t lost_ns; /* of pairs whose culprit is one of them */
};

/* Times of day are CLOCK_REALTIME of the process's host, so that processes compare. */
struct ct_process {
	char *directory, *program;
	char *host, *variable;           /* of its identity: "" = not known */
	char *gpus;                      /* their names, in order of device; "" = not known */
	uint32_t pid, parent;            /* parent: CT_NONE = not known */
	uint32_t rank, local_rank, size; /* CT_NONE = not known */
	uint64_t begin_ns, end_ns;       /* time of day of the first CUDA call and the last work */
	uint64_t parts[CT_PART_COUNT];   /* of the calls of all threads */
	uint64_t parts_calls[CT_PART_COUNT]; /* calls that have some of it */
	uint64_t call_ns;                /* of all parts */
	uint64_t blocked_ns;             /* of all threads */
	uint64_t comm_wait_ns;           /* of device_wait: while only communication kernels ran */
	uint64_t serialized_ns;          /* what serialization cost */
	uint64_t busy_ns;                /* at least one operation ran on its device */
	uint64_t work_ns;                /* one ran that is not communication */
	uint64_t comm_ns;                /* none ran but communication kernels */
	uint64_t calls, ops, comm_ops;
	uint64_t graph_ops;              /* graph launches: what is in them is not known apart */
	bool has_device;                 /* device times exist, and of the whole run: CUTRACE_MODE */
	bool cut_short;                  /* a flight recorder: only its last part is there */
	bool cut_off;                    /* the trace has no end: killed, or still going */
	bool damaged;                    /* part of the file is missing or cannot be read */
	bool mode_changed;               /* recorded in full for some of the time only */
	uint32_t mode;                   /* enum ct_mode that it began in */
	uint64_t sites_skipped;          /* whose lost time would have taken too long to work out */
	struct ct_spans active;          /* time of day: inside a CUDA call, or the device at work */
	struct ct_nccl nccl;             /* in times of the trace: clock_ns less than time of day */
	uint64_t clock_ns;
	struct ct_process_shown shown;   /* of calls that no filter leaves out, and so are the sites */
	uint64_t lost[CT_LOSS_COUNT];    /* records, by what was lost */
	uint64_t lost_otherwise;         /* losses of kinds this version does not know */
	char *unseen;                    /* what else was not seen, a line each */
	CT_ARRAY(struct ct_process_site) sites;
	/* filled by run.c: */
	char label[96];                  /* "rank 3"; "rank 3 (pid 77)" if there are two */
	bool compared;                   /* with the others, see run.h */
	uint64_t own_ns;                 /* of those compared */
};

/*
 * Take the digest of an analysis, which is not needed afterwards. Returns 0 and a
 * process for ct_process_free(), or -ENOMEM.
 */
int ct_process_take(const struct ct_analysis *analysis, struct ct_process *ret);
void ct_process_free(struct ct_process *process); /* its contents; all zeros is fine */

/* Is one a copy of the other? Of those without a call nothing tells: false. */
bool ct_process_same(const struct ct_process *a, const struct ct_process *b);

/* Time between begin and end spent neither in a CUDA call nor with the device at work. */
uint64_t ct_process_outside_ns(const struct ct_process *process);

#endif
