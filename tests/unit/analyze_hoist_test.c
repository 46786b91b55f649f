/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is allocated once and kept: what that saves, alone and on top of a pool. */
#include "tests/unit/whatif_builder.h"

/* All but the first allocation of a place are made no more; 4 tenths of the 8 us behind each are cold caches. */
static void test_hoist(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	for (int i = 0; i < 3; i++) {
		mb_call_about(b, CT_API_cudaMalloc, BLOCK + (uint64_t)i, 500 * i, 500 * i + 302);
		mb_launch(b, MB_LEGACY, 500 * i + 310, 500 * i + 315, 500 * i + 320, 500 * i + 330);
	}
	w = whatif(b);
	expect_change(w, 0, CT_CHANGE_HOIST, 604, 610.4, 610.4);
	assert_int_equal(w->changes.at[0].calls, 2);
	ct_whatif_destroy(w);
}

/* What was allocated once to begin with is freed as before: of 10 us, to a pool, 1 is left. */
static void test_allocated_once(void **state)
{
	struct model_builder *b = *state;
	struct ct_whatif *w;

	two_streams(b, CT_STREAM_FLAG_NON_BLOCKING);
	mb_call_about(b, CT_API_cudaMalloc, BLOCK, -1000, -698);
	mb_launch(b, S1, 0, 5, 10, 1000);
	mb_call_about(b, CT_API_cudaFree, BLOCK, 5, 1010);
	mb_launch(b, S2, 1015, 1020, 1025, 2025);
	mb_sync_device(b, 1020, 2030);
	w = whatif(b);
	assert_int_equal(w->ranks, 1);
	assert_int_equal(w->all.likely_ns, 1004000);
	ct_whatif_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MB_TEST(test_hoist),
		MB_TEST(test_allocated_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
