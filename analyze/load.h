/* SPDX-License-Identifier: Apache-2.0 */
/* From the records of a file to the arrays of a model, unsorted: all at once or by part. */
#ifndef CT_ANALYZE_LOAD_H
#define CT_ANALYZE_LOAD_H

#include "analyze/model.h"
#include "analyze/survey.h"

/* Load everything. Returns 0, -ENOMEM or what ct_reader_next() returns. */
int ct_load_records(struct ct_model *model);

/*
 * Load what is about the run and not about a moment of it: names, stacks, streams, notes.
 * Returns 0, -ENOMEM or what ct_cursor_open() returns.
 */
int ct_load_facts(struct ct_model *model, const struct ct_survey *survey);

/*
 * Load the calls, operations and so on that are under way between from_ns and to_ns of the
 * model's core, for a model that has the facts. Returns as ct_load_facts() does.
 */
int ct_load_moments(struct ct_model *model, const struct ct_survey *survey);

#endif
