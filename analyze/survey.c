/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/survey.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "analyze/device.h"
#include "analyze/model.h"

#define SLACK 8                       /* a cut may be off by such a part of a window */
#define LATEST_NS 86400000000000000u  /* a time so long after the start is damage: 1000 days */

/* What one thread finds. */
struct surveyor {
	const struct ct_reader *reader;
	struct ct_survey *survey;
	size_t *next;       /* block to be looked at, shared */
	struct ct_survey own; /* blocks excepted */
	CT_ARRAY(uint32_t) tids; /* threads whose name was found */
	pthread_t thread;
	int error;
};

static void add_damage(struct ct_survey *s, uint64_t bytes, uint64_t at)
{
	if (bytes && (!s->damaged_bytes || at < s->damaged_at))
		s->damaged_at = at;
	s->damaged_bytes += bytes;
}

static void extend(struct ct_block_span *block, uint64_t start_ns, uint64_t end_ns)
{
	if (start_ns < block->first_ns)
		block->first_ns = start_ns;
	if (end_ns > block->last_ns)
		block->last_ns = end_ns;
}

/* A call or operation. */
static void add_timed(struct surveyor *s, struct ct_block_span *block, uint64_t start_ns,
		      uint64_t end_ns)
{
	struct ct_survey *own = &s->own;

	if (end_ns < start_ns)
		end_ns = start_ns;
	extend(block, start_ns, end_ns);
	if (start_ns < own->begin_ns)
		own->begin_ns = start_ns;
	if (end_ns > own->end_ns)
		own->end_ns = end_ns;
	if (end_ns < own->density.base_ns + LATEST_NS)
		ct_density_add(&own->density, start_ns, end_ns);
}

/* Is this the first record of a thread that this surveyor comes across? */
static bool new_thread(struct surveyor *s, uint32_t tid)
{
	for (size_t i = s->tids.count; i-- > 0;)
		if (s->tids.at[i] == tid)
			return false;
	if (CT_PUSH(&s->tids, tid) < 0)
		s->error = -ENOMEM;
	return true;
}

static void add_item(struct surveyor *s, struct ct_block_span *block, const struct ct_item *item)
{
	const struct ct_call *call = item->record;
	const struct ct_device_op *op = item->record;
	const struct ct_sync *sync = item->record;
	const struct ct_overhead *overhead = item->record;
	const struct ct_note *note = item->record;
	const struct ct_nvtx_range *range = item->record;

	switch (item->type) {
	case CT_RECORD_CALL:
		s->own.calls++;
		add_timed(s, block, call->enter_ns, call->leave_ns);
		break;
	case CT_RECORD_DEVICE:
		if (op->start_ns == 0 || op->end_ns < op->start_ns) {
			s->own.untimed_ops++;
			break;
		}
		s->own.ops++;
		s->own.devices |= op->device < CT_DEVICES_MOST ? (uint64_t)1 << op->device : 0;
		add_timed(s, block, op->start_ns, op->end_ns);
		break;
	case CT_RECORD_SYNC:
		extend(block, sync->start_ns, sync->end_ns);
		break;
	case CT_RECORD_OVERHEAD:
		extend(block, overhead->start_ns, overhead->end_ns);
		break;
	case CT_RECORD_NVTX_RANGE:
		extend(block, range->begin_ns, range->end_ns);
		break;
	case CT_RECORD_EVENT:
		block->timeless = true;
		break;
	case CT_RECORD_NOTE:
		s->own.mode_changes += note->code == CT_NOTE_MODE;
		block->facts = true;
		break;
	case CT_RECORD_THREAD:
		/* not asked where there are others: a hostile block may name a thread in each slot */
		block->facts = block->facts || new_thread(s, item->tid);
		break;
	default:
		block->facts = true;
		break;
	}
}

static int look_at(struct surveyor *s, size_t index)
{
	struct ct_block_span block = { .first_ns = UINT64_MAX };
	struct ct_cursor *cursor;
	struct ct_item item;
	uint64_t at, bytes;
	int r = ct_cursor_open(s->reader, index, &cursor);

	if (r < 0)
		return r;
	while (ct_cursor_next(cursor, &item) == 1)
		add_item(s, &block, &item);
	bytes = ct_cursor_damage(cursor, &at);
	add_damage(&s->own, bytes, at);
	s->own.unknown_records += ct_cursor_unknown(cursor);
	ct_cursor_close(cursor);
	s->survey->blocks[index] = block;
	return 0;
}

static void *work(void *arg)
{
	struct surveyor *s = arg;

	int r = 0;

	while (r == 0 && s->error == 0) {
		size_t block = __atomic_fetch_add(s->next, 1, __ATOMIC_RELAXED);

		if (block >= s->survey->block_count)
			break;
		r = look_at(s, block);
	}
	if (r < 0)
		s->error = r;
	return NULL;
}

static void add_up(struct ct_survey *sum, struct ct_survey *own)
{
	ct_density_merge(&sum->density, &own->density);
	sum->calls += own->calls;
	sum->ops += own->ops;
	sum->untimed_ops += own->untimed_ops;
	sum->unknown_records += own->unknown_records;
	sum->mode_changes += own->mode_changes;
	sum->devices |= own->devices;
	if (own->begin_ns < sum->begin_ns)
		sum->begin_ns = own->begin_ns;
	if (own->end_ns > sum->end_ns)
		sum->end_ns = own->end_ns;
	add_damage(sum, own->damaged_bytes, own->damaged_at);
}

/* Threads that cannot be had are done without: the first surveyor is the caller. */
static int look_over(struct ct_survey *survey, const struct ct_reader *reader,
		     struct surveyor *surveyors, unsigned threads)
{
	uint64_t base_ns = ct_reader_header(reader)->start_ns;
	size_t next = 0;
	unsigned started = 1;
	int r = 0;

	for (unsigned i = 0; i < threads; i++) {
		surveyors[i] = (struct surveyor){ .reader = reader, .survey = survey, .next = &next,
						  .own.begin_ns = UINT64_MAX };
		if (ct_density_init(&surveyors[i].own.density, base_ns) < 0)
			r = -ENOMEM;
	}
	while (r == 0 && started < threads &&
	       pthread_create(&surveyors[started].thread, NULL, work, &surveyors[started]) == 0)
		started++;
	if (r == 0)
		work(&surveyors[0]);
	for (unsigned i = 1; i < started; i++)
		pthread_join(surveyors[i].thread, NULL);
	for (unsigned i = 0; i < threads; i++) {
		if (r == 0)
			r = surveyors[i].error;
		if (r == 0)
			add_up(survey, &surveyors[i].own);
		ct_density_free(&surveyors[i].own.density);
		free(surveyors[i].tids.at);
	}
	return r;
}

int ct_survey_make(const struct ct_reader *reader, unsigned threads, struct ct_survey **ret)
{
	struct ct_survey *survey = calloc(1, sizeof(*survey));
	struct surveyor *surveyors = calloc(threads, sizeof(*surveyors));
	int r = survey && surveyors ? 0 : -ENOMEM;

	if (r == 0) {
		survey->block_count = ct_reader_blocks(reader);
		survey->blocks = calloc(survey->block_count + 1, sizeof(*survey->blocks));
		survey->begin_ns = UINT64_MAX;
		survey->damaged_bytes = ct_reader_damage(reader, &survey->damaged_at);
		r = ct_density_init(&survey->density, ct_reader_header(reader)->start_ns);
	}
	if (r == 0)
		r = survey->blocks ? look_over(survey, reader, surveyors, threads) : -ENOMEM;
	free(surveyors);
	if (r < 0) {
		ct_survey_destroy(survey);
		return r;
	}
	if (survey->begin_ns > survey->end_ns)
		survey->begin_ns = survey->end_ns;
	*ret = survey;
	return 0;
}

void ct_survey_destroy(struct ct_survey *survey)
{
	if (!survey)
		return;
	ct_density_free(&survey->density);
	free(survey->blocks);
	free(survey);
}

/* The tick before which, or (back) behind which, so many records begin. */
static size_t reach(const struct ct_density *d, size_t tick, uint64_t records, bool back)
{
	uint64_t seen = 0;

	while (back ? tick > 0 : tick < d->used) {
		seen += d->starts[back ? tick - 1 : tick];
		tick = back ? tick - 1 : tick + 1;
		if (seen >= records)
			break;
	}
	return tick;
}

/* A cut: the tick it lies before, and what is under way there. */
struct cut {
	size_t tick;
	int64_t under_way;
};

/* The best tick for the next cut, at about so many records from one; d->used: the rest is one window. */
static struct cut next_cut(const struct ct_density *d, struct cut last, uint64_t records)
{
	struct cut best = { d->used, INT64_MAX };
	int64_t under_way = last.under_way;
	uint64_t seen = 0;

	for (size_t tick = last.tick; tick + 1 < d->used; tick++) {
		seen += d->starts[tick];
		under_way += d->change[tick + 1];
		if (seen < records - records / SLACK)
			continue;
		if (under_way < best.under_way)
			best = (struct cut){ tick + 1, under_way };
		if (best.under_way == 0 || seen > records + records / SLACK)
			break;
	}
	return best;
}

static struct ct_window window_of(const struct ct_density *d, struct cut first, struct cut end,
				  uint64_t around)
{
	struct ct_window w = { .begin_ns = 0, .end_ns = UINT64_MAX, .from_ns = 0,
			       .to_ns = UINT64_MAX };

	if (first.tick) {
		w.begin_ns = ct_density_time(d, first.tick);
		w.from_ns = ct_density_time(d, reach(d, first.tick, around, true));
		w.under_way = (uint64_t)first.under_way;
	}
	if (end.tick < d->used) {
		w.end_ns = ct_density_time(d, end.tick);
		w.to_ns = ct_density_time(d, reach(d, end.tick, around, false));
	}
	return w;
}

int ct_survey_divide(const struct ct_survey *survey, uint64_t records, uint64_t around,
		     struct ct_window **ret, size_t *ret_count)
{
	const struct ct_density *d = &survey->density;
	CT_ARRAY(struct ct_window) windows = { NULL, 0, 0 };
	struct cut first = { 0, d->change[0] };

	while (first.tick < d->used) {
		struct cut end = next_cut(d, first, records);

		if (CT_PUSH(&windows, window_of(d, first, end, around)) < 0) {
			free(windows.at);
			return -ENOMEM;
		}
		first = end;
	}
	*ret = windows.at;
	*ret_count = windows.count;
	return 0;
}

static size_t tick_of(const struct ct_density *d, uint64_t time_ns)
{
	return (size_t)((time_ns - d->base_ns) >> d->shift);
}

bool ct_survey_widen(const struct ct_survey *survey, uint64_t records, struct ct_window *window)
{
	const struct ct_density *d = &survey->density;
	bool more = window->from_ns || window->to_ns != UINT64_MAX;
	size_t tick;

	if (window->from_ns) {
		tick = reach(d, tick_of(d, window->from_ns), records, true);
		window->from_ns = tick ? ct_density_time(d, tick) : 0;
	}
	if (window->to_ns != UINT64_MAX) {
		tick = reach(d, tick_of(d, window->to_ns), records, false);
		window->to_ns = tick < d->used ? ct_density_time(d, tick) : UINT64_MAX;
	}
	return more;
}
