/* SPDX-License-Identifier: Apache-2.0 */
/* Records about the same thread, context or stream, in any order, become one entry. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "analyze/unite.h"

static void test_nothing(void **state)
{
	struct ct_model model = { 0 };

	(void)state;
	assert_int_equal(ct_unite_threads(&model), 0);
	assert_int_equal(ct_unite_contexts(&model), 0);
	assert_int_equal(ct_unite_streams(&model), 0);
	assert_int_equal(model.threads.count + model.contexts.count + model.streams.count, 0);
	free(model.streams.at);
}

/* Threads 3, 1, 2, 1, 3, ...: those that are left are the first of each. */
static void test_threads(void **state)
{
	static const uint32_t tids[] = { 3, 1, UINT32_MAX, 1, 3, 2, UINT32_MAX };
	struct ct_thread_info threads[7] = { 0 };
	struct ct_model model = { .threads = { threads, 7, 7 } };

	(void)state;
	for (int i = 0; i < 7; i++) {
		threads[i].tid = tids[i];
		threads[i].name[0] = (char)('a' + i);
	}
	assert_int_equal(ct_unite_threads(&model), 0);
	assert_int_equal(model.threads.count, 4);
	assert_string_equal(threads[0].name, "a");
	assert_string_equal(threads[1].name, "b");
	assert_string_equal(threads[2].name, "c");
	assert_string_equal(threads[3].name, "f");
	assert_int_equal(threads[3].tid, 2);
}

/* The order stays; the newest word on each is kept, the thread that made it along with it. */
static void test_contexts(void **state)
{
	struct ct_context contexts[] = {
		{ .context = 9, .device = 1, .null_stream = CT_ID_NONE },
		{ .context = 2, .device = 2, .null_stream = 7, .seen_ns = 10 },
		{ .context = 9, .device = 5, .null_stream = 8, .seen_ns = 20 },
		{ .context = 4, .device = 3, .null_stream = 6, .seen_ns = 30 },
		{ .context = 2, .device = 5, .null_stream = 11, .seen_ns = 40 },
		{ .context = 2, .device = 5, .null_stream = CT_ID_NONE, .seen_ns = 50, .destroyed = 1 },
		{ .context = 9, .device = 5, .null_stream = CT_ID_NONE },
	};
	uint32_t tids[] = { 101, 102, 103, 104, 105, 106, 107 };
	struct ct_model model = { .contexts = { contexts, 7, 7 }, .context_tids = { tids, 7, 7 } };

	(void)state;
	assert_int_equal(ct_unite_contexts(&model), 0);
	assert_int_equal(model.contexts.count, 3);
	assert_int_equal(model.context_tids.count, 3);
	assert_int_equal(contexts[0].context, 9);
	assert_int_equal(contexts[0].device, 1);
	assert_int_equal(contexts[0].null_stream, 8);
	assert_int_equal(contexts[0].seen_ns, 20);
	assert_int_equal(tids[0], 103);
	assert_int_equal(contexts[1].context, 2);
	assert_int_equal(contexts[1].null_stream, 11);
	assert_int_equal(contexts[1].seen_ns, 40);
	assert_int_equal(tids[1], 105);
	assert_int_equal(contexts[2].context, 4);
	assert_int_equal(tids[2], 104);
}

/* By context, then number; what is not known takes nothing away from what is. */
static void test_streams(void **state)
{
	static const struct ct_stream_info streams[] = {
		{ .context = 2, .id = 1 },
		{ .context = 1, .id = 9, .flag = CT_STREAM_FLAG_BLOCKING, .priority = -1 },
		{ .context = 1, .id = 3, .flag = CT_STREAM_FLAG_BLOCKING },
		{ .context = 1, .id = 9, .flag = CT_STREAM_FLAG_NON_BLOCKING, .priority = -2 },
		{ .context = 1, .id = 9 },
		{ .context = 2, .id = 1, .flag = CT_STREAM_FLAG_LEGACY },
	};
	struct ct_model model = { 0 };

	(void)state;
	model.streams.at = malloc(sizeof(streams));
	assert_non_null(model.streams.at);
	memcpy(model.streams.at, streams, sizeof(streams));
	model.streams.count = model.streams.room = 6;
	assert_int_equal(ct_unite_streams(&model), 0);
	assert_int_equal(model.streams.count, 3);
	assert_int_equal(ct_stream_index(&model, 1, 3, false), 0);
	assert_int_equal(ct_stream_index(&model, 1, 9, false), 1);
	assert_int_equal(ct_stream_index(&model, 2, 1, false), 2);
	assert_int_equal(model.streams.at[0].flag, CT_STREAM_FLAG_BLOCKING);
	assert_int_equal(model.streams.at[1].flag, CT_STREAM_FLAG_NON_BLOCKING);
	assert_int_equal(model.streams.at[1].priority, -2);
	assert_int_equal(model.streams.at[2].flag, CT_STREAM_FLAG_LEGACY);
	free(model.streams.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
