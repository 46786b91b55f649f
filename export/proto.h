/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers' encoding (protobuf.dev, "Encoding"): as much as a Perfetto trace needs.
 * A message is built in memory, and those in it in the same buffer; the first failure to
 * get memory is kept, and what is built from then on is of no use.
 */
#ifndef CT_EXPORT_PROTO_H
#define CT_EXPORT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty message; ct_proto_free() frees. */
struct ct_proto {
	uint8_t *at;
	size_t count, room;
	bool no_memory;
};

void ct_proto_free(struct ct_proto *proto);
void ct_proto_clear(struct ct_proto *proto);

/* Fields: int32, int64, uint32, uint64, bool and enum; fixed64; bytes, as string. */
void ct_proto_varint(struct ct_proto *proto, unsigned field, uint64_t value);
void ct_proto_fixed64(struct ct_proto *proto, unsigned field, uint64_t value);
void ct_proto_bytes(struct ct_proto *proto, unsigned field, const void *bytes, size_t size);
void ct_proto_text(struct ct_proto *proto, unsigned field, const char *text); /* made UTF-8 */

/* A message in the message: whatever is written until ct_proto_end() of the mark is in it. */
size_t ct_proto_begin(struct ct_proto *proto, unsigned field);
void ct_proto_end(struct ct_proto *proto, size_t mark);

#endif
