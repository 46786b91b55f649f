/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what does page-locked memory for each item cost a producer and its consumer?
 *
 * One thread reads items, each into page-locked memory of its own, eight ahead; another sends
 * them to the device, on two streams in turn, and frees an item's memory when it has been used.
 * cudaFreeHost waits for the item after it as well, and meanwhile the first thread cannot
 * allocate: one item at a time, 2 ms, the driver's work and a short pause for each. Fixed: the
 * same eight blocks, around and around: two items at a time.
 */
#include <semaphore.h>
#include <thread>

#include "larger.h"

#define ITEMS 100
#define AHEAD 8
#define BYTES (1 * MIB)
#define KERNEL_NS (2 * MS)
#define PAUSE_NS (300 * US) /* else the lock is hardly ever free, and who has it is chance */

static bool fixed;
static int free_line;
static void *items[AHEAD];  /* a ring */
static sem_t filled, empty;
static void *device[2];
static cudaStream_t streams[2];
static cudaEvent_t used[2];

static void produce(void)
{
	for (uint32_t i = 0; i < ITEMS; i++) {
		sem_wait(&empty);
		if (!fixed)
			CHECK(cudaHostAlloc(&items[i % AHEAD], BYTES, cudaHostAllocDefault));
		fill_words(items[i % AHEAD], BYTES, i);
		sem_post(&filled);
	}
}

/* The item has been copied to the device. */
static void retire(int i)
{
	CHECK(cudaEventSynchronize(used[i % 2]));
	if (!fixed)
		AT(free_line, cudaFreeHost(items[i % AHEAD]));
	sem_post(&empty);
}

static void consume(void)
{
	for (int i = 0; i < ITEMS; i++) {
		cudaStream_t stream = streams[i % 2];

		sem_wait(&filled);
		CHECK(cudaMemcpyAsync(device[i % 2], items[i % AHEAD], BYTES, cudaMemcpyHostToDevice,
				      stream));
		launch_mix(KERNEL_NS, device[i % 2], BYTES, stream);
		CHECK(cudaEventRecord(used[i % 2], stream));
		sleep_ns(PAUSE_NS);
		if (i)
			retire(i - 1);
	}
	retire(ITEMS - 1);
}

static void set_up(void)
{
	warm_up_mix();
	sem_init(&filled, 0, 0);
	sem_init(&empty, 0, AHEAD);
	for (int i = 0; i < 2; i++) {
		device[i] = device_memory(BYTES);
		streams[i] = non_blocking_stream();
		CHECK(cudaEventCreateWithFlags(&used[i], cudaEventDisableTiming));
	}
	for (int i = 0; fixed && i < AHEAD; i++)
		CHECK(cudaHostAlloc(&items[i], BYTES, cudaHostAllocDefault));
}

static uint64_t read_results(void)
{
	void *host = pageable_memory(BYTES);
	uint64_t sum = 0;

	for (int i = 0; i < 2; i++) {
		CHECK(cudaMemcpy(host, device[i], BYTES, cudaMemcpyDeviceToHost));
		sum = sum_words(sum, host, BYTES);
	}
	return sum;
}

int main(int argc, char **argv)
{
	std::thread producer;
	long long start;

	fixed = wants_fixed(argc, argv);
	set_up();
	start = now_ns();
	producer = std::thread(produce);
	consume();
	producer.join();
	CHECK(cudaDeviceSynchronize());
	print_result(read_results());
	print_work(start);

	expect("calls cudaHostAlloc %d", fixed ? AHEAD : ITEMS);
	expect("calls cudaFreeHost %d", fixed ? 0 : ITEMS);
	if (fixed) {
		expect("nothing_serialized");
		return done();
	}
	expect("blocked cudaFreeHost class=device_wait on=mix_spin at=%s count>=80", SITE(free_line));
	expect("serialized cudaFreeHost at=%s victim=mix_spin", SITE(free_line));
	/* half of the kernels' time, less what the other thread's allocations cost where they wait */
	expect("site_lost cudaFreeHost at=%s ns=%lld..%lld", SITE(free_line), ITEMS * KERNEL_NS / 4,
	       ITEMS * KERNEL_NS * 2 / 3);
	return done();
}
