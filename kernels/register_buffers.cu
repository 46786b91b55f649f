/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does it cost to page-lock a caller's buffers for each transfer?
 *
 * A request registers the buffer that it was given, copies it to the device, works 2 ms, on two
 * streams in turn, and unregisters the buffer of the request before. That waits for the one
 * under way, too, and has the driver unpin memory meanwhile: 3 ms for a request. Fixed: the
 * four buffers are registered once.
 */
#include "larger.h"

#define REQUESTS 120
#define CALLERS 4
#define BYTES (2 * MIB)
#define KERNEL_NS (2 * MS)

static bool fixed;
static int unregister_line;
static void *buffers[CALLERS], *device[2];
static cudaStream_t streams[2];
static cudaEvent_t used[2];

static void begin(int request)
{
	void *buffer = buffers[request % CALLERS];
	cudaStream_t stream = streams[request % 2];

	*(uint32_t *)buffer = (uint32_t)request;
	if (!fixed)
		CHECK(cudaHostRegister(buffer, BYTES, cudaHostRegisterDefault));
	CHECK(cudaMemcpyAsync(device[request % 2], buffer, BYTES, cudaMemcpyHostToDevice, stream));
	launch_mix(KERNEL_NS, device[request % 2], BYTES, stream);
	CHECK(cudaEventRecord(used[request % 2], stream));
}

static void end(int request)
{
	CHECK(cudaEventSynchronize(used[request % 2]));
	if (!fixed)
		AT(unregister_line, cudaHostUnregister(buffers[request % CALLERS]));
}

static void set_up(void)
{
	warm_up_mix();
	for (int i = 0; i < CALLERS; i++) {
		buffers[i] = pageable_memory(BYTES);
		fill_words(buffers[i], BYTES, (uint32_t)i);
		if (fixed)
			CHECK(cudaHostRegister(buffers[i], BYTES, cudaHostRegisterDefault));
	}
	for (int i = 0; i < 2; i++) {
		device[i] = device_memory(BYTES);
		streams[i] = non_blocking_stream();
		CHECK(cudaEventCreateWithFlags(&used[i], cudaEventDisableTiming));
	}
}

static uint64_t read_results(void)
{
	void *host = pageable_memory(BYTES);
	uint64_t sum = 0;

	for (int i = 0; i < 2; i++) {
		CHECK(cudaMemcpy(host, device[i], BYTES, cudaMemcpyDeviceToHost));
		sum = sum_words(sum, host, BYTES);
	}
	return sum;
}

int main(int argc, char **argv)
{
	long long start;

	fixed = wants_fixed(argc, argv);
	set_up();
	start = now_ns();
	for (int i = 0; i < REQUESTS; i++) {
		begin(i);
		if (i)
			end(i - 1);
	}
	end(REQUESTS - 1);
	print_result(read_results());
	print_work(start);

	expect("calls cudaHostRegister %d", fixed ? CALLERS : REQUESTS);
	expect("calls cudaHostUnregister %d", fixed ? 0 : REQUESTS);
	if (fixed) {
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaHostUnregister class=device_wait on=mix_spin at=%s count>=100",
	       SITE(unregister_line));
	expect("serialized cudaHostUnregister at=%s victim=mix_spin", SITE(unregister_line));
	return done();
}
