/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUTRACE_FIX in code that is linked to the driver: it calls what the loader put into its tables
 * of addresses, and looks nothing up, so our wrappers are put there. Only with CUTRACE_FIX or
 * CUTRACE_FIX_COUNTS; programs that are only traced keep their tables as they are.
 */
#ifndef CT_SHIM_FIX_LINKED_H
#define CT_SHIM_FIX_LINKED_H

/*
 * Do so in all modules there are. To be called when some may be new: at our start, which is before
 * the program's own code, and when the driver is initialised. Nothing if there is no driver.
 */
void ct_fix_linked(void);

/* Count what was loaded later still, whose calls were not seen. For the end of the process. */
void ct_fix_linked_end(void);

#endif
