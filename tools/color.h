/* SPDX-License-Identifier: Apache-2.0 */
/* Colors for what commands print: the renderers know nothing of terminals, and files have none. */
#ifndef CT_TOOLS_COLOR_H
#define CT_TOOLS_COLOR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * From now on, standard output has headings, lost times and what was not seen stand out, if that is
 * wanted. when: "always", "never", or "auto" or NULL: only on a terminal that is not dumb, and not
 * with NO_COLOR (no-color.org). Without memory there are no colors.
 */
void ct_color_begin(const char *when);

/*
 * A line with colors, for free(), or NULL without memory. heads: the line before was empty, or there
 * was none. *lost: where the column "lost" of the table ends, 0 = there is none; it is for the next
 * line.
 */
char *ct_color_line(const char *line, bool heads, size_t *lost);

#endif
