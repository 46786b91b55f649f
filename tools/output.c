/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tool.h"
#include "trace/folders.h"

static char *volatile unfinished; /* the temporary file, while it is there */

static void clean_up(int signal)
{
	if (unfinished)
		unlink(unfinished);
	raise(signal); /* reset by SA_RESETHAND: this ends us */
}

/* Fills *ret with the signals that are answered so. */
static void clean_up_on_signals(sigset_t *ret)
{
	const struct sigaction action = { .sa_handler = clean_up, .sa_flags = (int)SA_RESETHAND };
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };
	struct sigaction old;

	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaddset(ret, signals[i]);
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(signals[i], &action, NULL);
	}
}

/* A signal comes before the file is there, or when its name is known. */
int ct_output_temporary(char *name)
{
	sigset_t signals, before;
	int fd, err;

	clean_up_on_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, &before);
	fd = mkostemp(name, O_CLOEXEC);
	err = errno;
	if (fd >= 0)
		unfinished = name;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return fd;
}

void ct_output_kept(void)
{
	unfinished = NULL;
}

/* "a/b" -> "a/.b.XXXXXX" */
static int name_temporary(struct ct_output *output)
{
	const char *slash = strrchr(output->path, '/');
	const char *name = slash ? slash + 1 : output->path;
	int length = (int)(name - output->path);

	if (!*name)
		return ct_fail(output->path, "not the name of a file");
	if (snprintf(output->temporary, sizeof(output->temporary), "%.*s.%s.XXXXXX", length,
		     output->path, name) >= (int)sizeof(output->temporary))
		return ct_fail(output->path, "the name is too long");
	return 0;
}

/* The folder that the file goes to, where it is missing: as for traces and tables. */
static int make_folder(struct ct_output *output)
{
	char *slash = strrchr(output->temporary, '/');
	int r;

	if (!slash || slash == output->temporary)
		return 0;
	*slash = '\0';
	r = ct_make_folder(output->temporary, 0777);
	*slash = '/';
	return r == -EEXIST ? 0 : r;
}

static int refuse(const char *path)
{
	return ct_fail(path, "is there already; --force replaces it");
}

/* A device, a pipe, /dev/stdout: putting a file in its place would take it from everybody. */
static bool is_special(const char *path)
{
	char target[32] = "";
	struct stat st;

	if (readlink(path, target, sizeof(target) - 1) > 0 && !strncmp(target, "/proc/", 6))
		return true;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

int ct_output_open(struct ct_output *output, const char *path, bool by_name, bool replace)
{
	int fd, r;

	*output = (struct ct_output){ .to = stdout, .replace = replace };
	if (!path || !strcmp(path, "-"))
		return 0;
	output->path = path;
	if (!replace && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return refuse(path);
	if (is_special(path))
		return ct_fail(path, "is no file that could be replaced; give the name of another");
	if (name_temporary(output) != 0)
		return CT_EXIT_FAILED;
	r = make_folder(output);
	fd = r < 0 ? r : ct_output_temporary(output->temporary);
	if (fd < 0)
		return ct_fail(path, strerror(r < 0 ? -r : errno));
	output->to = by_name ? NULL : fdopen(fd, "w");
	if (output->to)
		return 0;
	close(fd);
	if (by_name)
		return 0;
	ct_output_close(output, -ENOMEM);
	return ct_fail(path, strerror(ENOMEM));
}

/* Returns 0 or -errno. */
static int put_in_place(const struct ct_output *output)
{
	if (output->replace)
		return rename(output->temporary, output->path) < 0 ? -errno : 0;
	if (renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	/* a file system that cannot do that may have links, which replace nothing either */
	if (link(output->temporary, output->path) < 0)
		return -errno;
	unlink(output->temporary);
	return 0;
}

static int flush(struct ct_output *output)
{
	if (!output->to)
		return 0;
	if (fflush(output->to) != 0)
		return -errno;
	return ferror(output->to) ? -EIO : 0;
}

int ct_output_close(struct ct_output *output, int r)
{
	int failed = r == 0 ? flush(output) : 0;

	if (!output->path)
		return failed ? ct_fail("standard output", strerror(-failed)) : 0;
	if (output->to && fclose(output->to) != 0 && !failed)
		failed = -errno;
	if (r == 0 && failed == 0)
		failed = put_in_place(output);
	if (r < 0 || failed)
		unlink(output->temporary);
	unfinished = NULL;
	if (failed == -EEXIST)
		return refuse(output->path);
	return failed ? ct_fail(output->path, strerror(-failed)) : 0;
}
