/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is each call put down to the range that it was made in?
 *
 * Three steps of one range "training", each a range "step" with an allocation, a 5 ms kernel and a
 * range "free" of another domain in which cudaFree waits for the kernel; before and after
 * them, calls in "training" alone and in none.
 */
#include <nvtx3/nvToolsExt.h>

#include "expect.h"

#define STEPS 3

static nvtxDomainHandle_t domain;

static void push_in_domain(const char *name)
{
	nvtxEventAttributes_t attributes = {};

	attributes.version = NVTX_VERSION;
	attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
	attributes.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
	attributes.message.registered = nvtxDomainRegisterStringA(domain, name);
	nvtxDomainRangePushEx(domain, &attributes);
}

static void step(cudaStream_t stream)
{
	void *memory;

	nvtxRangePushA("step");
	memory = device_memory(1 * MIB);
	launch_spin(5 * MS, stream);
	push_in_domain("free");
	CHECK(cudaFree(memory));
	nvtxDomainRangePop(domain);
	nvtxRangePop();
}

int main(void)
{
	cudaStream_t stream;

	warm_up();
	domain = nvtxDomainCreateA("memory");
	nvtxRangePushA("training");
	stream = non_blocking_stream();
	for (int i = 0; i < STEPS; i++)
		step(stream);
	CHECK(cudaStreamSynchronize(stream));
	nvtxRangePop();
	CHECK(cudaDeviceSynchronize());

	expect("calls cudaFree %d", STEPS);
	expect("in_range cudaMalloc step %d", STEPS);
	expect("in_range cudaFree memory:free %d", STEPS);
	expect("in_range cudaStreamSynchronize training 1");
	expect("in_range cudaSetDevice '' 1");
	expect("in_range cudaDeviceSynchronize '' 2");
	expect("blocked cudaFree class=device_wait on=spin count=%d ns=%s", STEPS, about(5 * MS));
	return done();
}
