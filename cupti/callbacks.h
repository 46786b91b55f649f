/* SPDX-License-Identifier: Apache-2.0 */
/* CUPTI's callbacks for the calls of trace/apis.def, and for contexts and streams. */
#ifndef CT_CUPTI_CALLBACKS_H
#define CT_CUPTI_CALLBACKS_H

#include <cupti.h>

#include "cupti/session.h"

/*
 * Enable the callbacks of every row that this CUPTI knows, one id at a time (whole
 * domains cost every call of the program). full: those that CT_LEFT_BY_LIGHT() names as well.
 * If any is refused, a note says so.
 */
void ct_callbacks_enable(CUpti_SubscriberHandle subscriber, const struct ct_cupti_host *host,
			 bool full);

/* Enable the callbacks of the rows that the light mode leaves alone, or disable them. */
void ct_callbacks_switch(CUpti_SubscriberHandle subscriber, bool full);

/* The function to subscribe with. */
void CUPTIAPI ct_callbacks_handle(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id,
				  const void *data);

#endif
