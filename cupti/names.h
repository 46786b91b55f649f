/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel names, kept once each. */
#ifndef CT_CUPTI_NAMES_H
#define CT_CUPTI_NAMES_H

#include "cupti/session.h"

/*
 * The STRING id of a name; the first time it is seen its record is written. Takes a
 * lock that is held across no foreign call. Returns 0 if it could not be kept, which
 * is counted.
 */
uint32_t ct_names_intern(const struct ct_cupti_host *host, const char *name);

#endif
