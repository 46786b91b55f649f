/* SPDX-License-Identifier: Apache-2.0 */
/* A function whose line is known, for tests that look it up: all on one, as compilers differ. */
int linked(int x);
extern const int linked_line;
const int linked_line = __LINE__ + 1;
int linked(int x) { return x + 1; }
