/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of CUPTI that only set or tell something. */
#include "cupti_int.h"

#include <string.h>

FAKE_EXPORT CUptiResult cuptiGetVersion(uint32_t *version)
{
	*version = CUPTI_API_VERSION;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetResultString(CUptiResult result, const char **str)
{
#define NAME(value) { value, #value }
	static const struct {
		CUptiResult result;
		const char *name;
	} names[] = {
		NAME(CUPTI_SUCCESS),
		NAME(CUPTI_ERROR_INVALID_PARAMETER),
		NAME(CUPTI_ERROR_INVALID_CONTEXT),
		NAME(CUPTI_ERROR_INVALID_OPERATION),
		NAME(CUPTI_ERROR_MAX_LIMIT_REACHED),
		NAME(CUPTI_ERROR_NOT_INITIALIZED),
		NAME(CUPTI_ERROR_INVALID_KIND),
		NAME(CUPTI_ERROR_NOT_SUPPORTED),
		NAME(CUPTI_ERROR_INSUFFICIENT_PRIVILEGES),
		NAME(CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED),
	};
#undef NAME

	*str = "<unknown>";
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].result == result)
			*str = names[i].name;
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetErrorMessage(CUptiResult result, const char **str)
{
	return cuptiGetResultString(result, str);
}

FAKE_EXPORT CUptiResult cuptiGetLastError(void)
{
	return CUPTI_SUCCESS;
}

enum {
	ATTRIBUTE_COUNT = 16,
	ATTRIBUTE_BYTES = 8,
};

/* The defaults of CUPTI 13.0, as its header states them. */
static union {
	size_t size;
	unsigned char bytes[ATTRIBUTE_BYTES];
} attributes[ATTRIBUTE_COUNT] = {
	[CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_SIZE] = { 3200000 },
	[CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_POOL_LIMIT] = { 250 },
	[CUPTI_ACTIVITY_ATTR_DEVICE_BUFFER_PRE_ALLOCATE_VALUE] = { 3 },
};

FAKE_EXPORT CUptiResult cuptiActivitySetAttribute(CUpti_ActivityAttribute attr, size_t *size,
						  void *value)
{
	if (!size || !value || (size_t)attr >= ATTRIBUTE_COUNT || *size > ATTRIBUTE_BYTES)
		return CUPTI_ERROR_INVALID_PARAMETER;
	memcpy(attributes[attr].bytes, value, *size);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiActivityGetAttribute(CUpti_ActivityAttribute attr, size_t *size,
						  void *value)
{
	if (!size || !value || (size_t)attr >= ATTRIBUTE_COUNT || *size > ATTRIBUTE_BYTES)
		return CUPTI_ERROR_INVALID_PARAMETER;
	memcpy(value, attributes[attr].bytes, *size);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetStreamIdEx(CUcontext context, CUstream stream,
					   uint8_t perThreadStream, uint32_t *streamId)
{
	uint32_t device = fake_device();

	fake_device_of(context, &device);
	*streamId = fake_stream_id(fake_stream_of(stream, perThreadStream, device));
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetStreamId(CUcontext context, CUstream stream, uint32_t *streamId)
{
	return cuptiGetStreamIdEx(context, stream, 0, streamId);
}

FAKE_EXPORT CUptiResult cuptiGetContextId(CUcontext context, uint32_t *contextId)
{
	uint32_t device;

	if (!fake_device_of(context, &device))
		return CUPTI_ERROR_INVALID_CONTEXT;
	*contextId = fake_context_id(device);
	return CUPTI_SUCCESS;
}

FAKE_EXPORT CUptiResult cuptiGetDeviceId(CUcontext context, uint32_t *deviceId)
{
	return fake_device_of(context, deviceId) ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_CONTEXT;
}

FAKE_EXPORT CUptiResult cuptiFinalize(void)
{
	return CUPTI_SUCCESS;
}

/* Switches that change nothing here. */
#define SWITCH(name)                                                                               \
	FAKE_EXPORT CUptiResult name(uint8_t enable)                                               \
	{                                                                                          \
		(void)enable;                                                                      \
		return CUPTI_SUCCESS;                                                              \
	}

SWITCH(cuptiActivityEnableAllSyncRecords)
SWITCH(cuptiActivityEnableLatencyTimestamps)
SWITCH(cuptiActivityEnableCudaEventDeviceTimestamps)
SWITCH(cuptiActivityEnableAllocationSource)
SWITCH(cuptiActivityEnableLaunchAttributes)

/* Blackwell and later; this device is a Hopper. */
FAKE_EXPORT CUptiResult cuptiActivityEnableHWTrace(uint8_t enable)
{
	(void)enable;
	return CUPTI_ERROR_NOT_SUPPORTED;
}
