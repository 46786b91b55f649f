/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the preloaded library, from the table in trace/options.def. */
#ifndef CT_SHIM_OPTIONS_H
#define CT_SHIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define CT_OPTION_FIELD_TEXT const char *
#define CT_OPTION_FIELD_SWITCH bool
#define CT_OPTION_FIELD_NUMBER uint64_t

struct ct_options {
#define CT_OPTION(name, field, kind, fallback, help) CT_OPTION_FIELD_##kind field;
#include "trace/options.def"
#undef CT_OPTION
};

/*
 * Read the CUTRACE_* variables. A value that cannot be understood is warned about
 * and its default taken; so is a CUTRACE_* variable that no option knows.
 */
void ct_options_read(struct ct_options *options);

#endif
