/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/rows.h"

#include <cuda_runtime_api.h>
#include <cupti.h>
#include <string.h>

/*
 * The captures of a row become two functions over CUPTI's parameter struct, in
 * which the parameters have the names they have in the prototype.
 */
#define P(parameter) (p->parameter)
#define CT_IN(...) __VA_ARGS__
#define CT_OUT(...) __VA_ARGS__

#define CAPTURE(function, struct_name, statements)                                                 \
	static void function(struct ct_call *call, const void *params)                             \
	{                                                                                          \
		const struct_name *p = params;                                                     \
                                                                                                   \
		(void)p;                                                                           \
		(void)call;                                                                        \
		statements;                                                                        \
	}

#define CT_RUNTIME(name, version, effects, params, args, in, out)                                  \
	CAPTURE(in_##name, name##_v##version##_params, in)                                         \
	CAPTURE(out_##name, name##_v##version##_params, out)
#define CT_DRIVER(name, effects, in, out)                                                          \
	CAPTURE(in_##name, name##_params, in)                                                      \
	CAPTURE(out_##name, name##_params, out)
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"

const struct ct_row ct_runtime_rows[CT_ROWS_MAX] = {
#define CT_RUNTIME(name, version, effects, params, args, in, out)                                  \
	[CUPTI_RUNTIME_TRACE_CBID_##name##_v##version] = { CT_API_##name, in_##name, out_##name },
#define CT_RUNTIME_VOID(name, version, effects)                                                    \
	[CUPTI_RUNTIME_TRACE_CBID_##name##_v##version] = { .api = CT_API_##name },
#define CT_RUNTIME_ALIAS(name, cbid, as, params, args, in) [cbid] = { .api = CT_API_##as },
#define CT_RUNTIME_SEEN(name, cbid, effects) [cbid] = { .api = CT_API_##name },
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};

const struct ct_row ct_driver_rows[CT_ROWS_MAX] = {
#define CT_DRIVER(name, effects, in, out)                                                          \
	[CUPTI_DRIVER_TRACE_CBID_##name] = { CT_API_##name, in_##name, out_##name },
#define CT_DRIVER_VOID(name, effects)                                                              \
	[CUPTI_DRIVER_TRACE_CBID_##name] = { .api = CT_API_##name },
#define CT_DRIVER_SEEN(name, cbid, effects) [cbid] = { .api = CT_API_##name },
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};
