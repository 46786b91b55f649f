/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of cutrace share. */
#ifndef CT_TOOLS_TOOL_H
#define CT_TOOLS_TOOL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define CT_EXIT_FAILED 1 /* "cutrace: what: why" has been printed */
#define CT_EXIT_USAGE 2

struct ct_args;

/* The commands of tools/commands.def: ct_cmd_report() and so on. Each returns the exit status. */
#define CT_COMMAND(name, operands, least, most, summary, text)                                     \
	int ct_cmd_##name(const struct ct_args *args);
#define CT_ARG(command, name, letter, kind, value, help)
#define CT_SETTING(name, kind, fallback, help)
#include "tools/commands.def"
#undef CT_SETTING
#undef CT_ARG
#undef CT_COMMAND

/* How a report is wanted: printed, as a summary at a program's end, or only written. */
enum ct_report_mode { CT_REPORT_PRINT = 0, CT_REPORT_AT_EXIT = 1, CT_REPORT_WRITE_ONLY = 2 };

/* The report of one trace. Returns the exit status; what failed has been printed. */
int ct_report_one(const char *directory, enum ct_report_mode mode);

/*
 * The report of several processes as one run; each also gets its own report. Tables of
 * the run go to the directory `output`, which is made; NULL: none are written. Returns
 * the exit status, CT_EXIT_FAILED if any of it failed, which has been printed.
 */
struct ct_members;
int ct_report_several(const struct ct_members *members, enum ct_report_mode mode,
		      const char *output);

/*
 * Have malloc() keep what is freed. Parts of a long run are as large as each other: memory that
 * one gave back is for the next. Asking the kernel for it anew, zeroed, takes a fifth of all
 * time; small pages take a tenth. The heap is made large here, which costs nothing until used.
 */
void ct_keep_memory(void);

/* Print "cutrace: what: why" to stderr, fit for a terminal. Returns CT_EXIT_FAILED. */
int ct_fail(const char *what, const char *why);

/* A directory's name as it may be printed: who made it may have put anything in. Returns ret. */
const char *ct_shown(const char *name, char ret[PATH_MAX]);

/* Was all of the run lost with the end of its trace? Figures of it would look like those of an idle one. */
struct ct_analysis;
bool ct_cut_empty(const struct ct_analysis *analysis);
#define CT_CUT_EMPTY "nothing was recorded before the trace was cut or damaged"

/* Is a setting, as "CUTRACE_QUIET", switched on? fallback: it is not set, or to no such thing. */
bool ct_switched_on(const char *variable, bool fallback);

/* What a negative errno of the trace reader means for a user. */
const char *ct_trace_error(int r);

/* Say in a line what is wrong with a command's arguments. Returns CT_EXIT_USAGE. */
int ct_usage(const char *command, const char *problem);

/* Path of libcutrace.so, found from this program's own path. Returns 0 or -ENOENT. */
int ct_find_library(char *ret, size_t size);

/*
 * A name for it that LD_PRELOAD can hold: there, spaces and colons end a name. It is good as
 * long as this process lives. Returns 0 or -errno.
 */
int ct_preload_name(const char *library, char *ret, size_t size);

/*
 * Have the programs that this one becomes or starts preload libcutrace.so, before what they
 * preload already. Returns 0, or CT_EXIT_FAILED if it cannot be, which has been printed.
 */
int ct_preload(void);

#endif
