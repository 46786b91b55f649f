/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the victim share: see victim.c. */
#ifndef CT_TESTS_VICTIM_H
#define CT_TESTS_VICTIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CALLS_PER_ROUND 4

struct victim_mode {
	const char *name;
	int (*run)(const char *argument); /* returns the exit status; argument may be NULL */
};

/* Ended by an entry without a name. */
extern const struct victim_mode victim_ends[];
extern const struct victim_mode victim_processes[];
extern const struct victim_mode victim_habits[];
extern const struct victim_mode victim_ranks[];
extern const struct victim_mode victim_crowds[];
extern const struct victim_mode victim_modes[];
extern const struct victim_mode victim_control[];
extern const struct victim_mode victim_long[];
extern const struct victim_mode victim_steps[];
extern const struct victim_mode victim_forks[];
extern const struct victim_mode victim_threads[];
extern const struct victim_mode victim_fix[];
extern const struct victim_mode victim_fix_ends[];
extern const struct victim_mode victim_pin[];
extern const struct victim_mode victim_pin_life[];

/* If not NULL, counts every call that returned. */
extern atomic_uint *victim_returned;

/*
 * Allocate, fill, synchronise and free, `rounds` times: CALLS_PER_ROUND calls each.
 * Returns the number of rounds in which nothing failed; the first failure is printed.
 */
int victim_cuda(int rounds);

/* One cudaMalloc(); returns its error. */
int victim_allocate(void);

/* Launch a kernel of that duration on the default stream; returns the error. */
int victim_kernel(uint64_t ns);

/* The same on a stream. */
struct CUstream_st;
int victim_kernel_in(uint64_t ns, struct CUstream_st *stream);

/* Rounds as above, and the result is printed. */
void victim_work(int rounds);

/* Print a line at once, whatever stdout is: what was said stays said if we are killed. */
void victim_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* If result is not zero, say what failed and end: such a run tests nothing. */
void victim_must(int result, const char *doing);

#endif
