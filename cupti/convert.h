/* SPDX-License-Identifier: Apache-2.0 */
/* One CUPTI activity record -> one of ours. Pure functions: no state, no CUPTI calls. */
#ifndef CT_CUPTI_CONVERT_H
#define CT_CUPTI_CONVERT_H

#include <stdint.h>

#include "trace/record.h"

/* Any of our one-slot records, as conversion yields them. */
union ct_converted {
	uint32_t commit;
	struct ct_device_op op;
	struct ct_sync sync;
	struct ct_event event;
	struct ct_overhead overhead;
	struct ct_stream stream;
	struct ct_context context;
	struct ct_gpu gpu;
};

/*
 * Convert a record of CUPTI `version` (cuptiGetVersion()). Names cannot be converted
 * without a table: *ret_name is the mangled kernel or device name to be stored as
 * the record's name id, or NULL.
 *
 * Returns the type of *ret, or CT_RECORD_NONE for a kind that is not ours.
 */
enum ct_record_type ct_convert(const void *activity, uint32_t version, union ct_converted *ret,
			       const char **ret_name);

#endif
