/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the fake libcudart: a thin layer over the driver's calls. */
#ifndef FAKE_RT_H
#define FAKE_RT_H

#include "fake.h"

/* rt_init.c */
const char *rt_begin(const void *launched);
cudaError_t rt_ready(void);
cudaError_t rt_note(cudaError_t error);
cudaError_t rt_error(CUresult error);
bool rt_per_thread(void);

/* rt_register.c */
struct fake_function *rt_function(const void *host);
void *rt_symbol(const void *host, size_t *ret_bytes);

/*
 * A runtime entry point: RT(name, version, (parameters), (arguments)) { body }, where
 * version is that of the call in CUPTI's tables. As in the real runtime, the driver is
 * initialised before the first callback and the context after it.
 *
 *   _EARLY         needs no context
 *   _PTSZ, _PTDS   has a twin for per-thread default streams; the extra column is the
 *                  twin's version
 *   _LAUNCH        the same, and launches the kernel named by the column after that
 *   _VOID          takes no parameters
 */
#define RT_ENTRY(launched, fn, entry, as, twin, parameters, arguments)                             \
	FAKE_CALL(rt_begin(launched), cudaError_t, CUPTI_CB_DOMAIN_RUNTIME_API, fn, entry,         \
		  CUPTI_RUNTIME_TRACE_CBID_##as, twin, as##_params, parameters, arguments)
#define RT_BODY(name, parameters, arguments)                                                       \
	static cudaError_t do_##name parameters;                                                   \
	static cudaError_t ready_##name parameters                                                 \
	{                                                                                          \
		cudaError_t error = rt_ready();                                                    \
		return rt_note(error ? error : do_##name arguments);                               \
	}
#define RT_EARLY(name, version, parameters, arguments)                                             \
	static cudaError_t do_##name parameters;                                                   \
	RT_ENTRY(NULL, do_##name, name, name##_v##version, false, parameters, arguments)           \
	static cudaError_t do_##name parameters
#define RT(name, version, parameters, arguments)                                                   \
	RT_BODY(name, parameters, arguments)                                                       \
	RT_ENTRY(NULL, ready_##name, name, name##_v##version, false, parameters, arguments)        \
	static cudaError_t do_##name parameters
#define RT_LAUNCH(name, version, suffix, twin_version, launched, parameters, arguments)            \
	RT_BODY(name, parameters, arguments)                                                       \
	RT_ENTRY(launched, ready_##name, name, name##_v##version, false, parameters, arguments)    \
	RT_ENTRY(launched, ready_##name, name##suffix, name##suffix##_v##twin_version, true,       \
		 parameters, arguments)                                                            \
	static cudaError_t do_##name parameters
#define RT_PTSZ(name, version, twin_version, parameters, arguments)                                \
	RT_LAUNCH(name, version, _ptsz, twin_version, NULL, parameters, arguments)
#define RT_PTDS(name, version, twin_version, parameters, arguments)                                \
	RT_LAUNCH(name, version, _ptds, twin_version, NULL, parameters, arguments)
#define RT_VOID(name, version)                                                                     \
	static cudaError_t do_##name(void);                                                        \
	FAKE_CALL_VOID(rt_begin(NULL), cudaError_t, CUPTI_CB_DOMAIN_RUNTIME_API, do_##name, name,  \
		       CUPTI_RUNTIME_TRACE_CBID_##name##_v##version)                               \
	static cudaError_t do_##name(void)

#endif
