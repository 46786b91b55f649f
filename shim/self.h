/* SPDX-License-Identifier: Apache-2.0 */
/* Which code is ours. */
#ifndef CT_SHIM_SELF_H
#define CT_SHIM_SELF_H

#include <stdbool.h>

/*
 * Is this an address inside the code of libcutrace.so? Works before our constructor has
 * run, takes no lock and asks the loader nothing.
 */
bool ct_ours(const void *address);

/*
 * Is this the first copy of cutrace in the global scope? Another one, from another folder, is
 * preloaded as well where this is false, and it is the one that records.
 */
bool ct_self_first(void);

#endif
