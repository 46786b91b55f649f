/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled as the writer is: with hooks at every store. */
#include "tests/model/scenes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/model/step.h"
#include "trace/flight.h"
#include "trace/keep.h"

#define LONG_BYTES 65024u /* it fills a chunk of one unit */

static struct ct_file file;
static struct ct_writer writers[4]; /* the last: of what was before */

static void open_file(uint64_t limit_bytes)
{
	if (file.flight.full)
		munmap(file.flight.full, file.flight.units * sizeof(*file.flight.full));
	memset(model_written, 0, MODEL_FILE_BYTES);
	if (ct_file_create(&file, "trace", "model") ||
	    (limit_bytes && ct_flight_start(&file, limit_bytes)))
		abort();
	for (uint32_t i = 0; i < 4; i++)
		ct_writer_init(&writers[i], &file, i + 1);
}

static struct ct_call call_of(uint32_t number)
{
	return (struct ct_call){
		.enter_ns = number,
		.leave_ns = number,
		.addr = SCENE_ADDR(number),
		.bytes = SCENE_BYTES(number),
	};
}

static void put(int who, uint32_t count)
{
	uint32_t number = SCENE_NUMBER(writers[who].tid, count);
	struct ct_call call = call_of(number);

	model_putting(number, CT_RECORD_CALL);
	ct_writer_put(&writers[who], CT_RECORD_CALL, &call);
}

/* As put(), but it takes a chunk. */
static void put_long(int who, uint32_t count)
{
	uint32_t number = SCENE_NUMBER(writers[who].tid, count);
	uint32_t *words = ct_writer_reserve(&writers[who], LONG_BYTES);
	struct ct_call *call = (void *)words;

	if (!call)
		return;
	call->enter_ns = number;
	call->leave_ns = number;
	call->addr = SCENE_ADDR(number);
	call->bytes = SCENE_BYTES(number);
	words[LONG_BYTES / 4 - 1] = number;
	model_putting(number, CT_RECORD_CALL);
	ct_writer_commit(call, CT_RECORD_CALL, LONG_BYTES);
}

/* Two slots are taken, what is in them would pass for records, and the thread ends. */
static void leave_unfinished(int who)
{
	uint32_t *words = ct_writer_reserve(&writers[who], 2 * CT_SLOT_BYTES);

	if (!words)
		return;
	words[1] = 7;
	words[CT_SLOT_BYTES / 4] = CT_COMMIT(CT_RECORD_CALL, 1);
}

static void keep_string(int who, uint32_t count, uint32_t bytes)
{
	uint32_t number = SCENE_NUMBER(writers[who].tid, count);
	struct ct_string *string = ct_keep_reserve(&writers[who], bytes);

	if (!string)
		return;
	string->id = number;
	string->length = bytes - (uint32_t)sizeof(*string);
	((uint32_t *)(void *)string)[bytes / 4 - 1] = number;
	model_putting(number, CT_RECORD_STRING);
	ct_writer_commit(string, CT_RECORD_STRING, bytes);
}

static void keep_context(int who, uint32_t count)
{
	uint32_t number = SCENE_NUMBER(writers[who].tid, count);
	struct ct_context context = { .context = number, .seen_ns = number };

	model_putting(number, CT_RECORD_THREAD); /* it is put after the context and before it */
	ct_keep_put(&writers[who], CT_RECORD_CONTEXT, &context);
}

static void begin_plain(void)
{
	open_file(0);
}

static void own_0(void)
{
	put(0, 1);
}

static void many_0(void)
{
	put(0, 1);
	put(0, 2);
	put(0, 3);
}

static void own_1(void)
{
	put(1, 1);
}

static void end_0(void)
{
	put(0, 1);
	leave_unfinished(0);
	ct_writer_release(&writers[0]);
}

static void begin_half(void)
{
	open_file(0);
	put(0, 1);
}

static void leave_0(void)
{
	leave_unfinished(0);
	ct_writer_release(&writers[0]);
}

static void adopt_1(void)
{
	put(1, 1);
	ct_writer_release(&writers[1]);
}

static void adopt_2(void)
{
	put(2, 1);
}

static void begin_kept(void)
{
	open_file(CT_FLIGHT_LEAST);
	keep_string(3, 1, 64);
}

static void begin_kept_full(void)
{
	open_file(CT_FLIGHT_LEAST);
	keep_string(3, 1, 65408);
}

static void kept_0(void)
{
	keep_string(0, 1, 128);
	keep_context(0, 2);
}

static void kept_1(void)
{
	keep_string(1, 1, 64);
}

static void kept_context_1(void)
{
	keep_context(1, 1);
}

/* All chunks have been full but for the last, which its thread keeps. */
static void begin_full(void)
{
	open_file(CT_FLIGHT_LEAST);
	for (uint32_t i = 1; i <= 7; i++)
		put_long(3, i);
}

static void again_0(void)
{
	put_long(0, 1);
	put(0, 2);
}

static void again_short_0(void)
{
	put(0, 1);
}

static void again_1(void)
{
	put(1, 1);
}

static void again_kept_1(void)
{
	keep_string(1, 1, 64);
}

const struct model_scene model_scenes[] = {
	{ "records in a row", begin_plain, { many_0 }, 1, 0, true },
	{ "chunks of their own", begin_plain, { own_0, own_1 }, 2, 2, true },
	{ "kept chunk shared", begin_kept, { kept_0, kept_1 }, 2, 2, true },
	{ "context in a kept chunk", begin_kept, { kept_context_1, kept_0 }, 2, 1, true },
	{ "kept chunk grows", begin_kept_full, { kept_0, kept_1 }, 2, 2, true },
	{ "chunk used again", begin_full, { again_0 }, 1, 0, false },
	{ "chunks used again", begin_full, { again_short_0, again_1 }, 2, 2, false },
	{ "events give way to kept", begin_full, { again_short_0, again_kept_1 }, 2, 2, false },
	{ "chunk handed on", begin_plain, { end_0, own_1 }, 2, 2, true },
	{ "chunk handed on twice", begin_half, { leave_0, adopt_1, adopt_2 }, 3, 1, true },
};
const int model_scene_count = sizeof(model_scenes) / sizeof(model_scenes[0]);
