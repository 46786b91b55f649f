/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and loading libcupti. */
#ifndef CT_CUPTI_LIBRARY_H
#define CT_CUPTI_LIBRARY_H

#include <cupti.h>
#include <stdint.h>

/* libcupti's functions, by their own names. */
struct ct_cupti {
#define CT_CUPTI_NEED(function) __typeof__(&function) function;
#define CT_CUPTI_LIKE(function) __typeof__(&function) function;
#include "cupti/functions.def"
#undef CT_CUPTI_NEED
#undef CT_CUPTI_LIKE
	uint32_t version;
	int driver_version; /* cuDriverGetVersion(); 0 = unknown */
	char path[4096];    /* what was loaded */
};

extern struct ct_cupti ct_cupti;

/*
 * Load CUPTI into ct_cupti. The copy that is mapped already comes first (two in one
 * process do not work), then the one beside the loaded CUDA runtime or in pip's
 * layout, the loader's own search (LD_LIBRARY_PATH), CUDA_HOME and CUDA_PATH,
 * /usr/local/cuda; of each the version of the driver before others.
 *
 * Returns 0, or -ENOENT with the reason in `why`.
 */
int ct_cupti_load(const char *library, char *why, size_t why_size);

#endif
