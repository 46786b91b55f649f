/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/totals.h"

#include <string.h>

#include "analyze/blocking.h"
#include "analyze/seen.h"
#include "analyze/serialize.h"

/* What is asked of a call's name, by enum ct_api: text is slow to search again and again. */
struct traits {
	uint8_t of_api[CT_API_COUNT];
};

#define NO_DEVICE_RECORD 1 /* nothing follows from it on the device, or not always */
#define MANAGED 2          /* it is about memory that moves by itself */

static void find_traits(struct traits *t)
{
	for (int api = 0; api < CT_API_COUNT; api++) {
		const char *name = api ? ct_apis[api].name : "";

		t->of_api[api] = 0;
		if (strstr(name, "HostFunc") || strstr(name, "AddCallback") || strstr(name, "Upload") ||
		    strstr(name, "Prefetch") || strstr(name, "Batch"))
			t->of_api[api] |= NO_DEVICE_RECORD;
		if (strstr(name, "Managed"))
			t->of_api[api] |= MANAGED;
	}
}

/* Must a record of the device follow this call? Host functions and uploads have none. */
static bool submits(const struct ct_host_call *call, const struct traits *t)
{
	if (call->raw.error || call->raw.flags & CT_CALL_CAPTURING ||
	    t->of_api[call->api] & NO_DEVICE_RECORD)
		return false;
	return call->effects & CT_LAUNCH || (call->effects & (CT_COPY | CT_FILL) && call->raw.bytes);
}

static bool lacks_work(const struct ct_model *model, const struct ct_host_call *call,
		       const struct traits *t)
{
	return model->has_device && !call->op_count && call->raw.correlation && submits(call, t) &&
	       ct_seen_work(model, call);
}

uint64_t ct_totals_unjoined(const struct ct_model *model)
{
	struct traits traits;
	uint64_t sum = 0;

	find_traits(&traits);
	for (uint32_t i = model->core.first_op; i < model->core.end_op; i++)
		sum += model->ops.at[i].call == CT_NONE;
	for (uint32_t i = model->core.first_call; i < model->core.end_call; i++)
		sum += lacks_work(model, &model->calls.at[i], &traits);
	return sum;
}

static void add_parts(const struct ct_host_call *call, struct ct_totals *t)
{
	uint64_t took = call->raw.leave_ns - call->raw.enter_ns, sum = 0;

	for (int part = 0; part < CT_PART_COUNT; part++) {
		sum += call->parts[part];
		t->parts_ns[part] += call->parts[part];
		t->parts_calls[part] += call->parts[part] > 0;
	}
	t->call_ns += took;
	t->blocked_ns += ct_blocking_blocked(call);
	t->mismatches += sum != took;
}

static void add_lack(const struct ct_model *model, const struct ct_host_call *call,
		     const struct traits *traits, struct ct_totals *t)
{
	if (!lacks_work(model, call, traits))
		return;
	if (ct_seen_cut(model, call))
		t->without_work_cut++;
	else
		t->without_work++;
}

static void add_stack(const struct ct_model *model, const struct ct_host_call *call,
		      struct ct_totals *t)
{
	const struct ct_stack_info *stack;

	if (!call->raw.stack || call->raw.stack >= model->stacks.count)
		return;
	stack = &model->stacks.at[call->raw.stack];
	if (stack->count)
		t->script_calls[stack->script < CT_SCRIPT_STATE_COUNT ? stack->script
								       : CT_SCRIPT_STATE_COUNT]++;
}

static void add_call(const struct ct_model *model, const struct ct_host_call *call,
		     const struct traits *traits, struct ct_totals *t)
{
	struct ct_thread_info *thread = &model->threads.at[call->thread];

	thread->core_calls++;
	t->by_origin[call->raw.origin]++;
	t->wrapped_and_seen += call->raw.origin == CT_ORIGIN_PLT &&
			       call->raw.flags & CT_CALL_CUPTI_SEEN;
	t->unknown_apis += !call->api && !call->nameless;
	t->nameless += call->nameless;
	add_lack(model, call, traits, t);
	t->managed += traits->of_api[call->api] & MANAGED && call->effects & CT_ALLOC;
	add_parts(call, t);
	add_stack(model, call, t);
}

/* shown_only: but those that a filter leaves out. */
static void add_polls(const struct ct_model *model, bool shown_only, struct ct_totals *t)
{
	for (size_t i = 0; i < model->polls.count; i++) {
		const struct ct_poll *poll = &model->polls.at[i];

		if (!ct_model_in_core(model, poll->call) || (shown_only && poll->left_out))
			continue;
		t->polls++;
		t->poll_queries += poll->queries;
		t->poll_ns += poll->end_ns - poll->start_ns;
	}
}

static void add_ops(struct ct_model *model, struct ct_totals *t)
{
	for (uint32_t i = model->core.first_op; i < model->core.end_op; i++) {
		const struct ct_op *op = &model->ops.at[i];
		struct ct_stream_info *stream = &model->streams.at[op->stream];

		stream->core_ops++;
		stream->work_ns += op->raw.end_ns - op->raw.start_ns;
		/* what a flight recorder kept no call of is model->early_submits */
		t->unjoined_ops += op->call == CT_NONE && !model->kept_from_ns;
	}
}

void ct_totals_find(struct ct_model *model, const struct ct_sites *sites, struct ct_totals *ret)
{
	struct traits traits;

	memset(ret, 0, sizeof(*ret));
	find_traits(&traits);
	for (uint32_t i = model->core.first_call; i < model->core.end_call; i++) {
		const struct ct_host_call *call = &model->calls.at[i];

		add_call(model, call, &traits, ret);
		ret->without_line += call->raw.stack && ct_blocking_blocked(call) > 0 &&
				     !sites->all.at[sites->of_call[i]].line;
	}
	add_ops(model, ret);
	add_polls(model, false, ret);
	ret->calls = model->core.end_call - model->core.first_call;
	ret->ops = model->core.end_op - model->core.first_op;
}

void ct_totals_show(struct ct_model *model, const struct ct_serialization *serialization,
		    struct ct_totals *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = model->core.first_call; i < model->core.end_call; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		struct ct_thread_info *thread = &model->threads.at[call->thread];

		if (call->left_out)
			continue;
		ret->calls++;
		thread->shown_calls++;
		thread->blocked_ns += ct_blocking_blocked(call);
		add_parts(call, ret);
	}
	for (size_t i = 0; i < serialization->pairs.count; i++) {
		const struct ct_pair *pair = &serialization->pairs.at[i];

		if (model->calls.at[pair->culprit].left_out)
			continue;
		ret->pairs++;
		ret->pairs_lost_ns += pair->lost_ns;
	}
	add_polls(model, true, ret);
}

void ct_totals_add(struct ct_totals *totals, const struct ct_totals *more)
{
	uint64_t *to = (uint64_t *)totals;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*totals) / sizeof(*to); i++)
		to[i] += from[i];
}
