/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a trace when single bytes of it are gone or others, by the reader, the whole
 * analysis and every renderer, in this process: tens of thousands of files are tried.
 *
 *   reader_bytes truncated|flipped|extreme DIRECTORY
 *
 * DIRECTORY/trace.cutrace, plain or packed, is changed, and put right again. Exit status 0:
 * each was refused, or reported on; what is certain to be missing was said.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/analysis.h"

static const char *directory;
static char path[4096];
static uint64_t refused, blind, clean; /* outcomes */

#define CHECK(holds, ...)                                                                          \
	do {                                                                                       \
		if (!(holds)) {                                                                    \
			printf("not ok: " __VA_ARGS__);                                            \
			printf(": " #holds "\n");                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* What a reader finds: how much, and a sum over all of it. */
struct digest {
	uint64_t records, sum, damage;
	int error;
};

static struct digest read_trace(void)
{
	struct digest d = { 0 };
	struct ct_reader *reader;
	struct ct_item item;

	d.error = ct_reader_open(path, &reader);
	if (d.error < 0)
		return d;
	while (ct_reader_next(reader, &item) == 1) {
		for (uint32_t i = 0; i < item.bytes; i++)
			d.sum = d.sum * 31 + ((const uint8_t *)item.record)[i];
		d.records++;
	}
	d.damage = ct_reader_damage(reader, NULL);
	ct_reader_close(reader);
	return d;
}

static bool same(const struct digest *a, const struct digest *b)
{
	return a->error == b->error && a->records == b->records && a->sum == b->sum &&
	       a->damage == b->damage;
}

/* Does the report say that something is not seen? Everything else of it is written as well. */
static bool says_blind(const struct ct_analysis *a)
{
	size_t size;
	char *text = NULL;
	FILE *to = open_memstream(&text, &size);
	bool says, says_clean;

	CHECK(to, "memory");
	ct_report_text(a, false, to);
	for (const struct ct_table *table = ct_tables; table->file; table++)
		if (!table->of_limit)
			table->write(a, to);
	CHECK(fclose(to) == 0, "memory");
	says = strstr(text, "\nNOT seen  ");
	says_clean = strstr(text, "\nnot seen  nothing was dropped\n");
	CHECK(says != says_clean, "the report says one or the other");
	free(text);
	return says;
}

/* Analyze and report. Returns whether something is not seen, or the trace refused. */
static bool is_honest(const char *what, uint64_t at)
{
	const struct ct_analysis_options options = { .threads = 1 };
	struct ct_analysis *a;
	bool says;
	int r = ct_analysis_run(directory, &options, &a);

	if (r < 0) {
		CHECK(r == -EBADMSG || r == -EPROTONOSUPPORT, "%s at %" PRIu64 ": %d", what, at, r);
		refused++;
		return true;
	}
	CHECK(!a->totals.mismatches, "%s at %" PRIu64 ": parts of calls", what, at);
	says = says_blind(a);
	CHECK(says || !a->model->damaged_bytes, "%s at %" PRIu64 ": damage is said", what, at);
	ct_analysis_destroy(a);
	blind += says;
	clean += !says;
	return says;
}

static bool is_zero(const uint8_t *bytes, uint64_t from, uint64_t end)
{
	for (; from < end; from++)
		if (bytes[from])
			return false;
	return true;
}

/*
 * Every size, from all of it down to nothing. Where a slot of zeros gets shorter, the reader's
 * word that this changed nothing is enough but now and then.
 */
static void truncate_everywhere(const uint8_t *bytes, uint64_t size)
{
	struct digest before = read_trace(), now;

	for (uint64_t at = size; at-- > 0; before = now) {
		uint64_t slot = at / 64 * 64, end = slot + 128 < size ? slot + 128 : size;

		CHECK(truncate(path, (off_t)at) == 0, "truncate");
		now = read_trace();
		if (at % 512 && is_zero(bytes, slot, end) && same(&before, &now))
			continue;
		CHECK(is_honest("cut", at), "cut at %" PRIu64 ": said", at);
	}
}

/*
 * Every byte another one. Of a packed trace it is noticed or without effect. A plain one has
 * no checksums: what a record says may no longer be so, but none is missing without a word.
 */
static void flip_everywhere(uint8_t *bytes, uint64_t size)
{
	const struct digest whole = read_trace();
	struct digest now;
	bool packed = !memcmp(bytes, "CUTRACEZ", 8);

	for (uint64_t at = 0; at < size; at++) {
		bool said = true;

		bytes[at] ^= 0xff;
		now = read_trace();
		if (at < 4096 || !same(&whole, &now))
			said = is_honest("flipped", at);
		CHECK(said || same(&whole, &now) || (!packed && now.records >= whole.records),
		      "flipped at %" PRIu64 ": said", at);
		bytes[at] ^= 0xff;
	}
}

/* Every number of 4 or 8 bytes that is not in an empty slot, one after the other. */
static void extreme_everywhere(uint8_t *bytes, uint64_t size)
{
	static const uint64_t values[] = { 0, (uint64_t)1 << 63, UINT64_MAX };

	for (uint64_t at = 0; at + 8 <= size; at += 8) {
		uint64_t saved;

		if (is_zero(bytes, at / 64 * 64, at / 64 * 64 + 64))
			continue;
		memcpy(&saved, bytes + at, sizeof(saved));
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			memcpy(bytes + at, &values[i], 8);
			is_honest("extreme", at);
		}
		for (uint64_t half = at; half < at + 8; half += 4) {
			memcpy(bytes + at, &saved, sizeof(saved));
			memset(bytes + half, 0xff, 4);
			is_honest("extreme", half);
		}
		memcpy(bytes + at, &saved, sizeof(saved));
	}
}

int main(int argc, char **argv)
{
	uint8_t *bytes, *copy;
	struct stat st;
	int fd;

	CHECK(argc == 3, "usage: reader_bytes truncated|flipped|extreme DIRECTORY");
	directory = argv[2];
	snprintf(path, sizeof(path), "%s/trace.cutrace", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	copy = malloc((size_t)st.st_size);
	CHECK(bytes != MAP_FAILED && copy, "memory");
	memcpy(copy, bytes, (size_t)st.st_size);
	CHECK(read_trace().records && !read_trace().damage, "a trace without damage");
	if (strcmp(argv[1], "truncated") == 0)
		truncate_everywhere(copy, (uint64_t)st.st_size);
	else if (strcmp(argv[1], "flipped") == 0)
		flip_everywhere(bytes, (uint64_t)st.st_size);
	else
		extreme_everywhere(bytes, (uint64_t)st.st_size);
	CHECK(pwrite(fd, copy, (size_t)st.st_size, 0) == st.st_size, "put right");
	printf("%" PRIu64 " refused, %" PRIu64 " said what is missing, %" PRIu64 " looked whole\n",
	       refused, blind, clean);
	return 0;
}
