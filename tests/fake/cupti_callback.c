/* SPDX-License-Identifier: Apache-2.0 */
/* The one subscriber and its callbacks. No lock is held while it runs. */
#include "cupti_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CBID_LIMIT = 1024,
};

static const char *const runtime_names[] = {
#include "runtime_names.inc"
};
static const char *const driver_names[] = {
#include "driver_names.inc"
};

static atomic_bool subscribed;
static CUpti_CallbackFunc callback;
static void *userdata;
static atomic_bool enabled[CUPTI_CB_DOMAIN_SIZE][CBID_LIMIT];
static _Thread_local bool inside; /* calls made by a callback are not reported to it */

static CUptiResult refusal(void)
{
	static const struct {
		const char *name;
		CUptiResult result;
	} refusals[] = {
		{ "subscribe", CUPTI_ERROR_NOT_INITIALIZED },
		{ "permission", CUPTI_ERROR_INSUFFICIENT_PRIVILEGES },
		{ "taken", CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED },
	};
	const char *wanted = getenv("FAKE_CUPTI_FAIL");

	for (size_t i = 0; wanted && i < sizeof(refusals) / sizeof(*refusals); i++)
		if (strcmp(refusals[i].name, wanted) == 0)
			return refusals[i].result;
	return CUPTI_SUCCESS;
}

/* Starting takes long on a real device, and other things happen meanwhile. */
static void linger(void)
{
	const char *setting = getenv("FAKE_CUPTI_SUBSCRIBE_US");

	if (setting)
		usleep((useconds_t)atoi(setting));
}

FAKE_EXPORT CUptiResult cuptiSubscribe(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc fn,
				       void *data)
{
	CUptiResult refused = refusal();

	if (refused)
		return refused;
	if (!subscriber || !fn)
		return CUPTI_ERROR_INVALID_PARAMETER;
	if (atomic_exchange(&subscribed, true))
		return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
	linger();
	callback = fn;
	userdata = data;
	*subscriber = (CUpti_SubscriberHandle)&subscribed;
	cu_listen();
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiSubscribe_v2(CUpti_SubscriberHandle *subscriber,
					  CUpti_CallbackFunc fn, void *data,
					  CUpti_SubscriberParams *pParams)
{
	(void)pParams;
	return cuptiSubscribe(subscriber, fn, data);
}

bool cu_subscribed(void)
{
	return subscribed;
}

static bool ours(CUpti_SubscriberHandle subscriber)
{
	return subscribed && subscriber == (CUpti_SubscriberHandle)&subscribed;
}

FAKE_EXPORT CUptiResult cuptiUnsubscribe(CUpti_SubscriberHandle subscriber)
{
	if (!ours(subscriber))
		return CUPTI_ERROR_INVALID_PARAMETER;
	for (size_t domain = 0; domain < CUPTI_CB_DOMAIN_SIZE; domain++)
		for (size_t id = 0; id < CBID_LIMIT; id++)
			enabled[domain][id] = false;
	subscribed = false;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiEnableCallback(uint32_t enable, CUpti_SubscriberHandle subscriber,
					    CUpti_CallbackDomain domain, CUpti_CallbackId cbid)
{
	if (!ours(subscriber) || domain <= CUPTI_CB_DOMAIN_INVALID ||
	    domain >= CUPTI_CB_DOMAIN_SIZE || cbid >= CBID_LIMIT)
		return CUPTI_ERROR_INVALID_PARAMETER;
	if ((domain == CUPTI_CB_DOMAIN_RUNTIME_API && cbid >= CUPTI_RUNTIME_TRACE_CBID_SIZE) ||
	    (domain == CUPTI_CB_DOMAIN_DRIVER_API && cbid >= CUPTI_DRIVER_TRACE_CBID_SIZE))
		return CUPTI_ERROR_INVALID_PARAMETER;
	enabled[domain][cbid] = enable != 0;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiEnableDomain(uint32_t enable, CUpti_SubscriberHandle subscriber,
					  CUpti_CallbackDomain domain)
{
	if (!ours(subscriber) || domain <= CUPTI_CB_DOMAIN_INVALID ||
	    domain >= CUPTI_CB_DOMAIN_SIZE)
		return CUPTI_ERROR_INVALID_PARAMETER;
	for (size_t id = 0; id < CBID_LIMIT; id++)
		enabled[domain][id] = enable != 0;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiEnableAllDomains(uint32_t enable, CUpti_SubscriberHandle subscriber)
{
	CUptiResult result = CUPTI_SUCCESS;

	for (int domain = CUPTI_CB_DOMAIN_DRIVER_API; domain < CUPTI_CB_DOMAIN_SIZE; domain++)
		if (!result)
			result = cuptiEnableDomain(enable, subscriber,
						   (CUpti_CallbackDomain)domain);
	return result;
}

FAKE_EXPORT CUptiResult cuptiGetCallbackState(uint32_t *enable, CUpti_SubscriberHandle subscriber,
					      CUpti_CallbackDomain domain, CUpti_CallbackId cbid)
{
	if (!ours(subscriber) || domain >= CUPTI_CB_DOMAIN_SIZE || cbid >= CBID_LIMIT)
		return CUPTI_ERROR_INVALID_PARAMETER;
	*enable = enabled[domain][cbid];
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetCallbackName(CUpti_CallbackDomain domain, uint32_t cbid,
					     const char **name)
{
	const char *found = NULL;

	if (domain == CUPTI_CB_DOMAIN_RUNTIME_API &&
	    cbid < sizeof(runtime_names) / sizeof(*runtime_names))
		found = runtime_names[cbid];
	else if (domain == CUPTI_CB_DOMAIN_DRIVER_API &&
		 cbid < sizeof(driver_names) / sizeof(*driver_names))
		found = driver_names[cbid];
	if (!found)
		return CUPTI_ERROR_INVALID_PARAMETER;
	*name = found;
	return CUPTI_SUCCESS;
}

static bool watched(CUpti_CallbackDomain domain, uint32_t cbid)
{
	return subscribed && !inside && cbid < CBID_LIMIT &&
	       atomic_load_explicit(&enabled[domain][cbid], memory_order_relaxed);
}

static void tell(CUpti_CallbackDomain domain, uint32_t cbid, const void *data)
{
	inside = true;
	callback(userdata, domain, cbid, data);
	inside = false;
}

static void tell_call(struct fake_call *call, CUpti_ApiCallbackSite site, const void *result)
{
	uint32_t device = fake_device();
	CUpti_CallbackData data = {
		.callbackSite = site,
		/* __cudaLaunchKernel goes by the name of its id. */
		.functionName = strncmp(call->name, "__", 2) ? call->name : call->name + 2,
		.functionParams = call->params,
		.functionReturnValue = (void *)(uintptr_t)result,
		.symbolName = call->symbol,
		.context = fake_context(device),
		.contextUid = fake_context(device) ? fake_context_id(device) : 0,
		.correlationData = &call->data,
		.correlationId = call->correlation,
	};

	if (watched(call->domain, call->cbid))
		tell(call->domain, call->cbid, &data);
}

void cu_call_entered(struct fake_call *call)
{
	call->start_ns = fake_now();
	tell_call(call, CUPTI_API_ENTER, NULL);
}

void cu_call_left(struct fake_call *call, const void *result)
{
	uint64_t end_ns = fake_now();
	uint32_t value;

	tell_call(call, CUPTI_API_EXIT, result);
	memcpy(&value, result, sizeof(value));
	cu_record_call(call, end_ns, value);
}

void cu_resource_callback(CUpti_CallbackIdResource what, uint32_t device,
			  struct fake_stream *stream)
{
	CUpti_ResourceData data = {
		.context = fake_context(device),
		.resourceHandle.stream = (CUstream)stream,
	};

	if (watched(CUPTI_CB_DOMAIN_RESOURCE, what))
		tell(CUPTI_CB_DOMAIN_RESOURCE, what, &data);
}
