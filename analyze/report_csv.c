/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "analyze/csv.h"

static void separate(struct ct_csv *csv)
{
	if (csv->column++)
		fputc(',', csv->to);
}

void ct_csv_text(struct ct_csv *csv, const char *text)
{
	bool formula = *text && strchr("=+-@", *text);
	bool quote = strpbrk(text, ",\"\n\r") || formula;

	separate(csv);
	if (quote)
		fputc('"', csv->to);
	if (formula)
		fputc('\'', csv->to);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', csv->to);
		fputc((unsigned char)*text < ' ' ? '?' : *text, csv->to);
	}
	if (quote)
		fputc('"', csv->to);
}

void ct_csv_format(struct ct_csv *csv, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ct_csv_text(csv, text);
}

void ct_csv_number(struct ct_csv *csv, uint64_t value)
{
	separate(csv);
	fprintf(csv->to, "%" PRIu64, value);
}

void ct_csv_none(struct ct_csv *csv)
{
	separate(csv);
}

void ct_csv_decimal(struct ct_csv *csv, double value, int digits)
{
	separate(csv);
	fprintf(csv->to, "%.*f", digits, value);
}

void ct_csv_end_row(struct ct_csv *csv)
{
	fputc('\n', csv->to);
	csv->column = 0;
}

void ct_csv_header(struct ct_csv *csv, const char *line)
{
	fprintf(csv->to, "%s\n", line);
}
