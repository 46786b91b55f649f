/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is a wait for a graph attributed to the graph's work?
 *
 * Three 5 ms kernels are captured, which runs nothing, then launched as one graph beside a
 * 5 ms kernel on another stream. Measured on an H200: instantiating, launching and
 * destroying a graph wait for nothing. The stream synchronise waits for the graph.
 */
#include "expect.h"

#define KERNEL_NS (5 * MS)

SPIN_KERNEL(node_spin)
SPIN_KERNEL(other_spin)

static cudaGraphExec_t three_kernels(cudaStream_t stream)
{
	cudaGraphExec_t exec;
	cudaGraph_t graph;
	int i;

	CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
	for (i = 0; i < 3; i++)
		launch(node_spin, KERNEL_NS, stream);
	CHECK(cudaStreamEndCapture(stream, &graph));
	CHECK(cudaGraphInstantiate(&exec, graph, 0));
	CHECK(cudaGraphDestroy(graph));
	return exec;
}

int main(void)
{
	cudaStream_t s1, s2;
	cudaGraphExec_t exec;
	int sync_line;

	warm_up(node_spin, other_spin);
	s1 = non_blocking_stream();
	s2 = non_blocking_stream();
	exec = three_kernels(s1);

	CHECK(cudaGraphLaunch(exec, s1));
	launch(other_spin, KERNEL_NS, s2);
	AT(sync_line, cudaStreamSynchronize(s1));
	CHECK(cudaGraphExecDestroy(exec));

	expect("calls cudaGraphLaunch 1");
	expect("calls cudaLaunchKernel 6");
	expect("not_blocked cudaGraphLaunch");
	expect("not_blocked cudaLaunchKernel");
	expect("blocked cudaStreamSynchronize class=device_wait at=%s count=1 ns=12e6..30e6",
	       SITE(sync_line));
	expect("nothing_serialized");
	return done();
}
