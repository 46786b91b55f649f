/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that may not be what we take it for, and the strings of CPython in it. */
#ifndef CT_SHIM_PY_TEXT_H
#define CT_SHIM_PY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/py_layout.h"

/*
 * Can these bytes be read? Asks the kernel once a page, changes nothing and cannot fault;
 * sets errno. What another thread unmaps meanwhile is not noticed.
 */
bool ct_readable(uint64_t at, uint64_t bytes);

/*
 * A str object as UTF-8, the last `characters` of it, which need 4 bytes each in ret.
 * Surrogates that stand for bytes of a file name become those bytes again, others "?".
 * type: the address of PyUnicode_Type.
 *
 * Returns the bytes stored, or -1 if there is no readable str object at that address.
 */
int ct_py_text(const struct ct_py_layout *layout, uint64_t object, uint64_t type,
	       uint32_t characters, char *ret);

#endif
