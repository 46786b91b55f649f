/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is work in a green context seen, and a free that waits for it explained?
 *
 * A green context is a part of the device's multiprocessors (driver API, 6.35). Its stream
 * runs a 20 ms kernel, behind which memory is freed. Whether the free waits for a kernel
 * that runs in a green context is not documented: the program measures it. Without a driver
 * it exits with 77, and so it does where the driver has no green contexts.
 */
#define _POSIX_C_SOURCE 200809L

#include "driver.h"

#define SM_RESOURCE 1
#define DEFAULT_STREAM 1
#define NON_BLOCKING 1
#define SPLIT_TYPES (struct resource *, unsigned int *, const struct resource *, struct resource *, \
		     unsigned int, unsigned int)

/* CUdevResource of cuda.h: only passed on. */
struct resource {
	unsigned char bytes[256];
};

static void *green_context(void)
{
	struct resource all, part, rest;
	void *description, *context;
	unsigned int groups = 1;

	CALL(cuDeviceGetDevResource, (int, struct resource *, int), 0, &all, SM_RESOURCE);
	CALL(cuDevSmResourceSplitByCount, SPLIT_TYPES, &part, &groups, &all, &rest, 0, 16);
	CALL(cuDevResourceGenerateDesc, (void **, struct resource *, unsigned int), &description,
	     &part, 1);
	CALL(cuGreenCtxCreate, (void **, void *, int, unsigned int), &context, description, 0,
	     DEFAULT_STREAM);
	return context;
}

int main(void)
{
	void *green, *stream, *function;
	long long start, took;
	int free_line;
	uint64_t memory;

	start_driver();
	if (!dlsym(driver, "cuGreenCtxStreamCreate")) {
		fputs("skipped: this driver has no green contexts\n", stderr);
		return 77;
	}
	function = load_spin();
	launch(function, 1000, NULL);
	CALL(cuCtxSynchronize, (void));
	CALL(cuMemAlloc_v2, (uint64_t *, size_t), &memory, MIB);
	green = green_context();
	CALL(cuGreenCtxStreamCreate, (void **, void *, unsigned int, int), &stream, green,
	     NON_BLOCKING, 0);

	launch(function, 20 * MS, stream);
	start = now_ns();
	CALL_AT(free_line, cuMemFree_v2, (uint64_t), memory);
	took = now_ns() - start;
	CALL(cuStreamSynchronize, (void *), stream);

	expect("calls cuGreenCtxCreate 1");
	expect("calls cuGreenCtxStreamCreate 1");
	expect("calls cuMemFree 1");
	expect("device kernel 2");
	if (took > 10 * MS)
		expect_measured("blocked cuMemFree class=device_wait on=spin at=%s count=1 ns=10e6..40e6",
				SITE(free_line));
	else
		expect_measured("not_blocked cuMemFree at=%s", SITE(free_line));
	return done();
}
