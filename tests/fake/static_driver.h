/* SPDX-License-Identifier: Apache-2.0 */
/* How a static runtime reaches the driver: see static_driver.c. */
#ifndef FAKE_STATIC_DRIVER_H
#define FAKE_STATIC_DRIVER_H

#define __CUDA_API_VERSION_INTERNAL
#include <cuda.h>

struct static_driver {
	const char *symbol;
	void **function;
};

/*
 * Find all of the driver's functions, as the real runtime does at its first call: later
 * ones take no lock of the loader. Ends the program if there is none of this name.
 */
__attribute__((visibility("hidden"))) void static_driver_find(const char *symbol);

#define STATIC_DRIVER(name, params, args)                                                          \
	__attribute__((visibility("hidden"))) CUresult name params;                                \
	static CUresult(*behind_##name) params;                                                    \
	static const struct static_driver entry_##name                                             \
		__attribute__((section("static_driver"), used)) = { #name, (void **)&behind_##name }; \
	CUresult name params                                                                       \
	{                                                                                          \
		if (!behind_##name)                                                                \
			static_driver_find(#name);                                                 \
		return behind_##name args;                                                         \
	}

#endif
