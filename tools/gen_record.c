/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a synthetic trace, chunk by chunk. */
#include <stdlib.h>
#include <string.h>

#include "tools/gen_trace.h"
#include "trace/apis.h"

#define HOST_RANKS 8

void ct_gen_write_chunk(struct maker *m, struct lane *lane)
{
	uint32_t bytes = (lane->used + CT_CHUNK_UNIT - 1) / CT_CHUNK_UNIT * CT_CHUNK_UNIT;
	struct ct_chunk_header head = { .magic = CT_CHUNK_MAGIC, .bytes = bytes,
					.sequence = ++m->sequence, .offset = m->file_bytes };

	memset(lane->chunk + lane->used, 0, bytes - lane->used);
	memcpy(lane->chunk, &head, sizeof(head));
	fwrite(lane->chunk, 1, bytes, m->to);
	m->file_bytes += bytes;
	lane->used = 0;
}

void *ct_gen_reserve(struct maker *m, struct lane *lane, enum ct_record_type type, size_t bytes)
{
	uint32_t slots = (uint32_t)((bytes + CT_SLOT_BYTES - 1) / CT_SLOT_BYTES);
	uint32_t *record;

	if (lane->used + slots * CT_SLOT_BYTES > CT_CHUNK_MAX)
		ct_gen_write_chunk(m, lane);
	if (!lane->used) {
		struct ct_thread_record *thread = (void *)(lane->chunk + CT_SLOT_BYTES);

		*thread = (struct ct_thread_record){ .commit = CT_COMMIT(CT_RECORD_THREAD, 1),
						     .tid = lane->tid, .name = "python" };
		lane->used = 2 * CT_SLOT_BYTES;
	}
	record = (void *)(lane->chunk + lane->used);
	memset(record, 0, slots * CT_SLOT_BYTES);
	*record = CT_COMMIT(type, slots);
	lane->used += slots * CT_SLOT_BYTES;
	return record;
}

void ct_gen_put(struct maker *m, struct lane *lane, enum ct_record_type type, const void *what)
{
	uint32_t *record = ct_gen_reserve(m, lane, type, CT_SLOT_BYTES);
	uint32_t word = *record;

	memcpy(record, what, CT_SLOT_BYTES);
	*record = word;
}

static void put_text(struct maker *m, uint32_t id, const char *text)
{
	struct ct_string *s = ct_gen_reserve(m, m->threads[0].lane, CT_RECORD_STRING, sizeof(*s) + strlen(text));

	s->id = id;
	s->length = (uint32_t)strlen(text);
	memcpy(s->text, text, s->length);
}

static void put_script(struct maker *m, uint32_t id, const char *file, const char *function)
{
	size_t bytes = strlen(file) + strlen(function);
	struct ct_script *s = ct_gen_reserve(m, m->threads[0].lane, CT_RECORD_SCRIPT, sizeof(*s) + bytes);

	s->id = id;
	s->line = 10 + id;
	s->file_length = (uint16_t)strlen(file);
	s->function_length = (uint16_t)strlen(function);
	s->language = CT_LANGUAGE_PYTHON;
	memcpy(s->text, file, s->file_length);
	memcpy(s->text + s->file_length, function, s->function_length);
}

static void put_note(struct maker *m, enum ct_note_code code, uint64_t value, const char *text)
{
	size_t length = strlen(text);
	struct ct_note *n = ct_gen_reserve(m, m->threads[0].lane, CT_RECORD_NOTE, sizeof(*n) + length);

	n->code = (uint16_t)code;
	n->length = (uint16_t)length;
	n->value = value;
	memcpy(n->text, text, length);
}

static void put_apis(struct maker *m)
{
	for (uint32_t id = 1; id < CT_API_COUNT; id++) {
		size_t length = strlen(ct_apis[id].name);
		struct ct_api_record *a = ct_gen_reserve(m, m->threads[0].lane, CT_RECORD_API,
						  sizeof(*a) + length);

		a->id = (uint16_t)id;
		a->name_length = (uint16_t)length;
		a->effects = ct_apis[id].effects;
		memcpy(a->name, ct_apis[id].name, length);
	}
}

static void put_stacks(struct maker *m)
{
	char text[64];

	for (uint32_t id = 1; id <= STACKS; id++) {
		struct ct_stack *s = ct_gen_reserve(m, m->threads[0].lane, CT_RECORD_STACK,
					     sizeof(*s) + FRAMES * sizeof(s->pc[0]));

		s->id = id;
		s->count = FRAMES;
		s->script = CT_SCRIPT_ALL;
		for (uint32_t f = 0; f < FRAMES; f++)
			s->pc[f] = CT_PC_SCRIPT(f ? STACKS + f : id);
	}
	for (uint32_t id = 1; id < STACKS + FRAMES; id++) {
		snprintf(text, sizeof(text), "Layer%u.forward", id % 40);
		put_script(m, id, id % 3 ? "/home/user/model/layers.py" : "/home/user/train.py", text);
	}
	for (uint32_t id = 1; id <= KERNELS; id++) {
		snprintf(text, sizeof(text), "_Z%ukernel_%02uPKfPfi", 9, id);
		put_text(m, id, id == 16 ? "ncclDevKernel_AllReduce_Sum_f32_RING_LL" : text);
	}
}

static void put_device(struct maker *m)
{
	struct ct_gpu gpu = { .memory_bytes = 80ull << 30, .multiprocessors = 132,
			      .warps_per_multiprocessor = 64, .registers_per_multiprocessor = 65536,
			      .shared_per_multiprocessor = 233472, .name = KERNELS + 1 };
	struct ct_context context = { .context = 1, .null_stream = 7, .seen_ns = START_NS };

	put_text(m, KERNELS + 1, "Synthetic GPU");
	ct_gen_put(m, m->threads[0].lane, CT_RECORD_GPU, &gpu);
	ct_gen_put(m, m->threads[0].lane, CT_RECORD_CONTEXT, &context);
	for (uint32_t i = 0; i < m->thread_count * STREAMS; i++) {
		const struct stream *s = &m->threads[i / STREAMS].streams[i % STREAMS];
		struct ct_stream record = { .context = 1, .stream = s->id, .handle = s->id,
					    .seen_ns = START_NS, .flag = CT_STREAM_FLAG_NON_BLOCKING };

		ct_gen_put(m, m->threads[0].lane, CT_RECORD_STREAM, &record);
	}
	put_note(m, CT_NOTE_CUPTI_VERSION, 130000, "");
	put_note(m, CT_NOTE_CLOCK_ERROR, 80, "");
}

/* As torchrun would name them, on hosts of HOST_RANKS each. */
static void put_identity(struct maker *m)
{
	char host[32];

	snprintf(host, sizeof(host), "node%u", m->rank / HOST_RANKS);
	put_note(m, CT_NOTE_HOST, 0, host);
	put_note(m, CT_NOTE_RANK, m->rank, "RANK");
	put_note(m, CT_NOTE_LOCAL_RANK, m->rank % HOST_RANKS, "LOCAL_RANK");
	put_note(m, CT_NOTE_WORLD_SIZE, m->world, "WORLD_SIZE");
}

void ct_gen_put_facts(struct maker *m)
{
	put_apis(m);
	put_stacks(m);
	put_device(m);
	if (m->world)
		put_identity(m);
}
