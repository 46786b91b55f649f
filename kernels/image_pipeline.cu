/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does ordinary memory cost a pipeline that was meant to overlap?
 *
 * Frames go to the device, through a 6 ms filter and back, on two streams in turn. A
 * cudaMemcpyAsync to pageable memory returns when the frame is back, and the device memory of
 * each frame is allocated and freed: one frame is under way at a time. Fixed: four slots with
 * page-locked and device memory of their own, and a frame is read when its slot is needed
 * again: two frames are filtered at a time.
 */
#include "larger.h"

#define FRAMES 48
#define SLOTS 4
#define BYTES (1 * MIB)
#define KERNEL_NS (6 * MS)

struct slot {
	void *host, *device;
	cudaEvent_t done;
};

static cudaStream_t streams[2];
static struct slot slots[SLOTS];
static int back_line;

static void submit(int frame, void *host, void *device)
{
	cudaStream_t stream = streams[frame % 2];

	fill_words(host, BYTES, (uint32_t)frame);
	CHECK(cudaMemcpyAsync(device, host, BYTES, cudaMemcpyHostToDevice, stream));
	launch_mix(KERNEL_NS, device, BYTES, stream);
	AT(back_line, cudaMemcpyAsync(host, device, BYTES, cudaMemcpyDeviceToHost, stream));
}

static uint64_t run(void)
{
	void *host = pageable_memory(BYTES), *device;
	uint64_t sum = 0;

	for (int i = 0; i < FRAMES; i++) {
		CHECK(cudaMalloc(&device, BYTES));
		submit(i, host, device);
		CHECK(cudaFree(device));
		sum = sum_words(sum, host, BYTES);
	}
	return sum;
}

static uint64_t read_slot(uint64_t sum, int frame)
{
	struct slot *slot = &slots[frame % SLOTS];

	CHECK(cudaEventSynchronize(slot->done));
	return sum_words(sum, slot->host, BYTES);
}

static uint64_t run_fixed(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < SLOTS; i++) {
		slots[i].host = pinned_memory(BYTES);
		slots[i].device = device_memory(BYTES);
		CHECK(cudaEventCreateWithFlags(&slots[i].done, cudaEventDisableTiming));
	}
	for (int i = 0; i < FRAMES + SLOTS; i++) {
		struct slot *slot = &slots[i % SLOTS];

		if (i >= SLOTS)
			sum = read_slot(sum, i - SLOTS);
		if (i >= FRAMES)
			continue;
		submit(i, slot->host, slot->device);
		CHECK(cudaEventRecord(slot->done, streams[i % 2]));
	}
	return sum;
}

int main(int argc, char **argv)
{
	bool fixed = wants_fixed(argc, argv);
	long long start;
	uint64_t sum;

	warm_up_mix();
	streams[0] = non_blocking_stream();
	streams[1] = non_blocking_stream();
	start = now_ns();
	sum = fixed ? run_fixed() : run();
	CHECK(cudaDeviceSynchronize());
	print_result(sum);
	print_work(start);

	expect("calls cudaMemcpyAsync %d", 2 * FRAMES);
	expect("device copy %d", 2 * FRAMES);
	if (fixed) {
		expect("not_blocked cudaMemcpyAsync at=%s", SITE(back_line));
		expect("nothing_serialized");
		return done();
	}
	expect("calls cudaFree %d", FRAMES);
	expect("pageable cudaMemcpyAsync at=%s", SITE(back_line));
	expect("blocked cudaMemcpyAsync class=device_wait on=mix_spin at=%s count=%d ns=3e6..60e6",
	       SITE(back_line), FRAMES);
	expect("serialized cudaMemcpyAsync at=%s victim=mix_spin", SITE(back_line));
	return done();
}
