/* SPDX-License-Identifier: Apache-2.0 */
/* The cutrace command: finds the subcommand and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/args.h"
#include "tools/spelling.h"
#include "tools/tool.h"
#include "trace/tame.h"

static int (*const runs[CT_COMMAND_COUNT])(const struct ct_args *args) = {
#define CT_COMMAND(name, operands, least, most, summary, text) [CT_COMMAND_##name] = ct_cmd_##name,
#define CT_ARG(command, name, letter, kind, value, help)
#define CT_SETTING(name, kind, fallback, help)
#include "tools/commands.def"
#undef CT_SETTING
#undef CT_ARG
#undef CT_COMMAND
};

const char *ct_shown(const char *name, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s", name);
	ct_tame(ret, '?');
	return ret;
}

int ct_fail(const char *what, const char *why)
{
	char name[PATH_MAX], reason[PATH_MAX];

	fprintf(stderr, "cutrace: %s: %s\n", ct_shown(what, name), ct_shown(why, reason));
	return CT_EXIT_FAILED;
}

const char *ct_trace_error(int r)
{
	switch (r) {
	case -EBADMSG:
		return "not a cutrace trace, or its header is damaged or cut off";
	case -EPROTONOSUPPORT:
		return "written by another version of cutrace or on another kind of machine";
	case -EFBIG:
		return "unpacks to more than 128 times its size, as no real trace does";
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
	fprintf(stderr, "cutrace: %s: %s; `cutrace %s --help` says more\n", command, problem, command);
	return CT_EXIT_USAGE;
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

int ct_preload_name(const char *library, char *ret, size_t size)
{
	int fd, n;

	if (!strpbrk(library, " :")) {
		n = snprintf(ret, size, "%s", library);
		return n < (int)size ? 0 : -ENAMETOOLONG;
	}
	fd = open(library, O_RDONLY | O_CLOEXEC); /* left open: this is the file's other name */
	if (fd < 0)
		return -errno;
	n = snprintf(ret, size, "/proc/%d/fd/%d", (int)getpid(), fd);
	return n < (int)size ? 0 : -ENAMETOOLONG;
}

static void print_help(FILE *to)
{
	fprintf(to,
		"cutrace " CT_VERSION " - when CUDA host threads were blocked, and which calls "
		"serialized stream work\n\n"
		"usage: cutrace COMMAND ...\n"
		"       cutrace [run] [OPTION...] PROGRAM [ARGUMENT...]\n"
		"       LD_PRELOAD=libcutrace.so PROGRAM [ARGUMENT...]\n\n");
	for (int i = 0; i < CT_COMMAND_COUNT; i++)
		fprintf(to, "  %-8s %s\n", ct_commands[i].name, ct_commands[i].summary);
	fprintf(to, "\n`cutrace COMMAND --help` lists options, `cutrace run --help` the settings. Exit "
		"status: 1 failed,\n2 bad usage; `run` ends as the program did.\n");
}

/* argv[0] is the command's name, or for `run` whatever stands before its options. */
static int run(enum ct_command_id id, int argc, char **argv)
{
	struct ct_args args;
	int status = ct_args_read(&ct_commands[id], argc, argv, &args);

	if (status < 0)
		status = runs[id](&args);
	ct_args_free(&args);
	return status;
}

/* `run` need not be said before its options, of which --version is none. */
static int run_with_options(int argc, char **argv)
{
	struct ct_spelling spelling = { .word = argv[1] };

	ct_spelling_offer(&spelling, "--version");
	if (!*spelling.nearest)
		return run(CT_COMMAND_run, argc, argv);
	fprintf(stderr, "cutrace: unknown option %s; did you mean --version?\n", argv[1]);
	return CT_EXIT_USAGE;
}

/* Returns its id, or CT_COMMAND_COUNT. */
static enum ct_command_id find(const char *name)
{
	int id = 0;

	while (id < CT_COMMAND_COUNT && strcmp(name, ct_commands[id].name) != 0)
		id++;
	return (enum ct_command_id)id;
}

/* Would execvp() find a program of this name? */
static bool on_path(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	for (const char *at = path ? path : "/bin:/usr/bin"; at; at = strchr(at, ':')) {
		at += at != path && *at == ':';
		if (snprintf(file, sizeof(file), "%.*s/%s", (int)strcspn(at, ":"), at, name) <
		    (int)sizeof(file) && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static struct ct_spelling nearest_command(const char *word)
{
	struct ct_spelling spelling = { .word = word };

	for (int id = 0; id < CT_COMMAND_COUNT; id++)
		ct_spelling_offer(&spelling, ct_commands[id].name);
	return spelling;
}

/* A word that is neither a command nor has a "/": a program, unless a command was meant. */
static int run_by_name(int argc, char **argv)
{
	const struct ct_spelling spelling = nearest_command(argv[1]);

	if (!*spelling.nearest && on_path(argv[1]))
		return run(CT_COMMAND_run, argc, argv);
	if (*spelling.nearest)
		fprintf(stderr, "cutrace: unknown command %s; did you mean %s? (a program of that name: "
			"cutrace run %s)\n", argv[1], spelling.nearest, argv[1]);
	else
		fprintf(stderr, "cutrace: %s: no command, and no program on PATH; `cutrace --help` lists "
			"commands\n", argv[1]);
	return CT_EXIT_USAGE;
}

/* command: what help is wanted on; NULL = all of it. */
static int help(const char *command)
{
	enum ct_command_id id = command ? find(command) : CT_COMMAND_COUNT;
	const struct ct_spelling spelling = nearest_command(command ? command : "");

	if (!command) {
		print_help(stdout);
	} else if (id < CT_COMMAND_COUNT) {
		ct_args_help(&ct_commands[id]);
	} else {
		fprintf(stderr, "cutrace: help: no command %s; %s%s%s\n", command,
			*spelling.nearest ? "did you mean " : "`cutrace --help` lists them",
			spelling.nearest, *spelling.nearest ? "?" : "");
		return CT_EXIT_USAGE;
	}
	return 0;
}

/* Returns the exit status. */
static int command(int argc, char **argv)
{
	enum ct_command_id id;

	if (argc < 2) {
		print_help(stderr);
		return CT_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(NULL);
	if (!strcmp(argv[1], "help"))
		return help(argv[2]);
	if (!strcmp(argv[1], "--version")) {
		puts("cutrace " CT_VERSION);
		return 0;
	}
	id = find(argv[1]);
	if (id < CT_COMMAND_COUNT)
		return run(id, argc - 1, argv + 1);
	if (argv[1][0] == '-')
		return run_with_options(argc, argv);
	if (strchr(argv[1], '/'))
		return run(CT_COMMAND_run, argc, argv);
	return run_by_name(argc, argv);
}

int main(int argc, char **argv)
{
	int status = command(argc, argv);

	/* a line may have failed long before the last */
	if (status == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		return ct_fail("standard output", "cannot be written");
	return status;
}
