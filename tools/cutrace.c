/* SPDX-License-Identifier: Apache-2.0 */
/* The cutrace command: finds the subcommand and runs it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

static const struct ct_command commands[] = {
	{ "run", "[options] -- PROGRAM [arguments]", "run a program and report on it", ct_cmd_run },
	{ "report", "[--all-rows] [--foreign] [--output DIR] DIRECTORY...",
	  "make and print the report of a trace, or of several", ct_cmd_report },
	{ "whatif", "DIRECTORY", "say what changes of the program would save", ct_cmd_whatif },
	{ "export", "--FORMAT [-o FILE] [--force] [--foreign] DIRECTORY...",
	  "write traces in the formats of other tools", ct_cmd_export },
	{ "dump", "DIRECTORY", "print every record of a trace", ct_cmd_dump },
	{ "pack", "[--unpack] DIRECTORY...", "make traces small; every command reads them as before",
	  ct_cmd_pack },
	{ "prove", "[--fix free] [--runs N] [--] PROGRAM [arguments]",
	  "change the program inside it, and measure what that saves", ct_cmd_prove },
	{ "doctor", "", "say what works on this machine and what to do about the rest",
	  ct_cmd_doctor },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int ct_fail(const char *what, const char *why)
{
	fprintf(stderr, "cutrace: %s: %s\n", what, why);
	return CT_EXIT_FAILED;
}

const char *ct_trace_error(int r)
{
	switch (r) {
	case -EBADMSG:
		return "not a cutrace trace, or its header is damaged or cut off";
	case -EPROTONOSUPPORT:
		return "written by another version of cutrace or on another kind of machine";
	case -EINVAL:
		return "not a regular file";
	case -ENOENT:
		return "no trace.cutrace in it; give the directory that a traced run left";
	default:
		return strerror(-r);
	}
}

int ct_usage(const char *command, const char *problem)
{
	if (problem)
		fprintf(stderr, "cutrace: %s: %s\n", command, problem);
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, command) == 0)
			fprintf(stderr, "usage: cutrace %s %s\n", command, commands[i].arguments);
	return CT_EXIT_USAGE;
}

int ct_usage_option(const char *command, const char *option)
{
	char problem[256];

	snprintf(problem, sizeof(problem), "%s is no option of it, or lacks its value", option);
	return ct_usage(command, problem);
}

int ct_find_library(char *ret, size_t size)
{
	static const char *const places[] = {
		"/../lib/libcutrace.so",
		"/../lib/x86_64-linux-gnu/libcutrace.so",
		"/../lib64/libcutrace.so",
		"/../shim/libcutrace.so", /* a build tree */
	};
	char self[PATH_MAX], joined[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (snprintf(joined, sizeof(joined), "%s%s", self, places[i]) >= (int)sizeof(joined))
			continue;
		if (access(joined, R_OK) == 0 && strlen(joined) < size && realpath(joined, ret))
			return 0;
	}
	return -ENOENT;
}

static void print_help(FILE *to)
{
	fprintf(to,
		"cutrace " CT_VERSION " - when CUDA host threads were blocked, and which calls "
		"serialized stream work\n\n"
		"usage: cutrace COMMAND ...\n"
		"       cutrace [run] PROGRAM [arguments]\n"
		"       LD_PRELOAD=libcutrace.so PROGRAM [arguments]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(to, "\n`cutrace run --help` lists the settings. Exit status: 1 failed, 2 bad usage; "
		"`run` ends as\nthe program did.\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return CT_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("cutrace " CT_VERSION);
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argv[1][0] == '-' || !strchr(argv[1], '/')) {
		fprintf(stderr, "cutrace: unknown command %s; `cutrace --help` lists them (a program "
			"to run is given with its path, or after `run --`)\n", argv[1]);
		return CT_EXIT_USAGE;
	}
	return ct_cmd_run(argc, argv);
}
