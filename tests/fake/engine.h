/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the fake libcuda: streams, memory and locks behind its entry points. */
#ifndef FAKE_ENGINE_H
#define FAKE_ENGINE_H

#include "fake.h"

#include <pthread.h>

struct fake_graph;
struct fake_pool;

/* Work that must be complete: everything up to seq of a stream. */
struct fake_dep {
	struct fake_stream *stream;
	uint64_t seq;
};

/*
 * Streams and their workers live for ever. A destroyed stream that has run dry is
 * handed out again under a new id, its sequence numbers going on, so that a
 * dependency on its former life is simply met.
 */
struct fake_stream {
	struct fake_stream *next;
	pthread_cond_t work;     /* for the worker: something was submitted */
	pthread_cond_t progress; /* for all others: something completed */
	struct fake_op *head, **tail;
	uint64_t submitted, completed; /* sequence numbers */
	uint64_t device_ns;            /* when its latest operation ended */
	struct fake_graph *capture;
	uint32_t id;
	CUcontext context; /* of a created stream */
	uint32_t device;
	unsigned int flags;
	int priority;
	bool destroyed;
};

struct fake_event {
	struct fake_dep at;  /* latest recording */
	uint64_t time_ns;    /* when that happened on the device */
	uint64_t sync_id;
	struct fake_graph *capture; /* recorded in a stream under capture */
	CUcontext context;
	uint32_t device;
	uint32_t life; /* of the context that it was made in */
	uint32_t id;
};

struct fake_memory {
	void *base;
	size_t size_bytes;
	enum fake_memory_kind kind;
	uint32_t device;            /* that has it; of host memory: in whose context it was made */
	struct fake_stream *stream; /* FAKE_POOLED: where it was allocated */
	struct fake_pool *pool;     /* FAKE_POOLED */
};

/* time.c */
void fake_sleep_until(uint64_t deadline_ns);
void fake_spend(uint64_t host_ns);

/* call.c */
const struct fake_hooks *fake_listener(void);
bool fake_per_thread(void);
uint32_t fake_correlation(void);
uint64_t fake_setting(const char *name, uint64_t fallback); /* a number in the environment */

/* locks.c */
void fake_context_lock(uint32_t device);
void fake_context_unlock(uint32_t device);
void fake_allocation_lock(uint32_t device);
void fake_allocation_unlock(uint32_t device);

/* stream.c */
struct fake_stream *fake_stream_get(CUstream handle);
struct fake_stream *fake_stream_create(unsigned int flags, int priority);
void fake_stream_destroy(struct fake_stream *stream);
struct fake_op *fake_op_new(enum fake_kind kind, struct fake_stream *stream);
void fake_op_free(struct fake_op *op);
struct fake_dep fake_submit(struct fake_op *op);
struct fake_dep fake_stream_tail(struct fake_stream *stream);
bool fake_reached(struct fake_dep dep);
void fake_wait_for(struct fake_dep dep);
void fake_op_after(struct fake_op *op, struct fake_dep dep);
void fake_drain(uint32_t device);
bool fake_spoil_captures(uint32_t device);
struct fake_op *fake_op_behind_all(enum fake_kind kind, uint32_t device);
struct fake_dep fake_submit_between(struct fake_op *op, const uint32_t devices[2]);
void fake_end_capture(const struct fake_graph *graph);

/* worker.c */
void *fake_worker(void *stream);
extern pthread_mutex_t fake_device_mutex; /* guards every stream and event */

/* memory.c */
void fake_memory_add(struct fake_memory memory);
bool fake_memory_find(const void *ptr, struct fake_memory *ret_memory);
bool fake_memory_remove(const void *ptr, struct fake_memory *ret_memory);
CUresult fake_memory_new(struct fake_memory wanted, void **ret_base);
void fake_memory_unregister(uint32_t device);
bool fake_memory_spare(struct fake_memory memory, struct fake_dep freed);
size_t fake_memory_used(uint32_t device);
size_t fake_memory_total(void);

/* copy.c */
CUresult fake_do_copy(struct fake_copy copy, struct fake_stream *stream, bool async);
CUresult fake_do_peer_copy(struct fake_copy copy, struct fake_stream *stream);
CUresult fake_do_fill(struct fake_fill fill, struct fake_stream *stream, bool async);

/* driver_copy.c */
struct fake_copy fake_copy_line(CUdeviceptr dst, CUdeviceptr src, size_t bytes);

/* driver_peer.c: may a device reach the memory of its peer? */
bool fake_peer_access(uint32_t device, uint32_t peer);

/* graph.c */
void fake_graph_append(struct fake_graph *graph, struct fake_op *op);

/* driver_launch.c */
const char *fake_function_name(CUfunction function);

/* driver_memory.c */
uint64_t fake_free_ns(size_t bytes);

/* driver_pool.c */
struct fake_pool *fake_pool_get(CUmemoryPool handle, uint32_t device);
uint32_t fake_pool_device(const struct fake_pool *pool);
bool fake_pool_take(struct fake_pool *pool, size_t bytes, struct fake_stream *stream);
void fake_pool_give(struct fake_pool *pool, size_t bytes, struct fake_dep freed);
void fake_pool_trim(uint32_t device);

/* context.c */
CUresult fake_init(void);
CUresult fake_ready(void);
CUcontext fake_current_context(void);
uint32_t fake_context_life(uint32_t device);
void fake_resource(CUpti_CallbackIdResource what, uint32_t device, struct fake_stream *stream);

/*
 * A driver entry point: DRIVER(name, (parameters), (arguments)) { body }. Calls need a
 * context; the few that do not are DRIVER_EARLY.
 */
#define DRIVER_ENTRY(launched, fn, entry, twin, parameters, arguments)                             \
	FAKE_CALL(fake_function_name(launched), CUresult, CUPTI_CB_DOMAIN_DRIVER_API, fn, entry,   \
		  CUPTI_DRIVER_TRACE_CBID_##entry, twin, entry##_params, parameters, arguments)
#define DRIVER_EARLY(name, parameters, arguments)                                                  \
	static CUresult do_##name parameters;                                                      \
	DRIVER_ENTRY(NULL, do_##name, name, false, parameters, arguments)                          \
	static CUresult do_##name parameters
#define DRIVER_BODY(name, parameters, arguments)                                                   \
	static CUresult do_##name parameters;                                                      \
	static CUresult ready_##name parameters                                                    \
	{                                                                                          \
		CUresult error = fake_ready();                                                     \
		return error ? error : do_##name arguments;                                        \
	}
#define DRIVER(name, parameters, arguments)                                                        \
	DRIVER_BODY(name, parameters, arguments)                                                   \
	DRIVER_ENTRY(NULL, ready_##name, name, false, parameters, arguments)                       \
	static CUresult do_##name parameters
#define DRIVER_TWIN(name, suffix, launched, parameters, arguments)                                 \
	DRIVER_BODY(name, parameters, arguments)                                                   \
	DRIVER_ENTRY(launched, ready_##name, name, false, parameters, arguments)                   \
	DRIVER_ENTRY(launched, ready_##name, name##suffix, true, parameters, arguments)            \
	static CUresult do_##name parameters
#define DRIVER_PTSZ(name, ...)   DRIVER_TWIN(name, _ptsz, NULL, __VA_ARGS__)
#define DRIVER_PTDS(name, ...)   DRIVER_TWIN(name, _ptds, NULL, __VA_ARGS__)
#define DRIVER_LAUNCH(name, ...) DRIVER_TWIN(name, _ptsz, f, __VA_ARGS__) /* of kernel f */

#endif
