/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs in kernels/ share. Each program asks one question, and prints the
 * facts that a right report about it must state, computed from its own knowledge:
 *
 *   expect: calls NAME COUNT [at=SITE]       NAME is in calls.csv exactly COUNT times
 *   expect: captured NAME COUNT              so many of its calls were captured into a graph
 *   expect: in_range NAME RANGE COUNT        so many of its calls have this as innermost NVTX range
 *   expect: device KIND COUNT [device=N] [on=]   rows of device.csv; kernel, copy, memset, graph
 *   expect: stream KIND COUNT [priority=]    rows of streams.csv
 *   expect: blocked NAME class=CLASS [..]    waits in blocked.csv (filters below)
 *   expect: not_blocked NAME [at=] [below=]  device, lock and queue wait of each call < below
 *   expect: pageable NAME at=SITE            the copy made there is of pageable host memory
 *   expect: serialized NAME [at=] [victim=] [count] [lost=LO..HI]   lost: sum of the rows
 *   expect: site_lost NAME [at=] ns=LO..HI   what callsites.csv says this call site lost
 *   expect: not_serialized NAME [at=] [victim=]   no row of serialized.csv has this culprit
 *   expect: nothing_serialized               serialized.csv is empty
 *
 * Filters: at=FILE:LINE, on="how the name of what it waited for (or ran) begins", ns=LO..HI (each
 * row), total=LO..HI (their sum). The rows left must be count>=N or count=N (default
 * count>=1). Times are nanoseconds; either end of a range may be left open. below=
 * defaults to 1e6. Facts that follow from what a run measured of itself, by its own clock,
 * differ from run to run: they are printed as "measured: expect: ..". What no manual says
 * and no report need state is printed as seen: "measured: seen: ..". CLASS is the name of a part of a call's time, or polling: queries asked
 * again and again. tests/facts.py is the reader. Bounds hold on an H100 or H200 and, for
 * the programs that need no GPU, on a two-core machine with the stand-in of tests/fake.
 * There no kernel is executed: one whose name has "spin" in it takes the time of its first
 * argument, so no program may depend on what a kernel computes.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS 1000000LL /* nanoseconds */
#define MIB (1024UL * 1024UL)

/* "file.cu:12", for at=: the line of the calling file's call. Good for eight at a time. */
#define SITE(line) site_of(__FILE__, line)

static inline const char *site_of(const char *path, int line)
{
	static char sites[8][64];
	static unsigned int next;
	const char *slash = strrchr(path, '/');
	char *site = sites[next++ % 8];

	snprintf(site, sizeof(sites[0]), "%s:%d", slash ? slash + 1 : path, line);
	return site;
}

__attribute__((format(printf, 1, 2))) static inline void expect(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("expect: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* A fact that holds for this run only, since it was computed from times measured in it. */
__attribute__((format(printf, 1, 2))) static inline void expect_measured(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("measured: expect: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* What the device or the driver did, about which nothing is documented. */
__attribute__((format(printf, 1, 2))) static inline void seen(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("measured: seen: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

/* Of a call of which no manual says whether it waits for a kernel: if it took half as long, it did. */
static inline void seen_to_wait(const char *what, long long took_ns, long long kernel_ns)
{
	seen("%s %s (%.3f ms)", what, took_ns > kernel_ns / 2 ? "waits" : "does not wait",
	     (double)took_ns / 1e6);
}

static inline int done(void)
{
	puts("done");
	return 0;
}

static inline long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void sleep_ns(long long ns)
{
	struct timespec time = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	nanosleep(&time, NULL);
}

#ifdef __CUDACC__

#define CHECK(...) check((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

/* CHECK a call and remember its line. */
#define AT(ret_line, ...)                                                                          \
	do {                                                                                       \
		(ret_line) = __LINE__;                                                             \
		CHECK(__VA_ARGS__);                                                                \
	} while (0)

static inline void check(cudaError_t error, const char *call, const char *file, int line)
{
	if (error == cudaSuccess)
		return;
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, cudaGetErrorString(error));
	exit(1);
}

/* Take ns nanoseconds. */
__device__ static inline void spin_for(long long ns)
{
	long long start, now;

	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
	do {
		asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
	} while (now - start < ns);
}

/* A kernel under a name of its own, which facts can tell from others; it must hold "spin". */
#define SPIN_KERNEL(name)                                                                          \
	__global__ void name(long long ns)                                                         \
	{                                                                                          \
		spin_for(ns);                                                                      \
	}

SPIN_KERNEL(spin)

/* On one thread: many of these run side by side. */
static inline void launch(void (*kernel)(long long), long long ns, cudaStream_t stream)
{
	kernel<<<1, 1, 0, stream>>>(ns);
	CHECK(cudaGetLastError());
}

static inline void launch_spin(long long ns, cudaStream_t stream)
{
	launch(spin, ns, stream);
}

/* One that neither waits for the default stream nor makes it wait. */
static inline cudaStream_t non_blocking_stream(void)
{
	cudaStream_t stream;

	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
	return stream;
}

/* What cudaStreamCreate makes: ordered with the legacy default stream. */
static inline cudaStream_t blocking_stream(void)
{
	cudaStream_t stream;

	CHECK(cudaStreamCreate(&stream));
	return stream;
}

static inline void *device_memory(size_t bytes)
{
	void *memory;

	CHECK(cudaMalloc(&memory, bytes));
	return memory;
}

static inline void *pinned_memory(size_t bytes)
{
	void *memory;

	CHECK(cudaMallocHost(&memory, bytes));
	memset(memory, 0, bytes);
	return memory;
}

static inline void *pageable_memory(size_t bytes)
{
	void *memory = malloc(bytes);

	memset(memory, 0, bytes);
	return memory;
}

/* Ends the program as skipped where there are fewer devices. */
static inline void need_devices(int wanted)
{
	int count = 0;

	CHECK(cudaGetDeviceCount(&count));
	if (count >= wanted)
		return;
	fprintf(stderr, "skipped: it takes %d devices, and there is %d\n", wanted, count);
	exit(77);
}

/* The stand-in of tests/fake, which executes no kernel? */
static inline bool on_fake_device(void)
{
	cudaDeviceProp device;

	CHECK(cudaGetDeviceProperties(&device, 0));
	return strstr(device.name, "Fake");
}

/*
 * "lo..hi", for lost= or ns=, where exactly ns is lost by construction: within 5 % on a GPU.
 * The stand-in's threads compete for two cores, with the program and whatever else runs there,
 * and its copies are the host's: one took 1.4 times as long as the one before it. What is lost
 * twice is still found out.
 */
static inline const char *about(long long ns)
{
	static char ranges[8][64];
	static unsigned int next;
	char *range = ranges[next++ % 8];
	double below = on_fake_device() ? 0.5 : 0.95, above = on_fake_device() ? 1.9 : 1.05;

	snprintf(range, sizeof(ranges[0]), "%.4g..%.4g", (double)ns * below, (double)ns * above);
	return range;
}

static inline void launch_each(void)
{
}

/* Recursion, as C++14 has no fold expressions (meson.build says why it is C++14). */
template <typename Kernel, typename... Kernels>
static inline void launch_each(Kernel kernel, Kernels... others)
{
	launch(kernel, 1000, 0);
	launch_each(others...);
}

/*
 * Create the context, so that no later call pays for it, and load the kernels named, or
 * spin: one cudaSetDevice, one launch a kernel, one cudaDeviceSynchronize.
 */
template <typename... Kernels> static inline void warm_up(Kernels... kernels)
{
	CHECK(cudaSetDevice(0));
	launch_each(kernels...);
	CHECK(cudaDeviceSynchronize());
}

/* The same on devices 0 and 1; the first of them is current afterwards. */
template <typename... Kernels> static inline void warm_up_two(Kernels... kernels)
{
	CHECK(cudaSetDevice(1));
	launch_each(kernels...);
	CHECK(cudaDeviceSynchronize());
	warm_up(kernels...);
}

static inline cudaStream_t non_blocking_stream_on(int device)
{
	CHECK(cudaSetDevice(device));
	return non_blocking_stream();
}

/* On the device that the stream is of. */
static inline void launch_on(int device, void (*kernel)(long long), long long ns,
			     cudaStream_t stream)
{
	CHECK(cudaSetDevice(device));
	launch(kernel, ns, stream);
}

static inline void warm_up(void)
{
	warm_up(spin);
}

#endif /* __CUDACC__ */
#endif
