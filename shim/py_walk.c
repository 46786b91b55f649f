/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_walk.h"

#include <string.h>

#include "shim/py_lines.h"
#include "shim/py_text.h"

#define OBJECT_TYPE 8       /* PyObject.ob_type */
#define STEPS_MAX 1024      /* frames passed over included; a chain that is a ring ends here */
#define KEY_BYTES 16        /* of a string's end and of a line table's beginning, go into a key */
#define OFFSET_MAX (1u << 28)

/* Everything is compiled twice, for frames that are trusted and for others. */
#define INLINE static inline __attribute__((always_inline))

/* Where one frame stands in the source, or whether it does not. */
enum step { FRAME, PASS, BOUNDARY, BAD };

INLINE bool load(const struct ct_py_interpreter *py, uint64_t at, void *ret, uint32_t bytes)
{
	if (!py->trusted && !ct_readable(at, bytes))
		return false;
	memcpy(ret, (const void *)(uintptr_t)at, bytes);
	return true;
}

INLINE bool load_pointer(const struct ct_py_interpreter *py, uint64_t at, uint64_t *ret)
{
	return load(py, at, ret, sizeof(*ret)) && !(*ret & 7);
}

/* A pointer to an object of this type. */
INLINE bool load_object(const struct ct_py_interpreter *py, uint64_t at, uint64_t type,
			uint64_t *ret)
{
	uint64_t found;

	return load_pointer(py, at, ret) && *ret &&
	       load(py, *ret + OBJECT_TYPE, &found, sizeof(found)) && found == type;
}

/* What a code object refers to: once one was as it should be, so are all. */
INLINE bool load_part(const struct ct_py_interpreter *py, uint64_t at, uint64_t type,
		      uint64_t *ret)
{
	if (!py->trusted)
		return load_object(py, at, type, ret);
	return load(py, at, ret, sizeof(*ret));
}

/*
 * The value at one of the places that a key is made of, weighed by an odd number of its own:
 * the products do not wait for each other, as the rounds of a usual hash do.
 */
INLINE uint64_t weighed(uint64_t value, uint64_t place)
{
	return value * (0x9e3779b97f4a7c15u * (2 * place + 1));
}

/*
 * Add up to 16 bytes of an object to a key: the first eight and the last eight, or fewer
 * than eight by a word that begins in the object's header, which a shift takes away.
 */
INLINE bool add_bytes(const struct ct_py_interpreter *py, uint64_t at, uint64_t bytes,
		      uint64_t place, uint64_t *key)
{
	uint64_t first = 0, last;

	if (!bytes)
		return true;
	if (bytes >= 8 && !load(py, at, &first, sizeof(first)))
		return false;
	if (!load(py, at + bytes - 8, &last, sizeof(last)))
		return false;
	if (bytes < 8)
		last >>= 64 - 8 * bytes;
	*key += weighed(first, place) + weighed(last, place + 1);
	return true;
}

INLINE bool add_text(const struct ct_py_interpreter *py, uint64_t text, uint64_t place,
		     uint64_t *key)
{
	const struct ct_py_layout *l = &py->layout;
	uint64_t length, bytes, kept;
	uint32_t state;

	if (!load(py, text + l->text_length, &length, sizeof(length)) ||
	    !load(py, text + l->text_state, &state, sizeof(state)))
		return false;
	bytes = length * (state >> 2 & 7); /* characters of 1, 2 or 4 bytes */
	kept = bytes < KEY_BYTES ? bytes : KEY_BYTES;
	text += state >> 6 & 1 ? l->text_ascii : l->text_wide;
	*key += weighed(bytes, place);
	return add_bytes(py, text + bytes - kept, kept, place + 1, key);
}

INLINE bool add_table(const struct ct_py_interpreter *py, uint64_t table, uint64_t place,
		      uint64_t *key)
{
	uint64_t at = table + py->layout.bytes_data, bytes;

	if (!load(py, table + py->layout.bytes_size, &bytes, sizeof(bytes)))
		return false;
	*key += weighed(bytes, place);
	return add_bytes(py, at, bytes < KEY_BYTES ? bytes : KEY_BYTES, place + 1, key) &&
	       (bytes <= KEY_BYTES || add_bytes(py, at + bytes - 8, 8, place + 3, key));
}

/*
 * What tells a code object from one that was there before it was freed: its first line, the
 * end of its names, and both ends of its line table. Addresses alone will not do, as the new
 * ones are often the old.
 */
INLINE bool add_code(const struct ct_py_interpreter *py, uint64_t code, uint64_t *key)
{
	const struct ct_py_layout *l = &py->layout;
	uint64_t file, name, table;
	uint32_t line;

	if (!load(py, code + l->code_line, &line, sizeof(line)) ||
	    !load_part(py, code + l->code_file, py->text_type, &file) ||
	    !load_part(py, code + l->code_name, py->text_type, &name) ||
	    !load_part(py, code + l->code_lines, py->bytes_type, &table))
		return false;
	*key += weighed(code, 1) + weighed(line, 2) + weighed(file, 3) + weighed(name, 4) +
		weighed(table, 5);
	return add_text(py, file, 6, key) && add_text(py, name, 9, key) &&
	       add_table(py, table, 12, key);
}

/* To 3.10: one eval loop runs one frame, the instruction is an index. */
INLINE enum step step_old(const struct ct_py_interpreter *py, uint64_t at,
			  struct ct_py_frame *ret)
{
	uint32_t unit = py->layout.minor == 9 ? 1 : 2;
	int32_t index;

	if (!load_object(py, at + py->layout.frame_code, py->code_type, &ret->code) ||
	    !load(py, at + py->layout.frame_at, &index, sizeof(index)) || index < -1 ||
	    index > (int32_t)(OFFSET_MAX / 2))
		return BAD;
	ret->offset = index < 0 ? CT_PY_NOT_BEGUN : (uint32_t)index * unit;
	ret->last = true;
	return FRAME;
}

/* From 3.11 on. */
INLINE enum step step_new(const struct ct_py_interpreter *py, uint64_t at,
			  struct ct_py_frame *ret)
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
	ret->offset = offset < 0 ? CT_PY_NOT_BEGUN : (uint32_t)offset;
	return FRAME;
}

INLINE bool first_frame(const struct ct_py_interpreter *py, uint64_t state, uint64_t *ret)
{
	const struct ct_py_layout *l = &py->layout;

	if (!load_pointer(py, state + l->state_frame, ret))
		return false;
	if (l->cframe_frame == CT_PY_ABSENT || !*ret)
		return true;
	return load_pointer(py, *ret + l->cframe_frame, ret);
}

/* Take one frame into the chain. Returns false if it cannot be read. */
INLINE bool take(const struct ct_py_interpreter *py, uint64_t at, struct ct_py_chain *chain)
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
	if (!add_code(py, frame->code, &frame->key))
		return false;
	frame->key = ct_py_mix(frame->key, 0);
	chain->count++;
	return true;
}

INLINE enum ct_script_state follow(const struct ct_py_interpreter *py, uint64_t state,
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
	struct ct_py_interpreter own = *py; /* nothing that is stored below can change it */
	uint64_t hash;

	chain->count = 0;
	if (__atomic_load_n(&py->trusted, __ATOMIC_RELAXED)) {
		own.trusted = true;
		chain->state = follow(&own, state, chain);
	} else {
		own.trusted = false;
		chain->state = follow(&own, state, chain);
	}
	if (chain->state == CT_SCRIPT_UNREADABLE)
		chain->count = 0;
	hash = ct_py_mix(chain->count, chain->state);
	for (uint32_t i = 0; i < chain->count; i++)
		hash = ct_py_mix(hash, chain->frames[i].key + chain->frames[i].last);
	chain->hash = hash ? hash : 1;
}
