/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/grid.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analyze/csv.h"
#include "export/json.h"
#include "trace/tame.h"

#define CELL_WIDTH 56 /* of texts in a table, in characters */
#define SHOWN_BYTES 256

enum ct_format ct_format_of(const char *name)
{
	static const char *const names[] = { "table", "csv", "tsv", "json" };
	int format = 0;

	while (name && format < CT_FORMAT_JSON && strcasecmp(name, names[format]) != 0)
		format++;
	return (enum ct_format)format;
}

/* Take the cell at *at apart; *at is what follows it. Returns the cell. */
static char *read_cell(char **at, bool *ret_last)
{
	char *cell = *at, *to = *at, *from = *at;
	bool quoted = *from == '"';

	from += quoted;
	while (*from && (quoted ? *from != '"' || from[1] == '"' : *from != ',' && *from != '\n')) {
		from += quoted && *from == '"';
		*to++ = *from++;
	}
	from += quoted && *from == '"';
	*ret_last = *from != ',';
	*at = *from ? from + 1 : from;
	*to = '\0';
	/* the apostrophe that keeps spreadsheets from taking it for a formula */
	return quoted && cell[0] == '\'' && cell[1] && strchr("=+-@", cell[1]) ? cell + 1 : cell;
}

static int push(struct ct_grid *grid, size_t *count, size_t *room, char *cell)
{
	if (*count == *room) {
		size_t more = *room ? 2 * *room : 256;
		char **grown = reallocarray(grid->cells, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		grid->cells = grown;
		*room = more;
	}
	grid->cells[(*count)++] = cell;
	return 0;
}

int ct_grid_read(char *csv, struct ct_grid *ret)
{
	static char none[] = "";
	size_t count = 0, room = 0;
	int r = 0;

	*ret = (struct ct_grid){ 0 };
	while (r == 0 && *csv) {
		size_t column = 0;
		bool last = false;

		for (; r == 0 && !last; column++)
			r = push(ret, &count, &room, read_cell(&csv, &last));
		if (!ret->columns)
			ret->columns = column;
		else
			ret->rows++;
		for (; r == 0 && column < ret->columns; column++)
			r = push(ret, &count, &room, none);
		if (r == 0 && column > ret->columns)
			r = -EBADMSG;
	}
	if (r < 0)
		ct_grid_free(ret);
	return r;
}

void ct_grid_free(struct ct_grid *grid)
{
	free(grid->cells);
	*grid = (struct ct_grid){ 0 };
}

static const char *cell_of(const struct ct_grid *grid, size_t row, size_t column)
{
	return grid->cells[row * grid->columns + column];
}

/* By what the header says is counted or measured. */
static bool is_numeric(const struct ct_grid *grid, size_t column)
{
	static const char *const ends[] = { "(ns)", "(%)", "(bytes)", "(records)" };
	static const char *const names[] = { "Calls", "Num Calls", "Instances", "Count", "Pairs", "PID" };
	const char *header = cell_of(grid, 0, column);
	size_t length = strlen(header);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (length > strlen(ends[i]) && !strcmp(header + length - strlen(ends[i]), ends[i]))
			return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(header, names[i]) == 0)
			return true;
	return false;
}

static bool is_number(const char *text)
{
	size_t whole = strspn(text, "0123456789"), rest;

	if (!whole || (whole > 1 && *text == '0'))
		return false;
	if (text[whole] != '.')
		return !text[whole];
	rest = strspn(text + whole + 1, "0123456789");
	return rest && !text[whole + 1 + rest];
}

static void print_json(const struct ct_grid *grid, const char *lead_header, const char *lead, FILE *to)
{
	fputc('[', to);
	for (size_t row = 1; row <= grid->rows; row++) {
		struct ct_json json = { .to = to };

		fputs(row > 1 ? ",\n" : "\n", to);
		ct_json_begin(&json, NULL);
		if (lead)
			ct_json_text(&json, lead_header, lead);
		for (size_t column = 0; column < grid->columns; column++) {
			const char *cell = cell_of(grid, row, column), *key = cell_of(grid, 0, column);

			if (is_numeric(grid, column) && is_number(cell))
				ct_json_raw(&json, key, cell);
			else if (is_numeric(grid, column) && !*cell)
				ct_json_null(&json, key);
			else
				ct_json_text(&json, key, cell);
		}
		ct_json_end(&json);
	}
	fputs(grid->rows ? "\n]" : "]", to);
}

static void print_tsv(const struct ct_grid *grid, const char *lead_header, const char *lead,
		      bool headers, FILE *to)
{
	for (size_t row = headers ? 0 : 1; row <= grid->rows; row++) {
		for (const char *at = !lead ? "" : row ? lead : lead_header; *at; at++)
			fputc((unsigned char)*at < ' ' ? '?' : *at, to); /* as ct_csv_text() does */
		if (lead)
			fputc('\t', to);
		for (size_t column = 0; column < grid->columns; column++)
			fprintf(to, "%s%c", cell_of(grid, row, column),
				column + 1 < grid->columns ? '\t' : '\n');
	}
}

/* Characters of UTF-8. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* "1234567.5" -> "1,234,567.5" */
static void group(const char *number, char *ret, size_t size)
{
	size_t whole = strcspn(number, "."), used = 0;

	for (size_t i = 0; number[i] && used + 2 < size; i++) {
		if (i && i < whole && (whole - i) % 3 == 0)
			ret[used++] = ',';
		ret[used++] = number[i];
	}
	ret[used] = '\0';
}

/* Bytes of the first so many characters, or of all. */
static size_t bytes_of(const char *text, size_t characters)
{
	size_t bytes = 0;

	while (text[bytes] && characters--)
		for (bytes++; (text[bytes] & 0xc0) == 0x80;)
			bytes++;
	return bytes;
}

/* A cell as a table has it. Returns whether it had to be cut. */
static bool show(const struct ct_grid *grid, size_t row, size_t column, char ret[SHOWN_BYTES])
{
	const char *cell = cell_of(grid, row, column);
	size_t bytes = bytes_of(cell, CELL_WIDTH);
	bool cut = cell[bytes] || bytes >= SHOWN_BYTES - 4;

	if (row && is_numeric(grid, column) && is_number(cell) &&
	    strcmp(cell_of(grid, 0, column), "PID") != 0) {
		group(cell, ret, SHOWN_BYTES);
		return false;
	}
	if (cut)
		bytes = bytes_of(cell, CELL_WIDTH - 3);
	if (bytes > SHOWN_BYTES - 4)
		bytes = SHOWN_BYTES - 4;
	snprintf(ret, SHOWN_BYTES, "%.*s%s", (int)bytes, cell, cut ? "..." : "");
	ct_tame(ret, '?');
	return cut;
}

static void find_widths(const struct ct_grid *grid, size_t *widths)
{
	char text[SHOWN_BYTES];

	for (size_t row = 0; row <= grid->rows; row++)
		for (size_t column = 0; column < grid->columns; column++) {
			size_t width;

			show(grid, row, column, text);
			width = width_of(text);
			widths[column] = width > widths[column] ? width : widths[column];
		}
}

/* Stacks would take lines of their own. */
static bool is_left_out(const struct ct_grid *grid, size_t column)
{
	return strcmp(cell_of(grid, 0, column), "Stack") == 0;
}

/* Returns whether something was cut. */
static bool print_row(const struct ct_grid *grid, size_t row, const size_t *widths, FILE *to)
{
	const char *between = "";
	char text[SHOWN_BYTES];
	bool cut = false;

	for (size_t column = 0; column < grid->columns; column++) {
		bool last = column + 1 == grid->columns, right = is_numeric(grid, column);
		int pad;

		if (is_left_out(grid, column))
			continue;
		cut |= show(grid, row, column, text);
		pad = (int)(widths[column] - width_of(text));
		fprintf(to, "%s%*s%s%*s", between, right ? pad : 0, "", text, right || last ? 0 : pad, "");
		between = "  ";
	}
	fputc('\n', to);
	return cut;
}

static int print_table(const struct ct_grid *grid, FILE *to)
{
	size_t *widths = calloc(grid->columns + 1, sizeof(*widths));
	bool cut = false;

	if (!widths)
		return -ENOMEM;
	find_widths(grid, widths);
	for (size_t row = 0; row <= grid->rows; row++)
		cut |= print_row(grid, row, widths, to);
	for (size_t column = 0; grid->rows && column < grid->columns; column++)
		cut |= is_left_out(grid, column);
	if (cut)
		fprintf(to, "(stacks and ends of long texts are left out here: --format csv has them)\n");
	free(widths);
	return 0;
}

/* As it came: what was quoted is quoted again. */
static void print_csv(const struct ct_grid *grid, const char *lead_header, const char *lead,
		      bool headers, FILE *to)
{
	struct ct_csv csv = { .to = to };

	for (size_t row = headers ? 0 : 1; row <= grid->rows; row++) {
		if (lead)
			ct_csv_text(&csv, row ? lead : lead_header);
		for (size_t column = 0; column < grid->columns; column++)
			ct_csv_text(&csv, cell_of(grid, row, column));
		ct_csv_end_row(&csv);
	}
}

int ct_grid_print(const struct ct_grid *grid, enum ct_format format, const char *lead_header,
		  const char *lead, bool headers, FILE *to)
{
	if (format == CT_FORMAT_TABLE)
		return print_table(grid, to);
	if (format == CT_FORMAT_CSV)
		print_csv(grid, lead_header, lead, headers, to);
	else if (format == CT_FORMAT_TSV)
		print_tsv(grid, lead_header, lead, headers, to);
	else
		print_json(grid, lead_header, lead, to);
	return 0;
}
