/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a program ends, and the report that follows. */
#ifndef CT_SHIM_EXITS_H
#define CT_SHIM_EXITS_H

/*
 * Register for exit() and quick_exit(). _exit() and _Exit() are wrapped besides.
 * Handlers run in reverse order of registration: called again after a library was
 * loaded, ours runs before that library is torn down.
 */
void ct_exits_arm(void);

/*
 * Run the reporter on the finished trace and wait for it: a process of its own, so
 * that nothing of the analysis happens inside the program. The program gets no
 * SIGCHLD and its wait() does not see it. If it cannot be run, one line says how
 * to make the report by hand.
 */
void ct_exits_report(void);

#endif
