/* SPDX-License-Identifier: Apache-2.0 */
/* CPython's line tables: from an instruction's offset to a source line. */
#ifndef CT_SHIM_PY_LINES_H
#define CT_SHIM_PY_LINES_H

#include <stddef.h>
#include <stdint.h>

#define CT_PY_NOT_BEGUN UINT32_MAX /* offset of a frame that has run no instruction yet */

/*
 * The line of the instruction at byte `offset` of a code object. minor: of version 3, which
 * selects the table's format; first: the code object's first line. Reads nothing outside
 * the table, whatever it holds.
 *
 * Returns the line, or 0 if the instruction has none; for CT_PY_NOT_BEGUN the first line.
 *
 * Source: CPython's Objects/lnotab_notes.txt for 3.9 (co_lnotab) and for 3.10 (its
 * co_linetable), Objects/locations.md for 3.11 and later.
 */
uint32_t ct_py_line(unsigned minor, const uint8_t *table, size_t size, uint32_t first,
		    uint32_t offset);

#endif
