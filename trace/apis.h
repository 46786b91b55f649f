/* SPDX-License-Identifier: Apache-2.0 */
/* The intercepted calls as data: ids, names and effects, all from trace/apis.def. */
#ifndef CT_TRACE_APIS_H
#define CT_TRACE_APIS_H

#include <stdint.h>

/* What a call does, and what it may have to wait for. */
enum ct_effect {
	CT_ALLOC = 1 << 0,       /* allocates, registers or maps memory */
	CT_FREE = 1 << 1,        /* gives memory back */
	CT_COPY = 1 << 2,
	CT_FILL = 1 << 3,        /* memset */
	CT_LAUNCH = 1 << 4,      /* kernel, graph or host function */
	CT_SYNC = 1 << 5,        /* waits because the program asks it to */
	CT_ORDER = 1 << 6,       /* records an event or makes a stream wait for one */
	CT_POLL = 1 << 7,        /* asks whether work is done */
	CT_OBJECT = 1 << 8,      /* creates or destroys a stream, event, pool or graph */
	CT_INIT = 1 << 9,        /* contexts and code */
	CT_CONFIG = 1 << 10,     /* changes a setting */
	CT_ASYNC = 1 << 11,      /* stream-ordered: meant to return at once */
	CT_DRAINS = 1 << 12,     /* may wait for all work of its device */
	CT_HOSTMEM = 1 << 13,    /* about page-locked host memory */
	CT_PER_THREAD = 1 << 14, /* stream 0 is the per-thread default stream */
	CT_DRIVER_API = 1 << 15
};

/*
 * Does the light mode leave a call with these effects alone? Such calls neither allocate, free
 * nor load, and wait only where the launch queue is full. Copies stay: one of pageable memory
 * waits, whatever its name. A constant for constant effects.
 */
#define CT_LEFT_BY_LIGHT(effects)                                                                \
	(((effects) & (CT_LAUNCH | CT_ORDER | CT_POLL)) != 0 ||                                  \
	 ((effects) & (CT_FILL | CT_ASYNC)) == (CT_FILL | CT_ASYNC))

/* Does a call with these effects only create contexts and load code, once and for all? */
#define CT_SETS_UP(effects) (((effects) & (CT_INIT | CT_DRAINS)) == CT_INIT)

/* How much is recorded; full where no note says otherwise. */
enum ct_mode {
	CT_MODE_FULL = 0,
	CT_MODE_LIGHT = 1, /* no calls that CT_LEFT_BY_LIGHT() names, of the device only copies */
	CT_MODE_OFF = 2    /* nothing: outside the windows of CUTRACE_START and `cutrace ctl` */
};

/* Does a mode leave a call with these effects alone? */
#define CT_LEFT_BY(mode, effects)                                                                \
	((mode) >= (CT_LEFT_BY_LIGHT(effects) ? CT_MODE_LIGHT : CT_MODE_OFF))

enum ct_api {
	CT_API_NONE = 0,
#define CT_RUNTIME(name, ...) CT_API_##name,
#define CT_RUNTIME_VOID(name, ...) CT_API_##name,
#define CT_RUNTIME_SEEN(name, ...) CT_API_##name,
#define CT_DRIVER(name, ...) CT_API_##name,
#define CT_DRIVER_VOID(name, ...) CT_API_##name,
#define CT_DRIVER_SEEN(name, ...) CT_API_##name,
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
	CT_API_COUNT
};

struct ct_api_info {
	const char *name;
	uint32_t effects; /* enum ct_effect */
};

/* By enum ct_api; entry 0 is nameless. */
extern const struct ct_api_info ct_apis[CT_API_COUNT];

/* Find a call by name. Returns its enum ct_api, or CT_API_NONE if no row has that name. */
enum ct_api ct_api_find(const char *name);

#endif
