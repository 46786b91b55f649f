/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
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

#include "tools/members.h"
#include "tools/tool.h"

/* Larger traces, added up, would take minutes to analyze while the program seems to hang. */
#define RUN_BYTES_MAX ((off_t)1 << 30)

/* The settings of the library, as options: --cupti-library=X sets CUTRACE_CUPTI_LIBRARY. */
static const struct {
	const char *name, *kind, *fallback, *help;
} settings[] = {
#define CT_OPTION(name, field, kind, fallback, help) { #name, #kind, fallback, help },
#include "trace/options.def"
#undef CT_OPTION
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* CUPTI_LIBRARY -> cupti-library */
static void option_name(const char *name, char *ret, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++)
		ret[i] = name[i] == '_' ? '-' : (char)(name[i] | ' ');
	ret[i] = '\0';
}

static void print_help(void)
{
	char name[64];

	puts("usage: cutrace run [options] [--] PROGRAM [arguments]\n\n"
	     "Runs the program under libcutrace.so and ends as it does. Every option is also a\n"
	     "variable: --output=DIR is CUTRACE_OUTPUT=DIR.\n");
	for (size_t i = 0; i < SETTINGS; i++) {
		option_name(settings[i].name, name, sizeof(name));
		printf("  --%s=VALUE\n      %s (default: %s)\n", name, settings[i].help,
		       *settings[i].fallback ? settings[i].fallback : "none");
	}
}

static bool is_switch(const char *kind)
{
	return strcmp(kind, "SWITCH") == 0 || strcmp(kind, "MODE") == 0;
}

static bool switch_value(const char *text)
{
	static const char *const words[] = { "0", "1", "on", "off", "yes", "no", "true", "false",
					     "yield" };

	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/*
 * Turn one --name=value or --name value into its variable; a switch needs no value.
 * Returns the number of arguments used, 0 for an unknown option, or NEEDS_VALUE.
 */
#define NEEDS_VALUE (-1)
static int take_option(char **argv)
{
	const char *text = argv[0] + 2, *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	char name[64], variable[80];

	for (size_t i = 0; i < SETTINGS; i++) {
		option_name(settings[i].name, name, sizeof(name));
		if (strlen(name) != length || strncmp(name, text, length) != 0)
			continue;
		snprintf(variable, sizeof(variable), "CUTRACE_%s", settings[i].name);
		if (!equals && is_switch(settings[i].kind) && !switch_value(argv[1])) {
			setenv(variable, "1", 1);
			return 1;
		}
		if (!equals && (!argv[1] || argv[1][0] == '-'))
			return NEEDS_VALUE;
		setenv(variable, equals ? equals + 1 : argv[1], 1);
		return equals ? 1 : 2;
	}
	return 0;
}

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
static bool switched_on(const char *variable, bool fallback)
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
static void report_leftover(const struct ct_member *member, const char *how)
{
	char path[PATH_MAX + 32];
	char *arguments[] = { "report", (char *)how, member->directory, NULL };
	struct stat st;

	snprintf(path, sizeof(path), "%s/report.txt", member->directory);
	if (stat(path, &st) == 0)
		return;
	optind = 0;
	ct_cmd_report(3, arguments);
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
	bool quiet = switched_on("CUTRACE_QUIET", false);
	struct ct_members members = { 0 };
	bool large;

	if (!switched_on("CUTRACE_REPORT", true))
		return;
	read_list(list, &members);
	large = trace_bytes(&members) > RUN_BYTES_MAX;
	if (members.count > 1 && !quiet && !large)
		ct_report_several(&members, CT_REPORT_AT_EXIT, NULL);
	else
		for (size_t i = 0; i < members.count; i++)
			report_leftover(&members.at[i],
					quiet || members.count > 1 ? "--write-only" : "--at-exit");
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

int ct_cmd_run(int argc, char **argv)
{
	char list[] = "/tmp/cutrace-run.XXXXXX";
	int at = 1, used, fd;

	while (at < argc && argv[at][0] == '-' && argv[at][1]) {
		if (strcmp(argv[at], "--help") == 0) {
			print_help();
			return 0;
		}
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		used = take_option(&argv[at]);
		if (used <= 0) {
			fprintf(stderr, "cutrace: run: %s %s; `cutrace run --help` lists them\n",
				used ? "a value is needed for option" : "unknown option", argv[at]);
			return CT_EXIT_USAGE;
		}
		at += used;
	}
	if (at >= argc)
		return ct_usage("run", "a program to run is needed");
	if (ct_preload() != 0)
		return CT_EXIT_FAILED;
	fd = mkstemp(list);
	if (fd < 0)
		return ct_fail(list, strerror(errno));
	close(fd);
	return start_program(&argv[at], list);
}
