/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded before cutrace: every call of it that a signal may interrupt fails with EINTR twice
 * out of three times, each function's first one too, as with a signal that comes at just that
 * moment. With INTERRUPTER_RAISES SIGUSR2 does come in all of them, and they go on. What the
 * program itself and the C library call is left alone. Says how often.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_uint interrupted;
static atomic_uint opened, allocated, written, read_from, waited; /* calls of each */
static pid_t (*real_waitpid)(pid_t pid, int *status, int options);

static bool of_cutrace(const void *site)
{
	Dl_info info;

	return dladdr(site, &info) && strstr(info.dli_fname, "libcutrace");
}

static bool interrupt(const void *site, atomic_uint *calls)
{
	bool raises = getenv("INTERRUPTER_RAISES");

	if (!of_cutrace(site) || (!raises && atomic_fetch_add(calls, 1) % 3 == 2))
		return false;
	atomic_fetch_add(&interrupted, 1);
	if (raises)
		raise(SIGUSR2);
	return !raises;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Each under both of its names: that of 64-bit offsets is what the compiler makes of it. */
#define EXPORT __attribute__((visibility("default")))
EXPORT int ours_open(const char *path, int flags, mode_t mode) __asm__("open");
EXPORT int ours_open64(const char *path, int flags, mode_t mode) __asm__("open64");
EXPORT int ours_fallocate(int fd, off_t offset, off_t bytes) __asm__("posix_fallocate");
EXPORT int ours_fallocate64(int fd, off_t offset, off_t bytes) __asm__("posix_fallocate64");
EXPORT ssize_t ours_write(int fd, const void *bytes, size_t count) __asm__("write");
EXPORT ssize_t ours_read(int fd, void *bytes, size_t count) __asm__("read");
EXPORT pid_t ours_waitpid(pid_t pid, int *status, int options) __asm__("waitpid");

static int open_at(const void *site, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *, int, ...);

	*(void **)&real = next("open64");
	if (!interrupt(site, &opened))
		return real(path, flags, mode);
	errno = EINTR;
	return -1;
}

int ours_open(const char *path, int flags, mode_t mode)
{
	return open_at(__builtin_return_address(0), path, flags, mode);
}

int ours_open64(const char *path, int flags, mode_t mode)
{
	return open_at(__builtin_return_address(0), path, flags, mode);
}

static int fallocate_at(const void *site, int fd, off_t offset, off_t bytes)
{
	int (*real)(int, off_t, off_t);

	*(void **)&real = next("posix_fallocate64");
	return interrupt(site, &allocated) ? EINTR : real(fd, offset, bytes);
}

int ours_fallocate(int fd, off_t offset, off_t bytes)
{
	return fallocate_at(__builtin_return_address(0), fd, offset, bytes);
}

int ours_fallocate64(int fd, off_t offset, off_t bytes)
{
	return fallocate_at(__builtin_return_address(0), fd, offset, bytes);
}

ssize_t ours_write(int fd, const void *bytes, size_t count)
{
	ssize_t (*real)(int, const void *, size_t);

	*(void **)&real = next("write");
	if (!interrupt(__builtin_return_address(0), &written))
		return real(fd, bytes, count);
	errno = EINTR;
	return -1;
}

ssize_t ours_read(int fd, void *bytes, size_t count)
{
	ssize_t (*real)(int, void *, size_t);

	*(void **)&real = next("read");
	if (!interrupt(__builtin_return_address(0), &read_from))
		return real(fd, bytes, count);
	errno = EINTR;
	return -1;
}

/* Looked up beforehand: cutrace's helper, which shares our memory, had better not. */
__attribute__((constructor)) static void find_waitpid(void)
{
	*(void **)&real_waitpid = next("waitpid");
}

pid_t ours_waitpid(pid_t pid, int *status, int options)
{
	if (!interrupt(__builtin_return_address(0), &waited))
		return real_waitpid(pid, status, options);
	errno = EINTR;
	return -1;
}

__attribute__((destructor)) static void say(void)
{
	printf("%u calls interrupted\n", atomic_load(&interrupted));
	fflush(stdout);
}
