/* SPDX-License-Identifier: Apache-2.0 */
/* The last lines of a report: where its files are, and what to do next. */
#include <stdio.h>
#include <string.h>

#include "tools/report.h"
#include "tools/tool.h"

#define NAMED 3 /* operands that are named again; more are DIRECTORY... */

/* As bash, zsh and POSIX since 2024 take what a terminal should not get. */
static void print_escaped(const char *name)
{
	fputs("$'", stdout);
	for (; *name; name++)
		if (*name >= ' ' && *name < 127 && *name != '\'' && *name != '\\')
			putchar(*name);
		else
			printf("\\%03o", (unsigned char)*name);
	putchar('\'');
}

/* A name as a shell takes it. */
static void print_name(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:@%,=";
	char shown[PATH_MAX];

	if (*name == '-' && name[1]) /* is no option */
		fputs("./", stdout);
	if (*name && name[strspn(name, plain)] == '\0') {
		fputs(name, stdout);
		return;
	}
	if (strcmp(ct_shown(name, shown), name) != 0) {
		print_escaped(name);
		return;
	}
	putchar('\'');
	for (; *name; name++)
		fputs(*name == '\'' ? "'\\''" : (char[]){ *name, '\0' }, stdout);
	putchar('\'');
}

static void print_command(const char *first, const char *command, const char *directory, const char *what)
{
	printf("%s%s ", first, command);
	print_name(directory);
	printf("   # %s\n", what);
}

void ct_report_next(const char *directory, const char *to)
{
	if (!to)
		return;
	fputs("\ncutrace: the report is report.txt in ", stdout);
	print_name(to);
	puts(", its tables the CSV files beside it");
	print_command("   next: ", "cutrace export --html -o run.html", directory,
		      "a timeline, for any browser");
}

/* What was given on the command line, to be given again. */
static void print_operands(const struct ct_report_wish *wish)
{
	for (int i = 0; i < wish->count && wish->count <= NAMED; i++) {
		putchar(' ');
		print_name(wish->operands[i]);
	}
	if (wish->count > NAMED)
		fputs(" DIRECTORY...", stdout);
}

/* Of a filtered report, whose processes keep the files that they have. */
static void print_shown(const struct ct_report_wish *wish)
{
	fputs("\ncutrace: the tables of what is shown are ranks_shown.csv and ranks_callsites.csv in ", stdout);
	print_name(wish->output);
	putchar('\n');
}

void ct_report_next_several(const struct ct_run *run, const struct ct_report_wish *wish,
			    struct ct_report_written written)
{
	const char *first = "   next: ";

	if (run->filter) {
		if (written.tables)
			print_shown(wish);
		return;
	}
	putchar('\n');
	if (written.own)
		puts("cutrace: each process has a report.txt and tables, CSV files, in its directory");
	if (written.tables) {
		fputs("cutrace: the tables of the run are ranks.csv and ranks_callsites.csv in ", stdout);
		print_name(wish->output);
		putchar('\n');
	}
	if (run->slowest.process != CT_NONE) {
		print_command(first, "cutrace report", run->processes.at[run->slowest.process].directory,
			      "the slowest by itself");
		first = "         ";
	}
	if (!wish->output) {
		printf("%scutrace report --output DIR", first);
		print_operands(wish);
		puts("   # tables with a row for each process");
		first = "         ";
	}
	printf("%scutrace export --html -o run.html", first);
	print_operands(wish);
	puts("   # all of them side by side, for any browser");
}
