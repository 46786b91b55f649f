/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preloaded library as a whole: its state in this process, start and end.
 *
 * Life: the constructor only points the driver at us. The first CUDA use starts
 * tracing (ct_shim_start), the end of the program finishes it (ct_shim_finish).
 * A process that never uses CUDA leaves no file, no thread and no message.
 */
#ifndef CT_SHIM_SHIM_H
#define CT_SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/clock.h"
#include "shim/options.h"
#include "trace/record.h"
#include "trace/writer.h"

struct ct_shim {
	struct ct_options options;
	struct ct_file file;
	char directory[4096];       /* absolute; of the trace and the report */
	char library[4096];         /* absolute path of libcutrace.so */
	uintptr_t text_start, text_end; /* our own code, to leave it out of stacks */
};

extern struct ct_shim ct_shim;

/* A page of its own, wiped in forked children; until the start it is a constant 0. */
enum ct_life { CT_LIFE_UNBORN = 0, CT_LIFE_ALIVE = 1, CT_LIFE_CLOSED = 2 };
extern const volatile uint32_t *ct_shim_life;

/* Who reads that it is alive also sees what was written before, by another thread. */
static inline enum ct_life ct_shim_lives(void)
{
	return __atomic_load_n(__atomic_load_n(&ct_shim_life, __ATOMIC_ACQUIRE), __ATOMIC_ACQUIRE);
}

/*
 * Is this process being traced right now? False before the start, after the end,
 * when nothing could be recorded, and in every child that was forked (a page that
 * the kernel wipes on fork tells; pids are not asked for, fork handlers not needed).
 */
static inline bool ct_shim_alive(void)
{
	return ct_shim_lives() == CT_LIFE_ALIVE;
}

/* Has this process finished its trace? Calls from now on are only counted. */
static inline bool ct_shim_closed(void)
{
	return ct_shim_lives() == CT_LIFE_CLOSED;
}

/* Start tracing if that has not been tried. Returns ct_shim_alive(). */
bool ct_shim_start(void);

/*
 * Is this thread in the midst of the start? Then a signal's handler interrupted it, or a library
 * that it loads has a constructor that uses CUDA. Such calls pass; each is told to
 * ct_shim_miss(), and counted when there is a trace. entry: a wrapper of the driver saw it.
 */
bool ct_shim_starting(void);
void ct_shim_miss(bool entry);

/*
 * Close the trace and make the report. Runs once; later calls return at once. It
 * waits at most some seconds for CUPTI and never calls CUDA.
 */
void ct_shim_finish(enum ct_finish how);

/*
 * Store a note in the trace. For what the user must know: code says which role
 * the text plays in the report. Text is cut to 1000 bytes. Returns false if there was no room,
 * which has been counted.
 */
bool ct_shim_note(enum ct_note_code code, uint64_t value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
