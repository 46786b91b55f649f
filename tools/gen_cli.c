/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manual pages and completions from the table of commands: `gen-cli TEMPLATE` prints the template,
 * with lines that consist of a name between "@" replaced by what is generated. Runs when cutrace
 * is built.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"

static bool shown(int id, int command)
{
	return (int)ct_args_known[id].command == command && *ct_args_known[id].help;
}

/* Of words "a|b|c", each behind `before`. */
static void print_words(const char *words, const char *before)
{
	for (size_t n; *words; words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		printf("%s%.*s", before, (int)n, words);
	}
}

/* A number, which nothing can complete. */
static bool is_measure(const struct ct_arg *arg)
{
	return arg->kind == CT_KIND_NUMBER || arg->kind == CT_KIND_SIZE || arg->kind == CT_KIND_TIME;
}

static bool has_words(const struct ct_arg *arg)
{
	return arg->kind == CT_KIND_WORD || arg->kind == CT_KIND_SWITCH;
}

/* For scdoc(5), which takes "*" for bold and "_" for underlined. */
static void print_text(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (strchr("_*\\", text[i]))
			putchar('\\');
		putchar(text[i] == '`' ? '*' : text[i]);
	}
}

static void print_value(const struct ct_arg *arg)
{
	const char *open = arg->kind == CT_KIND_SWITCH ? "[=" : "=", *close = open[1] ? "]" : "";

	if (!*arg->value)
		return;
	printf("%s%s", open, has_words(arg) ? "" : "_");
	print_text(arg->value, strlen(arg->value));
	printf("%s%s", has_words(arg) ? "" : "_", close);
}

static void print_help(const struct ct_arg *arg)
{
	putchar('\t');
	print_text(arg->help, strlen(arg->help));
	if (arg->fallback) {
		printf(" (default: ");
		print_text(*arg->fallback ? arg->fallback : "none",
			   strlen(*arg->fallback ? arg->fallback : "none"));
		putchar(')');
	}
	printf(".\n\n");
}

static void print_option(const struct ct_arg *arg)
{
	char name[CT_ARG_NAME_BYTES];

	if (arg->letter)
		printf("*-%c*, ", arg->letter);
	printf("*--%s*", ct_arg_name(arg, name));
	print_value(arg);
	putchar('\n');
	print_help(arg);
}

static void print_paragraphs(const char *text)
{
	for (size_t n; *text; text += n + (text[n] ? 2 : 0)) {
		const char *end = strstr(text, "\n\n");

		n = end ? (size_t)(end - text) : strlen(text);
		print_text(text, n);
		printf("\n\n");
	}
}

/* A section of cutrace(1) for each command. */
static void print_commands(void)
{
	for (int command = 0; command < CT_COMMAND_COUNT; command++) {
		const struct ct_command *row = &ct_commands[command];

		printf("## cutrace %s [OPTION...]%s%s\n\n%c", row->name, *row->operands ? " " : "",
		       row->operands, row->summary[0] - 'a' + 'A');
		print_text(row->summary + 1, strlen(row->summary + 1));
		printf(".\n\n");
		print_paragraphs(row->text);
		for (int id = 0; id < CT_ARG_COUNT; id++)
			if (shown(id, command))
				print_option(&ct_args_known[id]);
	}
}

/* The variables, for libcutrace(7). */
static void print_settings(void)
{
	for (int id = 0; id < CT_ARG_COUNT; id++) {
		const struct ct_arg *arg = &ct_args_known[id];

		if (!arg->variable || !*arg->help)
			continue;
		printf("*");
		print_text(arg->variable, strlen(arg->variable));
		printf("*=%s", has_words(arg) ? "" : "_");
		print_text(arg->value, strlen(arg->value));
		printf("%s\n", has_words(arg) ? "" : "_");
		print_help(arg);
	}
}

/* In single quotes of a shell; for zsh's _arguments, "[", "]" and ":" have a meaning as well. */
static void print_quoted(const char *text, bool zsh)
{
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\'");
		else if (zsh && strchr("[]:\\", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void print_bash_options(int command)
{
	char name[CT_ARG_NAME_BYTES];

	for (int id = 0; id < CT_ARG_COUNT; id++) {
		const struct ct_arg *arg = &ct_args_known[id];

		if (shown(id, command))
			printf("--%s%s ", ct_arg_name(arg, name),
			       *arg->value && arg->kind != CT_KIND_SWITCH ? "=" : "");
	}
	printf("--help");
}

/* What may be the value of an option: words, "@DIR" and "@FILE", or "-", which is a number. */
static void print_bash_values(int command)
{
	char name[CT_ARG_NAME_BYTES];

	for (int id = 0; id < CT_ARG_COUNT; id++) {
		const struct ct_arg *arg = &ct_args_known[id];

		if (!shown(id, command) || !*arg->value)
			continue;
		printf("\t'%s --%s'", ct_commands[command].name, ct_arg_name(arg, name));
		if (arg->letter)
			printf(" | '%s -%c'", ct_commands[command].name, arg->letter);
		printf(") values='");
		if (has_words(arg))
			print_words(arg->value, " ");
		else if (is_measure(arg))
			putchar('-');
		else
			printf("@%s", arg->value);
		printf("'%s ;;\n", arg->kind == CT_KIND_SWITCH ? " optional=1" : "");
	}
}

/* Functions for tools/completion/cutrace.bash. */
static void print_bash(void)
{
	printf("_cutrace_commands='");
	for (int command = 0; command < CT_COMMAND_COUNT; command++)
		printf("%s%s", command ? " " : "", ct_commands[command].name);
	printf("'\n\n_cutrace_command() {\n\tcase $1 in\n");
	for (int command = 0; command < CT_COMMAND_COUNT; command++) {
		printf("\t%s) operands='%s' options='", ct_commands[command].name,
		       ct_commands[command].operands);
		print_bash_options(command);
		printf("' ;;\n");
	}
	printf("\t*) return 1 ;;\n\tesac\n}\n\n_cutrace_values() {\n\tvalues= optional=\n\tcase $1 in\n");
	for (int command = 0; command < CT_COMMAND_COUNT; command++)
		print_bash_values(command);
	printf("\t*) return 1 ;;\n\tesac\n}\n");
}

/* ":DIR:_files -/" for a value or an operand that is called so. */
static void print_zsh_action(const char *value, bool words)
{
	size_t n = strcspn(value, " .]|:[");

	if (words) {
		printf(":value:(");
		print_words(value, " ");
		putchar(')');
	} else if (!strncmp(value, "DIR", 3) || strstr(value, "DIRECTORY")) {
		printf(":directory:_files -/");
	} else {
		printf(":%.*s:_files", (int)n, value);
	}
}

static void print_zsh_option(const struct ct_arg *arg)
{
	char name[CT_ARG_NAME_BYTES];
	const char *equals = !*arg->value ? "" : arg->kind == CT_KIND_SWITCH ? "=-" : "=";

	ct_arg_name(arg, name);
	if (arg->letter)
		printf("\t\t\t'(-%c --%s)'{-%c%s,--%s%s}'[", arg->letter, name, arg->letter,
		       *arg->value ? "+" : "", name, equals);
	else
		printf("\t\t\t'--%s%s[", name, equals);
	print_quoted(arg->help, true);
	putchar(']');
	if (*arg->value && arg->kind == CT_KIND_SWITCH)
		putchar(':');
	if (is_measure(arg))
		printf(":%s: ", arg->value);
	else if (*arg->value)
		print_zsh_action(arg->value, has_words(arg));
	printf("' \\\n");
}

/* "DIRECTORY start|stop", "[DIRECTORY...]": a place after the other, the last perhaps for all. */
static void print_zsh_operands(const struct ct_command *command)
{
	const char *at = command->operands;

	if (ct_command_runs_program(command)) {
		printf("\t\t\t'(-)1:program:_command_names -e' '*::argument:_normal'");
		return;
	}
	for (int place = 1; *at; place++) {
		char word[64];
		size_t n;

		at += strspn(at, " [");
		n = strcspn(at, " ]");
		snprintf(word, sizeof(word), "%.*s", (int)n, at);
		if (n > 3 && !strncmp(at + n - 3, "...", 3))
			printf("\t\t\t'*");
		else
			printf("\t\t\t'%d", place);
		print_zsh_action(word, strchr(word, '|') != NULL);
		at += n + strspn(at + n, " ]");
		printf("'%s", *at ? " \\\n" : "");
	}
}

/* Functions for tools/completion/_cutrace. */
static void print_zsh(void)
{
	printf("_cutrace_commands=(\n");
	for (int command = 0; command < CT_COMMAND_COUNT; command++) {
		printf("\t'%s:", ct_commands[command].name);
		print_quoted(ct_commands[command].summary, false);
		printf("'\n");
	}
	printf(")\n\n_cutrace_command() {\n\tcase $1 in\n");
	for (int command = 0; command < CT_COMMAND_COUNT; command++) {
		printf("\t%s)\n\t\t_arguments -s -S \\\n", ct_commands[command].name);
		for (int id = 0; id < CT_ARG_COUNT; id++)
			if (shown(id, command))
				print_zsh_option(&ct_args_known[id]);
		printf("\t\t\t'(- *)'{-h,--help}'[print help]'%s",
		       *ct_commands[command].operands ? " \\\n" : "");
		print_zsh_operands(&ct_commands[command]);
		printf("\n\t\t;;\n");
	}
	printf("\t*) return 1 ;;\n\tesac\n}\n");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *line;
		void (*print)(void);
	} parts[] = {
		{ "@commands@\n", print_commands },
		{ "@settings@\n", print_settings },
		{ "@bash@\n", print_bash },
		{ "@zsh@\n", print_zsh },
	};
	FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[1024];

	while (template && fgets(line, sizeof(line), template)) {
		size_t i = 0;

		while (i < sizeof(parts) / sizeof(parts[0]) && strcmp(line, parts[i].line) != 0)
			i++;
		if (i < sizeof(parts) / sizeof(parts[0]))
			parts[i].print();
		else
			fputs(line, stdout);
	}
	if (!template) {
		fprintf(stderr, "usage: gen-cli TEMPLATE\n");
		return 2;
	}
	fclose(template);
	return fflush(stdout) == 0 ? 0 : 1;
}
