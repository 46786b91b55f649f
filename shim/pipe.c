/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first walk of libunwind opens a pipe that it keeps. Programs close descriptors that they
 * did not open, and libunwind would read, write and close whatever gets their numbers next: so
 * pipes that are opened by our doing get numbers that programs do not use. To everybody else
 * this is the system's pipe2().
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/thread.h"

#define OURS 1100 /* numbers below are the program's; loops that close end at 1024 */
#define ROOM 16   /* so many are ours under a limit lower than that */

static int first_of_ours(void)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < OURS + ROOM ? (int)limit.rlim_cur - ROOM : OURS;
}

static void move_away(int *fd, int flags)
{
	int moved = fcntl(*fd, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, first_of_ours());

	if (moved < 0)
		return;
	close(*fd);
	*fd = moved;
}

__attribute__((visibility("default"))) int pipe2(int fd[2], int flags);

int pipe2(int fd[2], int flags)
{
	const struct ct_thread *thread = ct_thread_peek();
	int r = (int)syscall(SYS_pipe2, fd, flags), saved = errno;

	if (r == 0 && thread && thread->in_tool) {
		move_away(&fd[0], flags);
		move_away(&fd[1], flags);
	}
	errno = saved;
	return r;
}
