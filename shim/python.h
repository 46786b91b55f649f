/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python's frames in call stacks. The interpreter's own data are read, in the process and
 * on the thread that makes the call: its chain of frames does not move while it is inside
 * a C call, whether it holds the GIL or not. No lock is taken, no reference count touched,
 * nothing of Python's is called but PyGILState_GetThisThreadState(), Py_IsFinalizing() and
 * Py_IsInitialized(), which read a variable each.
 *
 * Whether the memory is what we take it for is checked before anything is trusted: the
 * first chain is read word by word through the kernel, and every object on the way must
 * have the type it should have. CPython 3.9 to 3.13; for others a stack says why it has no
 * script frames (enum ct_script_state).
 */
#ifndef CT_SHIM_PYTHON_H
#define CT_SHIM_PYTHON_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#include "trace/record.h"

struct ct_thread;

/* Most frames of a merged stack. */
#define CT_STACK_MERGED_MAX (CT_STACK_FRAMES_MAX + CT_STACK_SCRIPTS_MAX)

/* Look for interpreters in the modules that ct_python_consider() is shown from now on. */
void ct_python_init(bool wanted);

/*
 * Is this module an interpreter? For a dl_iterate_phdr() callback: takes no lock, and what
 * it finds is of use only after ct_python_settle().
 */
void ct_python_consider(const struct dl_phdr_info *info);

/*
 * Begin to use an interpreter that was found, after making sure that it stays loaded. This
 * may wait for the loader's lock, so calls of the program never do it: the start does, and
 * then the flusher.
 */
void ct_python_settle(void);

/*
 * Follow the calling thread's Python frames and keep them for ct_python_merge(). Returns a
 * hash of them all, or of the reason that there are none; 0 if the process has no
 * interpreter. May change errno.
 */
uint64_t ct_python_follow(struct ct_thread *thread);

/*
 * Put the frames that ct_python_follow() has just kept into a native stack of n addresses,
 * as trace/FORMAT.md says, and record those that are new. The result lives as long as the
 * thread. *ret_pc is `pc` itself where there is nothing to put in. Returns its length.
 */
uint32_t ct_python_merge(struct ct_thread *thread, const uint64_t *pc, uint32_t n,
			 const uint64_t **ret_pc, enum ct_script_state *ret_state);

/*
 * Why a stack that was taken before the last look at the modules has no script frames: NONE
 * if there is no interpreter.
 */
enum ct_script_state ct_python_absence(void);

/* The thread ends. */
void ct_python_finish(struct ct_thread *thread);

#endif
