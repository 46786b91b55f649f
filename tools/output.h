/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is there when it is whole, or not at all. */
#ifndef CT_TOOLS_OUTPUT_H
#define CT_TOOLS_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct ct_output {
	FILE *to;                 /* NULL: whoever writes opens `temporary` */
	const char *path;         /* NULL: standard output */
	bool replace;             /* what is there already */
	char temporary[PATH_MAX]; /* beside it, until it is whole */
};

/*
 * Begin to write `path` under a fresh temporary name (O_EXCL, 0600), which goes if a signal
 * ends us; NULL or "-": standard output. by_name: leave opening it to others, for which
 * there must be a path. replace: else it must not be there yet, now and when it is put in
 * place. Returns 0, or CT_EXIT_FAILED, which has been printed.
 */
int ct_output_open(struct ct_output *output, const char *path, bool by_name, bool replace);

/*
 * End: put it in place if all went well (r == 0), else remove it. Returns 0 if it is in
 * place or was not to be, or CT_EXIT_FAILED, which has been printed.
 */
int ct_output_close(struct ct_output *output, int r);

/*
 * As mkostemp(), of a file that is removed if SIGHUP, SIGINT, SIGTERM or SIGPIPE ends us before
 * ct_output_kept(): one at a time. The name must last until then. Returns as open() does.
 */
int ct_output_temporary(char *name);
void ct_output_kept(void);

#endif
