/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls a filter leaves out, and what its times may look like. */
#include <errno.h>

#include "tests/unit/model_builder.h"

#include "analyze/filter.h"

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = { { "0ns", 0 }, { "7ns", 7 }, { "100us", 100000 }, { "2.5s", 2500000000 },
		     { ".5ms", 500000 }, { "1.0000005s", 1000000500 } };
	static const char *const bad[] = { "", "1", "s", "-1s", "+1s", " 1s", "1 s", "1S", "1%", "1e3s",
					   "0x1s", "inf s", "1.5.5s", ".s", "1m", "1sec",
					   "99999999999999999999s" };
	uint64_t ns = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ct_filter_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	ns = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ct_filter_duration(bad[i], &ns), -EINVAL);
	assert_int_equal(ns, 42);
}

static void expect(struct model_builder *b, const struct ct_filter *filter, bool launch, bool free,
		   bool sync)
{
	ct_filter_mark(b->model, filter);
	assert_int_equal(b->model->calls.count, 3);
	assert_int_equal(b->model->calls.at[0].left_out, !launch);
	assert_int_equal(b->model->calls.at[1].left_out, !free);
	assert_int_equal(b->model->calls.at[2].left_out, !sync);
}

/* A launch, a cudaFree that waits for its kernel, and a synchronise that has nothing to wait for. */
static void test_marks(void **state)
{
	struct model_builder *b = *state;

	mb_launch(b, MB_LEGACY, 0, 5, 10, 500);
	mb_call_about(b, CT_API_cudaFree, 0x1000, 20, 520);
	mb_sync_device(b, 600, 610);
	mb_split(b);
	assert_false(ct_filter_any(NULL));
	assert_false(ct_filter_any(&(struct ct_filter){ 0 }));
	expect(b, &(struct ct_filter){ 0 }, true, true, true);
	expect(b, &(struct ct_filter){ .only = "cudaFree" }, false, true, false);
	expect(b, &(struct ct_filter){ .only = "cudaFre" }, false, false, false);
	expect(b, &(struct ct_filter){ .only = "x,cuda[FL]*" }, true, true, false);
	expect(b, &(struct ct_filter){ .min_blocked_ns = 400000 }, false, true, false);
	expect(b, &(struct ct_filter){ .min_blocked_ns = 600000 }, false, false, false);
	/* under way, at either end */
	expect(b, &(struct ct_filter){ .from_ns = 5000 }, true, true, true);
	expect(b, &(struct ct_filter){ .from_ns = 5001 }, false, true, true);
	expect(b, &(struct ct_filter){ .from_ns = 520001, .to_ns = UINT64_MAX }, false, false, true);
	expect(b, &(struct ct_filter){ .to_ns = 20000 }, true, false, false);
	expect(b, &(struct ct_filter){ .to_ns = 20001 }, true, true, false);
	expect(b, &(struct ct_filter){ .only = "cudaFree", .to_ns = 20000 }, false, false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		MB_TEST(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
