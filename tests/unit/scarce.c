/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scarce.h"

#include <assert.h>
#include <errno.h>
#include <execinfo.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACKS 16384
#define DEPTH 48

struct stack {
	int count;
	void *pc[DEPTH]; /* from who allocates on: most differ in that already */
};

static struct stack stacks[STACKS];
static size_t stack_count, first_learned, alive;
static int outside; /* frames of who asked, and of what it runs: no part of a place */
static void *known, *living; /* of tsearch() */
static bool learning, failed;
static const struct stack *failing; /* NULL: none */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_reallocarray(void *old, size_t count, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
FILE *__real_open_memstream(char **text, size_t *size);
FILE *__real_fdopen(int fd, const char *mode);
int __real_fclose(FILE *stream);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_reallocarray(void *old, size_t count, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);
FILE *__wrap_open_memstream(char **text, size_t *size);
FILE *__wrap_fdopen(int fd, const char *mode);
int __wrap_fclose(FILE *stream);
void __wrap_free(void *memory);

static int by_stack(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	return x->count != y->count ? x->count - y->count
				    : memcmp(x->pc, y->pc, (size_t)x->count * sizeof(x->pc[0]));
}

static int by_address(const void *a, const void *b)
{
	return (a > b) - (a < b);
}

/* The frames from a caller's on, without those of whoever is nearer (sanitizers have some). */
static int frames_from(const void *caller, void *pc[DEPTH])
{
	int count = backtrace(pc, DEPTH), first = 0;

	while (first < count && pc[first] != caller)
		first++;
	assert(first < count);
	memmove(pc, pc + first, (size_t)(count - first) * sizeof(pc[0]));
	return count - first;
}

static void look(const void *caller, struct stack *ret)
{
	ret->count = frames_from(caller, ret->pc) - outside;
	assert(ret->count > 0);
}

static void learn(const void *caller)
{
	struct stack *fresh = &stacks[stack_count], **found;

	look(caller, fresh);
	found = tsearch(fresh, &known, by_stack);
	assert(found);
	if (*found == fresh)
		stack_count++;
	assert(stack_count < STACKS);
}

/* Is it the first allocation of that stack? */
static bool hits(const void *caller)
{
	struct stack here;

	if (failed || caller != failing->pc[0])
		return false;
	look(caller, &here);
	return by_stack(&here, failing) == 0;
}

/* Of all that allocates: is it this one that fails? */
static bool fails(const void *caller)
{
	if (learning)
		learn(caller);
	if (!failing || !hits(caller))
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

static void *born(void *memory)
{
	if (memory) {
		tsearch(memory, &living, by_address);
		alive++;
	}
	return memory;
}

/* What libraries allocated is freed by us as well. */
static void gone(void *memory)
{
	if (memory && tdelete(memory, &living, by_address))
		alive--;
}

void *__wrap_malloc(size_t bytes)
{
	return fails(__builtin_return_address(0)) ? NULL : born(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails(__builtin_return_address(0)) ? NULL : born(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *old, size_t bytes)
{
	if (fails(__builtin_return_address(0)))
		return NULL;
	gone(old);
	return born(__real_realloc(old, bytes));
}

void *__wrap_reallocarray(void *old, size_t count, size_t bytes)
{
	if (fails(__builtin_return_address(0)))
		return NULL;
	gone(old);
	return born(__real_reallocarray(old, count, bytes));
}

char *__wrap_strdup(const char *text)
{
	return fails(__builtin_return_address(0)) ? NULL : born(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t most)
{
	return fails(__builtin_return_address(0)) ? NULL : born(__real_strndup(text, most));
}

FILE *__wrap_open_memstream(char **text, size_t *size)
{
	return fails(__builtin_return_address(0)) ? NULL : born(__real_open_memstream(text, size));
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
	return fails(__builtin_return_address(0)) ? NULL : born(__real_fdopen(fd, mode));
}

int __wrap_fclose(FILE *stream)
{
	gone(stream);
	return __real_fclose(stream);
}

void __wrap_free(void *memory)
{
	gone(memory);
	__real_free(memory);
}

/* Those from the caller's on, and one for the function that it will run. */
static int frames_outside(const void *caller)
{
	void *pc[DEPTH];

	return frames_from(caller, pc) + 1;
}

void scarce_learn(void)
{
	outside = frames_outside(__builtin_return_address(0));
	first_learned = stack_count;
	learning = true;
}

size_t scarce_learned(void)
{
	learning = false;
	return stack_count - first_learned;
}

void scarce_fail(size_t place)
{
	outside = frames_outside(__builtin_return_address(0));
	failing = &stacks[first_learned + place];
	failed = false;
}

bool scarce_end(void)
{
	failing = NULL;
	return failed;
}

void scarce_print(size_t place)
{
	const struct stack *stack = &stacks[first_learned + place];

	backtrace_symbols_fd(stack->pc, stack->count, 2);
}

size_t scarce_alive(void)
{
	return alive;
}
