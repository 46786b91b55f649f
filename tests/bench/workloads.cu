/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tracer is measured on.
 *
 *   workloads NAME [THREADS]
 *
 * Prints the nanoseconds one operation took, as the host saw it: "ns 2345.6". Each loop
 * waits often enough that the launch queue never fills.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#define CHECK(call) check(call, #call)

static void check(cudaError_t error, const char *what)
{
	if (error == cudaSuccess)
		return;
	fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
	exit(1);
}

__global__ void nothing(void)
{
}

__global__ void work(long long ns)
{
	long long start, now;

	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
	do
		asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
	while (now - start < ns);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static cudaStream_t new_stream(void)
{
	cudaStream_t stream;

	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
	return stream;
}

static void launches(long count, cudaStream_t stream)
{
	for (long i = 0; i < count; i++) {
		nothing<<<1, 1, 0, stream>>>();
		if (i % 500 == 499)
			CHECK(cudaStreamSynchronize(stream));
	}
	CHECK(cudaStreamSynchronize(stream));
}

static void allocations(long count, cudaStream_t)
{
	for (long i = 0; i < count; i++) {
		void *memory;

		CHECK(cudaMalloc(&memory, 4096));
		CHECK(cudaFree(memory));
	}
}

static void copies(long count, cudaStream_t stream)
{
	void *host, *device;

	CHECK(cudaMallocHost(&host, 4096));
	CHECK(cudaMalloc(&device, 4096));
	for (long i = 0; i < count; i++) {
		CHECK(cudaMemcpyAsync(device, host, 4096, cudaMemcpyHostToDevice, stream));
		if (i % 100 == 99)
			CHECK(cudaStreamSynchronize(stream));
	}
	CHECK(cudaStreamSynchronize(stream));
}

static void graphs(long count, cudaStream_t stream)
{
	cudaGraphExec_t exec;
	cudaGraph_t graph;

	CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
	for (int i = 0; i < 10; i++)
		nothing<<<1, 1, 0, stream>>>();
	CHECK(cudaStreamEndCapture(stream, &graph));
	CHECK(cudaGraphInstantiate(&exec, graph, 0));
	for (long i = 0; i < count; i++) {
		CHECK(cudaGraphLaunch(exec, stream));
		if (i % 50 == 49)
			CHECK(cudaStreamSynchronize(stream));
	}
	CHECK(cudaStreamSynchronize(stream));
}

static void large_kernels(long count, cudaStream_t stream)
{
	for (long i = 0; i < count; i++)
		work<<<1, 1, 0, stream>>>(1000000);
	CHECK(cudaStreamSynchronize(stream));
}

static const struct {
	const char *name;
	void (*run)(long count, cudaStream_t stream);
	long count;
} workloads[] = {
	{ "launch", launches, 50000 },  { "malloc", allocations, 10000 },
	{ "copy", copies, 20000 },      { "graph", graphs, 5000 },
	{ "large", large_kernels, 200 },
};

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;

	for (const auto &w : workloads) {
		std::vector<std::thread> running;
		std::vector<cudaStream_t> streams;
		double start;

		if (argc < 2 || strcmp(argv[1], w.name))
			continue;
		for (int i = 0; i < threads; i++) {
			streams.push_back(new_stream());
			w.run(w.count / 20 + 1, streams[i]); /* warm up */
		}
		start = now_ns();
		for (int i = 1; i < threads; i++)
			running.emplace_back(w.run, w.count / threads, streams[i]);
		w.run(w.count / threads, streams[0]);
		for (auto &thread : running)
			thread.join();
		printf("ns %.1f\n", (now_ns() - start) / (double)w.count);
		return 0;
	}
	fprintf(stderr, "usage: workloads launch|malloc|copy|graph|large [THREADS]\n");
	return 2;
}
