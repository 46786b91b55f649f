/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges that the program marks by NVTX: records of a trace file, as record.h has them. */
#ifndef CT_TRACE_NVTX_H
#define CT_TRACE_NVTX_H

#include <assert.h>
#include <stdint.h>

enum ct_nvtx_kind {
	CT_NVTX_PUSHED = 1, /* push and pop: of one thread; those of a domain nest */
	CT_NVTX_STARTED = 2 /* start and end: may overlap, and end on another thread */
};

/*
 * One range. As CT_RECORD_NVTX_RANGE it is written when the range ends. As CT_RECORD_NVTX_OPEN it
 * is of a range under way, and is emptied (begin_ns = 0) and used for another one later: begin_ns
 * is stored last when a range begins, and first when it ends, which is after its other record was
 * written.
 */
struct ct_nvtx_range {
	uint32_t commit;
	uint32_t tid;      /* thread that began it */
	uint64_t begin_ns;
	uint64_t end_ns;   /* 0 in CT_RECORD_NVTX_OPEN */
	uint32_t name;     /* id of an NVTX_NAME record; 0 = none, or it was not kept */
	uint32_t domain;   /* the same; 0 = the default domain */
	uint32_t end_tid;  /* thread that ended it */
	uint32_t category; /* the program's; 0 = none */
	uint32_t color;    /* ARGB; 0 = none */
	uint8_t kind;      /* enum ct_nvtx_kind */
	uint8_t cut;       /* 1: its thread ended and never popped it */
	uint8_t reserved8[2];
	uint64_t reserved[2];
};
static_assert(sizeof(struct ct_nvtx_range) == 64, "one slot");

/* Name of ranges or of a domain, UTF-8; of variable length. */
struct ct_nvtx_name {
	uint32_t commit;
	uint32_t id;     /* from 1 */
	uint32_t length; /* bytes, no terminator */
	char text[];
};
#define CT_NVTX_NAME_MAX 1024u /* longer names are cut */

#endif
