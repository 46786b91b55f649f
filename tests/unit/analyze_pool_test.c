/* SPDX-License-Identifier: Apache-2.0 */
/* The first stream-ordered allocation makes the device's pool, which takes milliseconds. */
#include "tests/unit/model_builder.h"

#define S1 21

static void expect_first_use(const struct model_builder *b, const struct ct_call *call, bool first)
{
	const struct ct_host_call *host = mb_host(b, call);

	assert_int_equal(host->parts[first ? CT_PART_FIRST_USE : CT_PART_DRIVER_WORK],
			 call->leave_ns - call->enter_ns);
}

static void test_first(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *first, *beside, *later, *copy;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	copy = mb_call_about(b, CT_API_cudaMalloc, 0xa0000, 0, 7000); /* not stream-ordered */
	first = mb_call_on(b, CT_API_cudaMallocAsync, S1, 10000, 17000);
	mb_thread(b, MB_B);
	beside = mb_call_on(b, CT_API_cudaMallocAsync, S1, 10010, 17010); /* waits for the first */
	later = mb_call_on(b, CT_API_cudaMallocAsync, S1, 20000, 27000);
	mb_split(b);
	expect_first_use(b, copy, false);
	expect_first_use(b, first, true);
	expect_first_use(b, beside, true);
	expect_first_use(b, later, false);
}

/* One that was quick made nothing; and of what a flight recorder kept, nobody knows the first. */
static void test_not_first(void **state)
{
	struct model_builder *b = *state;
	struct ct_call *quick, *kept;

	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	quick = mb_call_on(b, CT_API_cudaMallocAsync, S1, 10000, 10900);
	mb_split(b);
	expect_first_use(b, quick, false);
	mb_restart(b);
	b->kept_from_us = 5000;
	mb_stream(b, S1, CT_STREAM_FLAG_NON_BLOCKING);
	kept = mb_call_on(b, CT_API_cudaMallocAsync, S1, 10000, 17000);
	mb_split(b);
	expect_first_use(b, kept, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_first),
		MB_TEST(test_not_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
