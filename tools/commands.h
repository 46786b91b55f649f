/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of cutrace and their options as data, from tools/commands.def. */
#ifndef CT_TOOLS_COMMANDS_H
#define CT_TOOLS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum ct_command_id {
#define CT_COMMAND(name, operands, least, most, summary, text) CT_COMMAND_##name,
#define CT_ARG(command, name, letter, kind, value, help)
#define CT_SETTING(name, kind, fallback, help)
#include "tools/commands.def"
#undef CT_SETTING
#undef CT_ARG
#undef CT_COMMAND
	CT_COMMAND_COUNT
};

/* An option: CT_ARG_report_output, CT_ARG_run_OUTPUT. */
enum ct_arg_id {
#define CT_COMMAND(name, operands, least, most, summary, text)
#define CT_ARG(command, name, letter, kind, value, help) CT_ARG_##command##_##name,
#define CT_SETTING(name, kind, fallback, help) CT_ARG_run_##name,
#include "tools/commands.def"
#undef CT_SETTING
#undef CT_ARG
#undef CT_COMMAND
	CT_ARG_COUNT
};

enum ct_arg_kind {
	CT_KIND_FLAG,
	CT_KIND_TEXT,
	CT_KIND_FILE,
	CT_KIND_NUMBER,
	CT_KIND_SIZE,
	CT_KIND_TIME,
	CT_KIND_WORD,
	CT_KIND_SWITCH,
	CT_KIND_COUNT
};

/* A row of the table; its strings live for ever. */
struct ct_command {
	const char *name;
	const char *operands; /* for the usage line; "" = none */
	int least, most;      /* operands; most 0 = any number, if there are operands */
	const char *summary;  /* one line */
	const char *text;     /* paragraphs, parted by "\n\n" */
};

struct ct_arg {
	enum ct_command_id command;
	const char *row;      /* its name in the table: "write_only", "FIX_COUNTS" */
	char letter;          /* 0 = none */
	enum ct_arg_kind kind;
	const char *value;    /* "" for flags */
	const char *help;     /* "" = not shown */
	const char *variable; /* of a setting: "CUTRACE_OUTPUT"; else NULL */
	const char *fallback; /* of a setting: its default, "" = none; else NULL */
};

extern const struct ct_command ct_commands[CT_COMMAND_COUNT];
extern const struct ct_arg ct_args_known[CT_ARG_COUNT];

#define CT_ARG_NAME_BYTES 32

/* "write_only" -> "write-only", "FIX_COUNTS" -> "fix-counts". Returns ret. */
const char *ct_arg_name(const struct ct_arg *arg, char ret[CT_ARG_NAME_BYTES]);

/* Do its operands begin with a program, whose arguments are not for us? */
bool ct_command_runs_program(const struct ct_command *command);

#endif
