/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does it cost to read one number back in every step?
 *
 * Steps of 1 ms run on one stream, each followed by a cudaMemcpy of 8 bytes; with every fourth
 * step 4 ms of other work goes to another stream. Both streams are blocking, so the copy, which
 * is work of the legacy default stream, waits for that as well: 3 + 4 ms for four steps.
 * Fixed: the copy and the wait for it are of the step's own stream, and of page-locked memory:
 * 4 ms.
 */
#include "larger.h"

#define PERIODS 60
#define STEPS 4
#define BYTES (1 * MIB)
#define STEP_NS (1 * MS)
#define OTHER_NS (4 * MS)

static bool fixed;
static int read_line;

static void read_number(void *host, const void *device, cudaStream_t stream)
{
	if (!fixed) {
		AT(read_line, cudaMemcpy(host, device, 8, cudaMemcpyDeviceToHost));
		return;
	}
	CHECK(cudaMemcpyAsync(host, device, 8, cudaMemcpyDeviceToHost, stream));
	CHECK(cudaStreamSynchronize(stream));
}

static uint64_t run(void *number, void *buffers[2], cudaStream_t s1, cudaStream_t s2)
{
	uint64_t sum = 0;

	for (int i = 0; i < PERIODS * STEPS; i++) {
		if (i % STEPS == 0)
			launch_mix(OTHER_NS, buffers[1], BYTES, s2);
		launch_mix(STEP_NS, buffers[0], BYTES, s1);
		read_number(number, buffers[0], s1);
		sum = sum_words(sum, number, 8);
	}
	CHECK(cudaDeviceSynchronize());
	return sum;
}

int main(int argc, char **argv)
{
	void *number, *buffers[2];
	cudaStream_t s1, s2;
	long long start;

	fixed = wants_fixed(argc, argv);
	warm_up_mix();
	number = fixed ? pinned_memory(8) : pageable_memory(8);
	buffers[0] = zeroed_device_memory(BYTES);
	buffers[1] = zeroed_device_memory(BYTES);
	s1 = blocking_stream();
	s2 = blocking_stream();
	CHECK(cudaDeviceSynchronize());
	start = now_ns();
	print_result(run(number, buffers, s1, s2));
	print_work(start);

	expect("calls cudaMemcpy %d", fixed ? 0 : PERIODS * STEPS);
	expect("device copy %d", PERIODS * STEPS);
	if (fixed) {
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaMemcpy class=device_wait on=mix_spin at=%s count>=%d", SITE(read_line),
	       PERIODS * STEPS - 20);
	expect("serialized cudaMemcpy at=%s victim=mix_spin", SITE(read_line));
	return done();
}
