/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_walk.h"

#include <string.h>

#include "shim/py_text.h"

#define OBJECT_TYPE 8       /* PyObject.ob_type */
#define STEPS_MAX 1024      /* frames passed over included; a chain that is a ring ends here */
#define TABLE_BYTES 32      /* of a line table's beginning go into the key */
#define TEXT_BYTES 16       /* and of a string's end */
#define OFFSET_MAX (1u << 28)

/* Where one frame stands in the source, or whether it does not. */
enum step { FRAME, PASS, BOUNDARY, BAD };

static inline bool load(const struct ct_py_interpreter *py, uint64_t at, void *ret, uint32_t bytes)
{
	if (!py->trusted && !ct_readable(at, bytes))
		return false;
	memcpy(ret, (const void *)(uintptr_t)at, bytes);
	return true;
}

static inline bool load_pointer(const struct ct_py_interpreter *py, uint64_t at, uint64_t *ret)
{
	return load(py, at, ret, sizeof(*ret)) && !(*ret & 7);
}

/* A pointer to an object of this type. */
static inline bool load_object(const struct ct_py_interpreter *py, uint64_t at, uint64_t type,
			       uint64_t *ret)
{
	uint64_t found;

	return load_pointer(py, at, ret) && *ret &&
	       load(py, *ret + OBJECT_TYPE, &found, sizeof(found)) && found == type;
}

static bool hash_bytes(const struct ct_py_interpreter *py, uint64_t at, uint64_t bytes,
		       uint64_t *hash)
{
	for (; bytes; at += 8) {
		uint32_t part = bytes < 8 ? (uint32_t)bytes : 8;
		uint64_t word = 0;

		if (part == 8 ? !load(py, at, &word, 8) : !load(py, at, &word, part))
			return false;
		*hash = ct_py_mix(*hash, word);
		bytes -= part;
	}
	return true;
}

static bool hash_text(const struct ct_py_interpreter *py, uint64_t text, uint64_t *hash)
{
	const struct ct_py_layout *l = &py->layout;
	uint64_t length, bytes;
	uint32_t state;

	if (!load(py, text + l->text_length, &length, sizeof(length)) ||
	    !load(py, text + l->text_state, &state, sizeof(state)))
		return false;
	bytes = length * (state >> 2 & 7); /* characters of 1, 2 or 4 bytes */
	text += state >> 6 & 1 ? l->text_ascii : l->text_wide;
	*hash = ct_py_mix(*hash, bytes);
	if (bytes > TEXT_BYTES)
		return hash_bytes(py, text + bytes - TEXT_BYTES, TEXT_BYTES, hash);
	return hash_bytes(py, text, bytes, hash);
}

/*
 * What tells a code object from one that was there before it was freed: its first line, the
 * end of its names, and the beginning of its line table, which says most about short code.
 * Addresses alone will not do, as the new ones are often the old.
 */
static bool hash_code(const struct ct_py_interpreter *py, uint64_t code, uint64_t *hash)
{
	const struct ct_py_layout *l = &py->layout;
	uint64_t file, name, table, bytes;
	uint32_t line;

	if (!load(py, code + l->code_line, &line, sizeof(line)) ||
	    !load_object(py, code + l->code_file, py->text_type, &file) ||
	    !load_object(py, code + l->code_name, py->text_type, &name) ||
	    !load_object(py, code + l->code_lines, py->bytes_type, &table) ||
	    !load(py, table + l->bytes_size, &bytes, sizeof(bytes)))
		return false;
	*hash = ct_py_mix(*hash, code ^ (uint64_t)line << 48);
	*hash = ct_py_mix(*hash, file ^ name << 20);
	*hash = ct_py_mix(*hash, table ^ bytes << 48);
	return hash_text(py, file, hash) && hash_text(py, name, hash) &&
	       hash_bytes(py, table + l->bytes_data, bytes < TABLE_BYTES ? bytes : TABLE_BYTES, hash);
}

/* To 3.10: one eval loop runs one frame, the instruction is an index. */
static enum step step_old(const struct ct_py_interpreter *py, uint64_t at, struct ct_py_frame *ret)
{
	uint32_t unit = py->layout.minor == 9 ? 1 : 2;
	int32_t index;

	if (!load_object(py, at + py->layout.frame_code, py->code_type, &ret->code) ||
	    !load(py, at + py->layout.frame_at, &index, sizeof(index)) || index < -1 ||
	    index > (int32_t)(OFFSET_MAX / 2))
		return BAD;
	ret->offset = index < 0 ? 0 : (uint32_t)index * unit;
	ret->last = true;
	return FRAME;
}

/* From 3.11 on. */
static enum step step_new(const struct ct_py_interpreter *py, uint64_t at, struct ct_py_frame *ret)
{
	const struct ct_py_layout *l = &py->layout;
	uint64_t instruction;
	uint8_t owner, entry = 0;
	int32_t begin;
	int64_t offset;

	if (!load(py, at + l->frame_owner, &owner, sizeof(owner)) || owner > CT_PY_OWNER_CSTACK)
		return BAD;
	if (owner == CT_PY_OWNER_CSTACK)
		return BOUNDARY;
	if (!load_object(py, at + l->frame_code, py->code_type, &ret->code) ||
	    !load(py, at + l->frame_at, &instruction, sizeof(instruction)) ||
	    !load(py, ret->code + l->code_begin, &begin, sizeof(begin)) ||
	    (l->frame_entry != CT_PY_ABSENT &&
	     !load(py, at + l->frame_entry, &entry, sizeof(entry))))
		return BAD;
	offset = (int64_t)(instruction - ret->code - l->code_start);
	if (offset < -2 || offset > OFFSET_MAX || begin < 0)
		return BAD;
	ret->last = entry;
	/* of a frame in the making, or of the interpreter's own, Python shows nothing either */
	if (owner != CT_PY_OWNER_GENERATOR && offset < (int64_t)begin * 2)
		return entry ? BOUNDARY : PASS;
	ret->offset = offset < 0 ? 0 : (uint32_t)offset;
	return FRAME;
}

static bool first_frame(const struct ct_py_interpreter *py, uint64_t state, uint64_t *ret)
{
	const struct ct_py_layout *l = &py->layout;

	if (!load_pointer(py, state + l->state_frame, ret))
		return false;
	if (l->cframe_frame == CT_PY_ABSENT || !*ret)
		return true;
	return load_pointer(py, *ret + l->cframe_frame, ret);
}

/* Take one frame into the chain. Returns false if it cannot be read. */
static bool take(const struct ct_py_interpreter *py, uint64_t at, struct ct_py_chain *chain)
{
	struct ct_py_frame *frame = &chain->frames[chain->count];
	enum step step = py->layout.minor < 11 ? step_old(py, at, frame) : step_new(py, at, frame);

	if (step == BAD)
		return false;
	if (step == BOUNDARY && chain->count)
		chain->frames[chain->count - 1].last = true;
	if (step != FRAME)
		return true;
	frame->key = frame->offset;
	if (!hash_code(py, frame->code, &frame->key))
		return false;
	chain->count++;
	return true;
}

static enum ct_script_state follow(const struct ct_py_interpreter *py, uint64_t state,
				   struct ct_py_chain *chain)
{
	uint64_t at;

	if (!first_frame(py, state, &at))
		return CT_SCRIPT_UNREADABLE;
	for (int steps = 0; at; steps++) {
		if (steps == STEPS_MAX)
			return CT_SCRIPT_CUT;
		if (!take(py, at, chain) ||
		    !load_pointer(py, at + py->layout.frame_previous, &at))
			return CT_SCRIPT_UNREADABLE;
		if (chain->count > CT_STACK_SCRIPTS_MAX) {
			chain->count = CT_STACK_SCRIPTS_MAX;
			return CT_SCRIPT_CUT;
		}
	}
	return chain->count ? CT_SCRIPT_ALL : CT_SCRIPT_NO_FRAMES;
}

void ct_py_walk(const struct ct_py_interpreter *py, uint64_t state, struct ct_py_chain *chain)
{
	uint64_t hash;

	chain->count = 0;
	chain->state = follow(py, state, chain);
	if (chain->state == CT_SCRIPT_UNREADABLE)
		chain->count = 0;
	hash = ct_py_mix(chain->count, chain->state);
	for (uint32_t i = 0; i < chain->count; i++)
		hash = ct_py_mix(hash, chain->frames[i].key + chain->frames[i].last);
	chain->hash = hash ? hash : 1;
}
