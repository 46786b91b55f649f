/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_layout.h"

#include <string.h>

/*
 * Source: offsetof() over the headers of CPython 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0
 * on x86-64 (Include/cpython/pystate.h, code.h, frameobject.h, unicodeobject.h and
 * Include/internal/pycore_frame.h); tools/python-layout prints them anew. CPython keeps
 * them within a minor version.
 */
#define TEXT_WITH_WSTR .text_length = 16, .text_state = 32, .text_ascii = 48, .text_wide = 72
#define TEXT_SHORTER .text_length = 16, .text_state = 32, .text_ascii = 40, .text_wide = 56
#define BYTES .bytes_size = 16, .bytes_data = 32
#define OLD_CODE                                                                                   \
	.code_line = 40, .code_file = 104, .code_name = 112, .code_lines = 120,                    \
	.code_begin = CT_PY_ABSENT, .code_start = CT_PY_ABSENT
#define OLD_FRAME                                                                                  \
	.state_frame = 24, .cframe_frame = CT_PY_ABSENT, .frame_previous = 24, .frame_code = 32,   \
	.frame_entry = CT_PY_ABSENT, .frame_owner = CT_PY_ABSENT

static const struct ct_py_layout layouts[] = {
	{ .minor = 9, OLD_FRAME, .frame_at = 104, OLD_CODE, TEXT_WITH_WSTR, BYTES },
	{ .minor = 10, OLD_FRAME, .frame_at = 96, OLD_CODE, TEXT_WITH_WSTR, BYTES },
	{ .minor = 11, .state_frame = 56, .cframe_frame = 8,
	  .frame_previous = 48, .frame_code = 32, .frame_at = 56, .frame_entry = 68, .frame_owner = 69,
	  .code_line = 72, .code_file = 112, .code_name = 128, .code_lines = 136,
	  .code_begin = 168, .code_start = 184, TEXT_WITH_WSTR, BYTES },
	{ .minor = 12, .state_frame = 56, .cframe_frame = 0,
	  .frame_previous = 8, .frame_code = 0, .frame_at = 56, .frame_entry = CT_PY_ABSENT,
	  .frame_owner = 70, .code_line = 68, .code_file = 112, .code_name = 128, .code_lines = 136,
	  .code_begin = 176, .code_start = 192, TEXT_SHORTER, BYTES },
	{ .minor = 13, .state_frame = 72, .cframe_frame = CT_PY_ABSENT,
	  .frame_previous = 8, .frame_code = 0, .frame_at = 56, .frame_entry = CT_PY_ABSENT,
	  .frame_owner = 70, .code_line = 68, .code_file = 112, .code_name = 128, .code_lines = 136,
	  .code_begin = 184, .code_start = 200, TEXT_SHORTER, BYTES },
};

const struct ct_py_layout *ct_py_layout_of(unsigned minor)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].minor == minor)
			return &layouts[i];
	return NULL;
}

/*
 * The head of _PyRuntime, as 64-bit words: _Py_DebugOffsets in Include/internal/
 * pycore_runtime.h of 3.13. What we do not use is left out; the numbers are indices.
 */
enum word {
	COOKIE = 0,
	VERSION = 1,
	FREE_THREADED = 2,
	STATE_FRAME = 23,
	FRAME_PREVIOUS = 29,
	FRAME_CODE = 30,
	FRAME_AT = 31,
	FRAME_OWNER = 33,
	CODE_FILE = 35,
	CODE_NAME = 37,
	CODE_LINES = 38,
	CODE_LINE = 39,
	CODE_START = 43,
	BYTES_SIZE = 65,
	BYTES_DATA = 66,
	TEXT_STATE = 68,
	TEXT_LENGTH = 69,
	TEXT_ASCII = 70,
	WORDS = 71
};

bool ct_py_layout_published(const void *runtime, size_t bytes, struct ct_py_layout *layout,
			    bool *ret_free_threaded)
{
	struct ct_py_layout found = *layout;
	const struct {
		uint16_t *field;
		enum word word;
	} fields[] = {
		{ &found.state_frame, STATE_FRAME }, { &found.frame_previous, FRAME_PREVIOUS },
		{ &found.frame_code, FRAME_CODE }, { &found.frame_at, FRAME_AT },
		{ &found.frame_owner, FRAME_OWNER }, { &found.code_file, CODE_FILE },
		{ &found.code_name, CODE_NAME }, { &found.code_lines, CODE_LINES },
		{ &found.code_line, CODE_LINE }, { &found.code_start, CODE_START },
		{ &found.bytes_size, BYTES_SIZE }, { &found.bytes_data, BYTES_DATA },
		{ &found.text_state, TEXT_STATE }, { &found.text_length, TEXT_LENGTH },
		{ &found.text_ascii, TEXT_ASCII },
	};
	uint64_t words[WORDS];

	if (bytes < sizeof(words))
		return false;
	memcpy(words, runtime, sizeof(words));
	if (memcmp(&words[COOKIE], "xdebugpy", 8) != 0 || words[VERSION] >> 16 != 0x030d)
		return false;
	*ret_free_threaded = words[FREE_THREADED] != 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (words[fields[i].word] > 4096)
			return false;
		*fields[i].field = (uint16_t)words[fields[i].word];
	}
	/* not published: both stand at a fixed distance from what follows them */
	found.code_begin = (uint16_t)(found.code_start - 16);
	found.text_wide = (uint16_t)(found.text_ascii + 16);
	*layout = found;
	return true;
}
