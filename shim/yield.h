/* SPDX-License-Identifier: Apache-2.0 */
/* Letting go of CUPTI when the program wants it. */
#ifndef CT_SHIM_YIELD_H
#define CT_SHIM_YIELD_H

/* The first CUPTI function that the program itself called; NULL as long as there is none. */
const char *ct_yield_first_use(void);

#endif
