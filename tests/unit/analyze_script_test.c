/* SPDX-License-Identifier: Apache-2.0 */
/* Whose code a Python file is, which frame names a site, and what is said to be missing. */
#include "analyze/script.h"
#include "analyze/totals.h"

#include <string.h>

#include "tests/unit/unit.h"

static void test_whose_code(void **state)
{
	static const char *const users[] = {
		"train.py", "/home/user/train.py", "<stdin>", "<string>", "<ipython-input-3-abc>", "",
		"/home/user/lib/python3stuff/a.py", "/home/user/site-packages.py",
		"/usr/lib/python2/a.py", "/home/user/frozen importlib",
	};
	static const char *const others[] = {
		"/usr/lib/python3.11/threading.py", "/opt/conda/lib/python3.12/asyncio/events.py",
		"/usr/lib64/python3.9/runpy.py", "/usr/lib/python3/dist-packages/numpy/a.py",
		"/home/user/venv/lib/python3.12/site-packages/torch/nn/modules/module.py",
		"C/site-packages/x.py", "<frozen runpy>", "<frozen importlib._bootstrap>",
		"/usr/lib/python312.zip/json/__init__.py", "/tmp/torchinductor_user/ab/cab.py",
		"/home/lib/python3stuff/x/lib/python3.10/os.py",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (!ct_script_of_user(users[i]))
			fail_msg("not the user's: %s", users[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (ct_script_of_user(others[i]))
			fail_msg("the user's: %s", others[i]);
}

static void expect_place(struct ct_symbols *symbols, const uint64_t *pc, uint32_t count,
			 const char *file)
{
	const struct ct_stack_info stack = { .count = count, .pc = pc };
	const struct ct_frame *frame = ct_script_place(symbols, &stack);

	if (!file) {
		assert_null(frame);
		return;
	}
	assert_non_null(frame);
	assert_string_equal(frame->file, file);
}

static void test_place(void **state)
{
	const uint64_t user[] = { 0x1000, CT_PC_SCRIPT(1), 0x2000, CT_PC_SCRIPT(2), CT_PC_SCRIPT(3) };
	const uint64_t package[] = { CT_PC_SCRIPT(0), CT_PC_SCRIPT(9), CT_PC_SCRIPT(1) };
	const uint64_t unknown[] = { 0x1000, CT_PC_SCRIPT(9), UINT64_MAX };
	struct ct_symbols *symbols;

	(void)state;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(ct_symbols_script(symbols, 1, "/v/site-packages/lib.py", 1, "wait"), 0);
	assert_int_equal(ct_symbols_script(symbols, 2, "/home/user/a.py", 2, "step"), 0);
	assert_int_equal(ct_symbols_script(symbols, 3, "/home/user/b.py", 3, "main"), 0);
	assert_int_equal(ct_symbols_script(symbols, 3, "/home/user/c.py", 3, "main"), 0);
	expect_place(symbols, user, 5, "a.py");
	expect_place(symbols, user, 3, "lib.py");
	expect_place(symbols, user + 4, 1, "b.py");
	expect_place(symbols, user, 1, NULL);
	expect_place(symbols, package, 3, "lib.py");
	expect_place(symbols, unknown, 3, NULL);
	ct_symbols_destroy(symbols);
}

static void test_missing(void **state)
{
	struct ct_stack_info stacks[] = {
		{ 0 }, { .count = 1, .script = CT_SCRIPT_ALL }, { .count = 1, .script = CT_SCRIPT_NO_THREAD },
		{ .count = 1, .script = 1000 }, { .count = 0, .script = CT_SCRIPT_NO_THREAD },
	};
	struct ct_host_call calls[7] = { 0 };
	struct ct_thread_info thread = { 0 };
	struct ct_sites sites = { 0 };
	struct ct_model model = { .core = { .end_call = 7 } };
	struct ct_totals totals;

	(void)state;
	for (uint32_t i = 0; i < 7; i++) /* stacks 0 to 4, 2 again, and one that is not there */
		calls[i].raw.stack = i < 5 ? i : i == 5 ? 2 : 77;
	model.calls.at = calls;
	model.calls.count = 7;
	model.stacks.at = stacks;
	model.stacks.count = 5;
	model.threads.at = &thread;
	model.threads.count = 1;
	ct_totals_find(&model, &sites, &totals);
	assert_int_equal(totals.script_calls[CT_SCRIPT_ALL], 1);
	assert_int_equal(totals.script_calls[CT_SCRIPT_NO_THREAD], 2);
	assert_int_equal(totals.script_calls[CT_SCRIPT_STATE_COUNT], 1);
	assert_null(ct_script_missing(CT_SCRIPT_NONE));
	assert_null(ct_script_missing(CT_SCRIPT_ALL));
	for (uint32_t state_ = CT_SCRIPT_CUT; state_ <= CT_SCRIPT_STATE_COUNT; state_++)
		assert_non_null(ct_script_missing(state_));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_code), cmocka_unit_test(test_place),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
