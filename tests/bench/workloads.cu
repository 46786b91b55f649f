/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tracer is measured on.
 *
 *   workloads NAME [THREADS]
 *
 * "one" makes a single call and ends: whole processes are measured from outside. The others
 * print what one operation took the host, in nanoseconds: "ns", the median of the batches that
 * were run, and "quiet", what a tenth of them did not exceed: a busy neighbour on the same
 * machine slows many batches, but seldom all. The threads start every batch together, and its
 * time is that of the last one. Waiting for the device is outside it but where kernels keep it
 * busy, and batches are small enough that the launch queue never fills.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <algorithm>
#include <barrier>
#include <functional>
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

/* What one thread works with. */
struct worker {
	cudaStream_t stream = new_stream();
	cudaGraphExec_t exec = new_graph(stream);
	void *host, *device;

	worker()
	{
		CHECK(cudaMallocHost(&host, 4096));
		CHECK(cudaMalloc(&device, 4096));
	}
	static cudaGraphExec_t new_graph(cudaStream_t stream)
	{
		cudaGraphExec_t exec;
		cudaGraph_t graph;

		CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
		for (int i = 0; i < 10; i++)
			nothing<<<1, 1, 0, stream>>>();
		CHECK(cudaStreamEndCapture(stream, &graph));
		CHECK(cudaGraphInstantiate(&exec, graph, 0));
		return exec;
	}
};

static void launch(const worker &w)
{
	nothing<<<1, 1, 0, w.stream>>>();
}

static void allocate(const worker &)
{
	void *memory;

	CHECK(cudaMalloc(&memory, 4096));
	CHECK(cudaFree(memory));
}

static void copy(const worker &w)
{
	CHECK(cudaMemcpyAsync(w.device, w.host, 4096, cudaMemcpyHostToDevice, w.stream));
}

static void replay(const worker &w)
{
	CHECK(cudaGraphLaunch(w.exec, w.stream));
}

static void large(const worker &w)
{
	work<<<1, 1, 0, w.stream>>>(1000000);
	CHECK(cudaStreamSynchronize(w.stream));
}

static const struct {
	const char *name;
	void (*run)(const worker &w);
	int batch, batches;
} workloads[] = {
	{ "launch", launch, 400, 150 }, { "malloc", allocate, 100, 100 }, { "copy", copy, 100, 200 },
	{ "graph", replay, 50, 200 },   { "large", large, 10, 30 },
};

/* Every thread runs the batches; the first one times them. Returns nanoseconds an operation. */
static std::vector<double> measure(void (*run)(const worker &), int batch, int batches, int threads)
{
	std::vector<worker> workers(threads);
	std::barrier<> together(threads);
	std::vector<std::thread> others;
	std::vector<double> times;
	auto work = [&](int number) {
		for (int i = 0; i < batches; i++) {
			double start;

			together.arrive_and_wait();
			start = now_ns();
			for (int n = 0; n < batch; n++)
				run(workers[number]);
			together.arrive_and_wait();
			if (number == 0)
				times.push_back((now_ns() - start) / batch / threads);
			CHECK(cudaStreamSynchronize(workers[number].stream));
		}
	};

	for (int i = 1; i < threads; i++)
		others.emplace_back(work, i);
	work(0);
	for (auto &thread : others)
		thread.join();
	times.erase(times.begin(), times.begin() + batches / 20 + 1); /* warming up */
	std::sort(times.begin(), times.end());
	return times;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;

	if (argc == 2 && !strcmp(argv[1], "one")) {
		void *memory;

		CHECK(cudaMalloc(&memory, 4096));
		return 0;
	}
	for (const auto &w : workloads) {
		if (argc < 2 || strcmp(argv[1], w.name) || threads < 1)
			continue;
		std::vector<double> times = measure(w.run, w.batch, w.batches, threads);

		printf("ns %.1f\nquiet %.1f\n", times[times.size() / 2], times[times.size() / 10]);
		return 0;
	}
	fprintf(stderr, "usage: workloads one|launch|malloc|copy|graph|large [THREADS]\n");
	return 2;
}
