/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fake libcupti hooks into the fake driver. */
#include "cupti_int.h"

#include <pthread.h>

static void resource(CUpti_CallbackIdResource what, uint32_t device, struct fake_stream *stream)
{
	cu_record_resource(what, device, stream);
	cu_resource_callback(what, device, stream);
}

static void listen_once(void)
{
	static const struct fake_hooks hooks = {
		.enter = cu_call_entered,
		.leave = cu_call_left,
		.done = cu_record_op,
		.waited = cu_record_wait,
		.overhead = cu_record_overhead,
		.resource = resource,
	};

	fake_hooks(&hooks);
}

/* At the first use, so that merely loading libcupti costs a program nothing. */
void cu_listen(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, listen_once);
}
