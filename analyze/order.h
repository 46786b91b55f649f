/* SPDX-License-Identifier: Apache-2.0 */
/* Orderings between streams: events, the legacy default stream, the allocator. */
#ifndef CT_ANALYZE_ORDER_H
#define CT_ANALYZE_ORDER_H

#include "analyze/model.h"

/*
 * Fill the edges of every operation. Sources: cudaStreamWaitEvent (CUPTI's records);
 * the rules of the legacy default stream (Programming Guide, "Implicit
 * Synchronization": its work waits for all blocking streams, and their later work
 * waits for it); memory that the stream-ordered allocator handed on (by address or
 * time); hardware queues that streams share (by CUPTI's channel and time); loading of
 * code (by CUPTI's overhead records and time).
 * Returns 0 or -ENOMEM.
 */
int ct_order_streams(struct ct_model *model);

/*
 * What an event stood for when a synchronisation named it: the last operation of
 * the stream it was recorded in, submitted before the record; CT_NONE if unknown
 * or if there was none.
 */
uint32_t ct_order_event(const struct ct_model *model, const struct ct_sync *sync);

#endif
