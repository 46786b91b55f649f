/* SPDX-License-Identifier: Apache-2.0 */
/* Programs with many threads, of which some end early and some while others go on. */
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "victim.h"

#define THREADS_MAX 512
#define KERNEL_NS 1000

struct member {
	pthread_t thread;
	int number, rounds, good;
	long tid;
};

static pthread_barrier_t all_here;

/* Allocate, launch and free: three calls a round. */
static int one_round(void)
{
	void *memory;

	return cudaMalloc(&memory, 4096) || victim_kernel(KERNEL_NS) || cudaFree(memory);
}

static void *member_works(void *arg)
{
	struct member *member = arg;
	char name[16];

	snprintf(name, sizeof(name), "member %d", member->number);
	prctl(PR_SET_NAME, name);
	member->tid = syscall(SYS_gettid);
	pthread_barrier_wait(&all_here); /* all are alive at once: no tid comes twice */
	for (int i = 0; i < member->rounds; i++)
		member->good += one_round() == 0;
	return NULL;
}

/* So many threads at once; each says who it was and how much it did. */
static int crowd(const char *count)
{
	static struct member members[THREADS_MAX];
	int threads = atoi(count);

	pthread_barrier_init(&all_here, NULL, (unsigned)threads);
	for (int i = 0; i < threads; i++) {
		members[i].number = i;
		members[i].rounds = (i + 1) % 4; /* some end early, some never call at all */
		victim_must(pthread_create(&members[i].thread, NULL, member_works, &members[i]),
			    "pthread_create");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(members[i].thread, NULL);
		victim_say("%ld member %d: %d", members[i].tid, i, members[i].good);
	}
	return 0;
}

static void *wave_works(void *ret_good)
{
	for (int i = 0; i < 3; i++)
		*(int *)ret_good += one_round() == 0;
	return NULL;
}

static atomic_bool enough;

static void *works_all_along(void *ret_good)
{
	while (!atomic_load(&enough)) {
		*(int *)ret_good += one_round() == 0;
		usleep(500);
	}
	return NULL;
}

/* Kilobytes of this process: resident, and mapped in all. */
static void measure(long *ret_resident, long *ret_mapped)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages[2] = { 0 };

	victim_must(!file || fscanf(file, "%ld %ld", &pages[0], &pages[1]) != 2, "reading statm");
	fclose(file);
	*ret_mapped = pages[0] * (sysconf(_SC_PAGESIZE) / 1024);
	*ret_resident = pages[1] * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Waves of 16 threads that come and go while one goes on; what memory stays with us. */
static int waves(const char *count)
{
	long resident[2], mapped[2];
	int good[16] = { 0 }, along = 0, sum = 0, number = atoi(count);
	pthread_t threads[16], long_lived;
	pthread_attr_t small; /* so that all stacks stay in the C library's cache */

	pthread_attr_init(&small);
	victim_must(pthread_attr_setstacksize(&small, 256 * 1024), "setting the stack size");
	victim_must(pthread_create(&long_lived, NULL, works_all_along, &along), "pthread_create");
	for (int wave = 0; wave < number; wave++) {
		for (int i = 0; i < 16; i++)
			victim_must(pthread_create(&threads[i], &small, wave_works, &good[i]),
				    "pthread_create");
		for (int i = 0; i < 16; i++)
			pthread_join(threads[i], NULL);
		if (wave == 4)
			measure(&resident[0], &mapped[0]);
	}
	measure(&resident[1], &mapped[1]);
	atomic_store(&enough, true);
	pthread_join(long_lived, NULL);
	for (int i = 0; i < 16; i++)
		sum += good[i];
	victim_say("%d rounds in waves", sum);
	victim_say("%d rounds along", along);
	victim_say("%ld kB more resident", resident[1] - resident[0]);
	victim_say("%ld kB more mapped", mapped[1] - mapped[0]);
	return 0;
}

const struct victim_mode victim_crowds[] = {
	{ "crowd", crowd },
	{ "waves", waves },
	{ 0 },
};
