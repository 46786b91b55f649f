/* SPDX-License-Identifier: Apache-2.0 */
/* Being asked to end (SIGINT, SIGTERM, SIGHUP) while a program runs for us: it ends first. */
#ifndef CT_TOOLS_INTERRUPT_H
#define CT_TOOLS_INTERRUPT_H

#include <sys/types.h>

#define CT_INTERRUPT_GRACE_S 5 /* for the program to end by the signal, before it is killed */

/* From now on such signals end no more than the program that is being run. Ignored ones stay so. */
void ct_interrupt_catch(void);

/*
 * As fork(). The child has a process group of its own, so that what it starts ends with it, and
 * signals as they were before ct_interrupt_catch().
 */
pid_t ct_interrupt_fork(void);

/* Wait for that child. Returns its status, as of waitpid(). If asked to end, its group is no more. */
int ct_interrupt_wait(pid_t child);

/* The first signal that asked us to end; 0: none has. */
int ct_interrupted(void);

/* End by that signal; returns if there was none. */
void ct_interrupt_end(void);

#endif
