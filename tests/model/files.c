/* SPDX-License-Identifier: Apache-2.0 */
/* The file that is written and what is seen of it, in memory; and the calls that lead to them. */
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/model/step.h"

/* In the place of libc's: the writer's begin with model_, the reader's with seen_. */
int model_open(const char *path, int flags, ...);
int model_fstat(int fd, struct stat *ret_stat);
int model_close(int fd);
int model_fallocate(int fd, off_t offset, off_t bytes);
void *model_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int model_munmap(void *address, size_t bytes);
int model_madvise(void *address, size_t bytes, int advice);
int model_clock_gettime(clockid_t clock, struct timespec *ret_time);
void *seen_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);

alignas(4096) uint8_t model_written[MODEL_FILE_BYTES];
alignas(4096) uint8_t model_seen[MODEL_FILE_BYTES];

int64_t model_offset(const void *address)
{
	const uint8_t *at = address;

	return at >= model_written && at < model_written + MODEL_FILE_BYTES ? at - model_written : -1;
}

int model_open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	return 0;
}

int model_fstat(int fd, struct stat *ret_stat)
{
	(void)fd;
	*ret_stat = (struct stat){ .st_mode = S_IFREG, .st_size = MODEL_FILE_BYTES };
	return 0;
}

int model_close(int fd)
{
	(void)fd;
	return 0;
}

int model_fallocate(int fd, off_t offset, off_t bytes)
{
	(void)fd;
	return offset + bytes > MODEL_FILE_BYTES;
}

void *model_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	return fd < 0 ? mmap(address, bytes, protection, flags, fd, offset) : model_written + offset;
}

int model_munmap(void *address, size_t bytes)
{
	model_flush();
	if (model_offset(address) >= 0 || address == model_seen)
		return 0;
	return munmap(address, bytes);
}

int model_madvise(void *address, size_t bytes, int advice)
{
	(void)address;
	(void)bytes;
	(void)advice;
	return 0;
}

/* The same times in every run; long after those of the records. */
int model_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	(void)clock;
	*ret_time = (struct timespec){ .tv_sec = 1000 };
	return 0;
}

void *seen_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	(void)address;
	(void)bytes;
	(void)protection;
	(void)flags;
	(void)fd;
	return model_seen + offset;
}
