/* SPDX-License-Identifier: Apache-2.0 */
/* One-line messages to stderr, by write(2), few of them. */
#ifndef CT_SHIM_LOG_H
#define CT_SHIM_LOG_H

/*
 * Print "cutrace: <message>" to stderr. After CT_WARN_MAX messages of a process
 * nothing more is printed. Allocates nothing and keeps errno.
 */
#define CT_WARN_MAX 16
void ct_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
