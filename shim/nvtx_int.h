/* SPDX-License-Identifier: Apache-2.0 */
/* Between NVTX's functions (nvtx_inject.c) and the ranges that are under way (nvtx.c). */
#ifndef CT_SHIM_NVTX_INT_H
#define CT_SHIM_NVTX_INT_H

#include "shim/nvtx.h"

#define CT_NVTX_TEXT_BYTES (CT_NVTX_NAME_MAX + 4)

/*
 * The calling thread, at work for us until it is given to ct_nvtx_leave(), _push() or _start().
 * NULL: nothing is to be done, as tracing has ended, there is no memory, or a signal handler
 * interrupted cutrace itself; the latter two are counted.
 */
struct ct_thread *ct_nvtx_enter(void);
void ct_nvtx_leave(struct ct_thread *thread);

/* Room for a text of CT_NVTX_TEXT_BYTES, until it leaves. */
char *ct_nvtx_scratch(struct ct_thread *thread);

/* A range of this name, domain, category and colour begins. start: returns its id; 0: it is not kept. */
void ct_nvtx_push(struct ct_thread *thread, const struct ct_nvtx_range *range);
uint64_t ct_nvtx_start(struct ct_thread *thread, const struct ct_nvtx_range *range);

/* The innermost range of a domain ends; the started range of an id, if there is one. */
void ct_nvtx_pop(uint32_t domain);
void ct_nvtx_end(uint64_t id);

/* NVTX has come to us: ranges may follow. */
void ct_nvtx_attach(void);

#endif
