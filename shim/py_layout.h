/* SPDX-License-Identifier: Apache-2.0 */
/* Where CPython keeps what we read of its frames, by version. 64-bit builds with a GIL. */
#ifndef CT_SHIM_PY_LAYOUT_H
#define CT_SHIM_PY_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_PY_ABSENT UINT16_MAX /* this version has no such field */

#define CT_PY_OWNER_GENERATOR 1 /* values of a frame's owner, 3.11 on */
#define CT_PY_OWNER_CSTACK 3    /* 3.12 on: no function, marks where an eval loop began */

/* Offsets in bytes. */
struct ct_py_layout {
	uint16_t minor;          /* of version 3 */
	uint16_t state_frame;    /* thread state -> current frame, or -> cframe */
	uint16_t cframe_frame;   /* cframe -> current frame */
	uint16_t frame_previous; /* -> the caller's frame */
	uint16_t frame_code;
	uint16_t frame_at;       /* instruction: int index to 3.10, then a pointer */
	uint16_t frame_entry;    /* byte, 3.11 only: the eval loop began with this frame */
	uint16_t frame_owner;    /* byte */
	uint16_t code_line;      /* int: first line */
	uint16_t code_file;
	uint16_t code_name;      /* qualified from 3.11 on */
	uint16_t code_lines;     /* bytes object: line table */
	uint16_t code_begin;     /* int, 3.11 on: before this instruction the frame is not complete */
	uint16_t code_start;     /* instructions, 3.11 on */
	uint16_t text_length, text_state;
	uint16_t text_ascii;     /* characters of a compact ASCII string */
	uint16_t text_wide;      /* characters of any other compact string */
	uint16_t bytes_size, bytes_data;
};

/* The layout of CPython 3.minor; NULL if it is not known. */
const struct ct_py_layout *ct_py_layout_of(unsigned minor);

/*
 * Correct a layout of 3.13 by the offsets that the interpreter itself publishes at the
 * start of _PyRuntime. Returns false if they are not there, not those of 3.13, or beyond
 * reason; then *layout is as before. *ret_free_threaded: the build has no GIL and another
 * object header.
 */
bool ct_py_layout_published(const void *runtime, size_t bytes, struct ct_py_layout *layout,
			    bool *ret_free_threaded);

#endif
