/* SPDX-License-Identifier: Apache-2.0 */
/* How the figures of many processes spread. */
#include "analyze/run.h"

/* Returns false where it is not known. */
static bool figure(const struct ct_process *p, enum ct_column column, uint64_t *ret)
{
	const uint64_t figures[CT_COLUMNS] = { p->end_ns - p->begin_ns, p->own_ns, p->busy_ns,
					       p->blocked_ns, p->serialized_ns };

	*ret = figures[column];
	if (column == CT_COLUMN_OWN)
		return p->compared;
	return p->has_device || (column != CT_COLUMN_DEVICE && column != CT_COLUMN_LOST);
}

static struct ct_spread find_spread(const struct ct_run *run, enum ct_column column, uint64_t *values)
{
	struct ct_spread s = { .where = CT_NONE };
	size_t count = 0;

	for (uint32_t i = 0; i < run->processes.count; i++) {
		uint64_t value;

		if (!figure(&run->processes.at[i], column, &value))
			continue;
		if (s.where == CT_NONE || value > s.most) {
			s.most = value;
			s.where = i;
		}
		s.least = !count || value < s.least ? value : s.least;
		values[count++] = value;
	}
	s.median = ct_run_median(values, count);
	return s;
}

void ct_run_find_spread(struct ct_run *run, uint64_t *values)
{
	size_t count = 0;

	for (int column = 0; column < CT_COLUMNS; column++)
		run->spread[column] = find_spread(run, (enum ct_column)column, values);
	for (size_t i = 0; i < run->processes.count; i++)
		if (run->processes.at[i].compared)
			values[count++] = run->processes.at[i].begin_ns;
	ct_run_median(values, count); /* sorts them; between two, the earlier one is not late */
	run->usual_begin_ns = count ? values[(count - 1) / 2] : 0;
}
