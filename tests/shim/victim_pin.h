/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that copy pageable memory share: victim_pin.c and victim_pin_life.c. */
#ifndef CT_TESTS_VICTIM_PIN_H
#define CT_TESTS_VICTIM_PIN_H

#include <cuda_runtime_api.h>
#include <stdlib.h>
#include <string.h>

#include "victim.h"

#define KERNEL_NS 2000000
#define LONG_NS 60000000
#define ROUNDS 20
#define THREADS 6
#define KIB 1024
#define MIB (1024 * KIB)
#define MODE(name) static int name(__attribute__((unused)) const char *argument)
#define SIZE (1536 * KIB) /* two blocks of the pool, the second in part */

static inline cudaStream_t new_stream(void)
{
	cudaStream_t stream;

	victim_must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
	return stream;
}

static inline unsigned char *pinned(size_t bytes)
{
	void *host = NULL;

	victim_must(cudaMallocHost(&host, bytes), "allocating host memory");
	memset(host, 0, bytes);
	return host;
}

static inline unsigned char *on_device(size_t bytes)
{
	void *block;

	victim_must(cudaMalloc(&block, bytes), "allocating");
	return block;
}

static inline unsigned char byte_of(size_t i, unsigned seed)
{
	return (unsigned char)(i * 7 + i / 4093 + seed); /* no two blocks are alike */
}

static inline void fill(unsigned char *at, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = byte_of(i, seed);
}

static inline unsigned char *pageable(size_t bytes, unsigned seed)
{
	unsigned char *host = malloc(bytes);

	victim_must(host == NULL, "allocating");
	fill(host, bytes, seed);
	return host;
}

static inline bool holds(const unsigned char *at, size_t bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != byte_of(i, seed))
			return false;
	return true;
}

static inline const char *judged(const unsigned char *at, size_t bytes, unsigned seed)
{
	return holds(at, bytes, seed) ? "right" : "wrong";
}

static inline int to_device(void *to, const void *from, size_t bytes, cudaStream_t stream)
{
	return (int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream);
}

static inline void bring_back(void *out, const void *device, size_t bytes, cudaStream_t stream)
{
	victim_must(cudaMemcpyAsync(out, device, bytes, cudaMemcpyDeviceToHost, stream), "back");
}

/* Behind a kernel, and the buffer is overwritten on return; out is page-locked. */
static inline void copy_and_spoil(unsigned char *host, unsigned char *device, unsigned char *out,
			   size_t bytes, uint64_t ns, cudaStream_t stream)
{
	victim_must(victim_kernel_in(ns, stream), "launching");
	victim_must(to_device(device, host, bytes, stream), "copying");
	memset(host, 0xee, bytes);
	bring_back(out, device, bytes, stream);
}

static inline void clear(unsigned char *device, size_t bytes)
{
	victim_must(cudaMemset(device, 0, bytes), "clearing");
	victim_must(cudaDeviceSynchronize(), "waiting");
}

/* Is what was copied there? */
static inline void look(const char *what, int error, const unsigned char *device, size_t bytes,
		 unsigned seed)
{
	unsigned char *out = malloc(bytes);

	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_must(cudaMemcpy(out, device, bytes, cudaMemcpyDefault), "copying back");
	victim_say("%s: %d, %s", what, error, judged(out, bytes, seed));
	free(out);
}

#endif
