/* SPDX-License-Identifier: Apache-2.0 */
/* What makes synthetic traces: the program that could have been, and its records. */
#ifndef CT_TOOLS_GEN_TRACE_H
#define CT_TOOLS_GEN_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/record.h"

#define THREADS_MAX 64
#define STREAMS 2 /* of a thread */
#define KERNELS 48
#define STACKS 256
#define FRAMES 6
#define START_NS 1000000000u
#define QUEUE_NS 5000000 /* work that a stream's queue holds: some hundred kernels */
#define CUPTI_THREAD 0 /* the lane that device records go to */

/* A thread of the program, or CUPTI's: what it writes is gathered by the chunk. */
struct lane {
	uint8_t *chunk;
	uint32_t used, tid;
};

struct stream {
	uint64_t free_ns; /* when its last operation ends */
	uint32_t id, device;
};

struct thread {
	struct lane *lane;
	struct stream streams[STREAMS];
	uint64_t now_ns;
	uint32_t step, device;
};

struct maker {
	FILE *to;
	uint64_t seed, sequence, file_bytes;
	uint64_t calls, ops, wanted;
	uint64_t lock_ns, event_sync; /* until when the driver's lock is taken */
	uint32_t correlation, thread_count;
	bool lockstep; /* all threads meet after every step */
	bool deep;     /* nobody synchronizes: the queues of streams are full */
	bool second_device; /* there is one, late in the run */
	uint32_t rank, world; /* world 0: no rank is stated */
	uint64_t late_ns;     /* the process starts so much later than rank 0 of the others */
	struct lane lanes[THREADS_MAX + 1];
	struct thread threads[THREADS_MAX];
};

/* Put a full or last chunk into the file; what is not used of it is zero. */
void ct_gen_write_chunk(struct maker *m, struct lane *lane);

/* Room for a record of so many bytes, all zero but its commit word. */
void *ct_gen_reserve(struct maker *m, struct lane *lane, enum ct_record_type type, size_t bytes);

/* One slot, whose commit word is set here. */
void ct_gen_put(struct maker *m, struct lane *lane, enum ct_record_type type, const void *what);

/* What a trace's reader must know first: names, stacks, the device, and who the process is. */
void ct_gen_put_facts(struct maker *m);

#endif
