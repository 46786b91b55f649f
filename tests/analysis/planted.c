/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defects for self_test.py, which has each tool of analysis.py find those of its kind. PLANTED
 * says which one is met: by a program, or by any that this is preloaded into.
 */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int shared;

/* valgrind, AddressSanitizer: a byte too far. */
static void overrun(void)
{
	volatile size_t size = 8;
	volatile char *block = malloc(size);

	shared = block ? block[size] : 0;
	free((void *)block);
}

/* valgrind, AddressSanitizer. Some, as a register may still hold the last. */
static void leak(void)
{
	for (volatile size_t size = 100; size < 110; size++)
		memset(malloc(size), 1, size);
}

/* UndefinedBehaviorSanitizer. */
static void overflow(void)
{
	volatile int most = INT_MAX;

	shared = most + 1;
}

static void *count(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		shared++;
	return NULL;
}

/* ThreadSanitizer. */
static void race(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, count, NULL) != 0)
		return;
	count(NULL);
	pthread_join(other, NULL);
}

/* gcc's analyser: there may be no memory. */
static void careless(void)
{
	volatile int *number = malloc(sizeof(*number));

	*number = 1;
	shared = *number;
	free((void *)number);
}

/* clang-tidy: one byte too few, not one too many. */
static void misplaced(void)
{
	free(malloc(strlen("planted" + 1)));
}

static const struct {
	const char *name;
	void (*meet)(void);
} defects[] = {
	{ "overrun", overrun }, { "leak", leak }, { "overflow", overflow }, { "race", race },
	{ "careless", careless }, { "misplaced", misplaced },
};

__attribute__((constructor)) static void meet(void)
{
	const char *planted = getenv("PLANTED");

	for (size_t i = 0; planted && i < sizeof(defects) / sizeof(defects[0]); i++)
		if (strcmp(defects[i].name, planted) == 0)
			defects[i].meet();
}

#ifndef PRELOADED
int main(void)
{
	return 0;
}
#endif
