/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranges that the program marks by NVTX. Its headers, compiled into whoever uses them, load the
 * library that NVTX_INJECTION64_PATH names and have it put functions into a table; that library
 * is ours unless somebody else is named there. A program that never uses NVTX pays nothing.
 *
 * Nothing changes for the program: a push returns what it does without a tool. Ids of started
 * ranges, domains and registered strings are ours, as only a tool can make any.
 */
#ifndef CT_SHIM_NVTX_H
#define CT_SHIM_NVTX_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/nvtx.h"

struct ct_thread;

/* For the constructor: have NVTX load this library, if that is wanted and no other one is set. */
void ct_nvtx_offer(const char *library);

/*
 * nvtx_load.c: this library is preloaded, for good, and has been offered by this name. From then
 * on dlopen() of it is answered without the loader (is: a handle got so, not to be closed), and so
 * is dlsym() of the functions that NVTX wants: what to jump to then, else NULL.
 */
void ct_nvtx_load_offer(const char *library);
void *ct_nvtx_pick(void *of, const char *name);
bool ct_nvtx_is(const void *of);

extern void *const ct_nvtx_initialize, *const ct_nvtx_extend; /* nvtx_inject.c: those functions */

/* Write a note if there will be no ranges. */
void ct_nvtx_note(void);

/* Tracing has started, on this thread: ranges that are open, and their names, become known. */
void ct_nvtx_started(struct ct_thread *thread);

/* The thread ends; so do ranges that it never popped. */
void ct_nvtx_finish(struct ct_thread *thread);

/* nvtx_names.c: the id of a text of so many bytes (cut), 0 if the table is full. From any thread. */
uint32_t ct_nvtx_intern(struct ct_thread *thread, const char *text, uint32_t length);

/*
 * The same of a range that begins now. Outside windows, where hardly any has a record, it may be
 * CT_NVTX_PASSING: names from there take up half of the table at most. If the range has a record
 * all the same, that is without a name (0), and ct_nvtx_passed() counts it.
 */
#define CT_NVTX_PASSING UINT32_MAX
uint32_t ct_nvtx_intern_range(struct ct_thread *thread, const char *text, uint32_t length);
void ct_nvtx_passed(void);

/* Count a range whose name is 0, if that may be as there was no room for it. */
void ct_nvtx_nameless(void);

/* The names that were interned before there was a trace. Once, when there is one. */
void ct_nvtx_names_started(struct ct_thread *thread);

/*
 * nvtx_open.c: places in the trace that say which ranges are under way, for when the process is
 * killed. Take one (NULL: there is none), fill it when a range begins, empty it when that has
 * ended, as often as wanted, and give it back. All but the first accept NULL.
 */
void ct_nvtx_open_prepare(void);
struct ct_nvtx_range *ct_nvtx_open_take(void);
void ct_nvtx_open_fill(struct ct_nvtx_range *place, const struct ct_nvtx_range *range);
void ct_nvtx_open_empty(struct ct_nvtx_range *place);
void ct_nvtx_open_give(struct ct_nvtx_range *place);

#endif
