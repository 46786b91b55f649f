/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CUDA runtime (or DRIVER) in which every call of trace/apis.def exists and none does anything:
 * each returns an error of its own and keeps errno.
 */
#define HOLLOW(name)                                                                               \
	__attribute__((visibility("default"))) int name(void);                                     \
	int name(void)                                                                             \
	{                                                                                          \
		return 1000 + __LINE__ % 7;                                                        \
	}

#ifdef DRIVER
#define CT_DRIVER(name, ...) HOLLOW(name)
#define CT_DRIVER_VOID(name, ...) HOLLOW(name)
#define CT_DRIVER_SEEN(name, ...) HOLLOW(name)
#else
#define CT_RUNTIME(name, ...) HOLLOW(name)
#define CT_RUNTIME_VOID(name, ...) HOLLOW(name)
#define CT_RUNTIME_ALIAS(name, ...) HOLLOW(name)
#endif
#include "trace/apis_begin.h"
#include "trace/apis.def"
#include "trace/apis_end.h"
