/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUPTI, used: callbacks for the calls of trace/apis.def, and activity records
 * turned into ours. CUPTI is found and loaded at run time; what it needs of the
 * surrounding library it gets as struct ct_cupti_host, so it can be tested alone.
 *
 * No function here may be called while a lock is held that a CUPTI callback could
 * want, and none calls CUDA.
 */
#ifndef CT_CUPTI_SESSION_H
#define CT_CUPTI_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/apis.h"
#include "trace/record.h"

/* Where calls and records go. Every function is safe from any thread. */
struct ct_cupti_host {
	/* A call begins or ends; see ct_hook_cupti_enter() and ct_hook_cupti_exit(). */
	struct ct_call *(*enter)(enum ct_api api, enum ct_origin origin, uint32_t correlation,
				 uint32_t context);
	void (*begin)(struct ct_call *call);
	struct ct_call *(*exit)(enum ct_api api, enum ct_origin origin, uint32_t correlation,
				uint32_t context);
	void (*close)(struct ct_call *call, int error);

	bool (*put)(enum ct_record_type type, const void *record); /* one slot; false = lost */
	void *(*reserve)(uint32_t bytes); /* NULL = lost, and counted */
	void (*commit)(void *record, enum ct_record_type type, uint32_t bytes);
	void (*lose)(enum ct_loss what, uint64_t n);
	/* false = lost, and counted */
	bool (*note)(enum ct_note_code code, uint64_t value, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
	uint64_t (*now_ns)(void);
};

struct ct_cupti_setup {
	const char *library; /* a path to use instead of searching; may be empty */
	bool graph_nodes;    /* see ct_activity_enable() */
	/*
	 * Have CUPTI read our clock. It cannot be taken back, so where somebody else may use CUPTI
	 * later, its own clock is left as it is and the distance is measured.
	 */
	bool own_clock;
	enum ct_mode mode;   /* to begin in */
	bool (*wanted)(void); /* asked right before CUPTI is used, under the lock of ct_cupti_yield() */
};

/*
 * Find CUPTI, subscribe, enable callbacks and activity kinds. Call once: before any context
 * exists (InitializeInjection), or later, in the light mode; CUPTI tells nothing then of
 * contexts and streams that exist, and a call that is open may be seen to end only.
 *
 * Returns 0, or -errno with one sentence in `why` that says what is wrong and what
 * to do: -ENOENT no library, -EBUSY another tool has it, -EACCES not permitted,
 * -EIO anything else. -ECANCELED without a sentence: it is not wanted any more. Single kinds that could not be enabled are noted, not errors.
 */
int ct_cupti_start(const struct ct_cupti_host *host, const struct ct_cupti_setup *setup, char *why,
		   size_t why_size);

/*
 * Have recorded what this mode has. Meanwhile the caller must open no calls that the old mode
 * or the new one leaves alone.
 *
 * Returns 0, -ENODEV if CUPTI is not in use, or -EIO if it now refuses a kind without which it
 * is of no use: it is in the light mode then.
 */
int ct_cupti_switch(enum ct_mode mode);

/* Fetch the records of finished buffers. Nothing happens if CUPTI is not in use. */
void ct_cupti_flush(void);

/* Are we subscribed to CUPTI? */
bool ct_cupti_in_use(void);

/*
 * Let go of CUPTI, so that somebody else in this process can use it: fetch everything,
 * disable what was enabled, unsubscribe, and set back what is common to all users (our
 * clock cannot be taken out again: see own_clock). Only if CUPTI is ours, before() is called
 * first, and last() when everything is done but to unsubscribe: callbacks may stop at any
 * moment.
 *
 * Waits for other threads that are in this file. Returns true if CUPTI was ours and now
 * is not; nothing here uses it again.
 */
bool ct_cupti_yield(void (*before)(void), void (*last)(void));

/*
 * Stop and fetch everything. CUPTI stays loaded and subscribed: taking it away
 * under running threads is not safe, and the process ends anyway.
 */
void ct_cupti_finish(void);

#endif
