/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzzer's input is, and the trace that is made of it. A trace lies in chunks of 64
 * KiB, and a packed one has checksums: both would be in the fuzzer's way. So an input is 4
 * bytes (struct form_head) and, by kind,
 *
 *   FORM_PLAIN   the file header as far as it has fields, then chunks: u32, how many slots,
 *                and the slots, that of the chunk's header first
 *   FORM_PACKED  the header of a packed trace, then blocks: their header and encoded bytes,
 *                as many as packed_bytes says; frames and checks are made here
 *   FORM_RAW     the file as it is
 */
#ifndef CT_TESTS_FUZZ_FORM_H
#define CT_TESTS_FUZZ_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "trace/packed.h"

enum form_kind { FORM_PLAIN = 'P', FORM_PACKED = 'Z', FORM_RAW = 'R' };

#define FORM_CUT 1   /* plain: the file ends where its last chunk's slots do */
#define FORM_PACK 2  /* plain, raw: the trace is packed before it is read */
#define FORM_PARTS 4 /* it is analyzed in parts of part_records */
#define FORM_ODD 8   /* packed: encoded_bytes stays as it is, be it right or wrong */

struct form_head {
	uint8_t kind, flags;
	uint16_t part_records;
};

/* One slot or several of a plain form: a chunk's header, or a record. */
struct form_item {
	const uint8_t *bytes;
	uint32_t slots;
	bool chunk; /* a chunk begins with it */
};

#define FORM_ITEMS 8192

/*
 * Take a plain form apart. Returns how many items; 0 if it has none, or is no such form.
 * Bytes behind the last whole item are left out.
 */
size_t form_items(const uint8_t *input, size_t size, struct form_item items[FORM_ITEMS]);

/* The other way: head and file header from `input`. Returns the bytes written, 0: no room. */
size_t form_join(const uint8_t *input, const struct form_item *items, size_t count, uint8_t *to,
		 size_t room);

/* Where the items of a plain form begin. */
#define FORM_ITEMS_AT (sizeof(struct form_head) + sizeof(struct ct_file_header))

/* A directory of this process with a trace in it, removed at exit. Aborts if there is none. */
const char *form_directory(void);

/* Make the trace in form_directory(). Returns its head; kind 0: the input is none. */
struct form_head form_write(const uint8_t *input, size_t size);

/* The trace's path, and another in the same place. */
const char *form_path(void);
const char *form_other_path(void);

/* Stop here: something does not hold that must. */
#define MUST(holds) ((holds) ? (void)0 : form_failed(#holds, __FILE__, __LINE__))
void form_failed(const char *what, const char *file, int line) __attribute__((noreturn));

#endif
