/* SPDX-License-Identifier: Apache-2.0 */
/* Runs compared: what is flagged and what is not, and which places are the same. */
#include <math.h>

#include "tests/unit/run_builder.h"

#include "analyze/diff.h"
#include "analyze/diff_runs.h"
#include "analyze/report_diff.h"

#define RUN_MS 1000 /* of most runs here */

static int set_up_diff(void **state)
{
	*state = ct_diff_create(CT_DIFF_PERCENT);
	return *state ? 0 : -1;
}

static int tear_down_diff(void **state)
{
	ct_diff_destroy(*state);
	return 0;
}

#define DIFF_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_diff, tear_down_diff)

static void add_run(struct ct_diff *diff, int side, struct ct_process p)
{
	for (size_t i = 0; i < p.sites.count; i++) {
		p.blocked_ns += p.sites.at[i].blocked_ns;
		p.call_ns += p.sites.at[i].total_ns;
		p.calls += p.sites.at[i].calls;
	}
	assert_int_equal(ct_diff_begin_run(&diff->sides[side]), 0);
	assert_int_equal(ct_diff_add(&diff->sides[side], &p), 0);
}

/* A run of so many ms with one site, blocked for so many. */
static void simple_run(struct ct_diff *diff, int side, const char *where, uint64_t ms, uint64_t blocked)
{
	struct ct_process p = process(CT_NONE, 0, ms);

	site(&p, "cudaFree", where, 10, blocked + 1, blocked, CT_PART_DEVICE_WAIT);
	add_run(diff, side, p);
}

static const struct ct_diff_site *only_site(const struct ct_diff *diff)
{
	assert_int_equal(diff->sites.count, 1);
	return &diff->sites.at[0];
}

static size_t count_flagged(const struct ct_diff *diff)
{
	size_t flagged = 0;

	for (int what = 0; what < CT_DIFF_FIGURES; what++)
		flagged += diff->run[what].verdict > CT_DIFF_SAME;
	for (int class = 0; class < CT_PART_COUNT; class++)
		flagged += diff->classes[class].ns.verdict > CT_DIFF_SAME;
	for (size_t i = 0; i < diff->sites.count; i++)
		flagged += diff->sites.at[i].worse || diff->sites.at[i].better;
	return flagged;
}

static void test_unchanged(void **state)
{
	struct ct_diff *diff = *state;

	for (int side = 0; side < CT_SIDES; side++)
		for (uint64_t run = 0; run < 3; run++)
			simple_run(diff, side, "a.cu:1 f", RUN_MS + run, 100 + run);
	assert_int_equal(ct_diff_make(diff), 0);
	assert_true(diff->tested);
	assert_int_equal(diff->unlike, 0);
	assert_int_equal(diff->tests_run, 3);
	assert_int_equal(diff->tests_sites, 3); /* device_wait; blocked and total of the site: lost is small */
	assert_int_equal(count_flagged(diff), 0);
	assert_false(ct_diff_regressed(diff));
	assert_float_equal(diff->run[CT_DIFF_DURATION].p, 1, 1e-6);
	assert_int_equal(diff->run[CT_DIFF_DURATION].verdict, CT_DIFF_SAME);
	assert_int_equal(diff->run[CT_DIFF_CALLS].verdict, CT_DIFF_NOT_JUDGED);
}

/* Blocked 100, 101, 102 before and 150, 151, 152 after; the duration stays. */
static void test_planted(void **state)
{
	struct ct_diff *diff = *state;
	const struct ct_diff_site *at;

	for (int side = 0; side < CT_SIDES; side++)
		for (uint64_t run = 0; run < 3; run++)
			simple_run(diff, side, "a.cu:1 f", RUN_MS + run, 100 + 50 * (uint64_t)side + run);
	assert_int_equal(ct_diff_make(diff), 0);
	at = only_site(diff);
	assert_true(at->worse);
	assert_false(at->better);
	assert_int_equal(at->match, CT_DIFF_EXACT);
	assert_int_equal(at->figures[CT_DIFF_BLOCKED].verdict, CT_DIFF_WORSE);
	assert_int_equal(at->figures[CT_DIFF_LOST].verdict, CT_DIFF_SAME);
	assert_float_equal(at->figures[CT_DIFF_BLOCKED].side[CT_AFTER].mean, 151.0 * MS, 1);
	assert_float_equal(ct_diff_percent(&at->figures[CT_DIFF_BLOCKED]), 100 * 50.0 / 101, 1e-3);
	/* t = 50 / sqrt(2 / 3), 4 degrees: p = 4.2e-7; three tests of the run */
	assert_float_equal(diff->run[CT_DIFF_BLOCKED].p, 3 * 4.2e-7, 1e-7);
	assert_int_equal(diff->classes[CT_PART_DEVICE_WAIT].ns.verdict, CT_DIFF_WORSE);
	assert_int_equal(diff->run[CT_DIFF_DURATION].verdict, CT_DIFF_SAME);
	assert_true(ct_diff_regressed(diff));
}

static void test_better(void **state)
{
	struct ct_diff *diff = *state;

	for (int side = 0; side < CT_SIDES; side++)
		for (uint64_t run = 0; run < 4; run++)
			simple_run(diff, side, "a.cu:1 f", RUN_MS - 300 * (uint64_t)side + run, 100);
	assert_int_equal(ct_diff_make(diff), 0);
	assert_int_equal(diff->run[CT_DIFF_DURATION].verdict, CT_DIFF_BETTER);
	assert_false(ct_diff_regressed(diff));
}

/* Of one run a side the size of a difference decides: percent, share of the run, and ns. */
static void test_one_run(void **state)
{
	static const struct {
		uint64_t before, after;
		enum ct_diff_verdict verdict;
	} cases[] = {
		{ 400, 421, CT_DIFF_WORSE }, { 400, 420, CT_DIFF_SAME },  /* 5 % of it */
		{ 10, 19, CT_DIFF_SAME },    { 10, 20, CT_DIFF_WORSE },   /* 1 % of the run's 1000 ms */
		{ 0, 9, CT_DIFF_SAME },      { 0, 10, CT_DIFF_WORSE },    { 400, 379, CT_DIFF_BETTER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ct_diff *diff = ct_diff_create(CT_DIFF_PERCENT);

		simple_run(diff, CT_BEFORE, "a.cu:1 f", RUN_MS, cases[i].before);
		simple_run(diff, CT_AFTER, "a.cu:1 f", RUN_MS, cases[i].after);
		assert_int_equal(ct_diff_make(diff), 0);
		assert_false(diff->tested);
		assert_true(isnan(diff->run[CT_DIFF_BLOCKED].p));
		assert_int_equal(diff->run[CT_DIFF_BLOCKED].verdict, cases[i].verdict);
		assert_int_equal(only_site(diff)->figures[CT_DIFF_BLOCKED].verdict, cases[i].verdict);
		ct_diff_destroy(diff);
	}
}

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(seed >> 11) / 9007199254740992.0;
}

/* About normal: twelve uniform ones. */
static uint64_t noisy(double mean, double deviation)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += uniform();
	return (uint64_t)(mean + deviation * sum);
}

#define NOISY_SITES 30

static void noisy_run(struct ct_diff *diff, int side)
{
	struct ct_process p = process(CT_NONE, 0, noisy(RUN_MS, RUN_MS * 0.1));
	char where[32];

	for (int i = 0; i < NOISY_SITES; i++) {
		uint64_t blocked = noisy(100, 15);

		snprintf(where, sizeof(where), "a.cu:%d f", i + 1);
		site(&p, "cudaFree", where, 10, blocked, blocked, CT_PART_DEVICE_WAIT);
	}
	add_run(diff, side, p);
}

/*
 * Noise of 15 % at 30 sites, where 5 % would matter: of 200 comparisons of what is alike, each
 * family may be wrong in one of twenty, some 20 in all; without a test nearly all would be.
 */
static void test_noise(void **state)
{
	size_t wrong = 0;

	(void)state;
	seed = 1;
	for (int i = 0; i < 200; i++) {
		struct ct_diff *diff = ct_diff_create(CT_DIFF_PERCENT);

		for (int run = 0; run < 5; run++)
			for (int side = 0; side < CT_SIDES; side++)
				noisy_run(diff, side);
		assert_int_equal(ct_diff_make(diff), 0);
		assert_int_equal(diff->tests_sites, 1 + 2 * NOISY_SITES);
		wrong += count_flagged(diff) > 0;
		ct_diff_destroy(diff);
	}
	assert_in_range(wrong, 1, 30);
}

struct expected {
	enum ct_diff_match match;
	const char *before, *after; /* NULL: none */
	uint32_t places_before, places_after;
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void expect_matches(const char *const *before, const char *const *after,
			   const struct expected *expected, size_t count)
{
	struct ct_diff *diff = ct_diff_create(CT_DIFF_PERCENT);
	const char *const *places[CT_SIDES] = { before, after };

	for (int side = 0; side < CT_SIDES; side++) {
		struct ct_process p = process(CT_NONE, 0, RUN_MS);

		for (uint64_t i = 0; places[side][i]; i++)
			site(&p, "cudaFree", places[side][i], 1, 10 + i, 10 + i, CT_PART_DEVICE_WAIT);
		add_run(diff, side, p);
	}
	assert_int_equal(ct_diff_make(diff), 0);
	assert_int_equal(diff->sites.count, count);
	for (size_t i = 0; i < count; i++) {
		const struct expected *e = &expected[i];
		size_t found = 0;

		for (size_t s = 0; s < diff->sites.count; s++) {
			const struct ct_diff_site *at = &diff->sites.at[s];

			found += at->match == e->match && same_text(at->where[CT_BEFORE], e->before) &&
				 same_text(at->where[CT_AFTER], e->after) &&
				 at->places[CT_BEFORE] == e->places_before &&
				 at->places[CT_AFTER] == e->places_after;
		}
		assert_int_equal(found, 1);
	}
	ct_diff_destroy(diff);
}

#define TEXTS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define EXPECT(before, after, ...)                                                                 \
	expect_matches(before, after, (const struct expected[]){ __VA_ARGS__ },                    \
		       sizeof((const struct expected[]){ __VA_ARGS__ }) / sizeof(struct expected))

static void test_match(void **state)
{
	(void)state;
	EXPECT(TEXTS("a.cu:9 f", "a.cu:100 f"), TEXTS("a.cu:9 f", "a.cu:100 f"),
	       { CT_DIFF_EXACT, "a.cu:9 f", "a.cu:9 f", 1, 1 },
	       { CT_DIFF_EXACT, "a.cu:100 f", "a.cu:100 f", 1, 1 });
	/* lines as numbers: 19 is before 108 */
	EXPECT(TEXTS("a.cu:9 f", "a.cu:98 f"), TEXTS("a.cu:19 f", "a.cu:108 f"),
	       { CT_DIFF_MOVED, "a.cu:9 f", "a.cu:19 f", 1, 1 },
	       { CT_DIFF_MOVED, "a.cu:98 f", "a.cu:108 f", 1, 1 });
	EXPECT(TEXTS("a.cu:9 f", "a.cu:20 f"), TEXTS("a.cu:9 f", "a.cu:25 f"),
	       { CT_DIFF_EXACT, "a.cu:9 f", "a.cu:9 f", 1, 1 },
	       { CT_DIFF_MOVED, "a.cu:20 f", "a.cu:25 f", 1, 1 });
	EXPECT(TEXTS("a.cu:9 f"), TEXTS("a.cu:9 g"), { CT_DIFF_GONE, "a.cu:9 f", NULL, 1, 0 },
	       { CT_DIFF_NEW, NULL, "a.cu:9 g", 0, 1 });
	EXPECT(TEXTS("app+0x9f0", "app+0xaf0"), TEXTS("app+0xa00", "app+0x1000"),
	       { CT_DIFF_MOVED, "app+0x9f0", "app+0xa00", 1, 1 },
	       { CT_DIFF_MOVED, "app+0xaf0", "app+0x1000", 1, 1 });
	EXPECT(TEXTS("a.py:1 f, in libx.so+0x10"), TEXTS("a.py:2 f, in libx.so+0x20"),
	       { CT_DIFF_MOVED, "a.py:1 f, in libx.so+0x10", "a.py:2 f, in libx.so+0x20", 1, 1 });
	EXPECT(TEXTS("(no stack)"), TEXTS("(no stack)"),
	       { CT_DIFF_EXACT, "(no stack)", "(no stack)", 1, 1 });
}

/* Not as many on both sides: by their lines if all of the fewer are there, else not at all. */
static void test_match_more(void **state)
{
	(void)state;
	EXPECT(TEXTS("a.cu:9 f", "a.cu:20 f"), TEXTS("a.cu:9 f", "a.cu:15 f", "a.cu:20 f"),
	       { CT_DIFF_EXACT, "a.cu:9 f", "a.cu:9 f", 1, 1 },
	       { CT_DIFF_EXACT, "a.cu:20 f", "a.cu:20 f", 1, 1 },
	       { CT_DIFF_NEW, NULL, "a.cu:15 f", 0, 1 });
	EXPECT(TEXTS("a.cu:9 f", "a.cu:15 f"), TEXTS("a.cu:15 f"),
	       { CT_DIFF_GONE, "a.cu:9 f", NULL, 1, 0 },
	       { CT_DIFF_EXACT, "a.cu:15 f", "a.cu:15 f", 1, 1 });
	/* the last is the most costly, which stands for them */
	EXPECT(TEXTS("a.cu:9 f", "a.cu:20 f"), TEXTS("a.cu:10 f", "a.cu:16 f", "a.cu:21 f"),
	       { CT_DIFF_TOGETHER, "a.cu:20 f", "a.cu:21 f", 2, 3 });
	/* 20 is on both sides: the same, or its successor ten lines further down? */
	EXPECT(TEXTS("a.cu:10 f", "a.cu:20 f"), TEXTS("a.cu:20 f", "a.cu:30 f"),
	       { CT_DIFF_TOGETHER, "a.cu:20 f", "a.cu:30 f", 2, 2 });
}

/* Ranks of a run add up; a place that a run does not have is 0 in it. */
static void test_ranks_add_up(void **state)
{
	struct ct_diff *diff = *state;
	const struct ct_diff_figure *figure;

	for (int side = 0; side < CT_SIDES; side++) {
		assert_int_equal(ct_diff_begin_run(&diff->sides[side]), 0);
		for (uint32_t rank = 0; rank < 3; rank++) {
			struct ct_process p = process(rank, 10 * rank, RUN_MS + 10 * rank);

			if (rank < 2)
				site(&p, "cudaFree", "a.cu:1 f", 2, 30, 20 + rank, CT_PART_LOCK_WAIT);
			assert_int_equal(ct_diff_add(&diff->sides[side], &p), 0);
		}
	}
	simple_run(diff, CT_AFTER, "a.cu:2 g", RUN_MS, 1);
	assert_int_equal(ct_diff_make(diff), 0);
	assert_int_equal(diff->unlike, CT_DIFF_PROCESSES);
	figure = &diff->run[CT_DIFF_DURATION];
	assert_float_equal(figure->side[CT_BEFORE].mean, (RUN_MS + 20.0) * MS, 1);
	for (size_t i = 0; i < diff->sites.count; i++)
		if (diff->sites.at[i].where[CT_BEFORE]) {
			figure = &diff->sites.at[i].figures[CT_DIFF_BLOCKED];
			assert_float_equal(figure->side[CT_BEFORE].mean, 41.0 * MS, 1);
			assert_int_equal(figure->side[CT_AFTER].count, 2);
			assert_float_equal(figure->side[CT_AFTER].mean, 20.5 * MS, 1);
		}
}

/* What was recorded in another way is not compared, and what is not whole is said. */
static void test_unlike(void **state)
{
	static const unsigned wanted[] = { CT_DIFF_RECORDING | CT_DIFF_UNTOLD_LOST, CT_DIFF_RECORDING,
					   CT_DIFF_INCOMPLETE, CT_DIFF_INCOMPLETE, CT_DIFF_INCOMPLETE,
					   CT_DIFF_PROGRAMS, CT_DIFF_GPUS, CT_DIFF_UNTOLD_LOST };

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct ct_diff *diff = ct_diff_create(CT_DIFF_PERCENT);
		struct ct_process p = process(CT_NONE, 0, RUN_MS);
		bool unlike = wanted[i] & CT_DIFF_RECORDING;

		p.has_device = i != 0;
		p.mode = i == 1 ? CT_MODE_LIGHT : CT_MODE_FULL;
		p.cut_off = i == 2;
		p.lost[CT_LOSS_CUPTI] = i == 3;
		p.cut_short = i == 4;
		*p.program = i == 5 ? 'q' : *p.program;
		*p.gpus = i == 6 ? 'h' : *p.gpus;
		p.sites_skipped = i == 7;
		site(&p, "cudaFree", "a.cu:1 f", 10, 900, 900, CT_PART_DEVICE_WAIT);
		simple_run(diff, CT_BEFORE, "a.cu:1 f", RUN_MS, 100);
		add_run(diff, CT_AFTER, p);
		assert_int_equal(ct_diff_make(diff), 0);
		assert_int_equal(diff->unlike, wanted[i]);
		assert_int_equal(diff->run[CT_DIFF_BLOCKED].known, !unlike);
		assert_int_equal(diff->run[CT_DIFF_LOST].known,
				 !(wanted[i] & (CT_DIFF_RECORDING | CT_DIFF_UNTOLD_LOST)));
		assert_int_equal(ct_diff_regressed(diff), !unlike);
		ct_diff_destroy(diff);
	}
}

/* Processes of one run are not taken for repeated runs, nor the other way round. */
static void test_tell(void **state)
{
	static const struct {
		uint32_t ranks[2];
		uint64_t begin[2]; /* each takes 10 ms */
		enum ct_diff_how how;
	} cases[] = {
		{ { 0, 1 }, { 0, 5 }, CT_DIFF_ONE_RUN },
		{ { 0, 0 }, { 0, 50 }, CT_DIFF_UNTOLD },
		{ { CT_NONE, CT_NONE }, { 0, 50 }, CT_DIFF_REPEATED },
		{ { CT_NONE, CT_NONE }, { 0, 5 }, CT_DIFF_UNTOLD },
		{ { 0, CT_NONE }, { 0, 50 }, CT_DIFF_UNTOLD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ct_process p[2];
		enum ct_diff_how how = CT_DIFF_UNTOLD;

		for (int n = 0; n < 2; n++)
			p[n] = process(cases[i].ranks[n], cases[i].begin[n], cases[i].begin[n] + 10);
		assert_int_equal(!ct_diff_tell(p, 2, &how), cases[i].how != CT_DIFF_UNTOLD);
		assert_int_equal(how, cases[i].how);
		*p[1].program = 'q';
		if (cases[i].how == CT_DIFF_REPEATED)
			assert_non_null(ct_diff_tell(p, 2, &how));
		for (int n = 0; n < 2; n++)
			ct_process_free(&p[n]);
	}
}

static void test_mixed(void **state)
{
	struct ct_diff *diff = *state;

	add_run(diff, CT_BEFORE, process(0, 0, 10));
	add_run(diff, CT_BEFORE, process(0, 20, 30));
	assert_null(ct_diff_mixed(&diff->sides[CT_BEFORE]));
	add_run(diff, CT_BEFORE, process(1, 40, 50)); /* another rank: of the same run? */
	assert_non_null(ct_diff_mixed(&diff->sides[CT_BEFORE]));
	add_run(diff, CT_AFTER, process(0, 0, 10));
	add_run(diff, CT_AFTER, process(0, 5, 15));
	assert_non_null(ct_diff_mixed(&diff->sides[CT_AFTER]));
}

/* Places beyond those kept of a process are not said to be gone, or new, without more. */
static void test_others(void **state)
{
	static const char *const places[] = { "a.cu:1 f", CT_PROCESS_OTHERS };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ct_diff *diff = ct_diff_create(CT_DIFF_PERCENT);
		char *text = NULL;
		size_t size;
		FILE *to = open_memstream(&text, &size);

		assert_non_null(to);
		for (int side = 0; side < CT_SIDES; side++) {
			diff->sides[side].name = "runs";
			simple_run(diff, side, places[side && i], RUN_MS, 1);
		}
		assert_int_equal(ct_diff_make(diff), 0);
		ct_report_diff(diff, to);
		fclose(to);
		assert_int_equal(strstr(text, "new and gone ones may be among them") != NULL, i);
		free(text);
		ct_diff_destroy(diff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIFF_TEST(test_unchanged),    DIFF_TEST(test_planted),
		DIFF_TEST(test_better),       DIFF_TEST(test_ranks_add_up),
		DIFF_TEST(test_mixed),        cmocka_unit_test(test_one_run),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_noise), cmocka_unit_test(test_match),
		cmocka_unit_test(test_unlike), cmocka_unit_test(test_match_more),
		cmocka_unit_test(test_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
