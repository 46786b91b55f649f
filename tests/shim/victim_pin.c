/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that copy pageable memory asynchronously with work in flight, for CUTRACE_FIX=pin. What
 * they print tells whether the bytes were taken too early or too late, or anything else is not as
 * it was.
 */
#include "victim_pin.h"

#include <sys/mman.h>

MODE(loop)
{
	cudaStream_t streams[2] = { new_stream(), new_stream() };
	unsigned char *out = pinned(ROUNDS * SIZE), *device = on_device(2 * SIZE);
	unsigned char *host = pageable(SIZE, 0);
	int right = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		fill(host, SIZE, i);
		copy_and_spoil(host, device + i % 2 * SIZE, out + i * SIZE, SIZE, KERNEL_NS,
			       streams[i % 2]);
	}
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (unsigned i = 0; i < ROUNDS; i++)
		right += holds(out + i * SIZE, SIZE, i);
	victim_say("%d of %d rounds came out right", right, ROUNDS);
	return 0;
}

/* Before and behind other work of its stream, which is destroyed, and so is the buffer. */
MODE(order)
{
	enum { BYTES = 3 * MIB + 12345 };
	unsigned char *out = pinned(3 * BYTES), *device = on_device(BYTES);
	void *host = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cudaStream_t stream = new_stream();

	fill(host, BYTES, 1);
	victim_must(victim_kernel_in(LONG_NS, stream), "launching");
	victim_must(cudaMemsetAsync(device, 9, BYTES, stream), "filling");
	victim_must(to_device(device, host, BYTES, stream), "copying");
	bring_back(out, device, BYTES, stream);
	fill(host, BYTES, 2);
	victim_must(to_device(device, host, BYTES, stream), "copying");
	munmap(host, BYTES);
	bring_back(out + BYTES, device, BYTES, stream);
	victim_must(cudaMemsetAsync(device, 3, BYTES, stream), "filling");
	bring_back(out + 2 * BYTES, device, BYTES, stream);
	victim_must(cudaStreamDestroy(stream), "destroying");
	victim_must(cudaDeviceSynchronize(), "waiting");
	victim_say("first %s, second %s, third %d %d", judged(out, BYTES, 1),
		   judged(out + BYTES, BYTES, 2), out[2 * BYTES], out[3 * BYTES - 1]);
	return 0;
}

MODE(sizes)
{
	static const size_t bytes[] = { 1, 64 * KIB, 64 * KIB + 1, MIB, 64 * MIB, 64 * MIB + 1 };
	unsigned char *host = pageable(64 * MIB + 1, 5), *device = on_device(64 * MIB + 1);
	cudaStream_t stream = new_stream();

	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		look("copied", to_device(device, host, bytes[i], stream), device, bytes[i], 5);
		clear(device, bytes[i]);
	}
	victim_say("nothing: %d", to_device(device, host, 0, stream));
	return 0;
}

/* All that is no plain copy of pageable memory to the device. */
MODE(forms)
{
	unsigned char *host = pageable(SIZE, 6), *device = on_device(SIZE), *locked = pinned(SIZE);
	unsigned char *other = on_device(SIZE), *back = pageable(SIZE, 0);
	cudaStream_t stream = new_stream();
	void *managed;

	victim_must(cudaMallocManaged(&managed, SIZE, cudaMemAttachGlobal), "allocating");
	look("any way", (int)cudaMemcpyAsync(device, host, SIZE, cudaMemcpyDefault, stream), device,
	     SIZE, 6);
	look("on the device", (int)cudaMemcpyAsync(other, device, SIZE, cudaMemcpyDefault, stream),
	     other, SIZE, 6);
	victim_must(cudaMemcpyAsync(back, device, SIZE, cudaMemcpyDefault, stream), "copying");
	victim_say("to the host, any way: %s on return", judged(back, SIZE, 6));
	memset(back, 0, SIZE);
	victim_must(victim_kernel_in(KERNEL_NS, stream), "launching");
	victim_must(cudaMemcpyAsync(back, device, SIZE, cudaMemcpyDeviceToHost, stream), "copying");
	victim_say("to the host: %s on return", judged(back, SIZE, 6));
	memset(back, 0, SIZE);
	victim_must(cudaMemcpyAsync(back, host, SIZE, cudaMemcpyDefault, stream), "copying");
	victim_say("on the host: %s on return", judged(back, SIZE, 6));
	memcpy(locked, host, SIZE);
	clear(device, SIZE);
	look("page-locked", to_device(device, locked, SIZE, stream), device, SIZE, 6);
	look("to managed", to_device(managed, host, SIZE, stream), managed, SIZE, 6);
	clear(device, SIZE);
	look("in rows",
	     (int)cudaMemcpy2DAsync(device, KIB, host, KIB, KIB, SIZE / KIB, cudaMemcpyHostToDevice,
				    stream),
	     device, SIZE, 6);
	return 0;
}

/* Memory becomes page-locked and ordinary again. */
MODE(registered)
{
	unsigned char *host = pageable(SIZE, 0), *device = on_device(SIZE), *out = pinned(3 * SIZE);
	cudaStream_t stream = new_stream();

	for (unsigned i = 0; i < 3; i++) {
		fill(host, SIZE, i);
		if (i == 1)
			victim_must(cudaHostRegister(host, SIZE, 0), "registering");
		victim_must(victim_kernel_in(KERNEL_NS, stream), "launching");
		victim_must(to_device(device, host, SIZE, stream), "copying");
		bring_back(out + i * SIZE, device, SIZE, stream);
		if (i == 1) {
			victim_must(cudaStreamSynchronize(stream), "waiting");
			victim_must(cudaHostUnregister(host), "unregistering");
		}
	}
	victim_must(cudaDeviceSynchronize(), "waiting");
	for (unsigned i = 0; i < 3; i++)
		victim_say("%u: %s", i, judged(out + i * SIZE, SIZE, i));
	return 0;
}

/* Each wrong copy fails as ever, and leaves what it left. */
MODE(errors)
{
	unsigned char *host = pageable(SIZE, 1), *other = pageable(SIZE, 2),
		      *device = on_device(SIZE);
	cudaStream_t stream = new_stream();

	victim_say("to no memory: %d", to_device(NULL, host, SIZE, stream));
	victim_say("from none: %d", to_device(device, NULL, SIZE, stream));
	victim_say("to the host: %d, %d", to_device(other, host, SIZE, stream), cudaGetLastError());
	victim_say("in no direction: %d", (int)cudaMemcpyAsync(device, host, SIZE, 17, stream));
	victim_say("%s, %d", judged(other, SIZE, 2), cudaGetLastError());
	look("afterwards", to_device(device, host, SIZE, stream), device, SIZE, 1);
	return 0;
}

/* More than the pool holds behind a kernel, and again when that is done. */
MODE(full)
{
	enum { COPIES = 70 };
	unsigned char *host = pageable(MIB, 0), *device = on_device(COPIES * MIB),
		      *out = pinned(COPIES * MIB);
	cudaStream_t stream = new_stream();
	int right;

	for (unsigned round = 0; round < 2; round++) {
		victim_must(victim_kernel_in(10 * (uint64_t)LONG_NS, stream), "launching");
		for (unsigned i = 0; i < COPIES; i++) {
			memset(host, (int)(i + round), MIB);
			victim_must(to_device(device + i * MIB, host, MIB, stream), "copying");
		}
		memset(host, 0xee, MIB);
		bring_back(out, device, COPIES * MIB, stream);
		victim_must(cudaDeviceSynchronize(), "waiting");
		right = 0;
		for (unsigned i = 0; i < COPIES; i++)
			right += out[i * MIB] == i + round &&
				 !memcmp(out + i * MIB, out + i * MIB + 1, MIB - 1);
		victim_say("%d of %d came out right", right, COPIES);
	}
	return 0;
}

static void write_later(void *host)
{
	fill(host, 2 * SIZE, 8);
}

/* A graph takes the buffer as it is when it runs; what follows it may count on what it wrote. */
MODE(capture)
{
	unsigned char *host = pageable(2 * SIZE, 1), *device = on_device(2 * SIZE);
	cudaStream_t stream = new_stream(), other = new_stream();
	cudaGraphExec_t launch;
	cudaGraph_t graph;

	victim_must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capturing");
	victim_must(to_device(device, host, 2 * SIZE, stream), "copying");
	victim_must(to_device(device + SIZE, host, SIZE, other), "copying meanwhile");
	victim_must(cudaStreamEndCapture(stream, &graph), "ending the capture");
	victim_must(cudaStreamSynchronize(other), "waiting");
	victim_must(cudaGraphInstantiate(&launch, graph, 0), "instantiating");
	fill(host, 2 * SIZE, 2);
	victim_must(victim_kernel_in(LONG_NS, stream), "launching");
	victim_must(cudaGraphLaunch(launch, stream), "launching the graph");
	victim_must(to_device(device, host, 2 * SIZE, stream), "copying behind it");
	look("graph", 0, device, 2 * SIZE, 2);
	look("after it", to_device(device, host, SIZE, stream), device, SIZE, 2);
	return 0;
}

/* A copy may take what a host function before it in its stream writes. */
MODE(host_work)
{
	unsigned char *host = pageable(2 * SIZE, 1), *device = on_device(2 * SIZE);
	cudaStream_t stream = new_stream();

	victim_must(victim_kernel_in(LONG_NS, stream), "launching");
	victim_must(cudaLaunchHostFunc(stream, write_later, host), "launching a host function");
	look("written in time", to_device(device, host, 2 * SIZE, stream), device, 2 * SIZE, 8);
	fill(host, 2 * SIZE, 3);
	look("after it", to_device(device, host, 2 * SIZE, stream), device, 2 * SIZE, 3);
	return 0;
}

const struct victim_mode victim_pin[] = {
	{ "pin_loop", loop },
	{ "pin_order", order },
	{ "pin_sizes", sizes },
	{ "pin_forms", forms },
	{ "pin_registered", registered },
	{ "pin_errors", errors },
	{ "pin_full", full },
	{ "pin_capture", capture },
	{ "pin_host_work", host_work },
	{ NULL, NULL },
};
