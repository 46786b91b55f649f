/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/sink.h"

#include <stdlib.h>

#include "tests/fuzz/form.h"

struct sink {
	bool table, quoted, begun; /* begun: of the field at hand something has come */
	unsigned fields, wanted;   /* of the row; of each row, 0 = not known yet */
};

static void end_of_row(struct sink *sink)
{
	MUST(!sink->wanted || sink->fields + 1 == sink->wanted);
	sink->wanted = sink->fields + 1;
	sink->fields = 0;
	sink->begun = false;
}

static void look_at(struct sink *sink, unsigned char c)
{
	MUST((c >= ' ' && c != 127) || c == '\n');
	if (!sink->table)
		return;
	if (c == '"') {
		sink->quoted = !sink->quoted;
	} else if (sink->quoted) {
		MUST(sink->begun || (c != '=' && c != '+' && c != '@'));
		sink->begun = true;
	} else if (c == ',') {
		sink->fields++;
		sink->begun = false;
	} else if (c == '\n') {
		end_of_row(sink);
	} else {
		MUST(sink->begun || (c != '=' && c != '+' && c != '@'));
		sink->begun = true;
	}
}

static ssize_t sink_write(void *cookie, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		look_at(cookie, (unsigned char)bytes[i]);
	return (ssize_t)count;
}

static int sink_close(void *cookie)
{
	free(cookie);
	return 0;
}

FILE *sink_open(bool table)
{
	const cookie_io_functions_t functions = { .write = sink_write, .close = sink_close };
	struct sink *sink = calloc(1, sizeof(*sink));
	FILE *file;

	MUST(sink);
	sink->table = table;
	file = fopencookie(sink, "w", functions);
	MUST(file);
	return file;
}
