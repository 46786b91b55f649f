/* SPDX-License-Identifier: Apache-2.0 */
/* What nvcc's start-up code tells the runtime about a program's kernels and variables. */
#include "rt.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
	struct entry *next;
	const void *host;
	struct fake_function *function; /* of a kernel */
	size_t size_bytes;              /* of a variable */
	void *device[FAKE_DEVICES_MOST]; /* one each, allocated when first asked for */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

static void add(struct entry entry)
{
	struct entry *kept = malloc(sizeof(*kept));

	if (!kept)
		abort();
	pthread_mutex_lock(&mutex);
	*kept = entry;
	kept->next = entries;
	entries = kept;
	pthread_mutex_unlock(&mutex);
}

static struct entry *find_locked(const void *host)
{
	struct entry *entry = entries;

	while (entry && entry->host != host)
		entry = entry->next;
	return entry;
}

/* Takes the host function, or the kernel handle that __cudaGetKernel gave for it. */
struct fake_function *rt_function(const void *host)
{
	struct fake_function *function = NULL;

	pthread_mutex_lock(&mutex);
	for (const struct entry *entry = entries; entry && !function; entry = entry->next)
		if (entry->function && (entry->host == host || entry->function == host))
			function = entry->function;
	pthread_mutex_unlock(&mutex);
	return function;
}

void *rt_symbol(const void *host, size_t *ret_bytes)
{
	void *device = NULL;

	pthread_mutex_lock(&mutex);
	struct entry *entry = find_locked(host);
	if (entry && entry->size_bytes) {
		void **at = &entry->device[fake_device()];
		if (!*at)
			*at = fake_symbol_memory(entry->size_bytes);
		device = *at;
		if (ret_bytes)
			*ret_bytes = entry->size_bytes;
	}
	pthread_mutex_unlock(&mutex);
	return device;
}

FAKE_EXPORT void **__cudaRegisterFatBinary(void *image);
FAKE_EXPORT void **__cudaRegisterFatBinary(void *image)
{
	static void *handle;

	(void)image;
	return &handle;
}

FAKE_EXPORT void __cudaRegisterFatBinaryEnd(void **handle);
FAKE_EXPORT void __cudaRegisterFatBinaryEnd(void **handle)
{
	(void)handle;
}

FAKE_EXPORT void __cudaUnregisterFatBinary(void **handle);
FAKE_EXPORT void __cudaUnregisterFatBinary(void **handle)
{
	(void)handle;
}

FAKE_EXPORT char __cudaInitModule(void **handle);
FAKE_EXPORT char __cudaInitModule(void **handle)
{
	(void)handle;
	return 1;
}

FAKE_EXPORT void __cudaRegisterFunction(void **handle, const char *host, char *device,
					const char *name, int thread_limit, uint3 *tid, uint3 *bid,
					dim3 *block, dim3 *grid, int *warp);
FAKE_EXPORT void __cudaRegisterFunction(void **handle, const char *host, char *device,
					const char *name, int thread_limit, uint3 *tid, uint3 *bid,
					dim3 *block, dim3 *grid, int *warp)
{
	(void)handle, (void)device, (void)thread_limit, (void)tid, (void)bid;
	(void)block, (void)grid, (void)warp;
	add((struct entry){ .host = host, .function = fake_function_get(name) });
}

FAKE_EXPORT void __cudaRegisterVar(void **handle, char *host, char *device, const char *name,
				   int ext, size_t size, int constant, int global);
FAKE_EXPORT void __cudaRegisterVar(void **handle, char *host, char *device, const char *name,
				   int ext, size_t size, int constant, int global)
{
	(void)handle, (void)device, (void)name, (void)ext, (void)constant, (void)global;
	add((struct entry){ .host = host, .size_bytes = size });
}

FAKE_EXPORT void __cudaRegisterManagedVar(void **handle, void **host, char *device,
					  const char *name, int ext, size_t size, int constant,
					  int global);
FAKE_EXPORT void __cudaRegisterManagedVar(void **handle, void **host, char *device,
					  const char *name, int ext, size_t size, int constant,
					  int global)
{
	(void)handle, (void)device, (void)name, (void)ext, (void)constant, (void)global;
	*host = fake_symbol_memory(size);
}

FAKE_EXPORT cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *host);
FAKE_EXPORT cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *host)
{
	*kernel = (cudaKernel_t)rt_function(host);
	return *kernel ? cudaSuccess : cudaErrorInvalidDeviceFunction;
}
