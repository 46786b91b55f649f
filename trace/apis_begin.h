/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completes a reader's set of row macros for trace/apis.def: a twin row becomes
 * two plain rows, and kinds of row the reader did not define vanish. No include
 * guard on purpose; trace/apis_end.h undefines everything again.
 */
#ifndef CT_RUNTIME
#define CT_RUNTIME(name, version, effects, params, args, in, out)
#endif
#ifndef CT_RUNTIME_VOID
#define CT_RUNTIME_VOID(name, version, effects)
#endif
#ifndef CT_RUNTIME_ALIAS
#define CT_RUNTIME_ALIAS(name, cbid, as, params, args, in)
#endif
#ifndef CT_RUNTIME_SEEN
#define CT_RUNTIME_SEEN(name, cbid, effects)
#endif
#ifndef CT_DRIVER
#define CT_DRIVER(name, effects, in, out)
#endif
#ifndef CT_DRIVER_VOID
#define CT_DRIVER_VOID(name, effects)
#endif
#ifndef CT_DRIVER_SEEN
#define CT_DRIVER_SEEN(name, cbid, effects)
#endif

#define CT_RUNTIME_PTSZ(name, version, twin, effects, params, args, in, out)                       \
	CT_RUNTIME(name, version, effects, params, args, in, out)                                  \
	CT_RUNTIME(name##_ptsz, twin, (effects) | CT_PER_THREAD, params, args, in, out)
#define CT_RUNTIME_PTDS(name, version, twin, effects, params, args, in, out)                       \
	CT_RUNTIME(name, version, effects, params, args, in, out)                                  \
	CT_RUNTIME(name##_ptds, twin, (effects) | CT_PER_THREAD, params, args, in, out)
#define CT_DRIVER_PTSZ(name, effects, in, out)                                                     \
	CT_DRIVER(name, effects, in, out)                                                          \
	CT_DRIVER(name##_ptsz, (effects) | CT_PER_THREAD, in, out)
#define CT_DRIVER_PTDS(name, effects, in, out)                                                     \
	CT_DRIVER(name, effects, in, out)                                                          \
	CT_DRIVER(name##_ptds, (effects) | CT_PER_THREAD, in, out)
