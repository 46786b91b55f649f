/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/callbacks.h"

#include <errno.h>

#include "cupti/library.h"
#include "cupti/rows.h"
#include "cupti/window.h"

static const struct ct_cupti_host *_Atomic host; /* callbacks come on any thread once it is set */

/* Runtime and driver functions return an int-sized enum; 0 is success in both. */
static int returned(const CUpti_CallbackData *data)
{
	return data->functionReturnValue ? *(const int *)data->functionReturnValue : 0;
}

static void on_call(const struct ct_row *row, enum ct_origin origin, const CUpti_CallbackData *data)
{
	struct ct_call *call;
	int error;

	if (data->callbackSite == CUPTI_API_ENTER) {
		ct_windows_called(data->correlationId);
		call = host->enter(row->api, origin, data->correlationId, data->contextUid);
		if (!call)
			return;
		if (row->in && data->functionParams)
			row->in(call, data->functionParams);
		host->begin(call);
		return;
	}
	call = host->exit(row->api, origin, data->correlationId, data->contextUid);
	if (!call)
		return;
	error = returned(data);
	if (call->flags & CT_CALL_LATE_ENTER && row->in && data->functionParams)
		row->in(call, data->functionParams);
	if (!error && row->out && data->functionParams)
		row->out(call, data->functionParams);
	host->close(call, error);
}

static void on_stream(const CUpti_ResourceData *data, bool destroyed)
{
	struct ct_stream stream = {
		.handle = (uintptr_t)data->resourceHandle.stream,
		.seen_ns = host->now_ns(),
		.destroyed = destroyed,
	};

	if (ct_cupti.cuptiGetContextId(data->context, &stream.context) != CUPTI_SUCCESS ||
	    ct_cupti.cuptiGetStreamIdEx(data->context, data->resourceHandle.stream, 0,
					&stream.stream) != CUPTI_SUCCESS)
		return;
	host->put(CT_RECORD_STREAM, &stream);
}

static void on_context(const CUpti_ResourceData *data, bool destroyed)
{
	struct ct_context context = {
		.null_stream = CT_ID_NONE,
		.seen_ns = host->now_ns(),
		.destroyed = destroyed,
	};

	if (ct_cupti.cuptiGetContextId(data->context, &context.context) != CUPTI_SUCCESS)
		return;
	if (ct_cupti.cuptiGetDeviceId(data->context, &context.device) != CUPTI_SUCCESS)
		context.device = CT_ID_NONE;
	host->put(CT_RECORD_CONTEXT, &context);
}

static void on_resource(CUpti_CallbackId id, const CUpti_ResourceData *data)
{
	switch (id) {
	case CUPTI_CBID_RESOURCE_STREAM_CREATED:
	case CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING:
		on_stream(data, id == CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING);
		break;
	case CUPTI_CBID_RESOURCE_CONTEXT_CREATED:
	case CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING:
		on_context(data, id == CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING);
		break;
	default:
		break;
	}
}

void CUPTIAPI ct_callbacks_handle(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id,
				  const void *data)
{
	int saved = errno;

	(void)unused;
	if (domain == CUPTI_CB_DOMAIN_RUNTIME_API && id < CT_ROWS_MAX)
		on_call(&ct_runtime_rows[id], CT_ORIGIN_RUNTIME, data);
	else if (domain == CUPTI_CB_DOMAIN_DRIVER_API && id < CT_ROWS_MAX)
		on_call(&ct_driver_rows[id], CT_ORIGIN_DRIVER, data);
	else if (domain == CUPTI_CB_DOMAIN_RESOURCE)
		on_resource(id, data);
	errno = saved;
}

/* Returns 1 if it is refused. A function that this CUPTI does not know is not there to be seen. */
static int set_one(CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
		   CUpti_CallbackId id, bool on)
{
	CUptiResult result = ct_cupti.cuptiEnableCallback(on, subscriber, domain, id);

	return result != CUPTI_SUCCESS && result != CUPTI_ERROR_INVALID_PARAMETER;
}

/* Say so, the first time. */
static void note_refused(int refused)
{
	static bool said;

	if (refused && !said)
		host->note(CT_NOTE_PARTIAL_CUPTI, (uint64_t)refused, "all calls, contexts and streams: "
			   "CUPTI refused to tell of %d kinds", refused);
	said |= refused;
}

/* Of a domain: the calls that the light mode leaves alone, or those it does not. */
static int set_rows(CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain,
		    const struct ct_row *rows, bool left, bool on)
{
	int refused = 0;

	for (uint32_t id = 0; id < CT_ROWS_MAX; id++)
		if (rows[id].api != CT_API_NONE &&
		    CT_LEFT_BY_LIGHT(ct_apis[rows[id].api].effects) == left)
			refused += set_one(subscriber, domain, id, on);
	return refused;
}

static int set_calls(CUpti_SubscriberHandle subscriber, bool left, bool on)
{
	return set_rows(subscriber, CUPTI_CB_DOMAIN_RUNTIME_API, ct_runtime_rows, left, on) +
	       set_rows(subscriber, CUPTI_CB_DOMAIN_DRIVER_API, ct_driver_rows, left, on);
}

void ct_callbacks_enable(CUpti_SubscriberHandle subscriber, const struct ct_cupti_host *to,
			 bool full)
{
	static const CUpti_CallbackId resources[] = {
		CUPTI_CBID_RESOURCE_CONTEXT_CREATED,
		CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING,
		CUPTI_CBID_RESOURCE_STREAM_CREATED,
		CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING,
	};
	int refused;

	host = to;
	refused = set_calls(subscriber, false, true);
	if (full)
		refused += set_calls(subscriber, true, true);
	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
		refused += set_one(subscriber, CUPTI_CB_DOMAIN_RESOURCE, resources[i], true);
	note_refused(refused);
}

void ct_callbacks_switch(CUpti_SubscriberHandle subscriber, bool full)
{
	note_refused(set_calls(subscriber, true, full));
}
