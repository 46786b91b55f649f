/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the function behind a wrapper. */
#ifndef CT_SHIM_REAL_H
#define CT_SHIM_REAL_H

/*
 * The real function called name, cached in *slot. caller is an address inside the
 * code that called the wrapper. In order: the next definition in the global scope;
 * the library the caller is linked to (a runtime loaded by dlopen is not in the
 * global scope); any libcudart that is mapped. Never our own wrapper.
 *
 * Returns NULL if there is none.
 */
void *ct_real(void **slot, const char *name, const void *caller);

#endif
