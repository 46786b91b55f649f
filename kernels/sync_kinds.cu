/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is each explicit wait attributed to what it waited for?
 *
 * A stream, a device and an event synchronise, each behind a 5 ms kernel, block for that
 * kernel. cudaStreamWaitEvent makes a stream wait, not the host. The program asked for all
 * of these waits, so none of them serializes anything.
 */
#include "expect.h"

#define KERNEL_NS (5 * MS)

static cudaStream_t s1, s2;
static cudaEvent_t event;
static int stream_line, device_line, event_line, order_line, join_line;

static void block_the_host(void)
{
	launch_spin(KERNEL_NS, s1);
	AT(stream_line, cudaStreamSynchronize(s1));
	launch_spin(KERNEL_NS, s1);
	AT(device_line, cudaDeviceSynchronize());
	launch_spin(KERNEL_NS, s1);
	CHECK(cudaEventRecord(event, s1));
	AT(event_line, cudaEventSynchronize(event));
}

static void block_a_stream(void)
{
	launch_spin(KERNEL_NS, s1);
	CHECK(cudaEventRecord(event, s1));
	AT(order_line, cudaStreamWaitEvent(s2, event, 0));
	launch_spin(KERNEL_NS, s2);
	AT(join_line, cudaStreamSynchronize(s2));
}

static void expect_wait(const char *call, int line, const char *range)
{
	expect("blocked %s class=device_wait on=spin at=%s count=1 ns=%s", call, SITE(line), range);
}

int main(void)
{
	warm_up();
	CHECK(cudaStreamCreateWithFlags(&s1, cudaStreamNonBlocking));
	CHECK(cudaStreamCreateWithFlags(&s2, cudaStreamNonBlocking));
	CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));

	block_the_host();
	block_a_stream();

	expect("calls cudaStreamSynchronize 2");
	expect("calls cudaDeviceSynchronize 2");
	expect("calls cudaEventSynchronize 1");
	expect("calls cudaEventRecord 2");
	expect("calls cudaStreamWaitEvent 1");
	expect("device kernel 6");
	expect_wait("cudaStreamSynchronize", stream_line, "3e6..20e6");
	expect_wait("cudaDeviceSynchronize", device_line, "3e6..20e6");
	expect_wait("cudaEventSynchronize", event_line, "3e6..20e6");
	expect_wait("cudaStreamSynchronize", join_line, "7e6..30e6");
	expect("not_blocked cudaStreamWaitEvent at=%s", SITE(order_line));
	expect("not_blocked cudaEventRecord");
	expect("not_blocked cudaLaunchKernel");
	expect("nothing_serialized");
	return done();
}
