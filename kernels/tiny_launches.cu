/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does it cost to launch more than the queue takes?
 *
 * 3000 short steps of 100 us are launched one by one on one stream, then 280 ms of other work on
 * another. The queue takes about a thousand: the host is held for 200 ms before it can launch
 * the other work. Fixed: 50 steps in a launch.
 */
#include "larger.h"

#define STEPS 3000
#define MERGED 50
#define STEP_NS (100 * US)
#define OTHER_NS (280 * MS)
#define BYTES (THREADS * sizeof(uint32_t))

static int step_line;

/* Every element becomes the sum of its neighbours: steps cannot be told apart but by results. */
__global__ void steps_spin(long long ns, uint32_t *line, int steps)
{
	long long start = device_ns();
	int i = (int)threadIdx.x;

	for (int step = 0; step < steps; step++) {
		uint32_t sum = line[(i + 1) % THREADS] + line[(i + THREADS - 1) % THREADS];

		__syncthreads();
		line[i] = sum + 1;
		__syncthreads();
		spin_rest(start, ns / steps * (step + 1));
	}
}

static void launch_steps(int steps, uint32_t *line, cudaStream_t stream)
{
	step_line = __LINE__ + 1;
	steps_spin<<<1, THREADS, 0, stream>>>(steps * STEP_NS, line, steps);
	CHECK(cudaGetLastError());
}

static uint64_t read_results(void *buffers[2])
{
	uint32_t host[THREADS];
	uint64_t sum = 0;

	for (int i = 0; i < 2; i++) {
		CHECK(cudaMemcpy(host, buffers[i], BYTES, cudaMemcpyDeviceToHost));
		sum = sum_words(sum, host, BYTES);
	}
	return sum;
}

int main(int argc, char **argv)
{
	bool fixed = wants_fixed(argc, argv);
	cudaStream_t s1, s2;
	void *buffers[2];
	long long start;

	warm_up_mix();
	for (int i = 0; i < 2; i++)
		buffers[i] = zeroed_device_memory(BYTES);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	launch_steps(0, (uint32_t *)buffers[0], s1);
	CHECK(cudaDeviceSynchronize());
	start = now_ns();
	for (int i = 0; i < STEPS; i += fixed ? MERGED : 1)
		launch_steps(fixed ? MERGED : 1, (uint32_t *)buffers[0], s1);
	launch_mix(OTHER_NS, buffers[1], BYTES, s2);
	CHECK(cudaDeviceSynchronize());
	print_result(read_results(buffers));
	print_work(start);

	expect("calls cudaLaunchKernel %d", 4 + (fixed ? STEPS / MERGED : STEPS));
	if (fixed) {
		expect("not_blocked cudaLaunchKernel");
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaLaunchKernel class=queue_full at=%s total=80e6..600e6", SITE(step_line));
	expect("serialized cudaLaunchKernel at=%s victim=mix_spin", SITE(step_line));
	return done();
}
