/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/nvtx.h"

#define PATTERN_BYTES 256 /* a longer one matches nothing: no call has such a name */

bool ct_filter_any(const struct ct_filter *filter)
{
	return filter && (filter->only || filter->nvtx || filter->min_blocked_ns || filter->from_ns ||
			  filter->to_ns);
}

int ct_filter_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double value = strtod(text, &end);

	/* no sign, no space, no exponent, no "inf" */
	if (!digits || end != text + digits)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].name) == 0 && value * units[i].ns < (double)INT64_MAX) {
			*ret_ns = (uint64_t)(value * units[i].ns + 0.5);
			return 0;
		}
	return -EINVAL;
}

/* Is a name one of a list of patterns? */
static bool listed(const char *list, const char *name)
{
	char pattern[PATTERN_BYTES];
	size_t length;

	for (;; list += length + 1) {
		length = strcspn(list, ",");
		if (length < sizeof(pattern)) {
			memcpy(pattern, list, length);
			pattern[length] = '\0';
			if (fnmatch(pattern, name, 0) == 0)
				return true;
		}
		if (!list[length])
			return false;
	}
}

/* What a filter comes to for one model: names are slow to match again and again. */
struct sieve {
	bool names[CT_API_COUNT]; /* by enum ct_api */
	bool *ranges;             /* by range of the model: its own name is the one; NULL = any will do */
	uint64_t from_ns, to_ns, min_blocked_ns;
};

static uint64_t later(uint64_t begin_ns, uint64_t ns)
{
	return ns > UINT64_MAX - begin_ns ? UINT64_MAX : begin_ns + ns;
}

/* So much after the beginning that times of a filter count from, in the trace's time; 0: before it. */
static uint64_t since_beginning(const struct ct_model *model, const struct ct_filter *filter, uint64_t ns)
{
	const struct ct_file_header *header = model->header;
	uint64_t time_of_day;

	if (!filter->origin_ns)
		return later(model->facts ? model->facts->begin_ns : model->begin_ns, ns);
	time_of_day = later(filter->origin_ns, ns);
	if (time_of_day < header->start_realtime_ns)
		return header->start_ns > header->start_realtime_ns - time_of_day ?
			header->start_ns - (header->start_realtime_ns - time_of_day) : 0;
	return later(header->start_ns, time_of_day - header->start_realtime_ns);
}

/* Returns 0 or -ENOMEM. */
static int match_ranges(const struct ct_model *model, const char *pattern, struct sieve *ret)
{
	char text[CT_NVTX_TEXT_BYTES];

	ret->ranges = calloc(model->ranges.count + 1, sizeof(*ret->ranges));
	for (size_t i = 0; ret->ranges && i < model->ranges.count; i++) {
		const struct ct_nvtx_range *raw = &model->ranges.at[i].raw;

		ret->ranges[i] = fnmatch(pattern, ct_nvtx_text(model, 0, raw->name, text), 0) == 0 ||
				 fnmatch(pattern, ct_nvtx_text(model, raw->domain, raw->name, text), 0) == 0;
	}
	return ret->ranges ? 0 : -ENOMEM;
}

static int make_sieve(const struct ct_model *model, const struct ct_filter *filter, struct sieve *ret)
{
	for (int api = 0; api < CT_API_COUNT; api++)
		ret->names[api] = !filter->only ||
				  listed(filter->only, api ? ct_apis[api].name : CT_UNKNOWN_CALL);
	ret->from_ns = since_beginning(model, filter, filter->from_ns);
	ret->to_ns = filter->to_ns ? since_beginning(model, filter, filter->to_ns) : UINT64_MAX;
	ret->min_blocked_ns = filter->min_blocked_ns;
	ret->ranges = NULL;
	return filter->nvtx ? match_ranges(model, filter->nvtx, ret) : 0;
}

static bool in_range(const struct ct_model *model, const struct sieve *sieve,
		     const struct ct_host_call *call)
{
	uint32_t range = call->range;

	while (range != CT_NONE && !sieve->ranges[range])
		range = ct_nvtx_around(model, call, range);
	return range != CT_NONE;
}

/* But for how long it was blocked. */
static bool passes(const struct ct_model *model, const struct sieve *sieve,
		   const struct ct_host_call *call, uint64_t end_ns)
{
	return sieve->names[call->api] && call->raw.enter_ns < sieve->to_ns &&
	       end_ns >= sieve->from_ns && (!sieve->ranges || in_range(model, sieve, call));
}

int ct_filter_mark(struct ct_model *model, const struct ct_filter *filter)
{
	struct sieve sieve;

	if (make_sieve(model, filter, &sieve) < 0)
		return -ENOMEM;
	model->filtered = true;
	for (size_t i = 0; i < model->calls.count; i++) {
		struct ct_host_call *call = &model->calls.at[i];

		call->left_out = !passes(model, &sieve, call, call->raw.leave_ns) ||
				 ct_blocking_blocked(call) < sieve.min_blocked_ns;
	}
	for (size_t i = 0; i < model->polls.count; i++) {
		struct ct_poll *poll = &model->polls.at[i];

		poll->left_out = !passes(model, &sieve, &model->calls.at[poll->call], poll->end_ns) ||
				 poll->end_ns - poll->start_ns < sieve.min_blocked_ns;
	}
	free(sieve.ranges);
	return 0;
}
