/* SPDX-License-Identifier: Apache-2.0 */
/* What a command was given, read after tools/commands.def. */
#ifndef CT_TOOLS_ARGS_H
#define CT_TOOLS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/commands.h"

struct ct_given {
	enum ct_arg_id id;
	const char *value; /* "" for a flag */
};

struct ct_args {
	const struct ct_command *command;
	struct ct_given *given; /* options, in the order in which they were */
	size_t given_count;
	char **operands; /* ends with NULL */
	int count;       /* of them: as many as the table allows */
};

/*
 * Read the arguments of a command; argv[0] is not looked at. Values are checked as their kind
 * says. Returns -1 if the command is to be run, or else the exit status: 0 after --help, which has
 * been printed; CT_EXIT_USAGE after a line on stderr that says what is wrong. In any case
 * *ret_args is to be given to ct_args_free(); it points into argv, which is reordered.
 */
int ct_args_read(const struct ct_command *command, int argc, char **argv, struct ct_args *ret_args);
void ct_args_free(struct ct_args *args);

/* The value given last; "" for a flag that was given, NULL for what was not. */
const char *ct_args_value(const struct ct_args *args, enum ct_arg_id id);

/* Was it given? */
bool ct_args_has(const struct ct_args *args, enum ct_arg_id id);

/* The value of an option of kind NUMBER, or fallback if it was not given. */
uint64_t ct_args_number(const struct ct_args *args, enum ct_arg_id id, uint64_t fallback);

/* Print the help of a command to stdout. */
void ct_args_help(const struct ct_command *command);

#endif
