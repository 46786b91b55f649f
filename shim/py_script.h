/* SPDX-License-Identifier: Apache-2.0 */
/* Python frames by number: each place is read, named and recorded once. */
#ifndef CT_SHIM_PY_SCRIPT_H
#define CT_SHIM_PY_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/py_walk.h"

struct ct_thread;

#define CT_PY_FILE_CHARACTERS 1024 /* longer paths lose their beginning */
#define CT_PY_NAME_CHARACTERS 256

/* Room for the texts of one frame: stacks of threads may be tiny. */
struct ct_py_texts {
	char file[4 * CT_PY_FILE_CHARACTERS];
	char name[4 * CT_PY_NAME_CHARACTERS];
};

/* Make the table. Returns false if there is no memory. */
bool ct_py_script_init(void);

/*
 * The id of a frame's place, which is recorded if it is new. Lock-free, from any thread;
 * may set errno. Returns 0 if it cannot be read or the table is full; that is counted.
 */
uint32_t ct_py_script_id(struct ct_thread *thread, const struct ct_py_interpreter *py,
			 const struct ct_py_frame *frame, struct ct_py_texts *texts);

#endif
