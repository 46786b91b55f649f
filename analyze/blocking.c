/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/blocking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/interval.h"
#include "analyze/convoy.h"
#include "analyze/lock.h"
#include "analyze/scope.h"
#include "analyze/seen.h"

/* A call of these kinds may work in the driver for as long as it likes. */
#define WORKS_LONG (CT_ALLOC | CT_FREE | CT_OBJECT | CT_CONFIG | CT_INIT)
/* But not for longer than this and a nanosecond a byte, which pinning memory may take. */
#define LONG_WORK_NS 200000000
/*
 * Making a device's memory pool takes longer than this: 6.7 to 11.1 ms of the first
 * cudaMallocAsync on an H200 (kernels/free_async_does_not_block), 0.9 to enlarge it (pool_trim_sync).
 */
#define POOL_WORK_NS 2000000
/* Any other call that takes longer than this, for no reason found, is a riddle. */
#define PLAIN_WORK_NS 100000
/* The same behind a wait: the thread has to be woken first. */
#define WOKEN_WORK_NS 500000
/* Without device times, what takes longer than a launch does may have been a wait. */
#define BLIND_WORK_NS 20000
/* The launch queue holds about 1000 operations (kernels/queue_full); this is nearly that. */
#define DEEP_QUEUE 900

/* An overhead record and the call in whose time it lies. */
struct placed {
	uint32_t call, overhead;
};

struct splitter {
	struct ct_model *model;
	struct ct_locks *locks;
	struct ct_convoys *convoys; /* NULL until a call asks for them: few do */
	struct placed *placed;   /* by call */
	size_t placed_count;
	struct ct_spans left;    /* of the call at hand: what no rule has claimed yet */
	struct ct_host_call *call;
	enum ct_seen seen;       /* how much is known of what it waited for */
	/* of the claim at hand */
	enum ct_part part;
	uint32_t op, other;
	const char *why;
	int error;
};

static void take(void *arg, struct ct_span piece)
{
	struct splitter *s = arg;
	struct ct_wait wait = {
		.call = (uint32_t)(s->call - s->model->calls.at),
		.part = s->part,
		.start_ns = piece.start,
		.end_ns = piece.end,
		.op = s->op,
		.other = s->other,
		.why = s->why,
	};

	s->call->parts[s->part] += piece.end - piece.start;
	if (CT_PUSH(&s->model->waits, wait) < 0)
		s->error = -ENOMEM;
	s->call->wait_count++;
	if (s->part > CT_PART_QUEUE_FULL)
		return;
	if (piece.end > s->call->released_ns)
		s->call->released_ns = piece.end;
	if (s->part != CT_PART_DEVICE_WAIT && piece.end > s->call->submitted_ns)
		s->call->submitted_ns = piece.end;
}

/* Give what is left of [start, end) to a part. Earlier claims win. */
static void claim(struct splitter *s, uint64_t start, uint64_t end, enum ct_part part, uint32_t op,
		  uint32_t other, const char *why)
{
	s->part = part;
	s->op = op;
	s->other = other;
	s->why = why;
	if (ct_spans_cut(&s->left, start, end, take, s) < 0)
		s->error = -ENOMEM;
}

static enum ct_part overhead_part(uint8_t kind)
{
	switch (kind) {
	case CT_OVERHEAD_QUEUE_FULL:
		return CT_PART_QUEUE_FULL;
	case CT_OVERHEAD_COMPILER:
	case CT_OVERHEAD_MODULE_LOADING:
	case CT_OVERHEAD_LAZY_LOADING:
	case CT_OVERHEAD_UVM_INIT:
		return CT_PART_FIRST_USE;
	default:
		return CT_PART_TOOL;
	}
}

static const char *overhead_why(uint8_t kind)
{
	switch (kind) {
	case CT_OVERHEAD_QUEUE_FULL:
		return "the launch queue was full";
	case CT_OVERHEAD_COMPILER:
		return "the driver compiled PTX";
	case CT_OVERHEAD_MODULE_LOADING:
		return "a module was loaded";
	case CT_OVERHEAD_LAZY_LOADING:
		return "a function was loaded on its first use";
	case CT_OVERHEAD_UVM_INIT:
		return "managed memory tracing was set up";
	case CT_OVERHEAD_CUTRACE:
		return "cutrace started";
	default:
		return "CUPTI's own work";
	}
}

static void claim_overheads(struct splitter *s, size_t first, size_t count)
{
	/* what the tool cost comes out first: it is nobody's wait */
	for (int tool = 1; tool >= 0; tool--)
		for (size_t i = first; i < first + count; i++) {
			const struct ct_overhead *o = &s->model->overheads.at[s->placed[i].overhead];
			enum ct_part part = overhead_part(o->kind);

			if ((part == CT_PART_TOOL) == tool)
				claim(s, o->start_ns, o->end_ns, part, CT_NONE, CT_NONE,
				      overhead_why(o->kind));
		}
}

/* Are there no device times at the end of the call at hand, when waits end? */
static bool blind(const struct splitter *s)
{
	return s->seen == CT_SEEN_NOTHING;
}

/* May it have waited for work that was not recorded because of the mode? */
static bool may_have_waited(const struct splitter *s)
{
	return ct_seen_light(s->model, s->seen) && ct_scope_may_wait(s->call);
}

static void claim_device_wait(struct splitter *s)
{
	struct ct_host_call *call = s->call;
	struct ct_scope scope;
	uint64_t end;

	if (call->raw.flags & CT_CALL_CAPTURING)
		return;
	ct_scope_of(s->model, call, &scope);
	call->first_pending = (uint32_t)s->model->pending.count;
	call->chance = scope.chance;
	call->elsewhere = scope.elsewhere;
	if (scope.last == CT_NONE) {
		if (call->effects & CT_SYNC && s->seen != CT_SEEN_ALL)
			claim(s, call->raw.enter_ns, call->raw.leave_ns, CT_PART_DEVICE_WAIT, CT_NONE,
			      CT_NONE, blind(s) ? "the program asked to wait; for what is unknown "
						  "without device records"
						: "the program asked to wait");
		return;
	}
	for (uint32_t i = 0; i < scope.count; i++)
		if (CT_PUSH(&s->model->pending, scope.pending[i]) < 0)
			s->error = -ENOMEM;
	call->pending_count = scope.count;
	end = s->model->ops.at[scope.last].raw.end_ns;
	claim(s, call->raw.enter_ns, end < scope.until_ns ? end : scope.until_ns,
	      CT_PART_DEVICE_WAIT, scope.last, CT_NONE, scope.why);
}

/* A call that waits for its own copy: synchronous by name, or of pageable memory. */
static bool waits_for_copy(const struct splitter *s)
{
	return s->call->effects & CT_COPY &&
	       (!(s->call->effects & CT_ASYNC) || s->call->pageable);
}

static void claim_own_copy(struct splitter *s)
{
	struct ct_host_call *call = s->call;

	for (uint32_t n = 0; waits_for_copy(s) && n < call->op_count; n++) {
		uint32_t op = ct_model_op_of(s->model, call, n);
		const struct ct_device_op *raw = &s->model->ops.at[op].raw;

		if (raw->end_ns <= call->raw.leave_ns + CT_TOUCH_NS)
			claim(s, raw->start_ns, raw->end_ns, CT_PART_TRANSFER, op, CT_NONE,
			      "its own copy");
	}
}

static void claim_staging(struct splitter *s)
{
	struct ct_host_call *call = s->call;

	if (waits_for_copy(s) && call->pageable)
		claim(s, call->raw.enter_ns, call->raw.leave_ns, CT_PART_TRANSFER,
		      ct_model_op_of(s->model, call, 0), CT_NONE, "staging of pageable memory");
}

static void claim_held(struct splitter *s, uint32_t holder, uint64_t since_ns, const char *why)
{
	uint64_t end = s->model->calls.at[holder].raw.leave_ns;

	if (s->call->op_count) { /* by then its own work was with the device */
		uint64_t own = s->model->ops.at[ct_model_op_of(s->model, s->call, 0)].raw.start_ns;

		end = own < end ? own : end;
	}
	claim(s, since_ns, end, CT_PART_LOCK_WAIT, CT_NONE, holder, why);
}

static void claim_lock_wait(struct splitter *s)
{
	uint32_t holder = ct_locks_holder(s->locks, s->call, ct_spans_total(&s->left));
	const struct ct_host_call *other;
	uint64_t free_ns;

	if (holder == CT_NONE)
		return;
	other = &s->model->calls.at[holder];
	/* it held the lock once it had got it itself */
	claim_held(s, holder, other->submitted_ns,
		   other->parts[CT_PART_DEVICE_WAIT] || other->parts[CT_PART_TRANSFER]
			   ? "another thread's call held the driver's lock"
			   : "another thread's call worked in the driver at the time");
	free_ns = other->raw.leave_ns;
	while ((holder = ct_locks_next(s->locks, s->call, holder)) != CT_NONE) {
		claim_held(s, holder, free_ns, "another thread's call took the driver's lock again");
		free_ns = s->model->calls.at[holder].raw.leave_ns;
	}
}

static bool creates_context(const struct splitter *s)
{
	for (size_t i = 0; i < s->model->contexts.count; i++)
		if (s->model->context_tids.at[i] == s->call->tid &&
		    s->model->contexts.at[i].seen_ns >= s->call->raw.enter_ns &&
		    s->model->contexts.at[i].seen_ns < s->call->raw.leave_ns)
			return true;
	return false;
}

/* Why nothing explains a wait; static text. */
static const char *no_rule(const struct splitter *s)
{
	if (blind(s))
		return "there are no device times: it may have waited, or worked in the driver";
	if (s->seen != CT_SEEN_LIGHT)
		return "no rule explains it";
	return ct_seen_windows(s->model)
		       ? "no rule explains it; what was submitted outside of the windows is not known, and "
			 "may have filled the queue or held a lock"
		       : "no rule explains it; launches were not recorded (light), and may have filled "
			 "the queue or held a lock";
}

/* A long call that should be short: is there a reason other than a riddle? */
static enum ct_part judge_long(struct splitter *s, uint32_t *ret_other, const char **ret_why)
{
	const struct ct_host_call *call = s->call;

	if (may_have_waited(s)) {
		*ret_why = call->effects & CT_SYNC ? "the program asked to wait"
						   : "such calls wait for work in flight";
		return CT_PART_DEVICE_WAIT;
	}
	if (call->effects & CT_SYNC && call->past & CT_PAST_POOL_FREED) {
		*ret_why = "a synchronise returns freed pool memory to the system";
		return CT_PART_DRIVER_WORK;
	}
	if (call->effects & (CT_LAUNCH | CT_COPY | CT_FILL) && call->stream != CT_NONE &&
	    ct_model_depth(s->model, call->stream, call->raw.enter_ns) >= DEEP_QUEUE) {
		*ret_why = "as many operations were queued in its stream as fit";
		return CT_PART_QUEUE_FULL;
	}
	if (!s->convoys && ct_convoys_create(s->model, &s->convoys) < 0)
		s->error = -ENOMEM;
	if (!s->convoys || ct_convoy_before(s->convoys, call, ret_other) < 0)
		s->error = -ENOMEM;
	if (*ret_other != CT_NONE) {
		*ret_why = "calls of several other threads had the driver's locks in turn";
		return CT_PART_LOCK_WAIT;
	}
	if (call->past & CT_PAST_FIRST_LAUNCH) {
		*ret_why = "this function was launched for the first time";
		return CT_PART_FIRST_USE;
	}
	*ret_why = no_rule(s);
	return CT_PART_UNEXPLAINED;
}

/* How long a call of this kind may plausibly work in the driver. */
static uint64_t longest_work(const struct splitter *s)
{
	const struct ct_host_call *call = s->call;

	if (blind(s) && !(call->effects & (CT_OBJECT | CT_INIT)))
		return BLIND_WORK_NS;
	if (call->effects & WORKS_LONG && !may_have_waited(s))
		return LONG_WORK_NS + call->raw.bytes;
	return call->released_ns > call->raw.enter_ns ? WOKEN_WORK_NS : PLAIN_WORK_NS;
}

static void claim_rest(struct splitter *s)
{
	const struct ct_host_call *call = s->call;
	uint64_t rest = ct_spans_total(&s->left);
	enum ct_part part = CT_PART_DRIVER_WORK;
	uint32_t other = CT_NONE;
	const char *why = "";

	if (creates_context(s)) {
		part = CT_PART_FIRST_USE;
		why = "a context was created";
	} else if (call->effects & CT_INIT && !(call->effects & CT_DRAINS) && rest > PLAIN_WORK_NS) {
		part = CT_PART_FIRST_USE;
		why = strstr(call->name, "odule") || strstr(call->name, "ibrary")
			      ? "code was loaded"
			      : "a context was set up";
	} else if (call->past & CT_PAST_FIRST_POOL && rest > POOL_WORK_NS) {
		part = CT_PART_FIRST_USE;
		why = "the device's memory pool was made";
	} else if (rest > longest_work(s)) {
		part = judge_long(s, &other, &why);
	}
	claim(s, call->raw.enter_ns, call->raw.leave_ns, part, CT_NONE, other, why);
}

static void split(struct splitter *s, struct ct_host_call *call, size_t first, size_t count)
{
	s->call = call;
	s->seen = ct_seen_call(s->model, call);
	s->left.count = 0;
	call->first_wait = (uint32_t)s->model->waits.count;
	call->released_ns = call->submitted_ns = call->raw.enter_ns;
	if (ct_spans_append(&s->left, call->raw.enter_ns, call->raw.leave_ns) < 0)
		s->error = -ENOMEM;
	claim_overheads(s, first, count);
	claim_device_wait(s);
	claim_own_copy(s);
	claim_lock_wait(s);
	claim_staging(s);
	claim_rest(s);
}

/* The call of a thread in whose time an overhead lies; CT_NONE if it lies in none. */
static uint32_t call_around(const struct ct_model *model, const struct ct_overhead *o)
{
	for (size_t t = 0; t < model->threads.count; t++) {
		const struct ct_thread_info *thread = &model->threads.at[t];
		uint32_t low = 0, high = thread->call_count;

		if (thread->tid != o->tid)
			continue;
		while (low < high) { /* first call that ends after the overhead starts */
			uint32_t middle = low + (high - low) / 2;

			if (model->calls.at[thread->calls[middle]].raw.leave_ns > o->start_ns)
				high = middle;
			else
				low = middle + 1;
		}
		if (low < thread->call_count &&
		    model->calls.at[thread->calls[low]].raw.enter_ns < o->end_ns)
			return thread->calls[low];
		return CT_NONE;
	}
	return CT_NONE;
}

static int by_placed_call(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->call != y->call)
		return x->call < y->call ? -1 : 1;
	return x->overhead < y->overhead ? -1 : x->overhead > y->overhead;
}

static bool in_time(const struct ct_call *call, const struct ct_overhead *o)
{
	return o->start_ns < call->leave_ns && o->end_ns > call->enter_ns;
}

static void note_outside(struct ct_outside *outside, const struct ct_overhead *o)
{
	outside->ns += o->end_ns > o->start_ns ? o->end_ns - o->start_ns : 0;
	outside->count++;
}

static int place_overheads(struct splitter *s)
{
	struct ct_model *model = s->model;

	s->placed = malloc((model->overheads.count + 1) * sizeof(*s->placed));
	if (!s->placed)
		return -ENOMEM;
	for (size_t i = 0; i < model->overheads.count; i++) {
		const struct ct_overhead *o = &model->overheads.at[i];
		uint32_t call = o->correlation ? ct_model_call_of(model, o->correlation) : CT_NONE;

		if (call == CT_NONE || !in_time(&model->calls.at[call].raw, o))
			call = call_around(model, o);
		if (call != CT_NONE)
			s->placed[s->placed_count++] = (struct placed){ call, (uint32_t)i };
		else if (o->start_ns >= model->core.begin_ns && o->start_ns < model->core.end_ns)
			note_outside(&model->outside[overhead_part(o->kind)], o);
	}
	qsort(s->placed, s->placed_count, sizeof(*s->placed), by_placed_call);
	return 0;
}

static int split_all(struct splitter *s)
{
	size_t at = 0;

	for (size_t i = 0; i < s->model->calls.count && !s->error; i++) {
		struct ct_host_call *call = &s->model->calls.at[i];
		size_t first = at;

		while (at < s->placed_count && s->placed[at].call == i)
			at++;
		split(s, call, first, at - first);
	}
	return s->error;
}

int ct_blocking_find(struct ct_model *model)
{
	struct splitter s = { .model = model };
	int r = ct_locks_create(model, &s.locks);

	if (r == 0)
		r = place_overheads(&s);
	if (r == 0)
		r = split_all(&s);
	ct_locks_destroy(s.locks);
	ct_convoys_destroy(s.convoys);
	ct_spans_free(&s.left);
	free(s.placed);
	return r;
}

uint64_t ct_blocking_mismatches(const struct ct_model *model)
{
	uint64_t wrong = 0;

	for (uint32_t i = model->core.first_call; i < model->core.end_call; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint64_t sum = 0;

		for (int part = 0; part < CT_PART_COUNT; part++)
			sum += call->parts[part];
		wrong += sum != call->raw.leave_ns - call->raw.enter_ns;
	}
	return wrong;
}

uint64_t ct_blocking_blocked(const struct ct_host_call *call)
{
	return call->raw.leave_ns - call->raw.enter_ns - call->parts[CT_PART_DRIVER_WORK] -
	       call->parts[CT_PART_TOOL];
}
