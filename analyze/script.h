/* SPDX-License-Identifier: Apache-2.0 */
/* Script frames: whose code they are, and how many calls have none. */
#ifndef CT_ANALYZE_SCRIPT_H
#define CT_ANALYZE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyze/model.h"
#include "analyze/symbol.h"

/*
 * Is this file the user's own code? Not: installed packages, the standard library, modules
 * frozen into the interpreter, and code that torch.compile() generated. `path` as the
 * interpreter names the file; text such as "<stdin>" is the user's.
 */
bool ct_script_of_user(const char *path);

/*
 * The frame that a site is named after: of the stack's script frames the innermost of the
 * user's own code, or else the innermost. NULL if there is none that has a place.
 */
const struct ct_frame *ct_script_place(struct ct_symbols *symbols,
				       const struct ct_stack_info *stack);

/* Tell of every script frame of a model, which must outlive symbols. Returns 0 or -ENOMEM. */
int ct_script_tell(const struct ct_model *model, struct ct_symbols *symbols);

/* What is missing, for "the Python lines of N calls: "; NULL if nothing is. */
const char *ct_script_missing(uint32_t state);

#endif
