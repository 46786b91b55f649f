/* SPDX-License-Identifier: Apache-2.0 */
/* Being loaded by the CUDA driver. */
#ifndef CT_SHIM_INJECT_H
#define CT_SHIM_INJECT_H

/* If the driver never loaded us, say in the trace and on stderr why there are no device times. */
void ct_inject_explain(void);

#endif
