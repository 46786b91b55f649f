/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initialisation, the tool that the driver loads during it, and the contexts: one a device, and a
 * second one that can be made beside it, which has streams and events of its own and shares
 * everything else.
 */
#include "engine.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(CUresult) init_result = CUDA_ERROR_NOT_INITIALIZED;
static _Thread_local bool initialising; /* an injected tool may call us meanwhile */

enum { PRIMARY, SECOND, CONTEXTS };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char contexts[CONTEXTS][FAKE_DEVICES_MOST]; /* a context is the address of one of these */
static atomic_bool alive[FAKE_DEVICES_MOST];       /* the primary one */
static _Atomic uint32_t life[FAKE_DEVICES_MOST];   /* how often it has ended */

enum { PUSHED_MOST = 8 };
static _Thread_local CUcontext own; /* NULL: the primary one of device 0 */
static _Thread_local CUcontext pushed[PUSHED_MOST];
static _Thread_local int pushed_count;

void fake_resource(CUpti_CallbackIdResource what, uint32_t device, struct fake_stream *stream)
{
	const struct fake_hooks *hooks = fake_listener();

	if (hooks)
		hooks->resource(what, device, stream);
}

uint32_t fake_device_count(void)
{
	uint64_t wanted = fake_setting("FAKE_DEVICES", 1);

	return wanted < 1 ? 1 : wanted > FAKE_DEVICES_MOST ? FAKE_DEVICES_MOST : (uint32_t)wanted;
}

static bool exists(int device)
{
	return device >= 0 && (uint32_t)device < fake_device_count();
}

static CUcontext context_of(int which, uint32_t device)
{
	return (CUcontext)&contexts[which][device];
}

static bool is_second(CUcontext context)
{
	return (char *)context >= contexts[SECOND] &&
	       (char *)context < contexts[SECOND] + FAKE_DEVICES_MOST;
}

bool fake_device_of(CUcontext context, uint32_t *ret_device)
{
	const char *at = (const char *)context, *first = contexts[PRIMARY];

	if (at < first || at >= first + sizeof(contexts))
		return false;
	*ret_device = (uint32_t)((at - first) % FAKE_DEVICES_MOST);
	return true;
}

uint32_t fake_device(void)
{
	uint32_t device = 0;

	fake_device_of(own, &device);
	return device;
}

uint32_t fake_context_id(uint32_t device)
{
	return device + 1;
}

/* As the driver does: silent about a tool that is missing or refuses. */
static void inject(void)
{
	const char *path = getenv("CUDA_INJECTION64_PATH");
	void *tool = path && *path ? dlopen(path, RTLD_NOW) : NULL;
	int (*start)(void) = tool ? (int (*)(void))dlsym(tool, "InitializeInjection") : NULL;

	if (start)
		start();
}

static void init(void)
{
	const char *no_device = getenv("FAKE_NO_DEVICE");

	initialising = true;
	if (no_device && *no_device == '1') {
		init_result = CUDA_ERROR_NO_DEVICE;
	} else {
		inject();
		init_result = CUDA_SUCCESS;
		fake_resource(CUPTI_CBID_RESOURCE_CU_INIT_FINISHED, 0, NULL);
	}
	initialising = false;
}

CUresult fake_init(void)
{
	if (initialising)
		return CUDA_SUCCESS;
	pthread_once(&once, init);
	return init_result;
}

CUcontext fake_context(uint32_t device)
{
	return alive[device] ? context_of(PRIMARY, device) : NULL;
}

CUcontext fake_current_context(void)
{
	return own ? own : fake_context(0);
}

uint32_t fake_context_life(uint32_t device)
{
	return life[device];
}

CUresult fake_ready(void)
{
	if (init_result)
		return init_result;
	return alive[fake_device()] ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

/* The first context of a process takes long on a real device. */
static void linger(void)
{
	const char *setting = getenv("FAKE_CONTEXT_NS");

	if (setting)
		fake_spend(strtoull(setting, NULL, 10));
}

static CUresult context_create(CUcontext *ret_context, int device)
{
	if (!exists(device))
		return CUDA_ERROR_INVALID_DEVICE;
	if (init_result)
		return init_result;
	pthread_mutex_lock(&mutex);
	bool created = !alive[device];
	alive[device] = true;
	pthread_mutex_unlock(&mutex);
	if (created) {
		linger();
		fake_resource(CUPTI_CBID_RESOURCE_CONTEXT_CREATED, (uint32_t)device, NULL);
	}
	if (ret_context)
		*ret_context = context_of(PRIMARY, (uint32_t)device);
	return CUDA_SUCCESS;
}

static CUresult context_destroy(uint32_t device)
{
	if (!alive[device])
		return CUDA_SUCCESS;
	fake_resource(CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING, device, NULL);
	fake_context_lock(device);
	fake_drain(device);
	fake_memory_unregister(device);
	alive[device] = false;
	life[device]++;
	fake_context_unlock(device);
	return CUDA_SUCCESS;
}

/* Without one of its own, a thread has the primary one of device 0. */
static void make_current(CUcontext context)
{
	uint32_t device;

	own = context != context_of(PRIMARY, 0) && fake_device_of(context, &device) ? context : NULL;
}

/* Current to the thread that makes it, as the manual says. */
static CUresult context_add(CUcontext *ret_context, int device)
{
	if (!exists(device))
		return CUDA_ERROR_INVALID_DEVICE;
	if (!alive[device]) {
		CUresult error = context_create(ret_context, device);

		if (!error)
			make_current(*ret_context);
		return error;
	}
	own = context_of(SECOND, (uint32_t)device);
	*ret_context = own;
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuInit, (unsigned int Flags), (Flags))
{
	return Flags ? CUDA_ERROR_INVALID_VALUE : fake_init();
}

DRIVER_EARLY(cuDevicePrimaryCtxRetain, (CUcontext *pctx, CUdevice dev), (pctx, dev))
{
	return context_create(pctx, dev);
}

DRIVER(cuCtxFromGreenCtx, (CUcontext *pContext, CUgreenCtx hCtx), (pContext, hCtx))
{
	(void)hCtx;
	*pContext = context_of(SECOND, fake_device());
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDevicePrimaryCtxRelease_v2, (CUdevice dev), (dev))
{
	return exists(dev) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

DRIVER_EARLY(cuDevicePrimaryCtxReset_v2, (CUdevice dev), (dev))
{
	return exists(dev) ? context_destroy((uint32_t)dev) : CUDA_ERROR_INVALID_DEVICE;
}

DRIVER_EARLY(cuDevicePrimaryCtxGetState, (CUdevice dev, unsigned int *flags, int *active),
	     (dev, flags, active))
{
	if (!exists(dev))
		return CUDA_ERROR_INVALID_DEVICE;
	*flags = 0;
	*active = alive[dev];
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDevicePrimaryCtxSetFlags_v2, (CUdevice dev, unsigned int flags), (dev, flags))
{
	(void)flags;
	return exists(dev) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

DRIVER_EARLY(cuCtxCreate_v2, (CUcontext *pctx, unsigned int flags, CUdevice dev),
	     (pctx, flags, dev))
{
	(void)flags;
	return context_add(pctx, dev);
}

DRIVER_EARLY(cuCtxCreate_v4,
	     (CUcontext *pctx, CUctxCreateParams *ctxCreateParams, unsigned int flags,
	      CUdevice dev),
	     (pctx, ctxCreateParams, flags, dev))
{
	(void)ctxCreateParams, (void)flags;
	return context_add(pctx, dev);
}

DRIVER_EARLY(cuCtxDestroy_v2, (CUcontext ctx), (ctx))
{
	uint32_t device;

	if (!fake_device_of(ctx, &device))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (!is_second(ctx))
		return context_destroy(device);
	fake_drain(device);
	if (own == ctx)
		own = NULL;
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuCtxGetCurrent, (CUcontext *pctx), (pctx))
{
	*pctx = fake_current_context();
	return init_result;
}

DRIVER_EARLY(cuCtxSetCurrent, (CUcontext ctx), (ctx))
{
	make_current(ctx);
	return init_result;
}

DRIVER_EARLY(cuCtxPushCurrent_v2, (CUcontext ctx), (ctx))
{
	if (!ctx || pushed_count == PUSHED_MOST)
		return CUDA_ERROR_INVALID_VALUE;
	pushed[pushed_count++] = own;
	make_current(ctx);
	return init_result;
}

DRIVER_EARLY(cuCtxPopCurrent_v2, (CUcontext *pctx), (pctx))
{
	if (pctx)
		*pctx = fake_current_context();
	own = pushed_count ? pushed[--pushed_count] : NULL;
	return init_result;
}

DRIVER(cuCtxGetDevice, (CUdevice *device), (device))
{
	*device = (CUdevice)fake_device();
	return CUDA_SUCCESS;
}

DRIVER(cuCtxGetStreamPriorityRange, (int *leastPriority, int *greatestPriority),
       (leastPriority, greatestPriority))
{
	*leastPriority = 0;
	*greatestPriority = -5;
	return CUDA_SUCCESS;
}

static size_t limits[CU_LIMIT_MAX] = {
	[CU_LIMIT_STACK_SIZE] = 1024,
	[CU_LIMIT_PRINTF_FIFO_SIZE] = 1 << 20,
	[CU_LIMIT_MALLOC_HEAP_SIZE] = 8 << 20,
};

DRIVER(cuCtxGetLimit, (size_t *pvalue, CUlimit limit), (pvalue, limit))
{
	if (limit >= CU_LIMIT_MAX)
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	*pvalue = limits[limit];
	return CUDA_SUCCESS;
}

/* Measured table, row "cudaDeviceSetLimit": 1.1 ms, after all work on the device. */
DRIVER(cuCtxSetLimit, (CUlimit limit, size_t value), (limit, value))
{
	enum { OWN_NS = 1100000 };

	if (limit >= CU_LIMIT_MAX)
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	fake_context_lock(fake_device());
	fake_drain(fake_device());
	limits[limit] = value;
	fake_spend(OWN_NS);
	fake_context_unlock(fake_device());
	return CUDA_SUCCESS;
}
