/* SPDX-License-Identifier: Apache-2.0 */
/* Folders for traces and tables. */
#ifndef CT_TRACE_FOLDERS_H
#define CT_TRACE_FOLDERS_H

#include <sys/types.h>

/*
 * Make a folder, and those above it that are missing: a run of hours is not to end without
 * a trace for want of one. path is written to and restored; mode is as for mkdir(2), for
 * all that are made. Allocates nothing. Returns 0, -EEXIST if it is there, or -errno.
 */
int ct_make_folder(char *path, mode_t mode);

#endif
