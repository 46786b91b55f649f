/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values after RFC 4180, with LF line ends: header row, '.' decimals. */
#ifndef CT_ANALYZE_CSV_H
#define CT_ANALYZE_CSV_H

#include <stdint.h>
#include <stdio.h>

struct ct_csv {
	FILE *to;
	int column; /* of the row being written */
};

/*
 * A text field, quoted where it must be. Text that a spreadsheet would take for a
 * formula (= + - @ first) gets an apostrophe before it; control characters become '?'.
 */
void ct_csv_text(struct ct_csv *csv, const char *text);

/* As ct_csv_text(), formatted. */
void ct_csv_format(struct ct_csv *csv, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void ct_csv_number(struct ct_csv *csv, uint64_t value);

/* A field with nothing in it. */
void ct_csv_none(struct ct_csv *csv);

/* A number with `digits` decimals, '.' whatever the locale. */
void ct_csv_decimal(struct ct_csv *csv, double value, int digits);

void ct_csv_end_row(struct ct_csv *csv);

/* A whole header line, given with its commas. */
void ct_csv_header(struct ct_csv *csv, const char *line);

#endif
