/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has the reader look at everything that the scenes can leave in a file. Says how much that was;
 * or, with status 1, what was wrong in which scene, and in which order of stores.
 */
#include <stdio.h>
#include <string.h>

#include "tests/model/scenes.h"
#include "tests/model/step.h"
#include "trace/reader.h"

static const char *const order_names[MODEL_ORDERS] = {
	"killed, stores as x86-64 orders them",
	"killed, stores as C11 and signal fences order them",
	"read meanwhile, stores as C11 orders them",
};

static const struct model_scene *scene;
static enum model_order only = MODEL_ORDERS; /* try but this one */
static uint64_t images[MODEL_ORDERS];
static bool before[SCENE_NUMBERS]; /* records that were there before the threads began */
static bool found[SCENE_NUMBERS];
static char wrong[256];

static bool fail(const char *what, uint64_t number)
{
	snprintf(wrong, sizeof(wrong), "%s (record %llu)", what, (unsigned long long)number);
	return false;
}

/* In a live file nothing that a reader has seen may change any more. */
static bool settled(const struct ct_item *item, const struct model_set *present)
{
	for (int i = 0; i < model_count; i++) {
		const struct model_event *event = &model_events[i];

		if (event->offset >= 0 && (uint64_t)event->offset < item->offset + item->bytes &&
		    item->offset < (uint64_t)event->offset + event->bytes && !model_has(present, i))
			return false;
	}
	return true;
}

static uint32_t last_word(const struct ct_item *item)
{
	return ((const uint32_t *)item->record)[item->bytes / 4 - 1];
}

static bool look_at_call(const struct ct_item *item)
{
	const struct ct_call *call = item->record;
	uint64_t number = call->enter_ns;

	if (number == 0 || number >= SCENE_NUMBERS || call->leave_ns != number ||
	    call->addr != SCENE_ADDR(number) || call->bytes != SCENE_BYTES(number))
		return fail("torn call", number);
	if (item->bytes > CT_SLOT_BYTES && last_word(item) != number)
		return fail("long call without its end", number);
	if (item->tid != SCENE_TID(number))
		return fail("call of another thread", number);
	if (found[number])
		return fail("call found twice", number);
	found[number] = true;
	return true;
}

static bool look_at_kept(const struct ct_item *item)
{
	const struct ct_string *string = item->record;
	const struct ct_context *context = item->record;
	bool is_string = item->type == CT_RECORD_STRING;
	uint32_t number = is_string ? string->id : context->context;

	if (number == 0 || number >= SCENE_NUMBERS ||
	    (is_string ? string->length != item->bytes - sizeof(*string) : context->seen_ns != number))
		return fail("torn kept record", number);
	if (is_string && last_word(item) != number)
		return fail("string without its end", number);
	if (!is_string && item->tid != SCENE_TID(number))
		return fail("context of another thread", number);
	if (found[number])
		return fail("kept record found twice", number);
	found[number] = true;
	return true;
}

static bool look_at(const struct ct_item *item, enum model_order order,
		    const struct model_set *present)
{
	if (order == MODEL_LIVE && item->type != CT_RECORD_NONE && !settled(item, present))
		return fail("record that may change under the reader", 0);
	switch (item->type) {
	case CT_RECORD_CALL:
		return look_at_call(item);
	case CT_RECORD_STRING:
	case CT_RECORD_CONTEXT:
		return look_at_kept(item);
	case CT_RECORD_THREAD: {
		const struct ct_thread_record *thread = item->record;

		return thread->tid && thread->seen_ns ? true : fail("torn THREAD", thread->tid);
	}
	default:
		return fail("record of a type that nobody wrote", (uint64_t)item->type);
	}
}

/* Whatever was committed is there, or the header says that it was overwritten. */
static bool all_accounted_for(const struct ct_file_header *header, const struct model_set *present)
{
	bool committed[SCENE_NUMBERS];
	uint64_t missing = 0;

	memcpy(committed, before, sizeof(committed));
	for (int i = 0; i < model_count; i++)
		if (model_has(present, i) && model_events[i].record)
			committed[model_events[i].record] = true;
	for (uint32_t number = 1; number < SCENE_NUMBERS; number++) {
		if (found[number] && !committed[number])
			return fail("record found that was not committed", number);
		if (found[number] || !committed[number])
			continue;
		if (++missing > header->overwritten[CT_RECORD_CALL])
			return fail("committed record lost, nor counted as overwritten", number);
		if (number > header->kept_from_ns)
			return fail("committed record lost after kept_from_ns", number);
	}
	return true;
}

static bool check(enum model_order order, const struct model_set *present)
{
	struct ct_reader *reader;
	struct ct_item item;
	bool good = true;

	memset(found, 0, sizeof(found));
	if (ct_reader_open("trace", &reader))
		return fail("cannot be opened", 0);
	while (good && ct_reader_next(reader, &item) == 1)
		good = look_at(&item, order, present);
	if (good && ct_reader_damage(reader, NULL))
		good = fail("damage", ct_reader_damage(reader, NULL));
	if (good && order != MODEL_LIVE)
		good = all_accounted_for(ct_reader_header(reader), present);
	ct_reader_close(reader);
	return good;
}

/* What there is before the threads begin. */
static void begin(void)
{
	const struct model_set none = { { 0 } };

	scene->begin();
	model_events_reset();
	memcpy(model_seen, model_written, MODEL_FILE_BYTES);
	memset(before, 0, sizeof(before));
	if (check(MODEL_LIVE, &none))
		memcpy(before, found, sizeof(before));
}

static bool end(void)
{
	for (enum model_order order = 0; order < MODEL_ORDERS; order++) {
		uint64_t tried;

		if ((order == MODEL_LIVE && !scene->live) || (only != MODEL_ORDERS && order != only))
			continue;
		tried = model_images(order, check);
		images[order] += tried;
		if (*wrong) {
			printf("%s, %s: %s\n", scene->name, order_names[order], wrong);
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned runs = 0;

	if (argc > 1)
		only = (enum model_order)(argv[1][0] - '0');
	for (int i = 0; i < model_scene_count && !*wrong; i++) {
		uint64_t earlier = images[0] + images[1] + images[2];
		unsigned of_scene;

		scene = &model_scenes[i];
		fflush(stdout);
		of_scene = model_schedules(scene->threads, scene->count, scene->preemptions, begin,
					   end);
		runs += of_scene;
		if (!*wrong)
			printf("%s: %u schedules, at most %d preemptions; %llu files\n", scene->name,
			       of_scene, scene->preemptions,
			       (unsigned long long)(images[0] + images[1] + images[2] - earlier));
		fflush(stdout);
	}
	for (enum model_order order = 0; order < MODEL_ORDERS && !*wrong; order++)
		printf("%llu files that no other order had left: %s\n",
		       (unsigned long long)images[order], order_names[order]);
	return *wrong || !runs;
}
