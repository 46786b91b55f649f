/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peak FD PROGRAM [ARGUMENT...]: run it, and write the most memory that it had, in KiB, to FD.
 * A process has the memory of who started it until it runs another program, and that counts:
 * this one has next to none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid;

	if (argc < 3)
		return 2;
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
		return 127;
	dprintf(atoi(argv[1]), "%ld", usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
