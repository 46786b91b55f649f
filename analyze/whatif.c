/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/whatif.h"

#include <errno.h>

const char *ct_whatif_refusal(const struct ct_analysis *analysis)
{
	return analysis->parts ? "the trace is too long to be replayed in one piece"
			       : "predictions are not there yet";
}

int ct_whatif_of(const struct ct_analysis *analysis, enum ct_fix fix, struct ct_range *ret)
{
	(void)fix;
	(void)ret;
	return ct_whatif_refusal(analysis) ? -ENODATA : 0;
}
