/* SPDX-License-Identifier: Apache-2.0 */
/* How a static runtime reaches the driver: see static_driver.c. */
#ifndef FAKE_STATIC_DRIVER_H
#define FAKE_STATIC_DRIVER_H

#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>

/* The function behind a name like cuMemcpyHtoD_v2_ptds; ends the program if there is none. */
__attribute__((visibility("hidden"))) void *static_driver_find(const char *symbol);

#define STATIC_DRIVER(name, params, args)                                                          \
	__attribute__((visibility("hidden"))) CUresult name params;                                \
	CUresult name params                                                                       \
	{                                                                                          \
		static CUresult(*behind_) params;                                                  \
                                                                                                   \
		if (!behind_)                                                                      \
			*(void **)&behind_ = static_driver_find(#name);                           \
		return behind_ args;                                                               \
	}

#endif
