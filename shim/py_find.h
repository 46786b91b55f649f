/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the process's interpreter among the loaded modules. */
#ifndef CT_SHIM_PY_FIND_H
#define CT_SHIM_PY_FIND_H

#include <limits.h>
#include <link.h>
#include <stdbool.h>

#include "shim/py_walk.h"
#include "trace/record.h"

struct ct_py_found {
	char path[PATH_MAX];       /* of the module; "" = the program itself */
	enum ct_script_state state; /* PENDING: py can be used; else why not */
	struct ct_py_interpreter py;
};

/*
 * Is this module an interpreter? For a dl_iterate_phdr() callback. Returns false, with *ret
 * as it was, if it is none.
 */
bool ct_py_find(const struct dl_phdr_info *info, struct ct_py_found *ret);

#endif
