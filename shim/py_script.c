/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/py_script.h"

#include <string.h>
#include <sys/mman.h>

#include "shim/py_lines.h"
#include "shim/py_text.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "trace/keep.h"

#define TABLE_SLOTS (1u << 16)
#define PROBES_MAX 64

/* Key of every place seen, 0 = free; the id is the index plus one. As in stack.c. */
static uint64_t *table;

struct place {
	uint32_t line;
	int file_length, name_length;
};

bool ct_py_script_init(void)
{
	void *map = mmap(NULL, TABLE_SLOTS * sizeof(*table), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map != MAP_FAILED)
		table = map;
	return table != NULL;
}

static uint64_t pointer_at(uint64_t at)
{
	uint64_t value;

	memcpy(&value, (const void *)(uintptr_t)at, sizeof(value));
	return value;
}

/* The walk has read the code object and its table, so those can be; the rest is checked. */
static bool read_place(const struct ct_py_interpreter *py, const struct ct_py_frame *frame,
		       struct ct_py_texts *texts, struct place *ret)
{
	const struct ct_py_layout *l = &py->layout;
	uint64_t lines = pointer_at(frame->code + l->code_lines);
	uint64_t bytes = pointer_at(lines + l->bytes_size);
	const uint8_t *data = (const uint8_t *)(uintptr_t)(lines + l->bytes_data);
	uint32_t first;

	memcpy(&first, (const void *)(uintptr_t)(frame->code + l->code_line), sizeof(first));
	if (bytes && !ct_readable(lines + l->bytes_data, bytes))
		return false;
	ret->line = ct_py_line(l->minor, data, bytes, first, frame->offset);
	ret->file_length = ct_py_text(l, pointer_at(frame->code + l->code_file), py->text_type,
				      CT_PY_FILE_CHARACTERS, texts->file);
	ret->name_length = ct_py_text(l, pointer_at(frame->code + l->code_name), py->text_type,
				      CT_PY_NAME_CHARACTERS, texts->name);
	return ret->file_length >= 0 && ret->name_length >= 0;
}

static void record(struct ct_thread *thread, uint32_t id, const struct place *place,
		   const struct ct_py_texts *texts)
{
	uint32_t bytes = (uint32_t)sizeof(struct ct_script) +
			 (uint32_t)(place->file_length + place->name_length);
	struct ct_script *script = ct_keep_reserve(&thread->writer, bytes);

	if (!script)
		return;
	script->id = id;
	script->line = place->line;
	script->file_length = (uint16_t)place->file_length;
	script->function_length = (uint16_t)place->name_length;
	script->language = CT_LANGUAGE_PYTHON;
	memcpy(script->text, texts->file, (size_t)place->file_length);
	memcpy(script->text + place->file_length, texts->name, (size_t)place->name_length);
	ct_writer_commit(script, CT_RECORD_SCRIPT, bytes);
}

static uint32_t add(struct ct_thread *thread, uint32_t slot, uint64_t key,
		    const struct place *place, const struct ct_py_texts *texts)
{
	uint64_t seen = 0;

	if (__atomic_compare_exchange_n(&table[slot], &seen, key, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED)) {
		record(thread, slot + 1, place, texts);
		return slot + 1;
	}
	return seen == key ? slot + 1 : 0;
}

uint32_t ct_py_script_id(struct ct_thread *thread, const struct ct_py_interpreter *py,
			 const struct ct_py_frame *frame, struct ct_py_texts *texts)
{
	uint64_t key = frame->key ? frame->key : 1;
	struct place place;
	bool read = false;
	uint32_t id;

	for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
		uint32_t slot = (uint32_t)(key + probe) & (TABLE_SLOTS - 1);
		uint64_t seen = __atomic_load_n(&table[slot], __ATOMIC_RELAXED);

		if (seen == key)
			return slot + 1;
		if (seen)
			continue;
		if (!read && !read_place(py, frame, texts, &place))
			break;
		read = true;
		id = add(thread, slot, key, &place, texts);
		if (id)
			return id;
	}
	ct_file_lose(&ct_shim.file, CT_LOSS_SCRIPTS, 1);
	return 0;
}
