/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/spelling.h"
#include "tools/tool.h"

#define LONG_BASE 1000 /* and the option's id behind it: what getopt_long() says of it */
#define HELP (LONG_BASE + CT_ARG_COUNT)

/* A command's options as getopt_long() wants them. */
struct table {
	char names[CT_ARG_COUNT][CT_ARG_NAME_BYTES];
	char letters[2 * CT_ARG_COUNT + 4];
	struct option options[CT_ARG_COUNT + 2];
	size_t count;
};

static bool is_of(const struct ct_command *command, const struct ct_arg *arg)
{
	return &ct_commands[arg->command] == command;
}

static int takes(const struct ct_arg *arg)
{
	if (arg->kind == CT_KIND_FLAG)
		return no_argument;
	return arg->kind == CT_KIND_SWITCH ? optional_argument : required_argument;
}

/* Are operands behind it values of it as well? "DIR..." */
static bool is_list(const struct ct_arg *arg)
{
	const char *dots = strstr(arg->value, "...");

	return arg->kind == CT_KIND_FILE && dots && !dots[3];
}

static bool has_lists(const struct ct_command *command)
{
	for (int id = 0; id < CT_ARG_COUNT; id++)
		if (is_of(command, &ct_args_known[id]) && is_list(&ct_args_known[id]))
			return true;
	return false;
}

/*
 * ":" at the start tells a missing value from an unknown option, "+" ends options at an operand, "-"
 * has operands found in their turn, as 1.
 */
static void fill_table(const struct ct_command *command, struct table *table)
{
	char *letter = stpcpy(table->letters, ct_command_runs_program(command) ? "+:h"
					      : has_lists(command) ? "-:h" : ":h");

	for (int id = 0; id < CT_ARG_COUNT; id++) {
		const struct ct_arg *arg = &ct_args_known[id];
		struct option *option = &table->options[table->count];

		if (!is_of(command, arg))
			continue;
		option->name = ct_arg_name(arg, table->names[table->count++]);
		option->has_arg = takes(arg);
		option->val = LONG_BASE + id;
		if (arg->letter)
			*letter++ = arg->letter;
		if (arg->letter && takes(arg) == required_argument)
			*letter++ = ':';
	}
	*letter = '\0';
	table->options[table->count] = (struct option){ "help", no_argument, NULL, HELP };
}

/* Which option getopt_long() means. */
static const struct ct_arg *find(const struct ct_command *command, int found)
{
	const struct ct_arg *arg = ct_args_known;

	if (found >= LONG_BASE)
		return &ct_args_known[found - LONG_BASE];
	while (!is_of(command, arg) || arg->letter != found)
		arg++;
	return arg;
}

/* Is it one of "a|b|c"? In any case of letters, as the library takes its settings. */
static bool is_word(const char *words, const char *text)
{
	size_t length = strlen(text), n;

	for (; *words; words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		if (n == length && strncasecmp(words, text, n) == 0)
			return true;
	}
	return false;
}

/* Kinds that are a number and a unit: those that there are, "" among them if it need not be. */
static const struct {
	const char *units, *what;
} measures[CT_KIND_COUNT] = {
	[CT_KIND_NUMBER] = { "|", "a whole number" },
	[CT_KIND_SIZE] = { "|k|m|g", "a size such as 64M" },
	[CT_KIND_TIME] = { "ns|us|ms|s", "a time such as 500us" },
};

static unsigned long long scale_of(const char *unit)
{
	static const struct {
		const char *name;
		unsigned long long scale;
	} scales[] = { { "k", 1 << 10 }, { "m", 1 << 20 }, { "g", 1 << 30 },
		       { "us", 1000 },   { "ms", 1000000 }, { "s", 1000000000 } };

	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
		if (strcasecmp(unit, scales[i].name) == 0)
			return scales[i].scale;
	return 1;
}

/* A number that is too large with its unit is none to the library either. */
static bool is_measure(const char *units, const char *text)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	return !errno && is_word(units, end) && n <= ULLONG_MAX / scale_of(end);
}

/* When recording begins, as the library takes it. */
static bool is_start(const char *text)
{
	if (strncasecmp(text, "delay:", strlen("delay:")) == 0)
		return is_measure(measures[CT_KIND_TIME].units, text + strlen("delay:"));
	return is_word("now|api|signal|signal:USR1|signal:USR2", text);
}

/* May this option have that value? */
static bool is_value(const struct ct_arg *arg, const char *text)
{
	if (arg->variable && !*text)
		return true; /* an empty setting is none */
	if (arg == &ct_args_known[CT_ARG_run_START])
		return is_start(text);
	if (measures[arg->kind].units)
		return is_measure(measures[arg->kind].units, text);
	if (arg->kind == CT_KIND_SWITCH && is_word("1|0|yes|no|true|false", text))
		return true;
	return (arg->kind != CT_KIND_WORD && arg->kind != CT_KIND_SWITCH) || is_word(arg->value, text);
}

static int refuse(const struct ct_args *args, const char *problem, const char *suggestion)
{
	fprintf(stderr, "cutrace: %s: %s", args->command->name, problem);
	if (suggestion && *suggestion)
		fprintf(stderr, "; did you mean %s?\n", suggestion);
	else
		fprintf(stderr, "; `cutrace %s --help` lists its options\n", args->command->name);
	return CT_EXIT_USAGE;
}

static int refuse_value(const struct ct_args *args, const struct ct_arg *arg, const char *value)
{
	struct ct_spelling spelling = { .word = value };
	const char *what = measures[arg->kind].what;
	char problem[512], name[CT_ARG_NAME_BYTES], word[64];

	for (const char *at = arg->value; !what && *at;) {
		size_t n = strcspn(at, "|");

		snprintf(word, sizeof(word), "%.*s", (int)n, at);
		ct_spelling_offer(&spelling, word);
		at += n + (at[n] == '|');
	}
	snprintf(problem, sizeof(problem), "--%s takes %s, not \"%.200s\"", ct_arg_name(arg, name),
		 what ? what : arg->value, value);
	return refuse(args, problem, spelling.nearest);
}

static int refuse_missing(const struct ct_args *args, const struct ct_arg *arg)
{
	char problem[256], name[CT_ARG_NAME_BYTES];

	snprintf(problem, sizeof(problem), "--%s needs a value: --%s=%s", ct_arg_name(arg, name), name,
		 arg->value);
	return refuse(args, problem, NULL);
}

static bool is_shown(const struct table *table, size_t i)
{
	return i == table->count || *ct_args_known[table->options[i].val - LONG_BASE].help;
}

/* What begins as was written: getopt_long() takes that, if it is the only one. */
static size_t count_beginnings(const struct table *table, const char *text, size_t length,
			       char *ret, size_t size)
{
	size_t count = 0, used = 0;

	for (size_t i = 0; i <= table->count; i++) {
		if (strncmp(table->options[i].name, text, length) != 0)
			continue;
		count++;
		if (!is_shown(table, i))
			continue;
		used += (size_t)snprintf(ret + used, used < size ? size - used : 0, "%s--%s",
					 used ? " or " : "", table->options[i].name);
		used = used < size ? used : size;
	}
	return count;
}

/* word: the last that getopt_long() has seen all of, "--reprot=x"; letters are in optopt. */
static int refuse_option(const struct ct_args *args, const struct table *table, const char *word)
{
	struct ct_spelling spelling = { .word = word };
	char problem[512], candidate[64], begin[256];
	size_t length = strcspn(word, "=");

	if (optopt && optopt < LONG_BASE) {
		snprintf(problem, sizeof(problem), "unknown option -%c", optopt);
		return refuse(args, problem, NULL);
	}
	if (optopt) { /* known, but given a value */
		snprintf(problem, sizeof(problem), "%.*s takes no value", (int)length, word);
		return refuse(args, problem, NULL);
	}
	snprintf(problem, sizeof(problem), "unknown option %.200s", word);
	if (length > 2 && count_beginnings(table, word + 2, length - 2, begin, sizeof(begin)) > 1) {
		snprintf(problem, sizeof(problem), "%.*s may be %s", (int)length, word, begin);
		return refuse(args, problem, NULL);
	}
	snprintf(begin, sizeof(begin), "%.*s", (int)length, word);
	spelling.word = begin;
	for (size_t i = 0; i <= table->count; i++) {
		if (!is_shown(table, i))
			continue;
		snprintf(candidate, sizeof(candidate), "--%s", table->options[i].name);
		ct_spelling_offer(&spelling, candidate);
	}
	return refuse(args, problem, spelling.nearest);
}

/* A switch may have its value in the next word, and need not have any. */
static const char *switch_value(const struct ct_arg *arg, char *next)
{
	if (optarg)
		return optarg;
	if (!next || !*next || !is_value(arg, next))
		return "1";
	optind++;
	return next;
}

static int add(struct ct_args *args, const struct ct_arg *arg, const char *value)
{
	struct ct_given *given = realloc(args->given, (args->given_count + 1) * sizeof(*given));

	if (!given)
		return ct_fail(args->command->name, strerror(ENOMEM));
	args->given = given;
	given[args->given_count++] = (struct ct_given){
		.id = (enum ct_arg_id)(arg - ct_args_known), .value = value,
	};
	return -1;
}

/* An option that getopt_long() has found. Returns -1, or the exit status. */
static int take(struct ct_args *args, const struct ct_arg *arg, char **argv)
{
	const char *value = optarg ? optarg : "";
	bool own_word = optarg && optarg == argv[optind - 1];

	if (arg->kind == CT_KIND_SWITCH)
		value = switch_value(arg, argv[optind]);
	else if (own_word && optarg[0] == '-' && optarg[1])
		return refuse_missing(args, arg); /* that is another option, most likely */
	if (arg->kind == CT_KIND_FILE && !*value)
		return refuse_missing(args, arg);
	if (!is_value(arg, value))
		return refuse_value(args, arg, value);
	return add(args, arg, value);
}

/* An operand found in its turn: of the list that is open (NULL: none), else moved to the others. */
static int take_operand(struct ct_args *args, const struct ct_arg *list, char *operand)
{
	if (list)
		return add(args, list, operand);
	args->operands[args->count++] = operand;
	return -1;
}

static int check_operands(const struct ct_args *args)
{
	const struct ct_command *command = args->command;
	bool fits = args->count >= command->least;
	char problem[256];

	if (command->most || !*command->operands)
		fits &= args->count <= command->most;
	if (fits)
		return -1;
	if (!*command->operands)
		snprintf(problem, sizeof(problem), "it takes no arguments but options");
	else if (args->count < command->least)
		snprintf(problem, sizeof(problem), "%s is needed: cutrace %s [OPTION...] %s",
			 ct_command_runs_program(command) ? "a program to run"
			 : command->least > 1 ? "more" : "a directory",
			 command->name, command->operands);
	else
		snprintf(problem, sizeof(problem), "too many arguments: cutrace %s [OPTION...] %s",
			 command->name, command->operands);
	return refuse(args, problem, NULL);
}

int ct_args_read(const struct ct_command *command, int argc, char **argv, struct ct_args *ret_args)
{
	struct ct_args *args = ret_args;
	struct table table = { 0 };
	const struct ct_arg *list = NULL;
	int found, status = -1;

	*args = (struct ct_args){ .command = command, .operands = argv + 1 };
	fill_table(command, &table);
	opterr = 0;
	optind = 0;
	while (status < 0 &&
	       (found = getopt_long(argc, argv, table.letters, table.options, NULL)) != -1) {
		if (found == HELP || found == 'h') {
			ct_args_help(command);
			return 0;
		}
		if (found == 1) {
			status = take_operand(args, list, optarg);
			continue;
		}
		if (found == '?')
			status = refuse_option(args, &table, argv[optind - 1]);
		else if (found == ':')
			status = refuse_missing(args, find(command, optopt));
		else
			status = take(args, find(command, found), argv);
		list = status < 0 && is_list(find(command, found)) ? find(command, found) : NULL;
	}
	if (has_lists(command)) {
		for (; status < 0 && optind < argc; optind++)
			status = take_operand(args, list, argv[optind]);
		args->operands[args->count] = NULL;
	} else {
		args->operands = argv + optind;
		args->count = argc - optind;
	}
	return status < 0 ? check_operands(args) : status;
}

void ct_args_free(struct ct_args *args)
{
	free(args->given);
	args->given = NULL;
}

const char *ct_args_value(const struct ct_args *args, enum ct_arg_id id)
{
	for (size_t i = args->given_count; i > 0; i--)
		if (args->given[i - 1].id == id)
			return args->given[i - 1].value;
	return NULL;
}

bool ct_args_has(const struct ct_args *args, enum ct_arg_id id)
{
	return ct_args_value(args, id) != NULL;
}

uint64_t ct_args_number(const struct ct_args *args, enum ct_arg_id id, uint64_t fallback)
{
	const char *value = ct_args_value(args, id);

	return value ? strtoull(value, NULL, 10) : fallback;
}
