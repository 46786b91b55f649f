/* SPDX-License-Identifier: Apache-2.0 */
/* Driver calls on streams and events: life, waits, queries. */
#include "engine.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic uint64_t sync_count;
static _Atomic uint32_t event_count;

static void tell(CUpti_ActivitySynchronizationType type, uint64_t start_ns, uint32_t device,
		 const struct fake_stream *stream, const struct fake_event *event)
{
	const struct fake_hooks *hooks = fake_listener();
	struct fake_wait wait = {
		.type = type,
		.start_ns = start_ns,
		.end_ns = fake_now(),
		.device = device,
		.stream_id = stream ? stream->id : (uint32_t)CUPTI_SYNCHRONIZATION_INVALID_VALUE,
		.event_id = event ? event->id : (uint32_t)CUPTI_SYNCHRONIZATION_INVALID_VALUE,
		.event_sync_id = event ? event->sync_id : 0,
	};

	if (hooks)
		hooks->waited(&wait);
}

static CUresult create(CUstream *phStream, unsigned int flags, int priority)
{
	if (!phStream)
		return CUDA_ERROR_INVALID_VALUE;
	struct fake_stream *stream = fake_stream_create(flags, priority);
	stream->context = fake_current_context();
	*phStream = (CUstream)stream;
	fake_resource(CUPTI_CBID_RESOURCE_STREAM_CREATED, stream->device, stream);
	return CUDA_SUCCESS;
}

DRIVER(cuStreamCreate, (CUstream *phStream, unsigned int Flags), (phStream, Flags))
{
	return create(phStream, Flags, 0);
}

DRIVER(cuStreamCreateWithPriority, (CUstream *phStream, unsigned int flags, int priority),
       (phStream, flags, priority))
{
	return create(phStream, flags, priority);
}

DRIVER(cuStreamDestroy_v2, (CUstream hStream), (hStream))
{
	if (!hStream)
		return CUDA_ERROR_INVALID_HANDLE;
	struct fake_stream *stream = (struct fake_stream *)hStream;
	fake_resource(CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING, stream->device, stream);
	fake_stream_destroy(stream);
	return CUDA_SUCCESS;
}

DRIVER_PTSZ(cuStreamQuery, (CUstream hStream), (hStream))
{
	struct fake_stream *stream = fake_stream_get(hStream);

	return fake_reached(fake_stream_tail(stream)) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

/*
 * Two-thread table, row "A is in cudaDeviceSynchronize, cudaStreamSynchronize(s1)": no
 * lock is held.
 */
DRIVER_PTSZ(cuStreamSynchronize, (CUstream hStream), (hStream))
{
	struct fake_stream *stream = fake_stream_get(hStream);
	uint64_t start_ns = fake_now();

	fake_wait_for(fake_stream_tail(stream));
	fake_pool_trim(stream->device);
	tell(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_SYNCHRONIZE, start_ns, stream->device,
	     stream, NULL);
	return CUDA_SUCCESS;
}

static CUresult synchronize(void)
{
	CUresult error = fake_ready();
	uint64_t start_ns = fake_now();

	if (error)
		return error;
	fake_drain(fake_device());
	fake_pool_trim(fake_device());
	tell(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE, start_ns, fake_device(),
	     NULL, NULL);
	return CUDA_SUCCESS;
}

FAKE_CALL_VOID(NULL, CUresult, CUPTI_CB_DOMAIN_DRIVER_API, synchronize, cuCtxSynchronize,
	       CUPTI_DRIVER_TRACE_CBID_cuCtxSynchronize)

DRIVER_EARLY(cuCtxSynchronize_v2, (CUcontext ctx), (ctx))
{
	(void)ctx;
	return synchronize();
}

DRIVER_PTSZ(cuStreamGetFlags, (CUstream hStream, unsigned int *flags), (hStream, flags))
{
	*flags = fake_stream_get(hStream)->flags;
	return CUDA_SUCCESS;
}

DRIVER_PTSZ(cuStreamGetPriority, (CUstream hStream, int *priority), (hStream, priority))
{
	*priority = fake_stream_get(hStream)->priority;
	return CUDA_SUCCESS;
}

DRIVER_PTSZ(cuStreamGetId, (CUstream hStream, unsigned long long *streamId), (hStream, streamId))
{
	*streamId = fake_stream_get(hStream)->id;
	return CUDA_SUCCESS;
}

/* The default streams are the current context's. */
DRIVER_PTSZ(cuStreamGetCtx, (CUstream hStream, CUcontext *pctx), (hStream, pctx))
{
	const struct fake_stream *stream = fake_stream_get(hStream);

	*pctx = stream->context ? stream->context : fake_current_context();
	return CUDA_SUCCESS;
}

/* An event that is no more is nobody's. */
static bool alive(const struct fake_event *event)
{
	return event && event->life == fake_context_life(event->device);
}

DRIVER_PTSZ(cuStreamWaitEvent, (CUstream hStream, CUevent hEvent, unsigned int Flags),
	    (hStream, hEvent, Flags))
{
	struct fake_stream *stream = fake_stream_get(hStream);
	const struct fake_event *event = (const struct fake_event *)hEvent;
	uint64_t start_ns = fake_now();

	(void)Flags;
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (event->capture) {
		stream->capture = event->capture;
		return CUDA_SUCCESS;
	}
	struct fake_op *op = fake_op_new(FAKE_WAIT, stream);
	fake_op_after(op, event->at);
	fake_submit(op);
	tell(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT, start_ns, stream->device,
	     stream, event);
	return CUDA_SUCCESS;
}

DRIVER(cuEventCreate, (CUevent *phEvent, unsigned int Flags), (phEvent, Flags))
{
	struct fake_event *event = calloc(1, sizeof(*event));

	(void)Flags;
	if (!event)
		return CUDA_ERROR_OUT_OF_MEMORY;
	event->id = atomic_fetch_add(&event_count, 1) + 1;
	event->context = fake_current_context();
	event->device = fake_device();
	event->life = fake_context_life(event->device);
	*phEvent = (CUevent)event;
	return CUDA_SUCCESS;
}

/* Kept for ever: a recording of it may still be queued. */
DRIVER(cuEventDestroy_v2, (CUevent hEvent), (hEvent))
{
	return alive((const struct fake_event *)hEvent) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static CUresult record(CUevent hEvent, CUstream hStream)
{
	struct fake_event *event = (struct fake_event *)hEvent;
	struct fake_stream *stream = fake_stream_get(hStream);

	/* The manual: "hEvent and hStream must be from the same context". */
	if (!alive(event) ||
	    event->context != (stream->context ? stream->context : fake_current_context()))
		return CUDA_ERROR_INVALID_HANDLE;
	if (fake_setting("FAKE_RECORD_FAILS", 0))
		return CUDA_ERROR_OUT_OF_MEMORY;
	event->capture = stream->capture;
	if (stream->capture)
		return CUDA_SUCCESS;
	struct fake_op *op = fake_op_new(FAKE_RECORD, stream);
	event->sync_id = atomic_fetch_add(&sync_count, 1) + 1;
	op->record.event = event;
	op->record.event_id = event->id;
	op->record.sync_id = event->sync_id;
	fake_submit(op);
	return CUDA_SUCCESS;
}

DRIVER_PTSZ(cuEventRecord, (CUevent hEvent, CUstream hStream), (hEvent, hStream))
{
	return record(hEvent, hStream);
}

DRIVER_PTSZ(cuEventRecordWithFlags, (CUevent hEvent, CUstream hStream, unsigned int flags),
	    (hEvent, hStream, flags))
{
	(void)flags;
	return record(hEvent, hStream);
}

/*
 * The manual: "Captures in hEvent all the activities of the context", and refuses, and spoils
 * the captures, while a stream is being captured. That it waits for nothing, and holds up no
 * stream, is a guess.
 */
DRIVER(cuCtxRecordEvent, (CUcontext hCtx, CUevent hEvent), (hCtx, hEvent))
{
	struct fake_event *event = (struct fake_event *)hEvent;

	uint32_t device;

	if (!fake_device_of(hCtx, &device) || hCtx != fake_context(device) || !event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (fake_spoil_captures(device))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	event->capture = NULL;
	event->at = fake_submit(fake_op_behind_all(FAKE_WAIT, device));
	return CUDA_SUCCESS;
}

DRIVER(cuEventQuery, (CUevent hEvent), (hEvent))
{
	const struct fake_event *event = (const struct fake_event *)hEvent;

	if (!alive(event))
		return CUDA_ERROR_INVALID_HANDLE;
	return fake_reached(event->at) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

DRIVER(cuEventSynchronize, (CUevent hEvent), (hEvent))
{
	const struct fake_event *event = (const struct fake_event *)hEvent;
	uint64_t start_ns = fake_now();

	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	fake_wait_for(event->at);
	fake_pool_trim(event->device);
	tell(CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_EVENT_SYNCHRONIZE, start_ns, event->device, NULL,
	     event);
	return CUDA_SUCCESS;
}

DRIVER(cuEventElapsedTime_v2, (float *pMilliseconds, CUevent hStart, CUevent hEnd),
       (pMilliseconds, hStart, hEnd))
{
	const struct fake_event *start = (const struct fake_event *)hStart;
	const struct fake_event *end = (const struct fake_event *)hEnd;

	if (!start || !end || !start->at.stream || !end->at.stream ||
	    start->device != end->device)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!fake_reached(start->at) || !fake_reached(end->at))
		return CUDA_ERROR_NOT_READY;
	*pMilliseconds = (float)((double)(int64_t)(end->time_ns - start->time_ns) / 1e6);
	return CUDA_SUCCESS;
}

#undef cuEventElapsedTime /* to its _v2, by cuda.h */
DRIVER(cuEventElapsedTime, (float *pMilliseconds, CUevent hStart, CUevent hEnd),
       (pMilliseconds, hStart, hEnd))
{
	return do_cuEventElapsedTime_v2(pMilliseconds, hStart, hEnd);
}
