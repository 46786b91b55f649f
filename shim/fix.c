/* SPDX-License-Identifier: Apache-2.0 */
/* Whether anything is changed, and where it is counted. */
#include "shim/fix.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/options.h"
#include "shim/thread.h"

static struct ct_fix_counts nowhere;
static struct ct_fix_counts *counts = &nowhere;

struct ct_fix_counts *ct_fix_counts(void)
{
	return counts;
}

uint64_t ct_fix_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void ct_fix_begins(void)
{
	uint64_t never = 0;

	if (__atomic_load_n(&counts->began_ns, __ATOMIC_RELAXED))
		return;
	__atomic_compare_exchange_n(&counts->began_ns, &never, ct_fix_now_ns(), false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

void ct_fix_ends(void)
{
	uint64_t *ended = &counts->ended_ns;
	uint64_t now = ct_fix_now_ns(), before = __atomic_load_n(ended, __ATOMIC_RELAXED);

	while (before < now && !__atomic_compare_exchange_n(ended, &before, now, false, __ATOMIC_RELAXED,
							    __ATOMIC_RELAXED))
		; /* another thread's: the later one stays */
}

void ct_fix_spent(uint64_t since_ns)
{
	__atomic_fetch_add(&counts->calls_ns, ct_fix_now_ns() - since_ns, __ATOMIC_RELAXED);
}

bool ct_fix_hide(void)
{
	struct ct_thread *thread = ct_thread_peek();
	bool hidden = thread && thread->in_tool;

	if (thread)
		thread->in_tool = true;
	return hidden;
}

void ct_fix_show(bool hidden)
{
	struct ct_thread *thread = ct_thread_peek();

	if (thread)
		thread->in_tool = hidden;
}

/* NULL where there is no such file, or it is shorter than what is counted. */
static struct ct_fix_file *map(const char *path)
{
	struct ct_fix_file *shared = MAP_FAILED;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(*shared))
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return shared == MAP_FAILED ? NULL : shared;
}

/* A forked child shares the file, and is not the process that is measured. */
static void count_nowhere(void)
{
	counts = &nowhere;
}

static bool claim(struct ct_fix_counts *slot)
{
	uint32_t nobody = 0;

	return __atomic_compare_exchange_n(&slot->pid, &nobody, (uint32_t)getpid(), false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void count_in(const char *path)
{
	struct ct_fix_file *shared = *path ? map(path) : NULL;

	if (!shared)
		return;
	for (size_t i = 0; i < CT_FIX_SLOTS; i++) {
		if (!claim(&shared->slots[i]))
			continue;
		counts = &shared->slots[i];
		pthread_atfork(NULL, NULL, count_nowhere);
		return;
	}
	__atomic_fetch_add(&shared->others, 1, __ATOMIC_RELAXED);
	munmap(shared, sizeof(*shared));
}

void ct_fix_context_ends(void)
{
	ct_fix_free_context_ends();
	ct_fix_last(NULL, NULL);
	ct_fix_pin_context_ends();
}

void ct_fix_install(void)
{
	static uint32_t once;
	const char *path = ct_options_fix_counts();
	enum ct_fix_setting fix = ct_options_fix();
	int saved = errno;

	if ((fix == CT_FIX_OFF && !*path) || __atomic_exchange_n(&once, 1, __ATOMIC_RELAXED))
		return;
	count_in(path);
	ct_fix_rows_install(fix & CT_FIX_FREES, fix & CT_FIX_PINS);
	errno = saved;
}
