/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a program for `cutrace prove`: how long, how it ended, what it printed. */
#ifndef CT_TOOLS_TRIAL_H
#define CT_TOOLS_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/fix.h"

enum ct_trial_kind {
	CT_TRIAL_PLAIN,  /* without the library */
	CT_TRIAL_BARE,   /* with it: it changes and records nothing, but counts as in the changed one */
	CT_TRIAL_TRACED, /* recorded in full; allocations are counted */
	CT_TRIAL_FIXED   /* changed; nothing is recorded */
};

struct ct_trials {
	char **argv;        /* the program and its arguments */
	const char *fix;    /* value of CUTRACE_FIX */
	const char *folder; /* for what is left of a run; traces are FOLDER/trace.PID, .1 and on */
	const struct ct_fix_counts *like; /* of the process looked at before; NULL: none was */
};

struct ct_trial {
	uint64_t ns;        /* from the fork to the end */
	uint64_t work_ns;   /* of its work alone, of all its processes, first to last; 0 = not known */
	int status;         /* as of waitpid() */
	uint64_t print;     /* a hash of what went to standard output, */
	uint64_t print_but_numbers; /* and of the same with every number taken for the same one */
	uint32_t processes; /* that used CUDA; what follows is known of CT_FIX_SLOTS of them at most */
	bool pending;       /* in one of them something still was, see trace/fix.h */
	uint64_t calls_ns;  /* of all of them, the same */
	struct ct_fix_counts counts; /* of the one that worked longest, or of that most like `like` by its
				      * allocations and frees; all 0 of a plain run */
	char trace[32];     /* of a traced run: the folder of that one's trace, in `folder` */
};

/*
 * Run the program to its end. It reads nothing from standard input and its standard error
 * is dropped. Returns 0, or CT_EXIT_FAILED if it could not be run, which has been printed, or was
 * ended as this command was asked to (tools/interrupt.h).
 */
int ct_trial_run(const struct ct_trials *trials, enum ct_trial_kind kind, struct ct_trial *ret);

#endif
