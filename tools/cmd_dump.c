/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "analyze/analysis.h"
#include "tools/args.h"
#include "tools/members.h"
#include "tools/tool.h"

static void dump_header(const struct ct_file_header *header)
{
	printf("trace version %u, %s pid %u, start %" PRIu64 ", finish %u at %" PRIu64 "\n",
	       header->version, header->program, header->pid, header->start_ns, header->finish,
	       header->finish_ns);
	for (uint32_t i = 0; i < header->loss_count; i++)
		if (header->lost[i])
			printf("lost kind=%u count=%" PRIu64 "\n", i, header->lost[i]);
}

int ct_cmd_dump(const struct ct_args *args)
{
	const char *directory = args->operands[0];
	char path[PATH_MAX], why[256];
	struct stat st;
	struct ct_reader *reader;
	struct ct_item item;
	uint64_t damaged, offset;
	int r;

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", directory) >= (int)sizeof(path))
		return ct_fail(directory, "the name is too long");
	if (stat(path, &st) == 0 && ct_foreign(&st, why, sizeof(why)))
		return ct_fail(directory, why);
	r = ct_reader_open(path, &reader);
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	dump_header(ct_reader_header(reader));
	while ((r = ct_reader_next(reader, &item)) == 1)
		ct_report_record(&item, stdout);
	damaged = ct_reader_damage(reader, &offset);
	ct_reader_close(reader);
	if (r < 0)
		return ct_fail(directory, ct_trace_error(r));
	if (damaged)
		fprintf(stderr, "cutrace: %s: %" PRIu64 " bytes unreadable, the first at offset %" PRIu64
			"\n", directory, damaged, offset);
	return fflush(stdout) == 0 ? 0 : ct_fail("standard output", "cannot be written");
}
