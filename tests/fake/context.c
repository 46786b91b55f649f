/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initialisation, the tool that the driver loads during it, and the context. A second one can be
 * made beside it, which has streams and events of its own and shares everything else.
 */
#include "engine.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(CUresult) init_result = CUDA_ERROR_NOT_INITIALIZED;
static _Thread_local bool initialising; /* an injected tool may call us meanwhile */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(CUcontext) current;
static _Atomic uint32_t life; /* of the context: how often one has ended */
static char context_object, second_object;

enum { PUSHED_MOST = 8 };
static _Thread_local CUcontext own; /* the second one, where it is current; else NULL */
static _Thread_local CUcontext pushed[PUSHED_MOST];
static _Thread_local int pushed_count;

void fake_resource(CUpti_CallbackIdResource what, struct fake_stream *stream)
{
	const struct fake_hooks *hooks = fake_listener();

	if (hooks)
		hooks->resource(what, stream);
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
		fake_resource(CUPTI_CBID_RESOURCE_CU_INIT_FINISHED, NULL);
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

CUcontext fake_context(void)
{
	return current;
}

CUcontext fake_current_context(void)
{
	return own ? own : current;
}

uint32_t fake_context_life(void)
{
	return life;
}

CUresult fake_ready(void)
{
	if (init_result)
		return init_result;
	return current ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

/* The first context of a process takes long on a real device. */
static void linger(void)
{
	const char *setting = getenv("FAKE_CONTEXT_NS");

	if (setting)
		fake_spend(strtoull(setting, NULL, 10));
}

static CUresult context_create(CUcontext *ret_context)
{
	bool created = false;

	if (init_result)
		return init_result;
	pthread_mutex_lock(&mutex);
	if (!current) {
		current = (CUcontext)&context_object;
		created = true;
	}
	pthread_mutex_unlock(&mutex);
	if (created) {
		linger();
		fake_resource(CUPTI_CBID_RESOURCE_CONTEXT_CREATED, NULL);
	}
	if (ret_context)
		*ret_context = current;
	return CUDA_SUCCESS;
}

static CUresult context_destroy(void)
{
	if (!current)
		return CUDA_SUCCESS;
	fake_resource(CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING, NULL);
	fake_context_lock();
	fake_drain();
	fake_memory_unregister();
	current = NULL;
	life++;
	fake_context_unlock();
	return CUDA_SUCCESS;
}

/* Current to the thread that makes it, as the manual says. */
static CUresult context_add(CUcontext *ret_context)
{
	if (!current)
		return context_create(ret_context);
	own = (CUcontext)&second_object;
	*ret_context = own;
	return CUDA_SUCCESS;
}

static void make_current(CUcontext context)
{
	own = context == (CUcontext)&second_object ? context : NULL;
}

DRIVER_EARLY(cuInit, (unsigned int Flags), (Flags))
{
	return Flags ? CUDA_ERROR_INVALID_VALUE : fake_init();
}

DRIVER_EARLY(cuDevicePrimaryCtxRetain, (CUcontext *pctx, CUdevice dev), (pctx, dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : context_create(pctx);
}

DRIVER(cuCtxFromGreenCtx, (CUcontext *pContext, CUgreenCtx hCtx), (pContext, hCtx))
{
	(void)hCtx;
	*pContext = (CUcontext)&second_object;
	return CUDA_SUCCESS;
}

/* There is one device, so nobody to give access to. */
DRIVER(cuCtxEnablePeerAccess, (CUcontext peerContext, unsigned int Flags), (peerContext, Flags))
{
	(void)peerContext, (void)Flags;
	return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

DRIVER_EARLY(cuDevicePrimaryCtxRelease_v2, (CUdevice dev), (dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

DRIVER_EARLY(cuDevicePrimaryCtxReset_v2, (CUdevice dev), (dev))
{
	return dev ? CUDA_ERROR_INVALID_DEVICE : context_destroy();
}

DRIVER_EARLY(cuDevicePrimaryCtxGetState, (CUdevice dev, unsigned int *flags, int *active),
	     (dev, flags, active))
{
	(void)dev;
	*flags = 0;
	*active = current != NULL;
	return CUDA_SUCCESS;
}

DRIVER_EARLY(cuDevicePrimaryCtxSetFlags_v2, (CUdevice dev, unsigned int flags), (dev, flags))
{
	(void)flags;
	return dev ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

DRIVER_EARLY(cuCtxCreate_v2, (CUcontext *pctx, unsigned int flags, CUdevice dev),
	     (pctx, flags, dev))
{
	(void)flags;
	return dev ? CUDA_ERROR_INVALID_DEVICE : context_add(pctx);
}

DRIVER_EARLY(cuCtxCreate_v4,
	     (CUcontext *pctx, CUctxCreateParams *ctxCreateParams, unsigned int flags,
	      CUdevice dev),
	     (pctx, ctxCreateParams, flags, dev))
{
	(void)ctxCreateParams, (void)flags;
	return dev ? CUDA_ERROR_INVALID_DEVICE : context_add(pctx);
}

DRIVER_EARLY(cuCtxDestroy_v2, (CUcontext ctx), (ctx))
{
	if (ctx != (CUcontext)&second_object)
		return ctx ? context_destroy() : CUDA_ERROR_INVALID_CONTEXT;
	fake_drain();
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
	*device = 0;
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
	fake_context_lock();
	fake_drain();
	limits[limit] = value;
	fake_spend(OWN_NS);
	fake_context_unlock();
	return CUDA_SUCCESS;
}
