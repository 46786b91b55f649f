/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/deferred.h"

#include <stdio.h>

#include "analyze/report.h"

#define MORE "          " /* before a further line of what a head says */

static const char *stop_reason(uint32_t stopped)
{
	static const char *const reasons[CT_FIX_STOPS] = {
		[CT_FIX_STOP_OLD_DRIVER] = "the driver lacks cuCtxRecordEvent (CUDA 12.5)",
		[CT_FIX_STOP_CONTEXTS] = "a second context was used",
		[CT_FIX_STOP_PEERS] = "another device was given access, or copied from",
	};

	return stopped < CT_FIX_STOPS && reasons[stopped] ? reasons[stopped] : "unknown";
}

static const char *const left_reasons[CT_FIX_LEFTS] = {
	[CT_FIX_LEFT_CAPTURED] = "while a stream was being captured",
	[CT_FIX_LEFT_SHARED] = "of memory that other processes know of",
	[CT_FIX_LEFT_SHARE] = "for more would have been kept than a quarter of what had been free",
	[CT_FIX_LEFT_CONTEXT] = "by threads that had another context, or none",
	[CT_FIX_LEFT_FAULT] = "as the driver recorded no event, perhaps for an error of earlier work",
	[CT_FIX_LEFT_STOPPED] = "after that moment",
	[CT_FIX_LEFT_MANAGED] = "of managed memory",
	[CT_FIX_LEFT_PITCHED] = "of pitched memory",
	[CT_FIX_LEFT_OTHER] = "of memory of pools or graphs, or whose allocation was not seen",
	[CT_FIX_LEFT_ARRAY] = "of arrays",
	[CT_FIX_LEFT_HOST] = "of page-locked memory, or ends of registering it",
};

static const char *const give_reasons[CT_FIX_GIVES] = {
	[CT_FIX_GIVE_WANTED] = "a call found no memory",
	[CT_FIX_GIVE_ASKED] = "the program asked how much is free",
	[CT_FIX_GIVE_CAPTURE] = "a stream was captured",
	[CT_FIX_GIVE_CONTEXT] = "a context ended",
	[CT_FIX_GIVE_SHARE] = "it was a quarter of the memory that had been free",
	[CT_FIX_GIVE_STOP] = "no free was changed from then on",
};

/* What the fix left alone, and where it had to wait. */
static void print_left(const struct ct_fix_counts *counts)
{
	char calls[48], blocks[48];

	for (int why = 0; why < CT_FIX_LEFTS; why++)
		if (counts->left[why])
			ct_report_wrapped(stdout, MORE, MORE, "left alone: %s %s",
					  ct_report_count(counts->left[why], "free", calls),
					  left_reasons[why]);
	if (counts->waited + counts->released)
		ct_report_wrapped(stdout, MORE, MORE, "at the bound of memory %s waited for a freed block, and "
				  "%s freed for real, with a wait",
				  ct_report_count(counts->waited, "allocation", calls),
				  ct_report_count(counts->released, "block", blocks));
	for (int why = 0; why < CT_FIX_GIVES; why++)
		if (counts->given[why])
			ct_report_wrapped(stdout, MORE, MORE, "all that was kept was freed for real, with a "
					  "wait, %s: %s", ct_report_count(counts->given[why], "time", calls),
					  give_reasons[why]);
}

void ct_print_deferred(const struct ct_fix_counts *counts)
{
	char text[48];

	if (counts->mallocs + counts->frees)
		ct_report_wrapped(stdout, "changed   ", MORE, "%llu of %llu frees of cudaMalloc memory did not "
				  "wait; %llu of %llu allocations used a freed block again",
				  (unsigned long long)counts->deferred, (unsigned long long)counts->frees,
				  (unsigned long long)counts->reused, (unsigned long long)counts->mallocs);
	else
		printf("changed   nothing: the program allocates and frees no cudaMalloc memory\n");
	if (counts->stopped)
		ct_report_wrapped(stdout, MORE, MORE, "no free was changed from some moment on: %s",
				  stop_reason(counts->stopped));
	print_left(counts);
	if (counts->unreached)
		ct_report_wrapped(stdout, MORE, MORE, "not seen, so not safe: calls of libraries that are "
				  "linked to libcuda and were loaded after CUDA had started (%u)",
				  counts->unreached);
	if (counts->untracked)
		ct_report_wrapped(stdout, MORE, MORE, "not followed: %s, too many at a time",
				  ct_report_count(counts->untracked, "allocation", text));
}
