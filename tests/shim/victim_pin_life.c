/* SPDX-License-Identifier: Apache-2.0 */
/* The same with contexts, default streams, threads and children. */
#include "victim_pin.h"

#include <cuda.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* The pool of a context goes with it. */
MODE(reset)
{
	unsigned char *host = pageable(SIZE, 0);

	for (unsigned round = 0; round < 3; round++) {
		cudaStream_t stream = new_stream();
		unsigned char *out = pinned(ROUNDS * SIZE), *device = on_device(SIZE);
		int right = 0;

		for (unsigned i = 0; i < ROUNDS; i++) {
			fill(host, SIZE, i + round);
			copy_and_spoil(host, device, out + i * SIZE, SIZE, KERNEL_NS / 10, stream);
		}
		if (round == 1) /* the next reset comes with all in flight */
			victim_must(cudaDeviceSynchronize(), "waiting");
		for (unsigned i = 0; round == 1 && i < ROUNDS; i++)
			right += holds(out + i * SIZE, SIZE, i + round);
		victim_say("round %u: %d right", round, right);
		victim_must(cudaDeviceReset(), "resetting");
	}
	return 0;
}

/* Functions of the driver, found as a runtime finds them. */
static void *driver(const char *name)
{
	void *found = dlsym(dlopen("libcuda.so.1", RTLD_NOW), name);

	victim_must(found == NULL, name);
	return found;
}

typedef CUresult copy_fn(CUdeviceptr, const void *, size_t, CUstream);
typedef CUresult create_fn(CUcontext *, unsigned, CUdevice);
typedef CUresult destroy_fn(CUcontext);
typedef CUresult release_fn(CUdevice);

/* More than the pool holds, behind a kernel in a default stream. */
static void many(copy_fn *copy, cudaStream_t stream)
{
	enum { COPIES = 70, BYTES = 128 * KIB };
	unsigned char *host = pageable(BYTES, 0), *device = on_device(COPIES * BYTES);
	unsigned char *out = pinned(COPIES * BYTES);
	int right = 0;

	victim_must(victim_kernel_in(5ull * LONG_NS, stream), "launching");
	for (unsigned i = 0; i < COPIES; i++) {
		fill(host, BYTES, i);
		victim_must(copy((CUdeviceptr)device + i * BYTES, host, BYTES, 0), "copying");
	}
	victim_must(cudaDeviceSynchronize(), "waiting");
	bring_back(out, device, COPIES * BYTES, stream);
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (unsigned i = 0; i < COPIES; i++)
		right += holds(out + i * BYTES, BYTES, i);
	victim_say("%d of %d came out right", right, COPIES);
}

/* Default streams, of both forms: a block must come back behind the stream that it was used in. */
MODE(streams)
{
	cudaStream_t all[] = { 0, cudaStreamLegacy, cudaStreamPerThread };
	unsigned char *host = pageable(SIZE, 0), *device = on_device(SIZE);

	for (unsigned i = 0; i < 3; i++) {
		fill(host, SIZE, i);
		victim_must(victim_kernel_in(KERNEL_NS, all[i]), "launching");
		look("copied", to_device(device, host, SIZE, all[i]), device, SIZE, i);
	}
	many((copy_fn *)driver("cuMemcpyHtoDAsync_v2"), cudaStreamLegacy);
	many((copy_fn *)driver("cuMemcpyHtoDAsync_v2_ptsz"), cudaStreamPerThread);
	return 0;
}

/* A second context comes and goes, and one of two references is given up. */
MODE(contexts)
{
	create_fn *create = (create_fn *)driver("cuCtxCreate_v2");
	destroy_fn *destroy = (destroy_fn *)driver("cuCtxDestroy_v2");
	release_fn *release = (release_fn *)driver("cuDevicePrimaryCtxRelease_v2");
	copy_fn *copy = (copy_fn *)driver("cuMemcpyHtoDAsync_v2");
	unsigned char *host = pageable(SIZE, 1), *device = on_device(SIZE),
		      *other = on_device(SIZE);
	cudaStream_t stream = new_stream();
	CUcontext second;

	look("first", to_device(device, host, SIZE, stream), device, SIZE, 1);
	victim_must(create(&second, 0, 0), "creating a context");
	fill(host, SIZE, 2);
	look("second", copy((CUdeviceptr)other, host, SIZE, new_stream()), other, SIZE, 2);
	look("its default", copy((CUdeviceptr)device, host, SIZE, 0), device, SIZE, 2);
	victim_must(destroy(second), "destroying it");
	fill(host, SIZE, 3);
	look("first again", to_device(device, host, SIZE, stream), device, SIZE, 3);
	victim_must(victim_kernel_in(LONG_NS, stream), "launching");
	fill(host, SIZE, 4);
	victim_must(to_device(device, host, SIZE, stream), "copying");
	victim_must(release(0), "releasing");
	fill(host, SIZE, 5);
	victim_must(to_device(other, host, SIZE, stream), "copying");
	memset(host, 0xee, SIZE);
	look("before the release", 0, device, SIZE, 4);
	look("behind it", 0, other, SIZE, 5);
	return 0;
}

struct work {
	unsigned seed;
	unsigned char *device, *out;
};

/* Ends with all in flight. */
static void *in_thread(void *arg)
{
	const struct work *work = arg;
	unsigned char *host = pageable(SIZE, 0);
	cudaStream_t stream = new_stream();

	for (unsigned i = 0; i < ROUNDS; i++) {
		fill(host, SIZE, i + work->seed);
		copy_and_spoil(host, work->device, work->out + i % 4 * SIZE, SIZE, KERNEL_NS / 10,
			       stream);
	}
	free(host);
	return NULL;
}

MODE(threads)
{
	struct work works[THREADS];
	pthread_t thread[THREADS];
	int right = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		works[i] = (struct work){ 100 * i, on_device(SIZE), pinned(4 * SIZE) };
		victim_must(pthread_create(&thread[i], NULL, in_thread, &works[i]), "a thread");
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (unsigned i = 0; i < THREADS; i++)
		for (unsigned k = 0; k < 4; k++)
			right += holds(works[i].out + k * SIZE, SIZE,
				       ROUNDS - 4 + k + works[i].seed);
	victim_say("%d of %d came out right", right, 4 * THREADS);
	return 0;
}

/* The child cannot use CUDA; what it does to its memory is its own affair. */
MODE(forks)
{
	unsigned char *host = pageable(SIZE, 1), *device = on_device(SIZE), *out = pinned(2 * SIZE);
	cudaStream_t stream = new_stream();
	int status;
	pid_t child;

	copy_and_spoil(host, device, out, SIZE, LONG_NS, stream);
	child = fork();
	if (child == 0)
		_exit(7);
	fill(host, SIZE, 2);
	copy_and_spoil(host, device, out + SIZE, SIZE, KERNEL_NS, stream);
	waitpid(child, &status, 0);
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("child: %d, parent: %s %s", WEXITSTATUS(status), judged(out, SIZE, 1),
		   judged(out + SIZE, SIZE, 2));
	return 0;
}

const struct victim_mode victim_pin_life[] = {
	{ "pin_reset", reset },
	{ "pin_streams", streams },
	{ "pin_contexts", contexts },
	{ "pin_threads", threads },
	{ "pin_forks", forks },
	{ NULL, NULL },
};
