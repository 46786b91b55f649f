/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/gain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/lookup.h"

/* A thread (tid, 0 and 0) or a stream (0, context and id), and when it was seen last. */
struct actor {
	struct ct_link link;
	struct actor_key {
		uint32_t tid, context, stream;
	} key;
	uint64_t end_ns;
	uint32_t index;
	struct actor *next; /* of all actors */
};

/* What an actor gained without a site. */
struct gain {
	struct ct_link link;
	struct gain_key {
		uint32_t site, actor;
	} key;
	int64_t ns;
};

struct ct_gains {
	struct ct_lookup actors, gains;
	struct actor *newest;
};

int ct_gains_create(struct ct_gains **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void ct_gains_destroy(struct ct_gains *g)
{
	if (!g)
		return;
	ct_lookup_free(&g->actors);
	ct_lookup_free(&g->gains);
	free(g);
}

static struct actor *actor_of(struct ct_gains *g, const struct ct_model *model, uint32_t thread,
			      uint32_t stream)
{
	struct actor_key key = { 0 };
	struct actor *one;

	if (thread != CT_NONE)
		key.tid = model->threads.at[thread].tid;
	else
		key = (struct actor_key){ 0, model->streams.at[stream].context,
					  model->streams.at[stream].id };
	one = ct_lookup_find(&g->actors, &key, sizeof(key));
	if (one)
		return one;
	one = calloc(1, sizeof(*one));
	if (!one)
		return NULL;
	one->key = key;
	one->index = g->newest ? g->newest->index + 1 : 0;
	if (ct_lookup_add(&g->actors, one, &one->key, sizeof(one->key)) < 0) {
		free(one);
		return NULL;
	}
	one->next = g->newest;
	g->newest = one;
	return one;
}

static int add_gain(struct ct_gains *g, uint32_t site, uint32_t actor, int64_t ns)
{
	struct gain_key key = { site, actor };
	struct gain *one = ct_lookup_find(&g->gains, &key, sizeof(key));

	if (!one) {
		one = calloc(1, sizeof(*one));
		if (!one)
			return -ENOMEM;
		one->key = key;
		if (ct_lookup_add(&g->gains, one, &one->key, sizeof(one->key)) < 0) {
			free(one);
			return -ENOMEM;
		}
	}
	one->ns += ns;
	return 0;
}

static int see(struct ct_gains *g, const struct ct_model *model, uint32_t thread, uint32_t stream,
	       uint64_t end_ns)
{
	struct actor *actor = actor_of(g, model, thread, stream);

	if (!actor)
		return -ENOMEM;
	if (end_ns > actor->end_ns)
		actor->end_ns = end_ns;
	return 0;
}

/* When each of the part's threads and streams was seen last. */
static int see_all(struct ct_gains *g, const struct ct_model *model)
{
	int r = 0;

	for (uint32_t t = 0; r == 0 && t < model->threads.count; t++) {
		const struct ct_thread_info *thread = &model->threads.at[t];

		if (thread->call_count)
			r = see(g, model, t, CT_NONE,
				model->calls.at[thread->calls[thread->call_count - 1]].raw.leave_ns);
	}
	for (uint32_t s = 0; r == 0 && s < model->streams.count; s++) {
		const struct ct_stream_info *stream = &model->streams.at[s];

		if (stream->op_count)
			r = see(g, model, CT_NONE, s,
				model->ops.at[stream->ops[stream->op_count - 1]].raw.end_ns);
	}
	return r;
}

int ct_gains_add(struct ct_gains *g, const struct ct_analysis *part, const uint32_t *map)
{
	const struct ct_serialization *s = part->serialization;
	int r = see_all(g, part->model);

	for (size_t i = 0; r == 0 && i < s->shifts.count; i++) {
		const struct ct_shift *shift = &s->shifts.at[i];
		struct actor *actor = actor_of(g, part->model, shift->thread, shift->stream);

		r = !actor ? -ENOMEM
			   : add_gain(g, shift->site == CT_NONE ? CT_NONE : map[shift->site],
				      actor->index, shift->ns);
	}
	return r;
}

uint64_t ct_gains_of(const struct ct_gains *g, uint32_t site, uint64_t end_ns)
{
	int64_t least = INT64_MAX;

	for (const struct actor *actor = g->newest; actor; actor = actor->next) {
		struct gain_key key = { site, actor->index };
		const struct gain *one = ct_lookup_find(&g->gains, &key, sizeof(key));
		int64_t sooner = (int64_t)(end_ns - actor->end_ns);

		if (one)
			sooner += one->ns;
		least = sooner < least ? sooner : least;
	}
	return least > 0 && least != INT64_MAX ? (uint64_t)least : 0;
}
