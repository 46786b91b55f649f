/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/analysis.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/poll.h"

int ct_analysis_run(const char *directory, struct ct_analysis **ret)
{
	struct ct_analysis *a = calloc(1, sizeof(*a));
	char path[PATH_MAX];
	int r = -ENOMEM;

	if (!a)
		return r;
	a->directory = strdup(directory);
	if (a->directory)
		r = snprintf(path, sizeof(path), "%s/trace.cutrace", directory) < (int)sizeof(path)
			    ? ct_model_load(path, &a->model)
			    : -ENAMETOOLONG;
	if (r == 0)
		r = ct_blocking_find(a->model);
	if (r == 0)
		r = ct_polls_find(a->model);
	if (r == 0)
		r = ct_sites_create(a->model, &a->sites);
	if (r == 0)
		r = ct_serialize_find(a->model, a->sites, &a->serialization);
	if (r == 0)
		r = ct_idle_find(a->model, &a->idle);
	if (r == 0)
		r = ct_ledger_make(a->model, &a->ledger);
	if (r == 0)
		r = ct_busy_find(a->model, a->sites, &a->busy);
	if (r == 0) {
		ct_sites_share_idle(a->sites, a->idle);
		ct_totals_find(a->model, a->sites, &a->totals);
	}
	if (r < 0) {
		ct_analysis_destroy(a);
		return r;
	}
	*ret = a;
	return 0;
}

void ct_analysis_destroy(struct ct_analysis *a)
{
	if (!a)
		return;
	ct_busy_free(&a->busy);
	ct_ledger_destroy(a->ledger);
	ct_idle_destroy(a->idle);
	ct_serialization_destroy(a->serialization);
	ct_sites_destroy(a->sites);
	ct_model_destroy(a->model);
	free(a->directory);
	free(a);
}
