/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/apis.h"

#include <string.h>

#define ROW(symbol, bits) [CT_API_##symbol] = { .name = #symbol, .effects = (bits) },

const struct ct_api_info ct_apis[CT_API_COUNT] = {
	[CT_API_NONE] = { .name = "", .effects = 0 },
#define CT_RUNTIME(name, version, effects, ...) ROW(name, effects)
#define CT_RUNTIME_VOID(name, version, effects) ROW(name, effects)
#define CT_RUNTIME_SEEN(name, cbid, effects) ROW(name, effects)
#define CT_DRIVER(name, effects, ...) ROW(name, (effects) | CT_DRIVER_API)
#define CT_DRIVER_VOID(name, effects) ROW(name, (effects) | CT_DRIVER_API)
#define CT_DRIVER_SEEN(name, cbid, effects) ROW(name, (effects) | CT_DRIVER_API)
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
};

enum ct_api ct_api_find(const char *name)
{
	for (int i = 1; i < CT_API_COUNT; i++)
		if (strcmp(ct_apis[i].name, name) == 0)
			return (enum ct_api)i;
	return CT_API_NONE;
}
