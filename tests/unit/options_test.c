/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/options.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/log.h"
#include "tests/unit/unit.h"

static int warnings;
static char last_warning[512];

/* In place of shim/log.c. */
void ct_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_warning, sizeof(last_warning), format, args);
	va_end(args);
	warnings++;
}

static int set_up(void **state)
{
	(void)state;
	warnings = 0;
#define CT_OPTION(name, field, kind, fallback, help) unsetenv("CUTRACE_" #name);
#include "trace/options.def"
#undef CT_OPTION
	unsetenv("CUTRACE_NO_SUCH");
	return 0;
}

static struct ct_options read_options(void)
{
	struct ct_options options;

	memset(&options, 0xa5, sizeof(options));
	ct_options_read(&options);
	return options;
}

static void test_defaults(void **state)
{
	struct ct_options o = read_options();

	(void)state;
	assert_int_equal(warnings, 0);
	assert_string_equal(o.output, "cutrace.%n.%p");
	assert_false(o.quiet);
	assert_true(o.report);
	assert_true(o.stacks);
	assert_int_equal(o.cupti, CT_CUPTI_YIELD);
	assert_string_equal(o.cupti_library, "");
	assert_int_equal(o.limit, 0);
	assert_false(o.disable);
	setenv("CUTRACE_OUTPUT", "", 1); /* empty is unset */
	assert_string_equal(read_options().output, "cutrace.%n.%p");
	assert_int_equal(warnings, 0);
}

static void test_text(void **state)
{
	(void)state;
	setenv("CUTRACE_OUTPUT", "some/where", 1);
	assert_string_equal(read_options().output, "some/where");
	assert_int_equal(warnings, 0);
}

static void test_switch(void **state)
{
	static const char *const yes[] = { "1", "on", "YES", "True" };
	static const char *const no[] = { "0", "OFF", "no", "false" };
	static const char *const bad[] = { "2", "maybe", "1 ", "-1", "onn" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		setenv("CUTRACE_QUIET", yes[i], 1);
		assert_true(read_options().quiet);
		setenv("CUTRACE_REPORT", no[i], 1);
		assert_false(read_options().report);
	}
	assert_int_equal(warnings, 0);
	for (size_t i = 0; i < 5; i++) {
		setenv("CUTRACE_QUIET", bad[i], 1);
		assert_false(read_options().quiet); /* the default */
		assert_int_equal(warnings, (int)i + 1);
		assert_non_null(strstr(last_warning, "CUTRACE_QUIET"));
	}
}

static void test_mode(void **state)
{
	static const struct {
		const char *text;
		enum ct_cupti_mode mode;
	} good[] = {
		{ "off", CT_CUPTI_OFF }, { "0", CT_CUPTI_OFF }, { "No", CT_CUPTI_OFF },
		{ "on", CT_CUPTI_ON }, { "1", CT_CUPTI_ON }, { "yes", CT_CUPTI_ON },
		{ "yield", CT_CUPTI_YIELD }, { "YIELD", CT_CUPTI_YIELD }, { "", CT_CUPTI_YIELD },
	};
	static const char *const bad[] = { "2", "yielding", "yield ", "never" };
	static const struct {
		const char *level, *text;
		enum ct_cupti_mode mode;
	} levels[] = {
		{ "full", "yield", CT_CUPTI_YIELD }, { "light", "yield", CT_CUPTI_OFF },
		{ "auto", "yield", CT_CUPTI_LATE }, { "auto", "", CT_CUPTI_LATE },
		{ "light", "on", CT_CUPTI_ON }, { "auto", "on", CT_CUPTI_ON },
		{ "auto", "off", CT_CUPTI_OFF },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		setenv("CUTRACE_CUPTI", good[i].text, 1);
		assert_int_equal(read_options().cupti, good[i].mode);
		assert_int_equal(ct_options_cupti(), good[i].mode);
	}
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		setenv("CUTRACE_MODE", levels[i].level, 1);
		setenv("CUTRACE_CUPTI", levels[i].text, 1);
		assert_int_equal(read_options().cupti, levels[i].mode);
		assert_int_equal(ct_options_cupti(), levels[i].mode);
	}
	unsetenv("CUTRACE_MODE");
	assert_int_equal(warnings, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("CUTRACE_CUPTI", bad[i], 1);
		assert_int_equal(read_options().cupti, CT_CUPTI_YIELD); /* the default */
		assert_int_equal(ct_options_cupti(), CT_CUPTI_YIELD);
		assert_int_equal(warnings, (int)i + 1);
	}
}

static void expect_number(const char *text, uint64_t value)
{
	setenv("CUTRACE_LIMIT", text, 1);
	assert_int_equal(read_options().limit, value);
	assert_int_equal(warnings, 0);
}

static void test_number(void **state)
{
	static const char *const bad[] = {
		"-1", "+1", " 1", "1 ", "x", "1x", "1KB", "1.5G", "0x10", "M",
		"18446744073709551616", "18014398509481984K", "17179869184G",
	};

	(void)state;
	expect_number("0", 0);
	expect_number("12", 12);
	expect_number("3k", 3072);
	expect_number("3K", 3072);
	expect_number("5M", 5u << 20);
	expect_number("7g", (uint64_t)7 << 30);
	expect_number("18446744073709551615", UINT64_MAX);
	expect_number("17179869183G", (uint64_t)17179869183u << 30);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("CUTRACE_LIMIT", bad[i], 1);
		assert_int_equal(read_options().limit, 0);
		assert_int_equal(warnings, (int)i + 1);
		assert_non_null(strstr(last_warning, "CUTRACE_LIMIT"));
	}
}

static void expect_start(const char *text, enum ct_start_by by, uint64_t delay_ns, int number)
{
	struct ct_start_setting start;

	setenv("CUTRACE_START", text, 1);
	start = read_options().start;
	assert_int_equal(start.by, by);
	assert_int_equal(start.delay_ns, delay_ns);
	assert_int_equal(start.signal, number);
}

/* CUPTI is left for the first window, where the mode asks for it at all. */
static void test_start(void **state)
{
	static const char *const bad[] = {
		"later", "delay", "delay:", "delay:30", "delay:-1s", "signal:", "signal:KILL", "signal:12",
		"now ", "api:1",
	};

	(void)state;
	expect_start("", CT_START_NOW, 0, 0);
	expect_start("now", CT_START_NOW, 0, 0);
	assert_int_equal(read_options().cupti, CT_CUPTI_YIELD);
	expect_start("delay:0s", CT_START_DELAY, 0, 0);
	expect_start("delay:1500ms", CT_START_DELAY, 1500000000, 0);
	expect_start("signal", CT_START_ASKED, 0, 0);
	expect_start("Signal:usr1", CT_START_ASKED, 0, SIGUSR1);
	expect_start("signal:USR2", CT_START_ASKED, 0, SIGUSR2);
	expect_start("API", CT_START_API, 0, 0);
	assert_int_equal(read_options().cupti, CT_CUPTI_LATE);
	assert_int_equal(ct_options_cupti(), CT_CUPTI_LATE);
	setenv("CUTRACE_MODE", "light", 1);
	assert_int_equal(read_options().cupti, CT_CUPTI_OFF);
	unsetenv("CUTRACE_MODE");
	assert_int_equal(warnings, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect_start(bad[i], CT_START_NOW, 0, 0);
		assert_int_equal(warnings, (int)i + 1);
	}
}

static void test_level(void **state)
{
	static const char *const bad[] = { "1", "on", "lite", "full ", "fullest" };

	(void)state;
	assert_int_equal(read_options().mode, CT_LEVEL_FULL);
	setenv("CUTRACE_MODE", "light", 1);
	assert_int_equal(read_options().mode, CT_LEVEL_LIGHT);
	setenv("CUTRACE_MODE", "Auto", 1);
	assert_int_equal(read_options().mode, CT_LEVEL_AUTO);
	assert_int_equal(warnings, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("CUTRACE_MODE", bad[i], 1);
		assert_int_equal(read_options().mode, CT_LEVEL_FULL);
		assert_int_equal(warnings, (int)i + 1);
	}
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "0s", 0 }, { "7ns", 7 }, { "500us", 500000 }, { "3ms", 3000000 },
		{ "2S", 2000000000 }, { "18446744073s", 18446744073000000000u }, { "", 1000000 },
	};
	static const char *const bad[] = {
		"1", "ms", "-1ms", "1.5ms", "1 ms", "1m", "1ms ", "18446744074s", "99999999999999999999s",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		setenv("CUTRACE_AUTO_THRESHOLD", good[i].text, 1);
		assert_int_equal(read_options().auto_threshold_ns, good[i].ns);
	}
	assert_int_equal(warnings, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("CUTRACE_AUTO_THRESHOLD", bad[i], 1);
		assert_int_equal(read_options().auto_threshold_ns, 1000000);
		assert_int_equal(warnings, (int)i + 1);
	}
}

static void test_unknown(void **state)
{
	(void)state;
	setenv("CUTRACE_NO_SUCH", "1", 1);
	read_options();
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last_warning, "CUTRACE_NO_SUCH"));
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_text),
		TEST(test_switch),
		TEST(test_mode),
		TEST(test_number),
		TEST(test_level),
		TEST(test_start),
		TEST(test_duration),
		TEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
