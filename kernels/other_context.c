/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: does an allocation or a free in one context wait for the work of another?
 *
 * Behind a 20 ms kernel in context A the program allocates and frees in context B, then
 * launches a 20 ms kernel on another stream of A. In A itself the free would wait (see
 * free_serializes); in B it does not, so A's kernels overlap and nothing is lost. Decoy.
 * Without a driver it says so and exits with 77; the stand-in has one context, so there too.
 */
#define _POSIX_C_SOURCE 200809L

#include "driver.h"

#define BYTES (16 * MIB)
#define NON_BLOCKING 1

static void *stream_here(void)
{
	void *stream;

	CALL(cuStreamCreate, (void **, unsigned int), &stream, NON_BLOCKING);
	return stream;
}

static void set_context(void *context)
{
	CALL(cuCtxSetCurrent, (void *), context);
}

static void *second_context(void)
{
	void *context;

	CALL(cuCtxCreate_v2, (void **, unsigned int, int), &context, 0, 0);
	return context;
}

int main(void)
{
	void *first = start_driver(), *second, *s1, *s2, *function;
	int alloc_line, free_line;
	uint64_t memory;

	function = load_spin();
	launch(function, 1000, NULL);
	CALL(cuCtxSynchronize, (void));
	s1 = stream_here();
	s2 = stream_here();
	second = second_context();
	if (second == first) {
		fputs("skipped: this driver has one context\n", stderr);
		return 77;
	}
	CALL(cuMemAlloc_v2, (uint64_t *, size_t), &memory, BYTES);

	set_context(first);
	launch(function, 20 * MS, s1);
	set_context(second);
	CALL_AT(free_line, cuMemFree_v2, (uint64_t), memory);
	CALL_AT(alloc_line, cuMemAlloc_v2, (uint64_t *, size_t), &memory, BYTES);
	set_context(first);
	launch(function, 20 * MS, s2);
	CALL(cuCtxSynchronize, (void));

	expect("calls cuMemAlloc 2");
	expect("calls cuMemFree 1");
	expect("device kernel 3");
	expect("not_blocked cuMemAlloc at=%s", SITE(alloc_line));
	expect("not_blocked cuMemFree at=%s", SITE(free_line));
	expect("nothing_serialized");
	return done();
}
