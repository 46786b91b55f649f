/* SPDX-License-Identifier: Apache-2.0 */
/* What the renderers share. */
#ifndef CT_ANALYZE_REPORT_H
#define CT_ANALYZE_REPORT_H

#include "analyze/analysis.h"

#define CT_NAME_BYTES 4608 /* a demangled kernel name, cut */

/* The stream whose work a wait was for, as CUPTI numbers it; CT_NONE: not known, or several. */
uint32_t ct_report_wait_stream(const struct ct_model *model, const struct ct_wait *wait);

/* The device whose work a wait was for; CT_NONE: not known, or it was for none. */
uint32_t ct_report_wait_device(const struct ct_model *model, const struct ct_wait *wait);

/* What a wait was for: an operation, or a call of another thread; "" if neither. */
void ct_report_waited_for(const struct ct_model *model, const struct ct_wait *wait, char *ret,
			  size_t size);

/* Tables with Nsight Systems' column names (nsys stats: cuda_api_sum, cuda_gpu_kern_sum). */
void ct_report_api_sum(const struct ct_analysis *analysis, FILE *to);
void ct_report_kernel_sum(const struct ct_analysis *analysis, FILE *to);

/* The streams, their kind and priority, and how much ran on each. */
void ct_report_streams_csv(const struct ct_analysis *analysis, FILE *to);

/* What the documentation says beside what was observed; when the device was idle. */
void ct_report_ledger_csv(const struct ct_analysis *analysis, FILE *to);
void ct_report_idle_csv(const struct ct_analysis *analysis, FILE *to);
void ct_report_ledger(const struct ct_analysis *analysis, FILE *to);
void ct_report_idle(const struct ct_analysis *analysis, FILE *to);

/* Records that a flight recorder has overwritten. */
uint64_t ct_report_overwritten(const struct ct_model *model);

/*
 * Lines that say which part of the run a flight recorder kept; lead precedes the first of
 * them, next the others, indent what is left of one that is too long. Only if records were overwritten.
 */
void ct_report_flight(const struct ct_model *model, const char *lead, const char *next,
		      const char *indent, FILE *to);

/*
 * Lines that say which windows were recorded, where not all of the run was; lead precedes the
 * first of them, next what it goes on with. Only if ct_seen_windows().
 */
void ct_report_windows(const struct ct_model *model, const char *lead, const char *next, FILE *to);

/* What the call sites of the whole run cost: the first `limit`; all. */
void ct_report_totals(const struct ct_analysis *analysis, size_t limit, FILE *to);
void ct_report_totals_csv(const struct ct_analysis *analysis, FILE *to);

/* How many devices of a run with several worked at a time, and each of them; with its streams, or not. */
void ct_report_devices(const struct ct_analysis *analysis, bool streams, FILE *to);

/*
 * "; on NVIDIA H200", "; on 8 devices: NVIDIA H200; only device 3 had work": what the devices are; "" if
 * that is not known.
 */
void ct_report_gpus(const struct ct_analysis *analysis, char *ret, size_t size);

/* " of device 1" behind the name of a stream, if the run has several; "" if it has one. */
const char *ct_report_device(const struct ct_model *model, uint32_t device, char ret[32]);

/* Why an order between streams exists, one clause. */
const char *ct_report_edge(enum ct_edge_kind edge);

/*
 * A sentence, broken into lines of at most 98 characters. first and indent precede the
 * first line and the others.
 */
void ct_report_wrapped(FILE *to, const char *first, const char *indent, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A duration for people: "12.3 ms", four significant characters. */
const char *ct_report_time(uint64_t ns, char ret[16]);

/* A number of things with its noun: "1 call", "12 calls". */
const char *ct_report_count(uint64_t n, const char *noun, char ret[48]);

/* The same of things that begin with a noun in the plural, of one word or two: "1 call after the end". */
#define CT_THINGS_BYTES 256
const char *ct_report_things(uint64_t n, const char *things, char ret[CT_THINGS_BYTES]);

/* "rank 3 of 8", "rank 3" if the size is CT_NONE, "" if the rank is. */
const char *ct_report_rank(uint32_t rank, uint32_t size, char ret[48]);

/* Names for a sentence, of which the first few are kept: "rank 1, rank 5 and 3 more". */
struct ct_names {
	char text[1024];
	size_t used, count, shown;
};
void ct_names_add(struct ct_names *names, const char *name);
const char *ct_names_text(struct ct_names *names); /* when all have been added */

/* What a kind of loss means, behind its number; CT_LOSS_COUNT: a kind not known here. */
const char *ct_report_loss(int kind);

/* A time lost, for a column: "-" for none, "0 ns" where that was worked out. Returns ret. */
const char *ct_report_lost(uint64_t ns, bool judged, char ret[16]);

/* Is part of the file missing at its end, or not as it was written? */
bool ct_report_damaged(const struct ct_analysis *analysis);

/* Is nothing left of the run, of a trace that is damaged or has no end? There is nothing to report on. */
bool ct_report_nothing(const struct ct_analysis *analysis);

/*
 * What was not seen apart from the losses of the file's header, a line each, for
 * free(). Returns 0 or -ENOMEM.
 */
int ct_report_unseen(const struct ct_analysis *analysis, char **ret);

/* Kinds of loss and other things that were not seen of a process. */
struct ct_process;
unsigned ct_report_count_unseen(const struct ct_process *process);

/* What was seen of several processes and what was not. */
struct ct_run;
void ct_report_run_coverage(const struct ct_run *run, FILE *to);

/* NCCL's kernels, if there are any; of a run, who was late to collectives: as text, and ranks_nccl.csv. */
void ct_report_nccl(const struct ct_analysis *analysis, FILE *to);
void ct_report_run_nccl(const struct ct_run *run, bool summary, FILE *to);
void ct_report_run_nccl_csv(const void *run, FILE *to);

/*
 * Write a file by write(of, ...) under a temporary name and rename it when it is whole:
 * a full disk or a kill leaves the old file, never half a new one. Returns 0 or -errno.
 */
int ct_report_write_file(const char *directory, const char *name,
			 void (*write)(const void *of, FILE *to), const void *of);

/* Remove one that an earlier report left, if there is one. Returns 0 or -errno. */
int ct_report_remove_file(const char *directory, const char *name);

/* What calls cost by the NVTX range that they were made in; nothing if there are none. */
void ct_report_nvtx(const struct ct_analysis *analysis, FILE *to);
void ct_report_nvtx_csv(const struct ct_analysis *analysis, FILE *to);

/* What a filter leaves out, and what is shown; nothing without one. */
void ct_report_filter(const struct ct_analysis *analysis, FILE *to);

/* What times are a share of, for a sentence: "run", "part kept". */
const char *ct_report_whole(const struct ct_model *model);

/* What serialization cost; model: and how well the run could be replayed. */
void ct_report_serialization(const struct ct_analysis *analysis, bool model, FILE *to);

/* The lines that say what was seen and what was not. */
void ct_report_coverage(const struct ct_analysis *analysis, FILE *to);

/* The last of these: how far figures can be trusted, and what being watched cost. */
void ct_report_trust(const struct ct_analysis *analysis, FILE *to);

#endif
