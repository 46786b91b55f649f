/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does it cost to save the state of each step to ordinary memory?
 *
 * A step takes 3 ms on the device; meanwhile its state before goes back on another stream, and
 * the host waits 1.5 ms for its next input. cudaMemcpyAsync to pageable memory returns when the
 * step and the copy are done, so the device waits for the host each time. Fixed: the copies go
 * to page-locked memory, and the host looks at a state two steps later.
 */
#include "larger.h"

#define STEPS 80
#define BYTES (1 * MIB)
#define KERNEL_NS (3 * MS)
#define INPUT_NS (1500 * US)

static bool fixed;
static cudaStream_t compute, saver;
static cudaEvent_t stepped, saved[2];
static void *state, *copies[2], *hosts[2];
static int save_line;

/* A copy of the state within the device is quick, and lets the next step begin. */
static void step_and_save(int step)
{
	launch_mix(KERNEL_NS, state, BYTES, compute);
	CHECK(cudaStreamWaitEvent(compute, saved[step % 2], 0));
	CHECK(cudaMemcpyAsync(copies[step % 2], state, BYTES, cudaMemcpyDeviceToDevice, compute));
	CHECK(cudaEventRecord(stepped, compute));
	CHECK(cudaStreamWaitEvent(saver, stepped, 0));
	AT(save_line, cudaMemcpyAsync(hosts[step % 2], copies[step % 2], BYTES, cudaMemcpyDeviceToHost,
				      saver));
	CHECK(cudaEventRecord(saved[step % 2], saver));
}

/* A state that was copied to the host: the first words will do. */
static uint64_t keep(uint64_t sum, int step)
{
	if (fixed)
		CHECK(cudaEventSynchronize(saved[step % 2]));
	return sum_words(sum, hosts[step % 2], 4096);
}

static uint64_t run(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < STEPS; i++) {
		if (fixed && i >= 2)
			sum = keep(sum, i - 2);
		step_and_save(i);
		if (!fixed)
			sum = keep(sum, i);
		sleep_ns(INPUT_NS);
	}
	for (int i = STEPS - 2; fixed && i < STEPS; i++)
		sum = keep(sum, i);
	return sum;
}

int main(int argc, char **argv)
{
	long long start;

	fixed = wants_fixed(argc, argv);
	warm_up_mix();
	compute = non_blocking_stream();
	saver = non_blocking_stream();
	state = zeroed_device_memory(BYTES);
	CHECK(cudaEventCreateWithFlags(&stepped, cudaEventDisableTiming));
	for (int i = 0; i < 2; i++) {
		copies[i] = device_memory(BYTES);
		hosts[i] = fixed ? pinned_memory(BYTES) : pageable_memory(BYTES);
		CHECK(cudaEventCreateWithFlags(&saved[i], cudaEventDisableTiming));
	}
	CHECK(cudaDeviceSynchronize());
	start = now_ns();
	print_result(run());
	print_work(start);

	expect("calls cudaMemcpyAsync %d", 2 * STEPS);
	expect("device copy %d", 2 * STEPS);
	if (fixed) {
		expect("not_blocked cudaMemcpyAsync at=%s", SITE(save_line));
		expect("nothing_serialized");
		return done();
	}
	expect("pageable cudaMemcpyAsync at=%s", SITE(save_line));
	expect("blocked cudaMemcpyAsync class=device_wait at=%s count>=%d ns=1e6..30e6",
	       SITE(save_line), STEPS - 5);
	/* nothing else could have run on the device: what is lost is the host's time for input */
	expect("site_lost cudaMemcpyAsync at=%s ns=%lld..%lld", SITE(save_line), STEPS * INPUT_NS * 3 / 4,
	       STEPS * INPUT_NS * 3 / 2);
	return done();
}
