/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activity buffers: asked of the client when the first record needs one, given back
 * when full or flushed. The client is never called with the mutex held.
 *
 * Simpler than the real CUPTI: one buffer for all threads, records written when their
 * operation ends. So a flush has only complete records to give, and a forced flush
 * gives the same. The real one then delivers the others without times (seen on an H200, CUDA
 * 13.0, of kernels that a program did not wait for at its end): FAKE_CUPTI_UNTIMED stands for those.
 */
#include "cupti_int.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct buffer {
	struct buffer *next;
	uint8_t *bytes;
	size_t size, used;
	size_t records, max_records; /* 0: as many as fit */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static struct buffer *current;         /* being written */
static struct buffer *full;            /* for the delivery thread */
static struct buffer **full_tail = &full;
static size_t delivering;              /* buffers in the client's hands right now */
static pthread_cond_t delivered = PTHREAD_COND_INITIALIZER;
static CUpti_BuffersCallbackRequestFunc request;
static CUpti_BuffersCallbackCompleteFunc complete;
static atomic_size_t dropped;
static atomic_uint period_ms;
static atomic_bool wanted[CUPTI_ACTIVITY_KIND_COUNT];

bool cu_wanted(CUpti_ActivityKind kind)
{
	return atomic_load_explicit(&wanted[kind], memory_order_relaxed);
}

static bool fits(const struct buffer *buffer, size_t bytes)
{
	return buffer->used + bytes <= buffer->size &&
	       (!buffer->max_records || buffer->records < buffer->max_records);
}

/* Returns NULL when the client has none to give. */
static struct buffer *ask(size_t bytes)
{
	struct buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	request(&buffer->bytes, &buffer->size, &buffer->max_records);
	if (buffer->bytes && fits(buffer, bytes))
		return buffer;
	free(buffer);
	return NULL;
}

static void queue_full_locked(struct buffer *buffer)
{
	buffer->next = NULL;
	*full_tail = buffer;
	full_tail = &buffer->next;
	pthread_cond_signal(&filled);
}

/* As a CUPTI short of memory does. */
static bool drops_locked(const CUpti_Activity *record)
{
	static long left = -1;
	const char *drop = getenv("FAKE_CUPTI_DROP");

	if (left < 0)
		left = drop ? atol(drop) : 0;
	return record->kind == CUPTI_ACTIVITY_KIND_MEMSET && left > 0 && left--;
}

void cu_write(const void *record, size_t bytes)
{
	struct buffer *fresh = NULL;

	pthread_mutex_lock(&mutex);
	while (complete && !(current && fits(current, bytes))) {
		if (current)
			queue_full_locked(current);
		current = fresh;
		fresh = NULL;
		if (current)
			continue;
		pthread_mutex_unlock(&mutex);
		fresh = ask(bytes);
		pthread_mutex_lock(&mutex);
		if (!fresh)
			break;
	}
	if (drops_locked(record)) {
		dropped++;
	} else if (complete && current && fits(current, bytes)) {
		memcpy(current->bytes + current->used, record, bytes);
		current->used += bytes;
		current->records++;
	} else {
		dropped++;
	}
	/* Another thread was quicker: an empty buffer goes straight back. */
	if (fresh)
		queue_full_locked(fresh);
	pthread_mutex_unlock(&mutex);
}

static void deliver(struct buffer *buffer)
{
	complete(fake_context(fake_device()), 0, buffer->bytes, buffer->size, buffer->used);
	free(buffer);
	pthread_mutex_lock(&mutex);
	delivering--;
	pthread_cond_broadcast(&delivered);
	pthread_mutex_unlock(&mutex);
}

static struct buffer *take_locked(bool also_current)
{
	struct buffer *buffer = full;

	if (buffer) {
		full = buffer->next;
		if (!full)
			full_tail = &full;
	} else if (also_current && current) {
		buffer = current;
		current = NULL;
	}
	if (buffer)
		delivering++;
	return buffer;
}

/* Returns when every record written before the call is in the client's hands. */
static void flush(void)
{
	struct buffer *buffer;

	do {
		pthread_mutex_lock(&mutex);
		buffer = take_locked(true);
		pthread_mutex_unlock(&mutex);
		if (buffer)
			deliver(buffer);
	} while (buffer);
}

static void *delivery(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&mutex);
	for (;;) {
		struct timespec until;
		unsigned int ms = period_ms;
		bool late = false;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += ms / 1000;
		until.tv_nsec += (long)(ms % 1000) * 1000000;
		if (until.tv_nsec >= 1000000000)
			until.tv_sec++, until.tv_nsec -= 1000000000;
		while (!full && !late)
			late = ms ? pthread_cond_timedwait(&filled, &mutex, &until) != 0 :
				    pthread_cond_wait(&filled, &mutex) != 0 || period_ms != ms;
		struct buffer *buffer = take_locked(late && ms);
		pthread_mutex_unlock(&mutex);
		if (buffer)
			deliver(buffer);
		pthread_mutex_lock(&mutex);
	}
	return NULL;
}

/* The program's signals are for the program's threads. */
static void start_delivery(void)
{
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, delivery, NULL) == 0)
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

FAKE_EXPORT CUptiResult cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc requested,
						       CUpti_BuffersCallbackCompleteFunc completed)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!requested || !completed)
		return CUPTI_ERROR_INVALID_PARAMETER;
	cu_listen();
	pthread_mutex_lock(&mutex);
	request = requested;
	complete = completed;
	pthread_mutex_unlock(&mutex);
	pthread_once(&once, start_delivery);
	return CUPTI_SUCCESS;
}

/*
 * A program under the real one crashes soon after (cupti/activity.h). Seen of tools that stay
 * subscribed; profilers that come and go do it.
 */
static void refuse_again(CUpti_ActivityKind kind, bool on)
{
	static atomic_bool gone[CUPTI_ACTIVITY_KIND_COUNT];

	if (!on)
		gone[kind] = wanted[kind] && cu_subscribed();
	else if (gone[kind] && cu_subscribed() && kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
		abort();
}

static CUptiResult want(CUpti_ActivityKind kind, bool on)
{
	if (kind <= CUPTI_ACTIVITY_KIND_INVALID || kind >= CUPTI_ACTIVITY_KIND_COUNT)
		return CUPTI_ERROR_INVALID_KIND;
	cu_listen();
	refuse_again(kind, on);
	wanted[kind] = on;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityEnable(CUpti_ActivityKind kind)
{
	return want(kind, true);
}

FAKE_EXPORT CUptiResult cuptiActivityEnableAndDump(CUpti_ActivityKind kind)
{
	return want(kind, true);
}

FAKE_EXPORT CUptiResult cuptiActivityDisable(CUpti_ActivityKind kind)
{
	return want(kind, false);
}

FAKE_EXPORT CUptiResult cuptiActivityEnableContext(CUcontext context, CUpti_ActivityKind kind)
{
	return context ? want(kind, true) : CUPTI_ERROR_INVALID_CONTEXT;
}

FAKE_EXPORT CUptiResult cuptiActivityDisableContext(CUcontext context, CUpti_ActivityKind kind)
{
	return context ? want(kind, false) : CUPTI_ERROR_INVALID_CONTEXT;
}

FAKE_EXPORT CUptiResult cuptiActivityFlushAll(uint32_t flag)
{
	(void)flag;
	if (!complete)
		return CUPTI_ERROR_INVALID_OPERATION;
	flush();
	pthread_mutex_lock(&mutex);
	while (delivering)
		pthread_cond_wait(&delivered, &mutex);
	pthread_mutex_unlock(&mutex);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityFlush(CUcontext context, uint32_t streamId, uint32_t flag)
{
	(void)context, (void)streamId;
	return cuptiActivityFlushAll(flag);
}

FAKE_EXPORT CUptiResult cuptiActivityFlushPeriod(uint32_t time)
{
	pthread_mutex_lock(&mutex);
	period_ms = time;
	pthread_cond_signal(&filled);
	pthread_mutex_unlock(&mutex);
	return CUPTI_SUCCESS;
}

/* Zero after it was read, as the real one. */
FAKE_EXPORT CUptiResult cuptiActivityGetNumDroppedRecords(CUcontext context, uint32_t streamId,
							  size_t *count)
{
	(void)context, (void)streamId;
	*count = atomic_exchange(&dropped, 0);
	return CUPTI_SUCCESS;
}

static size_t record_bytes(CUpti_ActivityKind kind)
{
	switch (kind) {
	case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
	case CUPTI_ACTIVITY_KIND_KERNEL:
		return sizeof(CUpti_ActivityKernel10);
	case CUPTI_ACTIVITY_KIND_MEMCPY:
		return sizeof(CUpti_ActivityMemcpy6);
	case CUPTI_ACTIVITY_KIND_MEMCPY2:
		return sizeof(CUpti_ActivityMemcpyPtoP4);
	case CUPTI_ACTIVITY_KIND_MEMSET:
		return sizeof(CUpti_ActivityMemset4);
	case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
		return sizeof(CUpti_ActivitySynchronization2);
	case CUPTI_ACTIVITY_KIND_CUDA_EVENT:
		return sizeof(CUpti_ActivityCudaEvent2);
	case CUPTI_ACTIVITY_KIND_OVERHEAD:
		return sizeof(CUpti_ActivityOverhead3);
	case CUPTI_ACTIVITY_KIND_STREAM:
		return sizeof(CUpti_ActivityStream);
	case CUPTI_ACTIVITY_KIND_CONTEXT:
		return sizeof(CUpti_ActivityContext3);
	case CUPTI_ACTIVITY_KIND_DEVICE:
		return sizeof(CUpti_ActivityDevice5);
	case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
		return sizeof(CUpti_ActivityGraphTrace2);
	case CUPTI_ACTIVITY_KIND_RUNTIME:
	case CUPTI_ACTIVITY_KIND_DRIVER:
		return sizeof(CUpti_ActivityAPI);
	default:
		return 0;
	}
}

FAKE_EXPORT CUptiResult cuptiActivityGetNextRecord(uint8_t *buffer, size_t validBufferSizeBytes,
						   CUpti_Activity **record)
{
	uint8_t *next = buffer;

	if (!buffer || !record)
		return CUPTI_ERROR_INVALID_PARAMETER;
	if (*record) {
		size_t bytes = record_bytes((*record)->kind);

		if (!bytes)
			return CUPTI_ERROR_INVALID_KIND;
		next = (uint8_t *)*record + bytes;
	}
	if (next >= buffer + validBufferSizeBytes)
		return CUPTI_ERROR_MAX_LIMIT_REACHED;
	*record = (CUpti_Activity *)next;
	return CUPTI_SUCCESS;
}
