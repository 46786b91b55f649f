/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/args.h"
#include "tools/members.h"
#include "tools/tool.h"

/* Larger traces, added up, would take minutes to analyze while the program seems to hang. */
#define RUN_BYTES_MAX ((off_t)1 << 30)

int ct_preload(void)
{
	char library[PATH_MAX], name[PATH_MAX], both[2 * PATH_MAX];
	const char *before = getenv("LD_PRELOAD");
	int r;

	if (ct_find_library(library, sizeof(library)) < 0)
		return ct_fail("libcutrace.so", "not found beside this command; reinstall cutrace");
	r = ct_preload_name(library, name, sizeof(name));
	if (r < 0)
		return ct_fail(library, strerror(-r));
	snprintf(both, sizeof(both), "%s%s%s", name, before && *before ? ":" : "",
		 before ? before : "");
	setenv("LD_PRELOAD", both, 1);
	return 0;
}

/* Whether the program ran with this switch on; the library has complained about odd values. */
bool ct_switched_on(const char *variable, bool fallback)
{
	static const char *const yes[] = { "1", "on", "yes", "true" };
	static const char *const no[] = { "0", "off", "no", "false" };
	const char *value = getenv(variable);

	for (int i = 0; value && i < 4; i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return true;
		if (strcasecmp(value, no[i]) == 0)
			return false;
	}
	return fallback;
}

/* The directories in the list, those below the current one by their shorter name. */
static void read_list(const char *list, struct ct_members *members)
{
	char here[PATH_MAX], line[PATH_MAX + 1];
	size_t length = getcwd(here, sizeof(here)) ? strlen(here) : 0;
	FILE *names = fopen(list, "r");

	while (names && fgets(line, sizeof(line), names)) {
		const char *directory = line;

		line[strcspn(line, "\n")] = '\0';
		if (length && !strncmp(line, here, length) && line[length] == '/' && line[length + 1])
			directory += length + 1;
		ct_members_add(members, directory);
	}
	if (names)
		fclose(names);
}

/* The trace of a program that died is there, but nobody made its report. */
static void report_leftover(const struct ct_member *member, enum ct_report_mode mode)
{
	char path[PATH_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/report.txt", member->directory);
	if (stat(path, &st) != 0)
		ct_report_one(member->directory, mode);
}

static off_t trace_bytes(const struct ct_members *members)
{
	off_t sum = 0;

	for (size_t i = 0; i < members->count; i++)
		sum += members->at[i].bytes;
	return sum;
}

/*
 * One process has told its own summary, if it could. Of several, a user wants one that
 * tells them apart: that of the run.
 */
static void report_traces(const char *list)
{
	bool quiet = ct_switched_on("CUTRACE_QUIET", false);
	struct ct_members members = { 0 };
	bool large;

	if (!ct_switched_on("CUTRACE_REPORT", true))
		return;
	read_list(list, &members);
	large = trace_bytes(&members) > RUN_BYTES_MAX;
	if (members.count > 1 && !quiet && !large)
		ct_report_several(&members, CT_REPORT_AT_EXIT, NULL);
	else
		for (size_t i = 0; i < members.count; i++)
			report_leftover(&members.at[i],
					quiet || members.count > 1 ? CT_REPORT_WRITE_ONLY
								   : CT_REPORT_AT_EXIT);
	if (members.count > 1 && !quiet && large)
		fprintf(stderr, "cutrace: the traces of %zu processes are large, so no report of the "
			"run was made at its end; run: cutrace report, with their directories\n",
			members.count);
	ct_members_free(&members);
}

/* End as the program did: the same status, or killed by the same signal, without a core. */
static int end_alike(int status)
{
	struct rlimit none = { 0, 0 };

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static pid_t child;

static void pass_on(int signal_number)
{
	kill(child, signal_number);
}

/* Signals from the terminal reach the program by itself; others are passed on to it. */
static void set_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, pass_on);
	signal(SIGHUP, pass_on);
}

static int start_program(char **argv, const char *list)
{
	int status;

	setenv("CUTRACE_STARTED_LIST", list, 1);
	child = fork();
	if (child < 0)
		return ct_fail(argv[0], strerror(errno));
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(argv[0], argv);
		ct_fail(argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	set_signals();
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	report_traces(list);
	unlink(list);
	return end_alike(status);
}

/* --cupti-library=X is CUTRACE_CUPTI_LIBRARY=X. Returns 0, or the exit status. */
static int set_variables(const struct ct_args *args)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (setenv(ct_args_known[args->given[i].id].variable, args->given[i].value, 1) < 0)
			return ct_fail("run", strerror(errno));
	return 0;
}

int ct_cmd_run(const struct ct_args *args)
{
	char list[] = "/tmp/cutrace-run.XXXXXX";
	int fd;

	if (set_variables(args) != 0 || ct_preload() != 0)
		return CT_EXIT_FAILED;
	fd = mkstemp(list);
	if (fd < 0)
		return ct_fail(list, strerror(errno));
	close(fd);
	return start_program(args->operands, list);
}
