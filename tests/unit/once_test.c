/* SPDX-License-Identifier: Apache-2.0 */
/* Once, seen from inside, from other threads, and from a child forked in the midst of it. */
#include "shim/once.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define THREADS 8

static ct_once_state state;
static atomic_int runs, waiting;
static bool inside, again, of_child;

static void count(void)
{
	atomic_fetch_add(&runs, 1);
}

static bool ask_in_child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(ct_once(&state, count));
	waitpid(pid, &status, 0);
	return status;
}

/* Until the others are there, and some of them wait. */
static void run(void)
{
	count();
	while (atomic_load(&waiting) < THREADS - 1)
		usleep(1000);
	usleep(20 * 1000);
	inside = ct_once_inside(&state);
	again = ct_once(&state, count);
	of_child = ask_in_child();
}

static void *ask(void *unused)
{
	(void)unused;
	atomic_fetch_add(&waiting, 1);
	assert_true(ct_once(&state, run));
	assert_int_equal(atomic_load(&runs), 1);
	assert_false(ct_once_inside(&state));
	return NULL;
}

static void test_once(void **unused)
{
	pthread_t threads[THREADS];

	(void)unused;
	assert_false(ct_once_inside(&state));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&runs), 1);
	assert_true(inside);
	assert_false(again);
	assert_false(of_child);
	assert_true(ct_once(&state, count));
	assert_int_equal(atomic_load(&runs), 1);
}

static ct_once_state left;
static jmp_buf away;

static void leave(void)
{
	count();
	longjmp(away, 1);
}

static void *ask_for_left(void *unused)
{
	(void)unused;
	assert_false(ct_once(&left, count));
	return NULL;
}

/* By longjmp(): the others wait, but not for ever, and nobody runs it a second time. */
static void test_left(void **unused)
{
	pthread_t threads[THREADS];

	(void)unused;
	atomic_store(&runs, 0);
	ct_once_patience_ns = 20 * 1000 * 1000;
	if (setjmp(away) == 0)
		ct_once(&left, leave);
	assert_false(ct_once(&left, count));
	assert_false(ct_once_given_up(&left));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_for_left, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(ct_once_given_up(&left));
	assert_false(ct_once(&left, count));
	assert_int_equal(atomic_load(&runs), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_once), cmocka_unit_test(test_left) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
