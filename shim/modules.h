/* SPDX-License-Identifier: Apache-2.0 */
/* Which executables and libraries are mapped where, so that stacks can be named afterwards. */
#ifndef CT_SHIM_MODULES_H
#define CT_SHIM_MODULES_H

/*
 * Record the modules that were loaded since the last time; nearly free when none
 * was. If another thread is at it already, leaves it to that thread: no lock is
 * ever waited for here, as the caller may hold the loader's.
 */
void ct_modules_refresh(void);

#endif
