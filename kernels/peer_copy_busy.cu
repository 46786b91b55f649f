/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what do copies between two devices wait for, when both are busy?
 *
 * A kernel runs on each. cudaMemcpyPeerAsync in a stream of device 0 follows that stream alone.
 * cudaMemcpyPeer returns before the copy is done as well, which by the manual follows all work of
 * both devices, and all later work follows it. On two H200 it neither waited for a kernel in a
 * non-blocking stream nor held one up; whether blocking streams are kept apart is seen here.
 */
#include "expect.h"

#define KERNEL_NS (20 * MS)
#define BYTES (4 * MIB)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static void let_them_reach_each_other(void)
{
	int can;

	CHECK(cudaDeviceCanAccessPeer(&can, 0, 1));
	if (can)
		CHECK(cudaDeviceEnablePeerAccess(1, 0));
	seen("device 0 %s reach the memory of device 1", can ? "can" : "cannot");
}

static void wait_for_both(void)
{
	CHECK(cudaSetDevice(1));
	CHECK(cudaDeviceSynchronize());
	CHECK(cudaSetDevice(0));
	CHECK(cudaDeviceSynchronize());
}

/*
 * A kernel in a stream of device 0, a copy, a kernel in one of device 1: do they run one after
 * the other? What the copy's call took goes into ret_took_ns.
 */
template <typename Copy>
static bool separates(cudaStream_t s0, cudaStream_t s1, Copy copy, long long *ret_took_ns)
{
	long long start;

	launch_on(0, first_spin, KERNEL_NS, s0);
	start = now_ns();
	copy();
	*ret_took_ns = now_ns() - start;
	launch_on(1, second_spin, KERNEL_NS, s1);
	wait_for_both();
	return now_ns() - start > KERNEL_NS * 3 / 2;
}

static cudaStream_t blocking_stream_on(int device)
{
	CHECK(cudaSetDevice(device));
	return blocking_stream();
}

int main(void)
{
	cudaStream_t s0, s1, b0, b1;
	void *m0, *m1;
	int async_line, event_line, sync_line, blocking_line;
	cudaEvent_t copied;
	long long start, took, copied_ns;
	bool apart;

	need_devices(2);
	warm_up_two(first_spin, second_spin);
	s1 = non_blocking_stream_on(1);
	b1 = blocking_stream_on(1);
	m1 = device_memory(BYTES);
	s0 = non_blocking_stream_on(0);
	b0 = blocking_stream_on(0);
	m0 = device_memory(BYTES);
	let_them_reach_each_other();
	CHECK(cudaMemcpyPeer(m1, 1, m0, 0, BYTES)); /* the first one sets things up */
	CHECK(cudaDeviceSynchronize());

	launch_on(1, second_spin, 2 * KERNEL_NS, s1);
	start = now_ns();
	launch_on(0, first_spin, KERNEL_NS, s0);
	AT(async_line, cudaMemcpyPeerAsync(m1, 1, m0, 0, BYTES, s0));
	CHECK(cudaEventCreateWithFlags(&copied, cudaEventDisableTiming));
	CHECK(cudaEventRecord(copied, s0));
	AT(event_line, cudaEventSynchronize(copied));
	copied_ns = now_ns() - start;
	seen("a copy in a stream of its source %s work of its target (%.3f ms)",
	     copied_ns > KERNEL_NS * 3 / 2 ? "waits for" : "does not wait for",
	     (double)copied_ns / 1e6);

	wait_for_both();

	apart = separates(s0, s1, [&] { AT(sync_line, cudaMemcpyPeer(m1, 1, m0, 0, BYTES)); }, &took);
	seen("cudaMemcpyPeer %s kernels in non-blocking streams of two devices",
	     apart ? "separates" : "does not separate");
	seen_to_wait("cudaMemcpyPeer between busy devices", took, KERNEL_NS);

	apart = separates(b0, b1, [&] { AT(blocking_line, cudaMemcpyPeer(m1, 1, m0, 0, BYTES)); },
			  &took);
	seen("cudaMemcpyPeer %s kernels in blocking streams of two devices",
	     apart ? "separates" : "does not separate");

	expect("device copy 4 on=\"copy P2P 0->1\"");
	expect("device kernel 5 device=0");
	expect("device kernel 5 device=1");
	expect("not_blocked cudaMemcpyPeerAsync at=%s", SITE(async_line));
	expect("blocked cudaEventSynchronize class=device_wait on=\"copy P2P\" at=%s count=1 "
	       "ns=15e6..", SITE(event_line));
	expect("not_blocked cudaMemcpyPeer at=%s below=%lld", SITE(sync_line), KERNEL_NS / 2);
	expect("not_serialized cudaMemcpyPeer at=%s", SITE(sync_line));
	if (apart)
		expect_measured("serialized cudaMemcpyPeer at=%s victim=second_spin count=1 lost=%s",
				SITE(blocking_line), about(KERNEL_NS));
	else
		expect_measured("not_serialized cudaMemcpyPeer at=%s", SITE(blocking_line));
	return done();
}
