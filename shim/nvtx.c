/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/nvtx_int.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/mode.h"
#include "shim/shim.h"
#include "shim/thread.h"

#define DEPTH_MAX 128   /* of a thread, all domains together */
#define DEPTH_KEEPS 4   /* to which a thread that is back keeps the places, to have them at hand */
#define DOMAINS_BEYOND 8
#define SPANS 1024      /* started and not ended, of the process; a power of two */
#define PATIENCE 1000000  /* readings while show_spans() is at one: some stores */
#define BUSY 1          /* no id of a span: those have more bits */

/*
 * A range under way, and where the trace says so (NULL: it does not). Those that are pushed leave
 * their place to the next one at their depth, if that is small.
 */
struct open {
	struct ct_nvtx_range range;
	struct ct_nvtx_range *place;
};

struct ct_ranges {
	uint32_t depth, domains;
	struct open open[DEPTH_MAX]; /* pushed and kept */
	struct {
		uint32_t domain, count;
	} beyond[DOMAINS_BEYOND]; /* `domains` of them: pushed and not kept, as there were too many */
	char text[CT_NVTX_TEXT_BYTES];
};

/* Started ranges; id 0 = free, BUSY = a thread is at it, and nobody else. */
static struct {
	uint64_t id;
	struct open open;
} spans[SPANS];
static uint64_t span_serial;
static uint32_t spans_taken; /* a program that ends none of them is not to search all each time */

static bool attached;       /* some NVTX has called us */
static uint32_t lost_early; /* before there was a trace */

static void lose(void)
{
	if (ct_shim_alive())
		ct_file_lose(&ct_shim.file, CT_LOSS_RANGES, 1);
	else
		__atomic_fetch_add(&lost_early, 1, __ATOMIC_RELAXED);
}

static struct ct_ranges *ranges_of(struct ct_thread *thread)
{
	int saved = errno;
	void *map;

	if (thread->ranges)
		return thread->ranges;
	map = mmap(NULL, sizeof(*thread->ranges), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	errno = saved;
	if (map != MAP_FAILED)
		thread->ranges = map;
	return thread->ranges;
}

/* As ct_nvtx_enter(), but nothing is counted: a push that was left out has been, with its pop. */
static struct ct_thread *enter_to_end(void)
{
	struct ct_thread *thread = ct_shim_closed() ? NULL : ct_thread_self();

	if (!thread || thread->in_tool || !ranges_of(thread))
		return NULL;
	thread->in_tool = true;
	return thread;
}

struct ct_thread *ct_nvtx_enter(void)
{
	struct ct_thread *thread = ct_shim_closed() ? NULL : ct_thread_self();

	if (!thread)
		return NULL;
	if (thread->in_tool) {
		lose();
		return NULL;
	}
	thread->in_tool = true;
	if (ranges_of(thread))
		return thread;
	thread->in_tool = false;
	lose();
	return NULL;
}

void ct_nvtx_leave(struct ct_thread *thread)
{
	thread->in_tool = false;
}

char *ct_nvtx_scratch(struct ct_thread *thread)
{
	return thread->ranges->text;
}

static void begin(const struct ct_thread *thread, struct open *open, enum ct_nvtx_kind kind)
{
	open->range.kind = (uint8_t)kind;
	open->range.tid = thread->tid;
	open->range.begin_ns = ct_now_ns();
	if (!ct_shim_alive())
		return;
	if (!open->place)
		open->place = ct_nvtx_open_take();
	ct_nvtx_open_fill(open->place, &open->range);
}

static void end(struct ct_thread *thread, struct open *open, bool cut)
{
	uint64_t now_ns = ct_now_ns();

	open->range.end_ns = now_ns < open->range.begin_ns ? open->range.begin_ns : now_ns;
	open->range.end_tid = thread->tid;
	open->range.cut = cut;
	if (!ct_shim_alive()) /* it was over before the first CUDA call, or this is a child */
		return;
	if (!ct_mode_outside(open->range.begin_ns)) { /* it may reach into a window from both sides */
		if (open->range.name == CT_NVTX_PASSING) {
			open->range.name = 0;
			ct_nvtx_passed();
		}
		ct_writer_put(&thread->writer, CT_RECORD_NVTX_RANGE, &open->range);
	}
	ct_nvtx_open_empty(open->place);
}

/* How many of a domain are beyond; NULL: none ever was. */
static uint32_t *beyond_of(struct ct_ranges *ranges, uint32_t domain)
{
	for (uint32_t i = 0; i < ranges->domains; i++)
		if (ranges->beyond[i].domain == domain)
			return &ranges->beyond[i].count;
	return NULL;
}

static void leave_out(struct ct_ranges *ranges, uint32_t *beyond, uint32_t domain)
{
	if (!beyond && ranges->domains < DOMAINS_BEYOND) {
		ranges->beyond[ranges->domains].domain = domain;
		beyond = &ranges->beyond[ranges->domains++].count;
	}
	if (beyond)
		++*beyond;
	lose();
}

void ct_nvtx_push(struct ct_thread *thread, const struct ct_nvtx_range *range)
{
	struct ct_ranges *ranges = thread->ranges;
	uint32_t *beyond = beyond_of(ranges, range->domain);

	if (ranges->depth == DEPTH_MAX || (beyond && *beyond)) {
		leave_out(ranges, beyond, range->domain);
	} else {
		ranges->open[ranges->depth].range = *range;
		begin(thread, &ranges->open[ranges->depth++], CT_NVTX_PUSHED);
	}
	ct_nvtx_leave(thread);
}

static void pop_at(struct ct_thread *thread, uint32_t i)
{
	struct ct_ranges *ranges = thread->ranges;
	struct ct_nvtx_range *place = ranges->open[i].place;

	end(thread, &ranges->open[i], false);
	ranges->depth--;
	memmove(&ranges->open[i], &ranges->open[i + 1],
		(ranges->depth - i) * sizeof(ranges->open[0]));
	if (ranges->depth >= DEPTH_KEEPS && ct_shim_alive()) {
		ct_nvtx_open_give(place);
		place = NULL;
	}
	ranges->open[ranges->depth].place = place;
}

void ct_nvtx_pop(uint32_t domain)
{
	struct ct_thread *thread = enter_to_end();
	uint32_t *beyond;

	if (!thread)
		return;
	beyond = beyond_of(thread->ranges, domain);
	if (beyond && *beyond)
		--*beyond;
	else
		for (uint32_t i = thread->ranges->depth; i-- > 0;)
			if (thread->ranges->open[i].range.domain == domain) {
				pop_at(thread, i);
				break;
			}
	ct_nvtx_leave(thread);
}

uint64_t ct_nvtx_start(struct ct_thread *thread, const struct ct_nvtx_range *range)
{
	uint64_t serial = __atomic_add_fetch(&span_serial, 1, __ATOMIC_RELAXED), id = 0;
	bool full = __atomic_load_n(&spans_taken, __ATOMIC_RELAXED) >= SPANS;

	for (uint64_t n = 0; !full && !id && n < SPANS; n++) { /* those that stay lie side by side */
		uint64_t i = (serial + n) % SPANS, none = 0;

		if (__atomic_load_n(&spans[i].id, __ATOMIC_RELAXED) ||
		    !__atomic_compare_exchange_n(&spans[i].id, &none, BUSY, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		spans[i].open = (struct open){ .range = *range };
		begin(thread, &spans[i].open, CT_NVTX_STARTED);
		__atomic_fetch_add(&spans_taken, 1, __ATOMIC_RELAXED);
		id = serial * SPANS + i;
		__atomic_store_n(&spans[i].id, id, __ATOMIC_RELEASE);
	}
	if (!id)
		lose();
	ct_nvtx_leave(thread);
	return id;
}

void ct_nvtx_end(uint64_t id)
{
	struct ct_thread *thread = enter_to_end();
	uint64_t i = id % SPANS, seen;
	int patience = PATIENCE;

	if (!thread)
		return;
	do
		seen = id;
	while (id > BUSY && !__atomic_compare_exchange_n(&spans[i].id, &seen, BUSY, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) &&
	       seen == BUSY && --patience);
	if (id > BUSY && seen == id) {
		end(thread, &spans[i].open, false);
		if (ct_shim_alive())
			ct_nvtx_open_give(spans[i].open.place);
		__atomic_store_n(&spans[i].id, 0, __ATOMIC_RELEASE);
		__atomic_fetch_sub(&spans_taken, 1, __ATOMIC_RELAXED);
	}
	ct_nvtx_leave(thread);
}

static void show_spans(void)
{
	for (uint64_t i = 0; i < SPANS; i++) {
		uint64_t id = __atomic_load_n(&spans[i].id, __ATOMIC_RELAXED);

		if (id <= BUSY || !__atomic_compare_exchange_n(&spans[i].id, &id, BUSY, false,
							       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		if (!spans[i].open.place) {
			spans[i].open.place = ct_nvtx_open_take();
			ct_nvtx_open_fill(spans[i].open.place, &spans[i].open.range);
		}
		__atomic_store_n(&spans[i].id, id, __ATOMIC_RELEASE);
	}
}

/* Of what is pushed only this thread's: others may be at work on theirs. */
void ct_nvtx_started(struct ct_thread *thread)
{
	struct ct_ranges *ranges = thread->ranges;

	if (!__atomic_load_n(&attached, __ATOMIC_SEQ_CST))
		return;
	ct_nvtx_open_prepare();
	ct_nvtx_names_started(thread);
	ct_file_lose(&ct_shim.file, CT_LOSS_RANGES, __atomic_load_n(&lost_early, __ATOMIC_RELAXED));
	for (uint32_t i = 0; ranges && i < ranges->depth; i++) {
		ranges->open[i].place = ct_nvtx_open_take();
		ct_nvtx_open_fill(ranges->open[i].place, &ranges->open[i].range);
	}
	show_spans();
}

void ct_nvtx_finish(struct ct_thread *thread)
{
	struct ct_ranges *ranges = thread->ranges;

	for (uint32_t i = ranges ? ranges->depth : 0; i-- > 0;)
		end(thread, &ranges->open[i], true);
	for (uint32_t i = 0; ranges && ct_shim_alive() && i < DEPTH_MAX; i++)
		ct_nvtx_open_give(ranges->open[i].place);
	if (ranges)
		munmap(ranges, sizeof(*ranges));
	thread->ranges = NULL;
}

void ct_nvtx_attach(void)
{
	__atomic_store_n(&attached, true, __ATOMIC_SEQ_CST);
	if (ct_shim_alive())
		ct_nvtx_open_prepare();
}
