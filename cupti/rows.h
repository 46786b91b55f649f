/* SPDX-License-Identifier: Apache-2.0 */
/* trace/apis.def by CUPTI callback id: which call it is, and how to read its parameters. */
#ifndef CT_CUPTI_ROWS_H
#define CT_CUPTI_ROWS_H

#include <stdint.h>

#include "trace/apis.h"
#include "trace/record.h"

#define CT_ROWS_MAX 1024 /* above every callback id of CUDA 13 */

struct ct_row {
	enum ct_api api; /* CT_API_NONE: this id is not in the table */
	void (*in)(struct ct_call *call, const void *params);  /* may be NULL */
	void (*out)(struct ct_call *call, const void *params); /* may be NULL */
};

extern const struct ct_row ct_runtime_rows[CT_ROWS_MAX];
extern const struct ct_row ct_driver_rows[CT_ROWS_MAX];

#endif
