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

/* For captures through pointers that the call may refuse. */
#define CT_EXTENT(p) ((p) ? (p)->extent.width * (p)->extent.height * (p)->extent.depth : 0)
#define CT_AREA(p) ((p) ? (p)->WidthInBytes * (p)->Height : 0)
#define CT_BOX(p) ((p) ? (p)->WidthInBytes * (p)->Height * (p)->Depth : 0)
#define CT_MEMBER(p, member) ((p) ? (uintptr_t)(p)->member : 0)
