/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the preloaded library, from the table in trace/options.def. */
#ifndef CT_SHIM_OPTIONS_H
#define CT_SHIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define CT_OPTION_FIELD_TEXT const char *
#define CT_OPTION_FIELD_SWITCH bool
#define CT_OPTION_FIELD_NUMBER uint64_t
#define CT_OPTION_FIELD_MODE enum ct_cupti_mode
#define CT_OPTION_FIELD_LEVEL enum ct_level
#define CT_OPTION_FIELD_DURATION uint64_t
#define CT_OPTION_FIELD_START struct ct_start_setting
#define CT_OPTION_FIELD_FIX enum ct_fix_setting

/* Whose CUPTI is. One tool at a time can use it, and the program may bring its own. */
enum ct_cupti_mode {
	CT_CUPTI_OFF,  /* never ours; in the light mode this is what CT_CUPTI_YIELD comes to */
	CT_CUPTI_ON,   /* ours to the end: the program's profiler is refused */
	CT_CUPTI_YIELD, /* ours until the program first uses it */
	CT_CUPTI_LATE  /* the same, but not before the first window: of `auto`, or of CUTRACE_START */
};

/* Does CUPTI show us every call, from the first on? Unless it is refused. */
static inline bool ct_cupti_at_start(enum ct_cupti_mode mode)
{
	return mode == CT_CUPTI_ON || mode == CT_CUPTI_YIELD;
}

/* How much is recorded. */
enum ct_level {
	CT_LEVEL_FULL,
	CT_LEVEL_LIGHT, /* what may block: see CT_LEFT_BY_LIGHT() */
	CT_LEVEL_AUTO   /* light, and full around what did block; see mode.h */
};

/* When recording begins; see control.h. */
struct ct_start_setting {
	enum ct_start_by { CT_START_NOW, CT_START_DELAY, CT_START_ASKED, CT_START_API } by;
	uint64_t delay_ns; /* CT_START_DELAY: after the first use of CUDA */
	int signal;        /* CT_START_ASKED: that begins and ends windows, too; 0 = none */
};

/* What is changed in the program; see fix.h. */
enum ct_fix_setting {
	CT_FIX_OFF = 0,
	CT_FIX_FREES = 1 << 0, /* cudaFree and cuMemFree do not wait */
	CT_FIX_PINS = 1 << 1,  /* asynchronous copies of pageable memory to the device do not */
	CT_FIX_BOTH = CT_FIX_FREES | CT_FIX_PINS
};

struct ct_options {
#define CT_OPTION(name, field, kind, fallback, help) CT_OPTION_FIELD_##kind field;
#include "trace/options.def"
#undef CT_OPTION
};

/* What CUTRACE_CUPTI comes to, as the environment is now; for use before tracing has started. */
enum ct_cupti_mode ct_options_cupti(void);

/* What CUTRACE_FIX and CUTRACE_FIX_COUNTS ("" if unset) say, as above and without a warning. */
enum ct_fix_setting ct_options_fix(void);
const char *ct_options_fix_counts(void);

/* Are NVTX ranges to be recorded? Neither by CUTRACE_NVTX nor by CUTRACE_DISABLE are they not. As above. */
bool ct_options_nvtx(void);

/*
 * Read the CUTRACE_* variables. A value that cannot be understood is warned about
 * and its default taken; so is a CUTRACE_* variable that no option knows.
 */
void ct_options_read(struct ct_options *options);

#endif
