/* SPDX-License-Identifier: Apache-2.0 */
/* The interpreter of this process, and the chain of frames of one of its threads. */
#ifndef CT_SHIM_PY_WALK_H
#define CT_SHIM_PY_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/py_layout.h"
#include "trace/record.h"

struct ct_py_interpreter {
	struct ct_py_layout layout;
	void *(*thread_state)(void);     /* PyGILState_GetThisThreadState */
	int (*started)(void);            /* Py_IsInitialized */
	int (*ending)(void);             /* _Py_IsFinalizing, from 3.13 on Py_IsFinalizing */
	uint64_t eval_start, eval_end;   /* code of the eval loop; equal = not known */
	uint64_t code_type, text_type, bytes_type;
	bool trusted;                    /* a whole chain was as it should be */
};

struct ct_py_frame {
	uint64_t key;    /* hash of the place; of two places that were ever the same code, too */
	uint64_t code;   /* the code object */
	uint32_t offset; /* of the instruction, bytes; CT_PY_NOT_BEGUN */
	bool last;       /* the eval loop that runs it began with it */
};

struct ct_py_chain {
	uint64_t hash;
	enum ct_script_state state;
	uint32_t count;
	struct ct_py_frame frames[CT_STACK_SCRIPTS_MAX + 1]; /* innermost first; the last is scratch */
};

/*
 * Follow a thread's frames. state: its thread state; the calling thread's own. Until the
 * interpreter is trusted every word is checked to be readable, which is slow. Sets all of
 * *chain; its state is ALL, CUT, NO_FRAMES or UNREADABLE.
 */
void ct_py_walk(const struct ct_py_interpreter *py, uint64_t state, struct ct_py_chain *chain);

/* Mix a value into a hash. */
static inline uint64_t ct_py_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0xff51afd7ed558ccdu;
	return hash ^ hash >> 32;
}

#endif
