/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting by asking: loops of cudaEventQuery or cudaStreamQuery. */
#ifndef CT_ANALYZE_POLL_H
#define CT_ANALYZE_POLL_H

#include "analyze/model.h"

#define CT_NOT_READY 600 /* cudaErrorNotReady and CUDA_ERROR_NOT_READY alike */

/* Does its thread wait: has it asked, and the work is not done? */
static inline bool ct_poll_waits(const struct ct_host_call *call)
{
	return call->effects & CT_POLL && call->raw.error == CT_NOT_READY;
}

/*
 * Find runs of queries of one event or stream by one thread, with no other call but
 * queries between, of which at least one found the work unfinished. Fills polls of the
 * model, by time. Returns 0 or -ENOMEM.
 */
int ct_polls_find(struct ct_model *model);

#endif
