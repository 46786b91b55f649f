/* SPDX-License-Identifier: Apache-2.0 */
/* What an export lacks: the most important thing that it has to say. */
#include <stdlib.h>
#include <string.h>

#include "analyze/report.h"
#include "export/export.h"

/* Counters of the trace's header. */
static int visit_counters(const struct ct_file_header *header,
			  int (*visit)(void *arg, uint64_t count, const char *text), void *arg)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < header->loss_count; i++)
		if (header->lost[i])
			r = visit(arg, header->lost[i], ct_report_loss((int)i));
	return r;
}

/* What else the report says was not seen, a line each. */
static int visit_lines(const struct ct_analysis *analysis,
		       int (*visit)(void *arg, uint64_t count, const char *text), void *arg)
{
	char *text, *line, *rest;
	int r = ct_report_unseen(analysis, &text);

	if (r < 0)
		return r;
	for (line = strtok_r(text, "\n", &rest); r == 0 && line; line = strtok_r(NULL, "\n", &rest))
		r = visit(arg, 0, line);
	free(text);
	return r;
}

int ct_export_losses(const struct ct_analysis *analysis,
		     int (*visit)(void *arg, uint64_t count, const char *text), void *arg)
{
	const struct ct_serialization *s = analysis->serialization;
	int r = visit_counters(analysis->model->header, visit, arg);

	if (r == 0)
		r = visit_lines(analysis, visit, arg);
	if (r == 0 && s->pair_count > s->pairs.count)
		r = visit(arg, s->pair_count - s->pairs.count,
			  "serialized pairs, those that cost least: a long run keeps the others");
	return r;
}
