/* SPDX-License-Identifier: Apache-2.0 */
/* Driver calls that load code and launch it. */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum {
	LAZY_LOAD_NS = 50000, /* measured table, row "first launch of a kernel" */
	DEFAULT_KERNEL_NS = 5000,
};

/* More is no duration but a pointer: a kernel that only happens to be called spin. */
static const int64_t longest_ns = 60000000000;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct fake_function *functions;

struct fake_function *fake_function_get(const char *name)
{
	struct fake_function *function;

	pthread_mutex_lock(&mutex);
	for (function = functions; function; function = function->next)
		if (strcmp(function->name, name) == 0)
			break;
	if (!function) {
		function = calloc(1, sizeof(*function));
		if (!function)
			abort();
		function->name = strdup(name);
		function->timed = strstr(name, "spin");
		function->meets = strstr(name, "meet");
		function->next = functions;
		functions = function;
	}
	pthread_mutex_unlock(&mutex);
	return function;
}

const char *fake_function_name(CUfunction function)
{
	return function ? ((const struct fake_function *)function)->name : NULL;
}

static void load_lazily(struct fake_function *function)
{
	const struct fake_hooks *hooks = fake_listener();
	uint64_t start_ns = fake_now();

	pthread_mutex_lock(&mutex);
	bool loaded = function->loaded;
	function->loaded = true;
	pthread_mutex_unlock(&mutex);
	if (loaded)
		return;
	fake_spend(LAZY_LOAD_NS);
	if (hooks)
		hooks->overhead(CUPTI_ACTIVITY_OVERHEAD_LAZY_FUNCTION_LOADING, start_ns,
				fake_now());
}

static uint64_t duration_ns(const struct fake_function *function, void **args)
{
	const char *setting = getenv("FAKE_KERNEL_NS");

	if (function->timed && args && args[0]) {
		int64_t wanted_ns;

		memcpy(&wanted_ns, args[0], sizeof(wanted_ns));
		if (wanted_ns >= 0 && wanted_ns <= longest_ns)
			return (uint64_t)wanted_ns;
	}
	return setting ? strtoull(setting, NULL, 10) : DEFAULT_KERNEL_NS;
}

static void find_meeting(const struct fake_function *function, void **args, struct fake_meeting *ret)
{
	if (!function->meets || !args || !args[0] || !args[1])
		return;
	memcpy(&ret->at, args[0], sizeof(ret->at));
	memcpy(&ret->all, args[1], sizeof(ret->all));
}

/* Programming guide, 5.2.3.1: every launch waits for its kernel. */
static bool launches_block(void)
{
	const char *setting = getenv("CUDA_LAUNCH_BLOCKING");

	return setting && *setting == '1';
}

static CUresult launch(struct fake_launch launch, void **args, CUstream handle)
{
	struct fake_function *function = (struct fake_function *)launch.function;
	struct fake_stream *stream = fake_stream_get(handle);

	/* Programming guide, stream and event behavior: not in a stream of another device. */
	if (!function || stream->device != fake_device())
		return CUDA_ERROR_INVALID_HANDLE;
	for (int i = 0; i < 3; i++)
		if (!launch.grid[i] || !launch.block[i])
			return CUDA_ERROR_INVALID_VALUE;
	load_lazily(function);
	struct fake_op *op = fake_op_new(FAKE_KERNEL, stream);
	op->launch = launch;
	op->duration_ns = duration_ns(function, args);
	find_meeting(function, args, &op->meeting);
	struct fake_dep launched = fake_submit(op);
	if (launches_block() && !stream->capture)
		fake_wait_for(launched);
	return CUDA_SUCCESS;
}

/* Parameters packed into a buffer: where the first of them is all that matters here. */
static void **first_of(void **kernelParams, void **extra, void *storage[1])
{
	if (kernelParams || !extra || extra[0] != CU_LAUNCH_PARAM_BUFFER_POINTER)
		return kernelParams;
	storage[0] = extra[1];
	return storage;
}

DRIVER_LAUNCH(cuLaunchKernel,
	    (CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
	     unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
	     unsigned int sharedMemBytes, CUstream hStream, void **kernelParams, void **extra),
	    (f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes,
	     hStream, kernelParams, extra))
{
	void *storage[1];

	return launch((struct fake_launch){ (const struct fake_function *)f,
					    { gridDimX, gridDimY, gridDimZ },
					    { blockDimX, blockDimY, blockDimZ },
					    sharedMemBytes },
		      first_of(kernelParams, extra, storage), hStream);
}

DRIVER_LAUNCH(cuLaunchKernelEx,
	    (const CUlaunchConfig *config, CUfunction f, void **kernelParams, void **extra),
	    (config, f, kernelParams, extra))
{
	void *storage[1];

	return launch((struct fake_launch){ (const struct fake_function *)f,
					    { config->gridDimX, config->gridDimY,
					      config->gridDimZ },
					    { config->blockDimX, config->blockDimY,
					      config->blockDimZ },
					    config->sharedMemBytes },
		      first_of(kernelParams, extra, storage), config->hStream);
}

DRIVER_LAUNCH(cuLaunchCooperativeKernel,
	    (CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
	     unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
	     unsigned int sharedMemBytes, CUstream hStream, void **kernelParams),
	    (f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes,
	     hStream, kernelParams))
{
	return launch((struct fake_launch){ (const struct fake_function *)f,
					    { gridDimX, gridDimY, gridDimZ },
					    { blockDimX, blockDimY, blockDimZ },
					    sharedMemBytes },
		      kernelParams, hStream);
}

DRIVER_PTSZ(cuLaunchHostFunc, (CUstream hStream, CUhostFn fn, void *userData),
	    (hStream, fn, userData))
{
	struct fake_op *op = fake_op_new(FAKE_HOST, fake_stream_get(hStream));

	op->host.fn = fn;
	op->host.data = userData;
	fake_submit(op);
	return CUDA_SUCCESS;
}

struct added_callback {
	CUstream stream;
	CUstreamCallback fn;
	void *data;
};

static void call_added(void *data)
{
	struct added_callback *added = data;

	added->fn(added->stream, CUDA_SUCCESS, added->data);
	free(added);
}

DRIVER_PTSZ(cuStreamAddCallback,
	    (CUstream hStream, CUstreamCallback callback, void *userData, unsigned int flags),
	    (hStream, callback, userData, flags))
{
	struct fake_op *op = fake_op_new(FAKE_HOST, fake_stream_get(hStream));
	struct added_callback *added = malloc(sizeof(*added));

	(void)flags;
	if (!added)
		abort();
	*added = (struct added_callback){ hStream, callback, userData };
	op->host.fn = call_added;
	op->host.data = added;
	fake_submit(op);
	return CUDA_SUCCESS;
}

/* Modules have no content: they yield a function for any name. */
static CUresult load(CUmodule *ret_module, const void *image)
{
	static char module;

	if (!image)
		return CUDA_ERROR_INVALID_VALUE;
	*ret_module = (CUmodule)&module;
	fake_resource(CUPTI_CBID_RESOURCE_MODULE_LOADED, fake_device(), NULL);
	return CUDA_SUCCESS;
}

DRIVER(cuModuleLoad, (CUmodule *module, const char *fname), (module, fname))
{
	return load(module, fname);
}

DRIVER(cuModuleLoadData, (CUmodule *module, const void *image), (module, image))
{
	return load(module, image);
}

DRIVER(cuModuleLoadDataEx,
       (CUmodule *module, const void *image, unsigned int numOptions, CUjit_option *options,
	void **optionValues),
       (module, image, numOptions, options, optionValues))
{
	(void)numOptions, (void)options, (void)optionValues;
	return load(module, image);
}

/* That unloading waits for the device, which may be running the code, is a guess. */
DRIVER(cuModuleUnload, (CUmodule hmod), (hmod))
{
	(void)hmod;
	fake_drain(fake_device());
	return CUDA_SUCCESS;
}

DRIVER(cuLibraryLoadData,
       (CUlibrary *library, const void *code, CUjit_option *jitOptions, void **jitOptionsValues,
	unsigned int numJitOptions, CUlibraryOption *libraryOptions, void **libraryOptionValues,
	unsigned int numLibraryOptions),
       (library, code, jitOptions, jitOptionsValues, numJitOptions, libraryOptions,
	libraryOptionValues, numLibraryOptions))
{
	(void)jitOptions, (void)jitOptionsValues, (void)numJitOptions;
	(void)libraryOptions, (void)libraryOptionValues, (void)numLibraryOptions;
	return load((CUmodule *)library, code);
}

DRIVER(cuLibraryUnload, (CUlibrary library), (library))
{
	(void)library;
	fake_drain(fake_device());
	return CUDA_SUCCESS;
}

DRIVER(cuModuleGetFunction, (CUfunction *hfunc, CUmodule hmod, const char *name),
       (hfunc, hmod, name))
{
	(void)hmod;
	*hfunc = (CUfunction)fake_function_get(name);
	return CUDA_SUCCESS;
}

DRIVER(cuFuncGetName, (const char **name, CUfunction hfunc), (name, hfunc))
{
	*name = ((const struct fake_function *)hfunc)->name;
	return CUDA_SUCCESS;
}
