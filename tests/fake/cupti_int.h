/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the fake libcupti. */
#ifndef FAKE_CUPTI_INT_H
#define FAKE_CUPTI_INT_H

#include "fake.h"

/* cupti_listen.c */
void cu_listen(void);

/* cupti_callback.c */
bool cu_subscribed(void);
void cu_call_entered(struct fake_call *call);
void cu_call_left(struct fake_call *call, const void *result);
void cu_resource_callback(CUpti_CallbackIdResource what, uint32_t device,
			  struct fake_stream *stream);

/* cupti_buffer.c */
bool cu_wanted(CUpti_ActivityKind kind);
void cu_write(const void *record, size_t bytes);

/* cupti_record.c */
uint64_t cu_time(uint64_t device_ns);
uint32_t cu_thread_id(void);
void cu_record_call(const struct fake_call *call, uint64_t end_ns, uint32_t result);
void cu_record_op(const struct fake_op *op);
void cu_record_wait(const struct fake_wait *wait);
void cu_record_overhead(CUpti_ActivityOverheadKind kind, uint64_t start_ns, uint64_t end_ns);
void cu_record_resource(CUpti_CallbackIdResource what, uint32_t device,
			const struct fake_stream *stream);

#endif
