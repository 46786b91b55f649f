/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks as text: the place in the program's source that a call was made from. */
#ifndef CT_ANALYZE_PLACE_H
#define CT_ANALYZE_PLACE_H

#include "analyze/lookup.h"
#include "analyze/model.h"
#include "analyze/symbol.h"

struct ct_places {
	struct ct_symbols *symbols;
	const char **of_stack;      /* by stack id, made on demand; NULL = not yet */
	size_t count;
	struct ct_lookup texts;     /* private to place.c */
	bool failed;
};

/* For the stacks, scripts and modules of a model. Returns 0 or -ENOMEM. */
int ct_places_create(const struct ct_model *model, struct ct_places **ret);
void ct_places_destroy(struct ct_places *places); /* accepts NULL */

/*
 * Where a stack is in the program: "file.cu:12 function"; "(no stack)" for one that was
 * not taken. The text lives as long as `places`; equal texts are the same pointer. Once
 * all stacks have been asked for, threads may ask at once.
 */
const char *ct_places_of(const struct ct_model *model, struct ct_places *places, uint32_t stack);

/*
 * The path of the source file that the place of a stack is in, as the compiler or interpreter
 * was given it; NULL: not known. Lives as long as `places`.
 */
const char *ct_places_source(const struct ct_model *model, struct ct_places *places,
			     uint32_t stack);

/* Was there no memory for a text so far, or for what it would have said? Then it is wrong. */
bool ct_places_failed(const struct ct_places *places);

/*
 * Call visit() with the text of each of the program's frames of a stack, innermost first, as
 * long as it returns true. None for a stack that was not taken.
 */
void ct_places_frames(const struct ct_model *model, struct ct_places *places, uint32_t stack,
		      bool (*visit)(void *arg, const char *frame), void *arg);

/* Is a function whose symbol has this text in it on a stack, cutrace and CUDA apart? */
bool ct_places_through(const struct ct_model *model, struct ct_places *places, uint32_t stack,
		       const char *part);

/* The frames of a stack as one line, outermost last: "a.cu:3 f < a.cu:9 main". */
void ct_places_stack_text(const struct ct_model *model, struct ct_places *places, uint32_t stack,
			  char *ret, size_t size);

#endif
