/* SPDX-License-Identifier: Apache-2.0 */
/* From a trace file to its packed form, and back. */
#ifndef CT_TRACE_PACK_H
#define CT_TRACE_PACK_H

#include <stdio.h>

#include "trace/reader.h"

/*
 * Write the packed form of an open trace, which nobody must be writing to any more. `to`
 * is an empty file, opened for writing; the caller closes it, and checks that.
 *
 * Returns 0, -EBADMSG if the reader's file is packed and damaged, -ENOMEM, or -errno
 * from writing.
 */
int ct_pack_write(const struct ct_reader *reader, FILE *to);

/*
 * Write the file that an open trace was before it was packed, but for bytes that no reader
 * looks at: these are holes. `to` as above.
 *
 * Returns as ct_pack_write() does. What damaged blocks held cannot be written, and a file
 * without them would look whole.
 */
int ct_unpack_write(const struct ct_reader *reader, FILE *to);

/*
 * Compare all that two traces hold: headers, every record, damage.
 *
 * Returns 0 if they are the same, with the number of records in *ret_records; -EBADMSG if
 * they differ or cannot be read; -ENOMEM.
 */
int ct_pack_compare(const struct ct_reader *a, const struct ct_reader *b, uint64_t *ret_records);

#endif
