/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/analysis.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/poll.h"
#include "analyze/survey.h"
#include "analyze/whatif.h"

int ct_analysis_of_model(struct ct_analysis *a, struct ct_places *places, bool process)
{
	int r = ct_blocking_find(a->model);

	if (r == 0)
		r = ct_polls_find(a->model);
	if (r == 0 && a->filter)
		r = ct_filter_mark(a->model, a->filter);
	if (r == 0)
		r = places ? ct_sites_create_at(a->model, places, &a->sites)
			   : ct_sites_create(a->model, &a->sites);
	if (r == 0)
		r = ct_serialize_find(a->model, a->sites, &a->serialization);
	if (r == 0)
		r = ct_idle_find(a->model, &a->idle);
	if (r == 0)
		r = ct_ledger_make(a->model, &a->ledger);
	if (r == 0 && process)
		r = ct_busy_find(a->model, a->sites, &a->busy);
	if (r == 0)
		r = ct_nccl_find(a->model, a->sites, &a->nccl);
	if (r < 0)
		return r;
	ct_totals_find(a->model, a->sites, &a->totals);
	if (a->filter)
		ct_sites_narrow(a->model, a->sites, a->serialization);
	ct_totals_show(a->model, a->serialization, &a->shown);
	return ct_nvtx_add_up(&a->nvtx, a->model, a->serialization, &a->shown);
}

/* No more calls and operations than this are in a file. */
static uint64_t most_records(const struct ct_reader *reader)
{
	struct ct_block_info info;
	uint64_t sum = 0;

	for (size_t i = 0; i < ct_reader_blocks(reader); i++) {
		if (ct_reader_block_info(reader, i, &info) < 0)
			return ct_reader_size(reader) / CT_SLOT_BYTES;
		sum += info.calls + info.ops;
	}
	return sum;
}

static int analyze_whole(struct ct_analysis *a, struct ct_reader *reader,
			 const struct ct_analysis_options *options)
{
	int r = ct_model_read(reader, &a->model);

	if (r == 0)
		r = ct_analysis_of_model(a, NULL, options->process);
	if (r < 0)
		return r;
	ct_sites_share_idle(a->sites, a->model, a->idle);
	ct_nvtx_rank(&a->nvtx, a->model);
	return a->filter ? ct_sites_settle(a->sites)
			 : ct_whatif_find(a, options->whatif_events, &a->whatif);
}

/*
 * What a flight recorder kept, and runs whose mode changed, are analyzed in one piece: much
 * of what is known of them depends on where what was recorded begins and ends.
 */
static int analyze(struct ct_analysis *a, const char *path,
		   const struct ct_analysis_options *options)
{
	uint64_t whole = options->whole_records ? options->whole_records : CT_WHOLE_RECORDS;
	const struct ct_file_header *header;
	struct ct_survey *survey = NULL;
	struct ct_reader *reader;
	int r = ct_reader_open(path, &reader);

	if (r < 0)
		return r;
	header = ct_reader_header(reader);
	if (most_records(reader) > whole && !header->kept_from_ns && header->mode == CT_MODE_FULL) {
		r = ct_survey_make(reader, ct_analysis_threads(options), &survey);
		if (r < 0) {
			ct_reader_close(reader);
			return r;
		}
	}
	if (survey && survey->calls + survey->ops > whole && !survey->mode_changes)
		r = ct_analysis_in_parts(a, reader, survey, options);
	else
		r = analyze_whole(a, reader, options);
	ct_survey_destroy(survey);
	if (r == 0)
		r = ct_meet_add(&a->meet, 0, NULL, 0, &a->nccl);
	if (r == 0)
		r = ct_meet_find(&a->meet);
	return r < 0 ? r : ct_site_totals_make(a->model, a->sites, &a->site_totals);
}

int ct_analysis_run(const char *directory, const struct ct_analysis_options *options,
		    struct ct_analysis **ret)
{
	struct ct_analysis *a = calloc(1, sizeof(*a));
	char path[PATH_MAX];
	int r = -ENOMEM;

	if (!a)
		return r;
	a->filter = ct_filter_any(options->filter) ? options->filter : NULL;
	a->directory = strdup(directory);
	if (a->directory)
		r = snprintf(path, sizeof(path), "%s/trace.cutrace", directory) < (int)sizeof(path)
			    ? analyze(a, path, options)
			    : -ENAMETOOLONG;
	if (r < 0) {
		ct_analysis_destroy(a);
		return r;
	}
	*ret = a;
	return 0;
}

static void free_durations(struct ct_durations *list, size_t count)
{
	for (size_t i = 0; list && i < count; i++)
		ct_durations_free(&list[i]);
	free(list);
}

void ct_analysis_clear(struct ct_analysis *a)
{
	ct_analysis_destroy(a->excerpt);
	free_durations(a->by_api, CT_API_COUNT);
	free_durations(a->by_name, a->name_count);
	ct_copies_destroy(a->copies);
	ct_whatif_destroy(a->whatif);
	ct_site_totals_destroy(a->site_totals);
	ct_busy_free(&a->busy);
	ct_nvtx_free(&a->nvtx);
	ct_meet_free(&a->meet);
	ct_nccl_free(&a->nccl);
	ct_ledger_destroy(a->ledger);
	ct_idle_destroy(a->idle);
	ct_serialization_destroy(a->serialization);
	ct_sites_destroy(a->sites);
	ct_places_destroy(a->places);
	ct_model_destroy(a->model);
	ct_model_destroy(a->facts);
	free(a->directory);
}

void ct_analysis_destroy(struct ct_analysis *a)
{
	if (!a)
		return;
	ct_analysis_clear(a);
	free(a);
}
