/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pthread_once() for what a signal handler, or the constructor of a library that is loaded
 * meanwhile, may ask for again on the very thread that is doing it: there pthread_once() waits
 * for itself, for ever.
 */
#ifndef CT_SHIM_ONCE_H
#define CT_SHIM_ONCE_H

#include <stdbool.h>
#include <stdint.h>

/* Static, and 0 at first: who is at it (process and thread), or that it is done, or given up. */
typedef uint64_t ct_once_state;

/*
 * Call run() if nobody has yet, or wait until who is at it is done. Returns true once it is;
 * false in the midst of it on its own thread, in a child forked from the midst of it, where
 * nobody will ever finish, and from when somebody has waited for ct_once_patience_ns: a signal's
 * handler that came in the midst of it may have left it by siglongjmp().
 */
bool ct_once(ct_once_state *state, void (*run)(void));

/* Ten seconds, unless a test has less. */
extern uint64_t ct_once_patience_ns;

/* Has somebody waited for so long, and it is not done since? */
bool ct_once_given_up(const ct_once_state *state);

/* Is the calling thread in the midst of it? */
bool ct_once_inside(const ct_once_state *state);

#endif
