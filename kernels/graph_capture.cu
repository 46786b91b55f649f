/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is work that is captured told apart from work that runs?
 *
 * Two streams are captured into one graph: s2 joins s1's capture by waiting for an event
 * recorded in it (programming guide, CUDA Graphs, cross-stream dependencies). Nothing runs
 * and nothing waits until the graph is launched, twice. With --nodes the graph's operations
 * are asked for one by one; without, each launch is one operation.
 */
#include "expect.h"

#define KERNEL_NS (5 * MS)
#define BYTES (1 * MIB)

SPIN_KERNEL(first_spin)
SPIN_KERNEL(second_spin)

static cudaStream_t s1, s2;

static cudaGraphExec_t capture(void *device)
{
	cudaEvent_t forked, joined;
	cudaGraphExec_t exec;
	cudaGraph_t graph;

	CHECK(cudaEventCreate(&forked));
	CHECK(cudaEventCreate(&joined));
	CHECK(cudaStreamBeginCapture(s1, cudaStreamCaptureModeGlobal));
	CHECK(cudaMemsetAsync(device, 0, BYTES, s1));
	CHECK(cudaEventRecord(forked, s1));
	CHECK(cudaStreamWaitEvent(s2, forked, 0));
	launch(first_spin, KERNEL_NS, s1);
	launch(second_spin, KERNEL_NS, s2);
	CHECK(cudaEventRecord(joined, s2));
	CHECK(cudaStreamWaitEvent(s1, joined, 0));
	CHECK(cudaStreamEndCapture(s1, &graph));
	CHECK(cudaGraphInstantiate(&exec, graph, 0));
	return exec;
}

int main(int argc, char **argv)
{
	bool nodes = argc > 1 && !strcmp(argv[1], "--nodes");
	cudaGraphExec_t exec;
	int sync_line;

	if (nodes)
		setenv("CUTRACE_GRAPH_NODES", "1", 1); /* read when CUDA starts */
	warm_up(first_spin, second_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	exec = capture(device_memory(BYTES));

	CHECK(cudaGraphLaunch(exec, s1));
	CHECK(cudaGraphLaunch(exec, s1));
	AT(sync_line, cudaStreamSynchronize(s1));
	launch(second_spin, 1000, s2); /* s2 is no longer captured */
	CHECK(cudaStreamSynchronize(s2));

	expect("captured cudaMemsetAsync 1");
	expect("captured cudaLaunchKernel 2");
	expect("calls cudaLaunchKernel 5");
	expect("calls cudaGraphLaunch 2");
	expect("device graph %d", nodes ? 0 : 2);
	expect("device memset %d", nodes ? 2 : 0);
	expect("device kernel %d", nodes ? 2 + 1 + 4 : 2 + 1);
	expect("not_blocked cudaLaunchKernel");
	expect("not_blocked cudaMemsetAsync");
	expect("not_blocked cudaGraphLaunch");
	expect("blocked cudaStreamSynchronize class=device_wait at=%s count=1 ns=8e6..25e6",
	       SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
