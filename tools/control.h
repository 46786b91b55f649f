/* SPDX-License-Identifier: Apache-2.0 */
/* Talking to a traced process that runs, through the header of its trace: struct ct_control. */
#ifndef CT_TOOLS_CONTROL_H
#define CT_TOOLS_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "trace/record.h"

/* What is known of the process. */
enum ct_life_sign {
	CT_SIGN_ALIVE,   /* it has looked at the header within a few seconds */
	CT_SIGN_SILENT,  /* it is there, but has not: stopped, or stuck */
	CT_SIGN_ENDED,   /* it has closed its trace */
	CT_SIGN_DIED,    /* it is gone without that */
	CT_SIGN_DEAF     /* its cutrace is of a version that cannot be told anything */
};

/*
 * Map the header of a directory's trace, to be given to ct_control_close(). No link is
 * followed, and the file must be the caller's own: it is written to.
 *
 * Returns 0, -EPERM if it is another user's, -EBADMSG if it is no trace, or packed, and
 * otherwise what ct_reader_open() returns for a file that cannot be read.
 */
int ct_control_open(const char *directory, struct ct_file_header **ret_header);
void ct_control_close(struct ct_file_header *header);

/* ret_silence_ns: since when nothing was heard of it. */
enum ct_life_sign ct_control_sign(const struct ct_file_header *header, uint64_t *ret_silence_ns);

/*
 * The same, but where there is no such process any more, or it is one of another pid namespace, it
 * waits for what tells: the next look of the process, or three seconds without one.
 */
enum ct_life_sign ct_control_sure_sign(const struct ct_file_header *header,
				       uint64_t *ret_silence_ns);

/*
 * Ask the process for something and wait until it is done, for 20 seconds at most.
 *
 * Returns 0, or what record.h says of the ask; -ESRCH: it is not there any more; -ETIMEDOUT:
 * it did not answer, and may still do it.
 */
int ct_control_ask(struct ct_file_header *header, enum ct_ask what);

#endif
