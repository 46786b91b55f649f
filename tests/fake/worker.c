/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device side of a stream: one thread that runs its operations in order.
 *
 * Times are planned, not observed: an operation starts when it was submitted or when
 * what it waits for ended, and lasts what it should, whenever the thread was woken. So
 * a thousand 5 us kernels take 5 ms on a busy machine too.
 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum {
	SUBMIT_NS = 2000, /* from the call to the earliest start: a guess */
	MEETING_POLL_NS = 200000,
};

static const uint64_t meeting_ns = 20000000000;

pthread_mutex_t fake_device_mutex = PTHREAD_MUTEX_INITIALIZER;

static uint64_t max_ns(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void copy_box(const struct fake_copy *copy)
{
	char *dst = copy->dst;
	const char *src = copy->src;

	for (size_t z = 0; z < copy->depth; z++)
		for (size_t y = 0; y < copy->height; y++)
			memmove(dst + z * copy->dst_slice + y * copy->dst_pitch,
				src + z * copy->src_slice + y * copy->src_pitch, copy->width);
}

static void fill_row(char *row, const struct fake_fill *fill)
{
	if (fill->element_bytes == 1) {
		memset(row, (int)(fill->value & 0xff), fill->width);
		return;
	}
	for (size_t x = 0; x < fill->width; x++)
		memcpy(row + x * fill->element_bytes, &fill->value, fill->element_bytes);
}

static void fill_box(const struct fake_fill *fill)
{
	for (size_t z = 0; z < fill->depth; z++)
		for (size_t y = 0; y < fill->height; y++)
			fill_row((char *)fill->dst + z * fill->slice + y * fill->pitch, fill);
}

static void event_reached(const struct fake_op *op)
{
	struct fake_event *event = op->record.event;

	pthread_mutex_lock(&fake_device_mutex);
	if (event->at.stream == op->stream && event->at.seq == op->seq)
		event->time_ns = op->start_ns;
	pthread_mutex_unlock(&fake_device_mutex);
}

/*
 * The manual: host functions of independent streams may be serialized. That one thread runs
 * them all, in the order in which their streams reach them, is a guess.
 */
static void call_host(const struct fake_op *op)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&one_at_a_time);
	op->host.fn(op->host.data);
	pthread_mutex_unlock(&one_at_a_time);
}

/* As a collective does: come, and wait for the others. Whoever dies holds them up no longer than this. */
static void meet(const struct fake_op *op)
{
	uint64_t until_ns = op->start_ns + meeting_ns, last_ns = 0;

	if (!op->meeting.at)
		return;
	fake_sleep_until(op->start_ns);
	while (last_ns < op->start_ns &&
	       !__atomic_compare_exchange_n(&op->meeting.at->last_ns, &last_ns, op->start_ns, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	__atomic_add_fetch(&op->meeting.at->come, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&op->meeting.at->come, __ATOMIC_ACQUIRE) < op->meeting.all &&
	       fake_now() < until_ns)
		fake_sleep_until(fake_now() + MEETING_POLL_NS);
}

/* What an operation does besides taking time. */
static void act(struct fake_op *op)
{
	switch (op->kind) {
	case FAKE_COPY:
		copy_box(&op->copy);
		break;
	case FAKE_FILL:
		fill_box(&op->fill);
		break;
	case FAKE_HOST:
		call_host(op);
		break;
	case FAKE_RECORD:
		event_reached(op);
		break;
	case FAKE_RELEASE:
		free(op->memory);
		break;
	case FAKE_KERNEL:
		meet(op);
		break;
	case FAKE_WAIT:
	case FAKE_GRAPH:
		break;
	}
}

static void run(struct fake_op *op)
{
	const struct fake_hooks *hooks = fake_listener();
	uint64_t now_ns = op->start_ns;

	if (op->kind == FAKE_HOST || op->kind == FAKE_RELEASE)
		fake_sleep_until(op->start_ns);
	act(op);
	for (struct fake_op *child = op->children; child; child = child->next) {
		child->start_ns = now_ns;
		run(child);
		now_ns = child->end_ns;
	}
	op->end_ns = max_ns(now_ns, op->start_ns + op->duration_ns);
	/*
	 * A host may wait for a copy or for its own function: those end when they end. A
	 * fill takes the host longer than a device, which the plan hides.
	 */
	if (op->kind == FAKE_COPY || op->kind == FAKE_HOST)
		op->end_ns = max_ns(op->end_ns, fake_now());
	if (op->meeting.at)
		op->end_ns = max_ns(op->end_ns, op->meeting.at->last_ns + op->duration_ns);
	fake_sleep_until(op->end_ns);
	if (hooks)
		hooks->done(op);
}

/* Called with the mutex held; lets go of it while it waits. */
static uint64_t wait_for_deps(const struct fake_op *op)
{
	uint64_t ready_ns = max_ns(op->submit_ns + SUBMIT_NS, op->stream->device_ns);

	for (size_t i = 0; i < op->dep_count; i++) {
		struct fake_dep dep = op->deps[i];

		while (dep.stream->completed < dep.seq)
			pthread_cond_wait(&dep.stream->progress, &fake_device_mutex);
		ready_ns = max_ns(ready_ns, dep.stream->device_ns);
	}
	return ready_ns;
}

static void finish(struct fake_op *op)
{
	for (struct fake_op *child = op->children, *next; child; child = next) {
		next = child->next;
		fake_op_free(child);
	}
	fake_op_free(op);
}

void *fake_worker(void *data)
{
	struct fake_stream *stream = data;

	prctl(PR_SET_NAME, "fake-stream");
	prctl(PR_SET_TIMERSLACK, 1UL);
	pthread_mutex_lock(&fake_device_mutex);
	for (;;) {
		while (!stream->head)
			pthread_cond_wait(&stream->work, &fake_device_mutex);
		struct fake_op *op = stream->head;
		op->start_ns = wait_for_deps(op);
		stream->head = op->next;
		if (!stream->head)
			stream->tail = &stream->head;
		pthread_mutex_unlock(&fake_device_mutex);

		run(op);

		pthread_mutex_lock(&fake_device_mutex);
		stream->device_ns = op->end_ns;
		stream->completed = op->seq;
		pthread_cond_broadcast(&stream->progress);
		finish(op);
	}
	return NULL;
}
