/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs in kernels/ share. Each program asks one question, and prints the
 * facts that a right report about it must state, computed from its own knowledge:
 *
 *   expect: calls NAME COUNT                 NAME is in calls.csv exactly COUNT times
 *   expect: device KIND COUNT                rows of device.csv; KIND: kernel, copy, memset
 *   expect: blocked NAME class=CLASS [..]    waits in blocked.csv (filters below)
 *   expect: not_blocked NAME [at=] [below=]  device, lock and queue wait of each call < below
 *   expect: pageable NAME at=SITE            the copy made there is of pageable host memory
 *   expect: serialized NAME [at=] [victim=] [count] [lost=LO..HI]   lost: sum of the rows
 *   expect: not_serialized NAME [at=]        no row of serialized.csv has this culprit
 *   expect: nothing_serialized               serialized.csv is empty
 *
 * Filters: at=FILE:LINE, on="how the name of what it waited for begins", ns=LO..HI (each
 * row), total=LO..HI (their sum). The rows left must be count>=N or count=N (default
 * count>=1). Times are nanoseconds; either end of a range may be left open. below=
 * defaults to 1e6. tests/facts.py is the reader. Bounds hold on an H100 or H200 and, for
 * the programs that need no GPU, on a two-core machine with the stand-in of tests/fake.
 * There no kernel is executed: one named spin takes the time of its first argument, so no
 * program may depend on what a kernel computes.
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

/* Occupy one SM for ns nanoseconds. */
__global__ void spin(long long ns)
{
	long long start, now;

	asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
	do {
		asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
	} while (now - start < ns);
}

static inline void launch_spin(long long ns, cudaStream_t stream)
{
	spin<<<1, 1, 0, stream>>>(ns);
	CHECK(cudaGetLastError());
}

/* Create the context and load spin: one cudaSetDevice, one launch, one cudaDeviceSynchronize. */
static inline void warm_up(void)
{
	CHECK(cudaSetDevice(0));
	launch_spin(1000, 0);
	CHECK(cudaDeviceSynchronize());
}

#endif /* __CUDACC__ */
#endif
