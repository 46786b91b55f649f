/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: creating them, submitting to them, waiting for them. */
#include "engine.h"

#include <signal.h>
#include <stdlib.h>

enum {
	/* Measured table, row "3000 launches queued behind the 20 ms kernel". */
	QUEUE_DEPTH = 1000,
	NOBODYS_ID = 6,
};

static struct fake_stream *streams; /* guarded by fake_device_mutex, as their fields are */
static struct fake_stream *legacy[FAKE_DEVICES_MOST];
static struct fake_stream *nobodys[FAKE_DEVICES_MOST]; /* for events of all streams */
/* Copies between two devices that later work of the device's blocking streams has to follow. */
static struct fake_dep barriers[FAKE_DEVICES_MOST];
/*
 * Created streams get 13 and up, as from the real CUPTI. Its manual: ids are unique within
 * a context; so those of two devices are the same here.
 */
static uint32_t made[FAKE_DEVICES_MOST];
static _Thread_local struct fake_stream *per_thread[FAKE_DEVICES_MOST];

static struct fake_stream *stream_reuse(void)
{
	for (struct fake_stream *stream = streams; stream; stream = stream->next)
		if (stream->destroyed && stream->completed == stream->submitted)
			return stream;
	return NULL;
}

static struct fake_stream *stream_start(void)
{
	struct fake_stream *stream = calloc(1, sizeof(*stream));
	pthread_t thread;
	sigset_t all, before;

	if (!stream)
		abort();
	pthread_cond_init(&stream->work, NULL);
	pthread_cond_init(&stream->progress, NULL);
	stream->tail = &stream->head;
	stream->next = streams;
	streams = stream;
	/* The program's signals are for the program's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, fake_worker, stream))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_detach(thread);
	return stream;
}

static struct fake_stream *stream_create_locked(unsigned int flags, int priority, uint32_t device,
						uint32_t id)
{
	enum { FIRST_ID = 13 };
	struct fake_stream *stream = stream_reuse();

	if (!stream)
		stream = stream_start();
	stream->destroyed = false;
	stream->flags = flags;
	stream->priority = priority;
	stream->device = device;
	stream->id = id ? id : FIRST_ID + made[device]++;
	return stream;
}

struct fake_stream *fake_stream_create(unsigned int flags, int priority)
{
	pthread_mutex_lock(&fake_device_mutex);
	struct fake_stream *stream = stream_create_locked(flags, priority, fake_device(), 0);
	pthread_mutex_unlock(&fake_device_mutex);
	return stream;
}

/* Returns at once; what is queued still runs. Measured table, row "cudaStreamCreate/Destroy". */
void fake_stream_destroy(struct fake_stream *stream)
{
	pthread_mutex_lock(&fake_device_mutex);
	stream->destroyed = true;
	pthread_mutex_unlock(&fake_device_mutex);
}

struct fake_stream *fake_stream_of(CUstream handle, bool twin, uint32_t device)
{
	if (handle && handle != CU_STREAM_LEGACY && handle != CU_STREAM_PER_THREAD)
		return (struct fake_stream *)handle;
	pthread_mutex_lock(&fake_device_mutex);
	if (!legacy[device])
		legacy[device] = stream_create_locked(CU_STREAM_DEFAULT, 0, device,
						      FAKE_NULL_STREAM_ID);
	struct fake_stream *stream = legacy[device];
	if (handle == CU_STREAM_PER_THREAD || (!handle && twin)) {
		if (!per_thread[device])
			per_thread[device] = stream_create_locked(CU_STREAM_DEFAULT, 0, device, 0);
		stream = per_thread[device];
	}
	pthread_mutex_unlock(&fake_device_mutex);
	return stream;
}

struct fake_stream *fake_stream_get(CUstream handle)
{
	return fake_stream_of(handle, fake_per_thread(), fake_device());
}

uint32_t fake_stream_id(const struct fake_stream *stream)
{
	return stream->id;
}

uint32_t fake_stream_device(const struct fake_stream *stream)
{
	return stream->device;
}

bool fake_stream_non_blocking(const struct fake_stream *stream)
{
	return stream->flags & CU_STREAM_NON_BLOCKING;
}

struct fake_op *fake_op_new(enum fake_kind kind, struct fake_stream *stream)
{
	struct fake_op *op = calloc(1, sizeof(*op));

	if (!op)
		abort();
	op->kind = kind;
	op->stream = stream;
	op->correlation = fake_correlation();
	return op;
}

void fake_op_free(struct fake_op *op)
{
	free(op->deps);
	free(op->staging);
	free(op);
}

static bool pending(const struct fake_stream *stream)
{
	return stream->completed < stream->submitted;
}

void fake_op_after(struct fake_op *op, struct fake_dep dep)
{
	struct fake_dep *deps;

	if (!dep.stream)
		return;
	deps = realloc(op->deps, (op->dep_count + 1) * sizeof(*deps));
	if (!deps)
		abort();
	deps[op->dep_count++] = dep;
	op->deps = deps;
}

static void depend(struct fake_op *op, struct fake_stream *stream)
{
	fake_op_after(op, (struct fake_dep){ stream, stream->submitted });
}

/*
 * The legacy default stream: its work waits for all earlier work of blocking streams,
 * and their later work waits for it. Measured table, row "cudaMemcpy, cudaMemset while
 * a NON-BLOCKING stream is busy": those streams are exempt. Programming guide, default stream:
 * each device has its own, so those of other devices are too.
 */
static void order_by_default_stream(struct fake_op *op)
{
	struct fake_stream *first = legacy[op->stream->device];

	if (fake_stream_non_blocking(op->stream))
		return;
	if (op->stream != first) {
		if (first && pending(first))
			depend(op, first);
		return;
	}
	for (struct fake_stream *other = streams; other; other = other->next)
		if (other != first && other->device == first->device &&
		    !fake_stream_non_blocking(other) && pending(other))
			depend(op, other);
}

static bool full(const struct fake_stream *stream)
{
	return stream->submitted - stream->completed >= QUEUE_DEPTH;
}

/* Measured table, row "3000 launches queued": the caller waits for room, holding nothing. */
static void wait_for_room(struct fake_stream *stream)
{
	const struct fake_hooks *hooks = fake_listener();
	uint64_t start_ns = fake_now();

	fake_context_unlock(stream->device);
	while (full(stream))
		pthread_cond_wait(&stream->progress, &fake_device_mutex);
	pthread_mutex_unlock(&fake_device_mutex);
	if (hooks)
		hooks->overhead(CUPTI_ACTIVITY_OVERHEAD_COMMAND_BUFFER_FULL, start_ns, fake_now());
	fake_context_lock(stream->device);
	pthread_mutex_lock(&fake_device_mutex);
}

/* The operation has all it has to follow but what its stream says. */
static struct fake_dep enqueue_locked(struct fake_op *op)
{
	struct fake_stream *stream = op->stream;

	order_by_default_stream(op);
	if (!fake_stream_non_blocking(stream))
		fake_op_after(op, barriers[stream->device]);
	op->submit_ns = fake_now();
	op->seq = ++stream->submitted;
	struct fake_dep dep = { stream, op->seq };
	if (op->kind == FAKE_RECORD)
		op->record.event->at = dep;
	*stream->tail = op;
	stream->tail = &op->next;
	pthread_cond_signal(&stream->work);
	return dep;
}

/* Is work of a stream ordered with a copy between these devices in a default stream? */
static bool between(const struct fake_stream *stream, const uint32_t devices[2])
{
	return !fake_stream_non_blocking(stream) &&
	       (stream->device == devices[0] || stream->device == devices[1]);
}

/*
 * devices: work of their blocking streams submitted so far comes before it, later work of those
 * after it. Or NULL.
 */
static struct fake_dep submit(struct fake_op *op, const uint32_t devices[2])
{
	struct fake_stream *stream = op->stream;
	/* Two-thread table: stream-ordered allocation goes on during another thread's free. */
	bool locks = op->kind != FAKE_RELEASE;

	if (stream->capture) {
		fake_graph_append(stream->capture, op);
		return (struct fake_dep){ stream, 0 };
	}
	if (locks)
		fake_context_lock(stream->device);
	pthread_mutex_lock(&fake_device_mutex);
	while (locks && full(stream))
		wait_for_room(stream);
	for (struct fake_stream *other = streams; devices && other; other = other->next)
		if (other != stream && pending(other) && between(other, devices))
			depend(op, other);
	struct fake_dep dep = enqueue_locked(op);
	if (devices)
		barriers[devices[0]] = barriers[devices[1]] = dep;
	pthread_mutex_unlock(&fake_device_mutex);
	if (locks)
		fake_context_unlock(stream->device);
	return dep;
}

struct fake_dep fake_submit(struct fake_op *op)
{
	return submit(op, NULL);
}

struct fake_dep fake_submit_between(struct fake_op *op, const uint32_t devices[2])
{
	return submit(op, devices);
}

struct fake_dep fake_stream_tail(struct fake_stream *stream)
{
	pthread_mutex_lock(&fake_device_mutex);
	struct fake_dep dep = { stream, stream->submitted };
	pthread_mutex_unlock(&fake_device_mutex);
	return dep;
}

bool fake_reached(struct fake_dep dep)
{
	if (!dep.stream)
		return true;
	pthread_mutex_lock(&fake_device_mutex);
	bool reached = dep.stream->completed >= dep.seq;
	pthread_mutex_unlock(&fake_device_mutex);
	return reached;
}

static void wait_locked(struct fake_dep dep)
{
	while (dep.stream->completed < dep.seq)
		pthread_cond_wait(&dep.stream->progress, &fake_device_mutex);
}

void fake_wait_for(struct fake_dep dep)
{
	if (!dep.stream)
		return;
	pthread_mutex_lock(&fake_device_mutex);
	wait_locked(dep);
	pthread_mutex_unlock(&fake_device_mutex);
}

/* All work submitted to the device so far; streams that appear meanwhile are not meant. */
void fake_drain(uint32_t device)
{
	pthread_mutex_lock(&fake_device_mutex);
	size_t count = 0;
	for (const struct fake_stream *stream = streams; stream; stream = stream->next)
		count++;
	struct fake_dep *deps = calloc(count + 1, sizeof(*deps));
	if (!deps)
		abort();
	size_t used = 0;
	for (struct fake_stream *stream = streams; stream; stream = stream->next)
		if (stream->device == device && pending(stream))
			deps[used++] = (struct fake_dep){ stream, stream->submitted };
	for (size_t i = 0; i < used; i++)
		wait_locked(deps[i]);
	pthread_mutex_unlock(&fake_device_mutex);
	free(deps);
}

/* Ends it for every stream that joined the capture. */
void fake_end_capture(const struct fake_graph *graph)
{
	pthread_mutex_lock(&fake_device_mutex);
	for (struct fake_stream *stream = streams; stream; stream = stream->next)
		if (stream->capture == graph)
			stream->capture = NULL;
	pthread_mutex_unlock(&fake_device_mutex);
}

/* Whether there were any on the device. A spoilt capture collects nothing more. */
bool fake_spoil_captures(uint32_t device)
{
	bool any = false;

	pthread_mutex_lock(&fake_device_mutex);
	for (struct fake_stream *stream = streams; stream; stream = stream->next) {
		if (stream->device != device)
			continue;
		any |= stream->capture != NULL;
		stream->capture = NULL;
	}
	pthread_mutex_unlock(&fake_device_mutex);
	return any;
}

/* An operation, in a stream of nobody's, that comes after all the device's work submitted so far. */
struct fake_op *fake_op_behind_all(enum fake_kind kind, uint32_t device)
{
	struct fake_stream *own;
	struct fake_op *op;

	pthread_mutex_lock(&fake_device_mutex);
	if (!nobodys[device])
		nobodys[device] = stream_create_locked(CU_STREAM_NON_BLOCKING, 0, device,
						       NOBODYS_ID);
	own = nobodys[device];
	op = fake_op_new(kind, own);
	for (struct fake_stream *stream = streams; stream; stream = stream->next)
		if (stream != own && stream->device == device && pending(stream))
			depend(op, stream);
	pthread_mutex_unlock(&fake_device_mutex);
	return op;
}
