/* SPDX-License-Identifier: Apache-2.0 */
/* When a process began, before it is analyzed: what filters of a run by time count from. */
#include <errno.h>

#include "analyze/run.h"
#include "analyze/survey.h"

int ct_run_began(const char *directory, unsigned threads, uint64_t *ret_ns)
{
	struct ct_reader *reader;
	struct ct_survey *survey = NULL;
	int r = ct_reader_open_in(directory, &reader);

	if (r < 0)
		return r;
	r = ct_survey_make(reader, threads, &survey);
	if (r == 0) {
		const struct ct_file_header *header = ct_reader_header(reader);
		uint64_t kept_ns = header->kept_from_ns, begin_ns = survey->begin_ns;

		if (!survey->calls && !survey->ops)
			begin_ns = header->start_ns;
		*ret_ns = header->start_realtime_ns - header->start_ns + (begin_ns > kept_ns ? begin_ns : kept_ns);
	}
	ct_survey_destroy(survey);
	ct_reader_close(reader);
	return r;
}
