/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka, with the headers it wants to be included before it. */
#ifndef CT_TESTS_UNIT_H
#define CT_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
