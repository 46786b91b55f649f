/* SPDX-License-Identifier: Apache-2.0 */
/* Where reports of fuzzed traces go: nowhere, but what is written must be fit for a terminal. */
#ifndef CT_TESTS_FUZZ_SINK_H
#define CT_TESTS_FUZZ_SINK_H

#include <stdbool.h>
#include <stdio.h>

/*
 * A stream that aborts on a control character other than the end of a line and, of a table,
 * on a row with another number of fields than the first or a field that spreadsheets take for
 * a formula. For fclose().
 */
FILE *sink_open(bool table);

#endif
