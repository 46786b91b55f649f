/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the functions behind the wrappers. */
#ifndef CT_SHIM_REAL_H
#define CT_SHIM_REAL_H

struct ct_real_function {
	const char *symbol;
	void *function; /* NULL: not found yet */
};

/* All of them, in the order of wrap.c; ends with a NULL symbol. */
extern struct ct_real_function ct_real_functions[];

/*
 * The real function of a wrapper. caller is an address inside the code that called the
 * wrapper. In order: the next definition in the global scope; the library the caller is
 * linked to (a runtime loaded by dlopen is not in the global scope); any libcudart that
 * is mapped. Never our own wrapper.
 *
 * The first time one is found, all are looked for: later calls then take no lock of the
 * loader, which another thread may hold while it waits for this one (a constructor that
 * joins a thread, say).
 *
 * Returns NULL if there is none.
 */
void *ct_real(int slot, const void *caller);

#endif
