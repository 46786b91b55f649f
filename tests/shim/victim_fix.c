/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that free device memory with work in flight, for CUTRACE_FIX. What they print tells
 * whether a block came back too early, or anything else is not as it was.
 */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define KERNEL_NS 3000000
#define LONG_NS 40000000
#define HOLD_NS 600000000 /* longer than a slow machine takes for some calls */
#define ROUNDS 20
#define THREADS 6
#define BYTES 65536
#define MIB (1 << 20)

static cudaStream_t new_stream(void)
{
	cudaStream_t stream;

	victim_must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
	return stream;
}

static unsigned char *new_host(size_t bytes)
{
	void *host = NULL;

	victim_must(cudaMallocHost(&host, bytes), "allocating host memory");
	memset(host, 0, bytes);
	return host;
}

static void *new_block(size_t bytes)
{
	void *block;

	victim_must(cudaMalloc(&block, bytes), "allocating");
	return block;
}

static bool holds(const unsigned char *at, size_t bytes, int value)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != value)
			return false;
	return true;
}

/* Fill the block, let time pass, copy it out, and free it with all that in flight. */
static void use_and_free(void *block, unsigned char *out, int value, uint64_t ns,
			 cudaStream_t stream)
{
	victim_must(cudaMemsetAsync(block, value, BYTES, stream), "filling");
	victim_must(victim_kernel_in(ns, stream), "launching");
	victim_must(cudaMemcpyAsync(out, block, BYTES, cudaMemcpyDeviceToHost, stream), "copying");
	victim_must(cudaFree(block), "freeing");
}

/* Two streams in turn. */
static int loop(const char *unused)
{
	cudaStream_t streams[2] = { new_stream(), new_stream() };
	unsigned char *out = new_host(ROUNDS * BYTES);
	int right = 0;

	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		use_and_free(new_block(BYTES), out + i * BYTES, i + 1, KERNEL_NS, streams[i % 2]);
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (int i = 0; i < ROUNDS; i++)
		right += holds(out + i * BYTES, BYTES, i + 1);
	victim_say("%d of %d rounds came out right", right, ROUNDS);
	return 0;
}

/* Is what is copied out late that which was there, though others asked for memory meanwhile? */
static int early(const char *unused)
{
	cudaStream_t busy = new_stream(), other = new_stream();
	unsigned char *out = new_host(BYTES);
	void *next;

	(void)unused;
	use_and_free(new_block(BYTES), out, 1, LONG_NS, busy);
	for (int i = 0; i < 3; i++) {
		next = new_block(BYTES);
		victim_must(cudaMemsetAsync(next, 9, BYTES, other), "filling");
		victim_must(cudaStreamSynchronize(other), "waiting");
	}
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("the first block was %s", holds(out, BYTES, 1) ? "left in peace" : "overwritten");
	next = new_block(BYTES);
	victim_must(cudaFree(next), "freeing");
	return 0;
}

/* Of a device of 64 MiB. */
static int pressure(const char *unused)
{
	unsigned char *out = new_host(BYTES);
	cudaStream_t stream = new_stream();
	void *blocks[2] = { new_block(5 * MIB), new_block(6 * MIB) };

	(void)unused;
	for (int i = 0; i < 2; i++)
		use_and_free(blocks[i], out, i, KERNEL_NS, stream);
	victim_say("56 MiB: %d", cudaFree(new_block(56 * MIB)));
	use_and_free(new_block(8 * MIB), out, 1, KERNEL_NS, stream);
	victim_say("60 MiB of a pool: %d", cudaMallocAsync(&blocks[0], 60 * MIB, stream));
	victim_say("as much again: %d", cudaMallocAsync(&blocks[1], 60 * MIB, stream));
	victim_say("afterwards: %d", cudaGetLastError());
	return 0;
}

/* Above the bound of what is kept, too, of a device of 64 MiB. */
static int bound(const char *unused)
{
	unsigned char *out = new_host(BYTES);
	cudaStream_t stream = new_stream();

	(void)unused;
	for (int i = 1; i <= 6; i++)
		use_and_free(new_block(i * MIB), out, i, LONG_NS / 4, stream);
	victim_must(cudaDeviceSynchronize(), "waiting");
	return 0;
}

/* Blocks so large that few of them reach the bound, one at a time, all behind a long kernel. */
static int bound_loop(const char *megabytes)
{
	size_t bytes = (size_t)(megabytes ? atoi(megabytes) : 16) * MIB, before, after, total;
	cudaStream_t streams[2] = { new_stream(), new_stream() };
	unsigned char *out = new_host(ROUNDS * BYTES);
	int right = 0;

	victim_must(cudaFree(NULL), "starting");
	victim_must(cudaMemGetInfo(&before, &total), "asking");
	for (int i = 0; i < 2; i++)
		victim_must(victim_kernel_in(HOLD_NS, streams[i]), "launching");
	for (int i = 0; i < ROUNDS; i++)
		use_and_free(new_block(bytes), out + i * BYTES, i + 1, KERNEL_NS, streams[i % 2]);
	victim_must(cudaMemGetInfo(&after, &total), "asking");
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (int i = 0; i < ROUNDS; i++)
		right += holds(out + i * BYTES, BYTES, i + 1);
	victim_say("%d of %d rounds came out right, %zu less free", right, ROUNDS, before - after);
	return 0;
}

/* No size comes twice. */
static int bound_sizes(const char *unused)
{
	unsigned char *out = new_host(ROUNDS * BYTES);
	cudaStream_t stream = new_stream();
	int right = 0;

	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		use_and_free(new_block((size_t)(10 + i) * MIB), out + i * BYTES, i + 1, KERNEL_NS, stream);
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (int i = 0; i < ROUNDS; i++)
		right += holds(out + i * BYTES, BYTES, i + 1);
	victim_say("%d of %d rounds came out right", right, ROUNDS);
	return 0;
}

static int info(const char *unused)
{
	size_t before, after, total;

	(void)unused;
	victim_must(cudaFree(NULL), "starting");
	victim_must(cudaMemGetInfo(&before, &total), "asking");
	use_and_free(new_block(BYTES), new_host(BYTES), 1, KERNEL_NS, new_stream());
	victim_must(cudaMemGetInfo(&after, &total), "asking");
	victim_say("%zu of %zu free before, %zu less after", before, total, before - after);
	return 0;
}

/* Each wrong free fails as ever, and what is no cudaMalloc'd memory is freed as ever. */
static int twice(const char *unused)
{
	unsigned char *host = new_host(BYTES);
	cudaStream_t stream = new_stream();
	char *block = new_block(BYTES);
	void *other;

	(void)unused;
	use_and_free(block, host, 1, KERNEL_NS, stream);
	victim_say("again: %d, %d", cudaFree(block), cudaGetLastError());
	block = new_block(2 * BYTES);
	victim_say("its middle: %d, null: %d", cudaFree(block + 512), cudaFree(NULL));
	victim_say("whole: %d, again: %d", cudaFree(block), cudaFree(block));
	victim_say("host memory: %d, no memory: %d", cudaFree(host), cudaFree(&other));
	victim_must(cudaMallocAsync(&other, BYTES, stream), "allocating");
	victim_say("of a pool: %d", cudaFree(other));
	victim_must(cudaMallocManaged(&other, BYTES, cudaMemAttachGlobal), "allocating");
	victim_say("managed: %d, afterwards: %d", cudaFree(other), cudaGetLastError());
	return 0;
}

/* In the middle of a capture, memory is the program's own affair. */
static int capture(const char *unused)
{
	cudaStream_t stream = new_stream(), busy = new_stream();
	unsigned char *out = new_host(BYTES);
	void *block = new_block(BYTES), *kept = new_block(BYTES);
	cudaGraphExec_t launch;
	cudaGraph_t graph;

	(void)unused;
	use_and_free(block, out, 1, KERNEL_NS, busy);
	victim_must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capturing");
	victim_must(cudaMemsetAsync(kept, 5, BYTES, stream), "filling");
	victim_say("freeing meanwhile: %d", cudaFree(new_block(BYTES)));
	victim_must(cudaStreamEndCapture(stream, &graph), "ending the capture");
	victim_must(cudaGraphInstantiate(&launch, graph, 0), "instantiating");
	victim_must(cudaGraphLaunch(launch, stream), "launching the graph");
	victim_must(cudaMemcpyAsync(out, kept, BYTES, cudaMemcpyDeviceToHost, stream), "copying");
	victim_say("freeing later: %d", cudaFree(kept));
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("the graph was %s", holds(out, BYTES, 5) ? "whole" : "spoilt");
	return 0;
}

static int reset(const char *unused)
{
	unsigned char *out = new_host(BYTES);
	void *freed = new_block(BYTES);

	(void)unused;
	use_and_free(freed, out, 1, KERNEL_NS, new_stream());
	victim_must(cudaDeviceReset(), "resetting");
	use_and_free(new_block(BYTES), out, 2, KERNEL_NS, new_stream());
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("after a reset: %s", holds(out, BYTES, 2) ? "right" : "wrong");
	return 0;
}

/* Memory that another process may look into is not passed on to anybody. */
static int ipc(const char *unused)
{
	unsigned char *out = new_host(BYTES);
	void *block = new_block(BYTES);
	cudaIpcMemHandle_t handle;

	(void)unused;
	victim_must(cudaIpcGetMemHandle(&handle, (char *)block + 512), "asking for a handle");
	use_and_free(block, out, 1, KERNEL_NS, new_stream());
	victim_must(cudaDeviceSynchronize(), "waiting");
	return 0;
}

/* A graph in flight that uses a block; whoever gets the block next must not disturb it. */
static int graph(const char *unused)
{
	cudaStream_t stream = new_stream(), other = new_stream();
	unsigned char *out = new_host(BYTES);
	void *block = new_block(BYTES);
	cudaGraphExec_t launch;
	cudaGraph_t graph;

	(void)unused;
	victim_must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capturing");
	victim_must(cudaMemsetAsync(block, 7, BYTES, stream), "filling");
	victim_must(victim_kernel_in(HOLD_NS, stream), "launching");
	victim_must(cudaMemcpyAsync(out, block, BYTES, cudaMemcpyDeviceToHost, stream), "copying");
	victim_must(cudaStreamEndCapture(stream, &graph), "ending the capture");
	victim_must(cudaGraphInstantiate(&launch, graph, 0), "instantiating");
	victim_must(cudaGraphLaunch(launch, stream), "launching the graph");
	victim_must(cudaFree(block), "freeing");
	block = new_block(BYTES);
	victim_must(cudaMemsetAsync(block, 9, BYTES, other), "filling");
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("the graph was %s", holds(out, BYTES, 7) ? "whole" : "spoilt");
	victim_must(cudaFree(block), "freeing");
	return 0;
}

/* Each kind of memory that is not from cudaMalloc, with work in flight. */
static int kinds(const char *unused)
{
	static unsigned char registered[BYTES];
	cudaStream_t stream = new_stream();
	struct cudaChannelFormatDesc bytes = { 8, 0, 0, 0, cudaChannelFormatKindUnsigned };
	unsigned char *host = new_host(BYTES);
	void *managed, *pitched, *pooled;
	cudaArray_t array;
	size_t pitch;

	(void)unused;
	victim_must(cudaMallocManaged(&managed, BYTES, cudaMemAttachGlobal), "allocating");
	victim_must(cudaMallocPitch(&pitched, &pitch, 100, 10), "allocating");
	victim_must(cudaMallocAsync(&pooled, BYTES, stream), "allocating");
	victim_must(cudaMallocArray(&array, &bytes, 64, 64, 0), "allocating");
	victim_must(cudaHostRegister(registered, BYTES, 0), "registering");
	victim_must(victim_kernel_in(KERNEL_NS, stream), "launching");
	victim_say("managed: %d, pitched: %d, pooled: %d", cudaFree(managed), cudaFree(pitched),
		   cudaFree(pooled));
	victim_say("array: %d, host: %d, registered: %d", cudaFreeArray(array), cudaFreeHost(host),
		   cudaHostUnregister(registered));
	return 0;
}

static void *driver_function(const char *name)
{
	void *found = NULL;

	victim_must(cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, NULL),
		    "looking up");
	return found;
}

/* What an event of one context cannot vouch for. HOW: create, green, peer, copy. */
static int beyond(const char *how)
{
	int (*create)(void **, unsigned, int) = NULL, (*enable)(void *, unsigned) = NULL;
	int (*copy)(void *, void *, void *, void *, size_t) = NULL;
	int (*convert)(void **, void *) = NULL;
	unsigned char *out = new_host(2 * BYTES);
	cudaStream_t stream = new_stream();
	void *kept = new_block(BYTES), *context;

	use_and_free(new_block(BYTES), out, 1, KERNEL_NS, stream);
	if (strcmp(how, "create") == 0) {
		*(void **)&create = driver_function("cuCtxCreate");
		victim_say("creating a context: %d", create(&context, 0, 0));
	} else if (strcmp(how, "green") == 0) {
		*(void **)&convert = driver_function("cuCtxFromGreenCtx");
		victim_say("converting a context: %d", convert(&context, NULL));
	} else if (strcmp(how, "peer") == 0) {
		*(void **)&enable = driver_function("cuCtxEnablePeerAccess");
		victim_say("giving access: %d", enable(NULL, 0));
	} else {
		*(void **)&copy = driver_function("cuMemcpyPeer");
		victim_say("copying: %d", copy(kept, NULL, kept, NULL, BYTES));
	}
	use_and_free(kept, out + BYTES, 2, KERNEL_NS, stream);
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("afterwards: %d, %d", holds(out, BYTES, 1), holds(out + BYTES, BYTES, 2));
	return 0;
}

static size_t thread_bytes = BYTES;

static void *in_thread(void *arg)
{
	int value = (int)(intptr_t)arg, wrong = 0;
	unsigned char *out = new_host(BYTES);
	cudaStream_t stream = new_stream();

	for (int i = 0; i < ROUNDS; i++) {
		use_and_free(new_block(thread_bytes), out, value, KERNEL_NS / 30, stream);
		victim_must(cudaStreamSynchronize(stream), "waiting");
		wrong += !holds(out, BYTES, value);
	}
	return (void *)(intptr_t)wrong;
}

static int threads(const char *megabytes)
{
	pthread_t thread[THREADS];
	intptr_t wrong = 0;
	void *result;

	if (megabytes)
		thread_bytes = (size_t)atoi(megabytes) * MIB;
	for (intptr_t i = 0; i < THREADS; i++)
		victim_must(pthread_create(&thread[i], NULL, in_thread, (void *)(i + 1)), "a thread");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &result);
		wrong += (intptr_t)result;
	}
	victim_say("%d rounds of %d threads went wrong", (int)wrong, THREADS);
	return 0;
}

/* The child only allocates, which needs nothing that it lacks, and ends; the parent goes on. */
static int forks(const char *unused)
{
	unsigned char *out = new_host(BYTES);
	cudaStream_t stream = new_stream();
	void *block = NULL;
	int status;
	pid_t child;

	(void)unused;
	use_and_free(new_block(BYTES), out, 1, KERNEL_NS, stream);
	child = fork();
	if (child == 0)
		_exit(cudaMalloc(&block, BYTES) ? 3 : 4);
	waitpid(child, &status, 0);
	use_and_free(new_block(BYTES), out, 2, KERNEL_NS, stream);
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("child: %d, parent: %s", WEXITSTATUS(status), holds(out, BYTES, 2) ? "right" : "wrong");
	return 0;
}

const struct victim_mode victim_fix[] = {
	{ "fix_loop", loop },
	{ "fix_early", early },
	{ "fix_pressure", pressure },
	{ "fix_bound", bound },
	{ "fix_bound_loop", bound_loop },
	{ "fix_bound_sizes", bound_sizes },
	{ "fix_info", info },
	{ "fix_twice", twice },
	{ "fix_capture", capture },
	{ "fix_reset", reset },
	{ "fix_ipc", ipc },
	{ "fix_graph", graph },
	{ "fix_kinds", kinds },
	{ "fix_beyond", beyond },
	{ "fix_threads", threads },
	{ "fix_forks", forks },
	{ NULL, NULL },
};
