/* SPDX-License-Identifier: Apache-2.0 */
/* A table, made as CSV, in the format that was asked for. */
#ifndef CT_TOOLS_GRID_H
#define CT_TOOLS_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum ct_format { CT_FORMAT_TABLE, CT_FORMAT_CSV, CT_FORMAT_TSV, CT_FORMAT_JSON };

/* "table", "csv", "tsv" or "json", in any case of letters; NULL is "table". */
enum ct_format ct_format_of(const char *name);

struct ct_grid {
	size_t columns, rows; /* rows without that of the headers, which is the first */
	char **cells;
};

/*
 * Take CSV as analyze/csv.h writes it apart: the cells are in its text, which is overwritten.
 * Returns 0, -ENOMEM, or -EBADMSG if a row has more cells than the first. Rows with fewer are
 * filled up. Then ct_grid_free().
 */
int ct_grid_read(char *csv, struct ct_grid *ret);
void ct_grid_free(struct ct_grid *grid);

/*
 * Print it. lead: a cell more in front of each row, and its header; NULL = none. headers: CSV and
 * TSV begin with them, or it is more rows of a table. Numbers are
 * numbers in JSON, an array of objects, and grouped in a table; empty cells of a number's column are
 * null. A table leaves out stacks, and cuts texts that are too long for a line: that is said. Returns
 * 0 or -ENOMEM.
 */
int ct_grid_print(const struct ct_grid *grid, enum ct_format format, const char *lead_header,
		  const char *lead, bool headers, FILE *to);

#endif
