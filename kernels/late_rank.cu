/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: which rank do the others wait for in a collective, and what kept it?
 *
 * late_rank FILE is a rank (RANK of WORLD_SIZE) of a program whose ranks meet eight times in a kernel that
 * is named as NCCL's and, as those do, lasts until all have come; FILE is memory that they share, a page
 * of zeros at first. Rank 1 frees memory while a 20 ms kernel runs before each meeting. Alone, without
 * arguments, it meets nobody: then nothing is late, and the kernel ends at once.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "expect.h"

#define MEETINGS 8
#define PAGE 4096
#define ALL_REDUCE ncclDevKernel_AllReduce_Sum_f32_meet

/* As tests/fake has it, which does what the kernel would. */
struct meeting {
	unsigned int come, unused;
	unsigned long long last_ns;
};

extern "C" __global__ void ALL_REDUCE(struct meeting *at, unsigned int all)
{
	atomicAdd_system(&at->come, 1);
	while (*(volatile unsigned int *)&at->come < all)
		;
}

static unsigned int variable(const char *name, unsigned int without)
{
	const char *value = getenv(name);

	return value ? (unsigned int)atoi(value) : without;
}

static struct meeting *shared_memory(const char *path)
{
	int fd = path ? open(path, O_RDWR) : -1;
	void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | (path ? 0 : MAP_ANONYMOUS),
			    fd, 0);

	if (memory == MAP_FAILED) {
		perror(path ? path : "mmap");
		exit(1);
	}
	CHECK(cudaHostRegister(memory, PAGE, cudaHostRegisterDefault));
	return (struct meeting *)memory;
}

/* Begin together: the last of the page's entries is the host's. */
static void wait_for_all(struct meeting *at, unsigned int all)
{
	__atomic_add_fetch(&at->come, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&at->come, __ATOMIC_ACQUIRE) < all)
		sleep_ns(MS / 10);
}

static void work(bool late)
{
	void *memory = device_memory(MIB);

	if (late)
		launch_spin(20 * MS, 0);
	CHECK(cudaFree(memory));
}

int main(int argc, char **argv)
{
	unsigned int rank = variable("RANK", 0), all = argc > 1 ? variable("WORLD_SIZE", 1) : 1;
	struct meeting *meetings;
	cudaStream_t stream;
	int sync_line = 0;

	warm_up();
	stream = non_blocking_stream();
	meetings = shared_memory(argc > 1 ? argv[1] : NULL);
	wait_for_all(&meetings[MEETINGS], all);
	for (int i = 0; i < MEETINGS; i++) {
		work(rank == 1);
		ALL_REDUCE<<<1, 1, 0, stream>>>(&meetings[i], all);
		CHECK(cudaGetLastError());
		AT(sync_line, cudaStreamSynchronize(stream));
	}

	expect("device kernel %d", 1 + MEETINGS * (rank == 1 ? 2 : 1));
	expect("calls cudaStreamSynchronize %d at=%s", MEETINGS, SITE(sync_line));
	expect("calls cudaFree %d", MEETINGS);
	return done();
}
