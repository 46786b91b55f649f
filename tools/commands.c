/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/commands.h"

#include <string.h>

const struct ct_command ct_commands[CT_COMMAND_COUNT] = {
#define CT_COMMAND(name, operands, least, most, summary, text)                                     \
	[CT_COMMAND_##name] = { #name, operands, least, most, summary, text },
#define CT_ARG(command, name, letter, kind, value, help)
#define CT_SETTING(name, kind, fallback, help)
#include "tools/commands.def"
#undef CT_SETTING
#undef CT_ARG
#undef CT_COMMAND
};

/* What values the kinds of trace/options.def have on a command line. */
#define SETTING_TEXT CT_KIND_TEXT, "TEXT"
#define SETTING_NUMBER CT_KIND_SIZE, "SIZE"
#define SETTING_DURATION CT_KIND_TIME, "TIME"
#define SETTING_SWITCH CT_KIND_SWITCH, "on|off"
#define SETTING_MODE CT_KIND_SWITCH, "on|off|yield"
#define SETTING_LEVEL CT_KIND_WORD, "full|light|auto"
#define SETTING_START CT_KIND_TEXT, "now|api|delay:TIME|signal[:NAME]"
#define SETTING_FIX CT_KIND_WORD, "off|free|pin|all"

/* The only setting that has a letter: other commands have it too. */
#define SETTING_LETTER(name) (CT_ARG_run_##name == CT_ARG_run_OUTPUT ? 'o' : 0)

const struct ct_arg ct_args_known[CT_ARG_COUNT] = {
#define CT_COMMAND(name, operands, least, most, summary, text)
#define CT_ARG(command, name, letter, kind, value, help)                                           \
	{ CT_COMMAND_##command, #name, letter, CT_KIND_##kind, value, help, NULL, NULL },
#define CT_SETTING(name, kind, fallback, help)                                                     \
	{ CT_COMMAND_run, #name, SETTING_LETTER(name), SETTING_##kind, help, "CUTRACE_" #name,     \
	  fallback },
#include "tools/commands.def"
#undef CT_SETTING
#undef CT_ARG
#undef CT_COMMAND
};

const char *ct_arg_name(const struct ct_arg *arg, char ret[CT_ARG_NAME_BYTES])
{
	size_t i;

	for (i = 0; arg->row[i] && i + 1 < CT_ARG_NAME_BYTES; i++)
		ret[i] = arg->row[i] == '_' ? '-' : (char)(arg->row[i] | ' ');
	ret[i] = '\0';
	return ret;
}

bool ct_command_runs_program(const struct ct_command *command)
{
	return strncmp(command->operands, "PROGRAM", 7) == 0;
}
