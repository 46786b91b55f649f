/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations of ours, counted, told apart by call stack, made to fail and looked for when
 * they should be gone. Those of libraries are left alone. Link with scarce_wrapped (meson.build).
 * For one thread.
 */
#ifndef CT_TESTS_SCARCE_H
#define CT_TESTS_SCARCE_H

#include <stdbool.h>
#include <stddef.h>

/* From here on, keep in mind the call stacks that allocate and were not kept before. */
void scarce_learn(void);

/* Stop. Returns how many there are since scarce_learn(): the places to fail, from 0 on. */
size_t scarce_learned(void);

/* From here on the first allocation of that place fails; scarce_end() tells whether it came to it. */
void scarce_fail(size_t place);
bool scarce_end(void);

/* Print the stack of a place to stderr, for addr2line. */
void scarce_print(size_t place);

/* How much of ours is allocated, or open as a stream, at the moment. */
size_t scarce_alive(void);

#endif
