/* SPDX-License-Identifier: Apache-2.0 */
/* The help of a command, from its rows. */
#include <stdio.h>
#include <string.h>

#include "analyze/report.h"
#include "tools/args.h"

#define HELP_COLUMN 22

static void print_paragraphs(const char *text)
{
	while (*text) {
		const char *end = strstr(text, "\n\n");
		size_t n = end ? (size_t)(end - text) : strlen(text);

		ct_report_wrapped(stdout, "", "", "%.*s", (int)n, text);
		putchar('\n');
		text += n + (end ? 2 : 0);
	}
}

static void print_default(const struct ct_arg *arg, char *ret, size_t size)
{
	snprintf(ret, size, "%s", "");
	if (arg->fallback)
		snprintf(ret, size, " (default: %s)", *arg->fallback ? arg->fallback : "none");
}

/* "  -o, --output=DIR" and, behind or below it, what that does. */
static void print_option(const char *name, char letter, const struct ct_arg *arg)
{
	char head[128], fallback[64] = "", indent[HELP_COLUMN + 1];
	const char *equals = !arg || !*arg->value ? "" : arg->kind == CT_KIND_SWITCH ? "[=" : "=";
	int n;

	if (letter)
		n = snprintf(head, sizeof(head), "  -%c, --%s", letter, name);
	else
		n = snprintf(head, sizeof(head), "      --%s", name);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "%s%s%s", equals, arg ? arg->value : "",
		      *equals == '[' ? "]" : "");
	if (arg)
		print_default(arg, fallback, sizeof(fallback));
	snprintf(indent, sizeof(indent), "%*s", HELP_COLUMN, "");
	if (n + 2 > HELP_COLUMN) {
		puts(head);
		snprintf(head, sizeof(head), "%s", indent);
	} else {
		snprintf(head + n, sizeof(head) - (size_t)n, "%*s", HELP_COLUMN - n, "");
	}
	ct_report_wrapped(stdout, head, indent, "%s%s", arg ? arg->help : "print this", fallback);
}

void ct_args_help(const struct ct_command *command)
{
	char name[CT_ARG_NAME_BYTES];

	printf("usage: cutrace %s [OPTION...]%s%s%s\n\n", command->name,
	       ct_command_runs_program(command) ? " [--]" : "", *command->operands ? " " : "",
	       command->operands);
	print_paragraphs(command->text);
	for (int id = 0; id < CT_ARG_COUNT; id++) {
		const struct ct_arg *arg = &ct_args_known[id];

		if (&ct_commands[arg->command] == command && *arg->help)
			print_option(ct_arg_name(arg, name), arg->letter, arg);
	}
	print_option("help", 'h', NULL);
}
