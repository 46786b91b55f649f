/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a chunk in an order that compresses well, and back (trace/FORMAT.md,
 * "Packed traces"): records by type, fields that follow from others as the difference,
 * then byte by byte of all records of a type.
 */
#ifndef CT_TRACE_PLANES_H
#define CT_TRACE_PLANES_H

#include <stddef.h>
#include <stdint.h>

/* Where the encoded bytes go: part by part, each of one kind of content. */
struct ct_sink {
	int (*put)(struct ct_sink *sink, const void *bytes, size_t count); /* 0 or -errno */
};

/*
 * Encode an image: the bytes of a chunk from its header on, or any other bytes.
 *
 * Returns 0, -ENOMEM, or what the sink returned.
 */
int ct_planes_encode(const uint8_t *image, size_t bytes, struct ct_sink *sink);

/* The most bytes that ct_planes_encode() makes of an image. */
size_t ct_planes_bound(size_t image_bytes);

/*
 * Decode into `bytes` bytes.
 *
 * Returns 0, -ENOMEM, or -EBADMSG if this is not the encoding of so many bytes; then
 * ret_image holds nothing of use.
 */
int ct_planes_decode(const uint8_t *encoded, size_t encoded_bytes, uint8_t *ret_image,
		     size_t bytes);

#endif
