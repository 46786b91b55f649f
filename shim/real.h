/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the functions behind the wrappers. */
#ifndef CT_SHIM_REAL_H
#define CT_SHIM_REAL_H

#define CT_REAL_SLOTS_MAX 512 /* wrappers there may be */

/* Their symbols by slot, in the order of wrap.c; ends with NULL. */
extern const char *const ct_real_symbols[];

/*
 * The real function of a wrapper. caller is an address inside the code that called the
 * wrapper. In order: the libcudart that the caller's object needs by name, since a process
 * may have several and their objects do not mix; the next definition in the global scope;
 * the library the caller is linked to (a runtime loaded by dlopen is not in the global
 * scope); any libcudart that is mapped. Never our own wrapper.
 *
 * The first time one is found, all of that runtime are looked for: later calls then take no lock of the
 * loader, which another thread may hold while it waits for this one (a constructor that
 * joins a thread, say).
 *
 * Returns NULL if there is none.
 */
void *ct_real(int slot, const void *caller);

#endif
