/* SPDX-License-Identifier: Apache-2.0 */
/* Names of output directories: the template of CUTRACE_OUTPUT, expanded. */
#ifndef CT_SHIM_NAME_H
#define CT_SHIM_NAME_H

#include <stddef.h>

/*
 * Expand %p (pid), %n (program), %h (host name), %q{VAR} (environment) and %%.
 * A '/' or a leading '.' inside an expanded value becomes '_', so that a variable
 * cannot move the output elsewhere. Unknown % sequences are kept as they are.
 *
 * Returns 0, or -ENAMETOOLONG.
 */
int ct_name_expand(const char *template, const char *program, char *ret, size_t size);

/* Base name of this program's executable, at most size-1 bytes. */
void ct_name_program(char *ret, size_t size);

#endif
