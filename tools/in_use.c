/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/in_use.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

bool ct_in_use(const char *path, const struct ct_file_header *header)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_RDLCK);
	bool busy = r < 0 && errno == EAGAIN;

	if (r == 0)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	if (fd >= 0)
		close(fd);
	if (r == 0 || busy)
		return busy;
	return header->finish == CT_FINISH_CUT_OFF &&
	       (kill((pid_t)header->pid, 0) == 0 || errno == EPERM);
}
