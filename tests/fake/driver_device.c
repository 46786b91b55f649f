/* SPDX-License-Identifier: Apache-2.0 */
/* Driver calls that ask about the device, and that find other calls. */
#include "engine.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define DEVICE_NAME "Fake device (no GPU)"

DRIVER_EARLY(cuDriverGetVersion, (int *driverVersion), (driverVersion))
{
	*driverVersion = FAKE_DRIVER_VERSION;
	return CUDA_SUCCESS;
}

/* How often it was told so: for programs that want to know whether it was. */
FAKE_EXPORT unsigned fake_profiler_calls;

static CUresult profile(void)
{
	__atomic_fetch_add(&fake_profiler_calls, 1, __ATOMIC_RELAXED); /* by several threads at once */
	return fake_ready();
}

FAKE_CALL_VOID(NULL, CUresult, CUPTI_CB_DOMAIN_DRIVER_API, profile, cuProfilerStart,
	       CUPTI_DRIVER_TRACE_CBID_cuProfilerStart)
FAKE_CALL_VOID(NULL, CUresult, CUPTI_CB_DOMAIN_DRIVER_API, profile, cuProfilerStop,
	       CUPTI_DRIVER_TRACE_CBID_cuProfilerStop)

DRIVER_EARLY(cuDeviceGetCount, (int *count), (count))
{
	CUresult error = fake_init();

	*count = error ? 0 : (int)fake_device_count();
	return error;
}

static bool there_is(CUdevice device)
{
	return device >= 0 && device < (int)fake_device_count();
}

DRIVER_EARLY(cuDeviceGet, (CUdevice *device, int ordinal), (device, ordinal))
{
	*device = ordinal;
	return there_is(ordinal) ? fake_init() : CUDA_ERROR_INVALID_DEVICE;
}

DRIVER_EARLY(cuDeviceGetName, (char *name, int len, CUdevice dev), (name, len, dev))
{
	(void)dev;
	snprintf(name, (size_t)len, "%s", DEVICE_NAME);
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDeviceGetUuid_v2, (CUuuid *uuid, CUdevice dev), (uuid, dev))
{
	memset(uuid, 0xfa, sizeof(*uuid));
	uuid->bytes[sizeof(uuid->bytes) - 1] = (char)(0xfa - dev);
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDeviceGetPCIBusId, (char *pciBusId, int len, CUdevice dev), (pciBusId, len, dev))
{
	snprintf(pciBusId, (size_t)len, "0000:%02x:00.0", (unsigned int)dev);
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDeviceTotalMem_v2, (size_t *bytes, CUdevice dev), (bytes, dev))
{
	(void)dev;
	*bytes = fake_memory_total();
	return CUDA_SUCCESS;
}

static const int attributes[CU_DEVICE_ATTRIBUTE_MAX] = {
	[CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK] = 1024,
	[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X] = 1024,
	[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y] = 1024,
	[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z] = 64,
	[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X] = 2147483647,
	[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y] = 65535,
	[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z] = 65535,
	[CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK] = 49152,
	[CU_DEVICE_ATTRIBUTE_WARP_SIZE] = 32,
	[CU_DEVICE_ATTRIBUTE_CLOCK_RATE] = 1980000,
	[CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT] = 132,
	[CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS] = 1,
	[CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT] = 3,
	[CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING] = 1,
	[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR] = 9,
	[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR] = 0,
	[CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY] = 1,
	[CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED] = 1,
	[CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS] = 1,
	[CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH] = 1,
	[CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED] = 1,
	[CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR] = 2048,
	[CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR] = 32,
	[CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK] = 65536,
	[CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE] = 50 << 20,
	[CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY] = 1,
};

DRIVER_EARLY(cuDeviceGetAttribute, (int *pi, CUdevice_attribute attrib, CUdevice dev),
	     (pi, attrib, dev))
{
	if (!there_is(dev))
		return CUDA_ERROR_INVALID_DEVICE;
	if (attrib >= CU_DEVICE_ATTRIBUTE_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	*pi = attributes[attrib];
	return CUDA_SUCCESS;
}

static const struct {
	CUresult error;
	const char *name, *text;
} errors[] = {
	{ CUDA_SUCCESS, "CUDA_SUCCESS", "no error" },
	{ CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument" },
	{ CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory" },
	{ CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error" },
	{ CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected" },
	{ CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal" },
	{ CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context" },
	{ CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle" },
	{ CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found" },
	{ CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready" },
	{ CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported" },
};

DRIVER_EARLY(cuGetErrorName, (CUresult error, const char **pStr), (error, pStr))
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (errors[i].error == error)
			return *pStr = errors[i].name, CUDA_SUCCESS;
	return *pStr = NULL, CUDA_ERROR_INVALID_VALUE;
}

DRIVER_EARLY(cuGetErrorString, (CUresult error, const char **pStr), (error, pStr))
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (errors[i].error == error)
			return *pStr = errors[i].text, CUDA_SUCCESS;
	return *pStr = NULL, CUDA_ERROR_INVALID_VALUE;
}

/* Forms that only callers built for newer versions of CUDA get. */
static bool too_new(const char *symbol, int version)
{
	return strcmp(symbol, "cuCtxSynchronize_v2") == 0 && version < 13000;
}

/* The newest form that we export and the caller knows: callers ask by plain name. */
static void *find(const char *name, int version, bool per_thread)
{
	static const char *const suffixes[] = { "_v2_ptsz", "_v2_ptds", "_ptsz", "_ptds", "_v4", "_v3",
						"_v2", "" };
	static char anchor;
	char full[128];
	Dl_info self;

	if (!dladdr(&anchor, &self))
		return NULL;
	void *library = dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
	if (!library)
		return NULL;
	for (size_t i = per_thread ? 0 : 4; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(full, sizeof(full), "%s%s", name, suffixes[i]);
		void *found = too_new(full, version) ? NULL : dlsym(library, full);
		if (found)
			return found;
	}
	return NULL;
}

DRIVER_EARLY(cuGetProcAddress_v2,
	     (const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
	      CUdriverProcAddressQueryResult *symbolStatus),
	     (symbol, pfn, cudaVersion, flags, symbolStatus))
{
	*pfn = find(symbol, cudaVersion, flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM);
	if (symbolStatus)
		*symbolStatus = *pfn ? CU_GET_PROC_ADDRESS_SUCCESS :
				       CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	return *pfn ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

#undef cuGetProcAddress /* to its _v2, by cuda.h */
DRIVER_EARLY(cuGetProcAddress,
	     (const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags),
	     (symbol, pfn, cudaVersion, flags))
{
	return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, NULL);
}
