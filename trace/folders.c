/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/folders.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Make all above the last part of path, which is written to and restored. */
static int make_above(char *path, mode_t mode)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, mode);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int ct_make_folder(char *path, mode_t mode)
{
	int r;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	r = make_above(path, mode);
	if (r < 0)
		return r;
	return mkdir(path, mode) < 0 ? -errno : 0;
}
