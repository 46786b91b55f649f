/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace in memory: calls, device operations and what joins them. load.c fills it
 * from the file, join.c links the pieces; blocking.c and serialize.c add what they
 * find. Everything refers to everything else by index into the arrays here.
 */
#ifndef CT_ANALYZE_MODEL_H
#define CT_ANALYZE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/apis.h"
#include "trace/reader.h"
#include "trace/record.h"

#define CT_UNKNOWN_CALL "(unknown call)"
#define CT_NONE UINT32_MAX /* no such index */

/*
 * The parts a call's duration splits into; they sum to it exactly. The order is
 * that of the CSV columns.
 */
#define CT_PARTS(X)                                                                              \
	X(DEVICE_WAIT, "device_wait", "waiting for device work")                                 \
	X(LOCK_WAIT, "lock_wait", "waiting for another thread's call to release the driver's lock") \
	X(QUEUE_FULL, "queue_full", "waiting for room in the launch queue")                      \
	X(TRANSFER, "transfer", "its own copy or staging")                                       \
	X(FIRST_USE, "first_use", "context creation or loading code")                            \
	X(TOOL, "tool", "cutrace and CUPTI")                                                     \
	X(DRIVER_WORK, "driver_work", "plain driver work")                                       \
	X(UNEXPLAINED, "unexplained", "no rule explains it")

enum ct_part {
#define X(id, name, text) CT_PART_##id,
	CT_PARTS(X)
#undef X
	CT_PART_COUNT
};

extern const char *const ct_part_names[CT_PART_COUNT]; /* "device_wait", ... */

/* One stretch of a call's time of one part. */
struct ct_wait {
	uint32_t call;
	enum ct_part part;
	uint64_t start_ns, end_ns;
	uint32_t op;      /* device_wait, transfer: the operation that released it; CT_NONE */
	uint32_t other;   /* lock_wait: the call that held the lock; CT_NONE */
	const char *why;  /* the rule that says so, one clause; static text */
};

/* Overheads of calls that were not recorded, of one part. */
struct ct_outside {
	uint64_t ns;
	uint32_t count;
};

/* A loop that waited by asking; its queries are calls of their own. */
struct ct_poll {
	uint32_t call;     /* the first query */
	uint32_t last;     /* query */
	uint32_t queries;
	uint64_t start_ns, end_ns;
	uint32_t op;       /* what it waited for; CT_NONE */
	bool left_out;     /* by a filter */
};

/* cudaStreamWaitEvent: from time_ns on the stream follows an operation of another. */
struct ct_stream_wait {
	uint32_t stream;   /* into streams */
	uint32_t op;
	uint64_t time_ns;
};

struct ct_host_call {
	struct ct_call raw;
	uint32_t tid;
	uint32_t thread;      /* into threads */
	uint32_t previous;    /* the thread's call before it; CT_NONE */
	enum ct_api api;      /* by name; CT_API_NONE for a call this build does not know */
	uint32_t effects;     /* enum ct_effect */
	const char *name;
	uint32_t first_op;    /* into by_call; with op_count */
	uint32_t op_count;
	uint32_t stream;      /* into streams; CT_NONE */
	uint32_t device;      /* it is about; CT_NONE: not known (device.h) */
	uint32_t sync;        /* into syncs: what CUPTI says it waited for; CT_NONE */
	uint64_t parts[CT_PART_COUNT];
	uint32_t first_wait;  /* into waits; with wait_count */
	uint32_t wait_count;
	uint32_t first_pending; /* into pending: last unfinished op of each stream it waited for */
	uint32_t pending_count;
	bool elsewhere;       /* it waited for work of another device than its own */
	bool chance;          /* work it may wait for was in flight when it began */
	bool nameless;        /* the file does not say which call it is: damaged */
	bool pageable;        /* it moves pageable host memory, by CUPTI's word */
	bool left_out;        /* by a filter: neither shown nor in sums of what is */
	uint32_t range;       /* innermost NVTX range, into ranges; CT_NONE */
	uint32_t range_domain, range_name; /* of it, into nvtx_names; CT_NONE */
	uint8_t past;         /* CT_PAST_*: what came before it, maybe long before */
	uint64_t submitted_ns; /* end of its last lock or queue wait: its work went to the device then */
	uint64_t released_ns; /* end of its last device, lock or queue wait; enter_ns if none */
};

#define CT_PAST_FIRST_LAUNCH 1   /* none: it is the first launch of its function */
#define CT_PAST_POOL_FREED 2     /* stream-ordered memory was freed since the last synchronise */
#define CT_PAST_STREAM_ORDERED 4 /* its address was got by a stream-ordered allocation */
#define CT_PAST_FIRST_POOL 8     /* none: no stream-ordered allocation on its device had returned yet */

/* Why an operation had to follow one of another stream. */
enum ct_edge_kind {
	CT_EDGE_EVENT,   /* the program said so: cudaStreamWaitEvent */
	CT_EDGE_DEFAULT, /* the rule of the legacy default stream */
	CT_EDGE_REUSE,   /* the stream-ordered allocator handed on memory still in use */
	CT_EDGE_ALIAS,   /* it lay behind one in a hardware queue that their streams share */
	CT_EDGE_LOADING, /* its code was loaded first, which waited for the device */
	CT_EDGE_PEERS,   /* a copy between two devices in a default stream, and work of both */
	CT_EDGES,
	CT_EDGE_HOST_FUNCTION = CT_EDGES + 1 /* not of an operation: see hostfunc.c */
};

/* Of the operations to follow for one reason, the one that ended last. */
struct ct_edge {
	uint32_t op;    /* CT_NONE: none */
	uint32_t cause; /* the call that brought it about; CT_NONE for events */
};

struct ct_op {
	struct ct_device_op raw;
	uint32_t call;        /* that submitted it; CT_NONE */
	uint32_t stream;      /* into streams */
	uint32_t previous;    /* the operation before it in its stream; CT_NONE */
	struct ct_edge edges[CT_EDGES]; /* operations of other streams it had to follow */
	uint64_t submit_ns;   /* when its call began; its start if no call is known */
	float share;          /* of the device that it fills, 0 to 1; see occupancy.h */
	float spread;         /* of the multiprocessors that it runs on, 0 to 1; at least its share */
};

struct ct_stream_info {
	uint32_t context, id;  /* as CUPTI numbers them */
	uint32_t device;
	uint8_t flag;          /* enum ct_stream_flag */
	bool per_thread;       /* it is a thread's own default stream */
	int32_t priority;      /* as the driver has it: lower numbers go first; 0 if no flag */
	uint32_t *ops;         /* in order of submission */
	uint32_t op_count, op_room;
	uint32_t core_ops;     /* of the core; filled by totals.c */
	uint64_t work_ns;      /* their durations added up */
};

struct ct_thread_info {
	uint32_t tid;
	char name[17];
	uint32_t default_stream; /* its own, of the context that it used last; CT_NONE = none seen */
	uint32_t *calls;       /* in order of time */
	uint32_t call_count, call_room;
	uint32_t core_calls;   /* of the core; filled by totals.c */
	uint32_t shown_calls;  /* of them, those that no filter leaves out */
	uint64_t blocked_ns;   /* of those */
};

/* A stream handle that names a CUPTI stream from since_ns on. */
struct ct_handle {
	uint64_t handle, since_ns;
	uint32_t context, stream;
};

/* A range that the program marked by NVTX. */
struct ct_range_info {
	struct ct_nvtx_range raw; /* end_ns UINT64_MAX: it never ended */
	uint32_t parent;          /* of its thread, under way when it began, the last one; CT_NONE */
};

/* A correlation id and the call that has it. */
struct ct_key {
	uint32_t correlation, call;
};

/* A script frame; file and function are texts of this struct. */
struct ct_script_info {
	char *file; /* NULL: no such id */
	char *function;
	uint32_t line; /* 0 = not known */
};

struct ct_stack_info {
	uint32_t count;
	uint32_t script;    /* enum ct_script_state; of a newer version maybe more */
	const uint64_t *pc; /* the model frees them */
};

/* From a time on, this mode. */
struct ct_mode_change {
	uint64_t time_ns;
	enum ct_mode mode;
};

/* A stretch of time in which everything was recorded. */
struct ct_sight {
	uint64_t start_ns, end_ns; /* UINT64_MAX: to the end */
	uint64_t settled_ns; /* from here on no work from before start_ns is in flight */
};

struct ct_note_info {
	enum ct_note_code code;
	uint64_t value;
	char *text;
};

/* The whole run's calls of one API from one stack; several may be about the same. */
struct ct_total_info {
	struct ct_total raw;
	const char *name; /* of the call */
};

/* A growing array: CT_ARRAY(type) items, with ct_grow() to make room. */
#define CT_ARRAY(type)                                                                             \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t count, room;                                                                \
	}

/*
 * What a model is about: calls that begin and operations that start in a stretch of time.
 * A model of part of a trace has others around them, for what they say about these. All
 * sums are over the core; whatever looks for causes and victims looks at everything.
 */
struct ct_core {
	uint64_t begin_ns, end_ns;
	uint64_t from_ns, to_ns;       /* the model has what is under way between these */
	uint32_t first_call, end_call; /* into calls */
	uint32_t first_op, end_op;     /* into ops */
};

struct ct_model {
	struct ct_reader *reader;
	const struct ct_file_header *header;
	const struct ct_model *facts;    /* of a part: whose facts these are; NULL: its own */
	struct ct_core core;
	enum ct_api *apis;               /* the file's api ids -> ours */
	uint32_t *effects;               /* by the file's api id, as its writer knew them */
	bool *api_names;                 /* by the file's api id: it has a record with a name */
	CT_ARRAY(struct ct_host_call) calls; /* by enter_ns */
	CT_ARRAY(struct ct_op) ops;          /* by start_ns */
	CT_ARRAY(struct ct_sync) syncs;
	CT_ARRAY(struct ct_event) events;    /* by event_sync, then correlation */
	CT_ARRAY(uint32_t) events_by_id;     /* by event, then correlation; if a sync needs it */
	CT_ARRAY(struct ct_overhead) overheads; /* by start_ns */
	CT_ARRAY(struct ct_stream_info) streams;
	CT_ARRAY(struct ct_thread_info) threads; /* by tid */
	CT_ARRAY(struct ct_context) contexts;
	CT_ARRAY(uint32_t) context_tids;     /* whose call created each of them */
	CT_ARRAY(struct ct_gpu) gpus;        /* by device */
	uint64_t devices;                    /* those with work in the run, a bit each; of parts and their facts */
	uint32_t device_count;               /* the number of the last device that is there, and 1 */
	bool several_devices;                /* more than one of them is there */
	CT_ARRAY(struct ct_handle) handles;  /* by handle, then since_ns */
	CT_ARRAY(struct ct_stack_info) stacks; /* by id */
	CT_ARRAY(struct ct_script_info) scripts; /* by id */
	CT_ARRAY(char *) strings;            /* by id */
	CT_ARRAY(char *) nvtx_names;         /* by id */
	CT_ARRAY(struct ct_nvtx_range) open_ranges; /* under way at the end */
	CT_ARRAY(struct ct_range_info) ranges; /* those too; by tid, then begin */
	CT_ARRAY(struct ct_module *) modules;
	CT_ARRAY(struct ct_note_info) notes;
	CT_ARRAY(struct ct_key) call_keys;   /* by correlation; if there is no call_table */
	CT_ARRAY(uint32_t) call_table;       /* calls, by correlation - call_table_first */
	uint32_t call_table_first;
	CT_ARRAY(uint32_t) by_call;          /* ops that have one; those of each in order of start */
	CT_ARRAY(struct ct_wait) waits;      /* filled by blocking.c */
	struct ct_outside outside[CT_PART_COUNT]; /* filled by blocking.c */
	CT_ARRAY(uint32_t) pending;          /* filled by blocking.c */
	CT_ARRAY(struct ct_poll) polls;      /* filled by poll.c */
	CT_ARRAY(struct ct_stream_wait) stream_waits; /* by stream, then time */
	CT_ARRAY(struct ct_total_info) totals;
	/*
	 * Of a flight recorder whose oldest records were overwritten: what ended until then is not
	 * known as a whole and left out, and so are calls that began until then. 0 = all is there.
	 */
	uint64_t kept_from_ns;
	uint64_t early_calls, early_ops;     /* that were left out */
	uint64_t early_submits;              /* operations that are there, but their calls are not */
	uint64_t damaged_bytes, damaged_at;  /* of the file */
	uint64_t unknown_records;            /* of types that this version does not know */
	uint64_t untimed_ops;                /* device records without times: not in ops */
	uint64_t begin_ns, end_ns;           /* of everything recorded */
	bool has_cupti, has_no_cupti;        /* notes say it was loaded; that it was of no use */
	bool has_device;                     /* CUPTI was at work: device times exist */
	bool filtered;                       /* ct_filter_mark() has been over it */
	uint64_t cupti_begin_ns;             /* from here on; 0: not known, or from the start */
	uint64_t cupti_end_ns;               /* but not from here on; UINT64_MAX: to the end */
	CT_ARRAY(struct ct_mode_change) mode_changes; /* by time */
	CT_ARRAY(struct ct_sight) sights;    /* by time, disjoint; see seen.h */
};

/*
 * Load the trace file and join its records.
 *
 * Returns 0 and a model for ct_model_destroy(), or what ct_reader_open() returns,
 * or -ENOMEM.
 */
int ct_model_load(const char *path, struct ct_model **ret_model);

/* The same from an open reader, which becomes the model's, also on failure. */
int ct_model_read(struct ct_reader *reader, struct ct_model **ret_model);

void ct_model_destroy(struct ct_model *model); /* accepts NULL */

/*
 * The facts of a long run (the model takes the reader, also on failure), and models of parts
 * of it that share them: an empty one, or one that is loaded and joined, whose calls are
 * still to be marked by ct_history_mark(); `old`, a part that is not needed any more or
 * NULL, goes, and leaves its memory to the new one. The facts must outlive the parts; all are for
 * ct_model_destroy(). Return 0, -ENOMEM or an -errno of the reader.
 */
struct ct_survey;
struct ct_window;
int ct_facts_load(struct ct_reader *reader, const struct ct_survey *survey,
		  struct ct_model **ret_model);
int ct_part_create(const struct ct_model *facts, struct ct_model **ret_model);
int ct_part_load(const struct ct_model *facts, const struct ct_survey *survey,
		 const struct ct_window *window, struct ct_model *old,
		 struct ct_model **ret_model);

/* Does a call belong to the model's core? */
static inline bool ct_model_in_core(const struct ct_model *model, uint32_t call)
{
	return call >= model->core.first_call && call < model->core.end_call;
}

/* The n-th operation a call submitted (n < op_count), in order of start. */
uint32_t ct_model_op_of(const struct ct_model *model, const struct ct_host_call *call, uint32_t n);

/* The call with a correlation id; CT_NONE if it was not recorded. */
uint32_t ct_model_call_of(const struct ct_model *model, uint32_t correlation);

/*
 * The last operation of a stream that was submitted before time_ns (and is not
 * `except`'s); CT_NONE if there is none.
 */
uint32_t ct_model_last_before(const struct ct_model *model, uint32_t stream, uint64_t time_ns,
			      uint32_t except_call);

/*
 * Index of a stream, which is added if `add` and not there; adding moves the
 * indices of others, so it ends before anything refers to them. CT_NONE: not there,
 * or no memory.
 */
uint32_t ct_stream_index(struct ct_model *model, uint32_t context, uint32_t id, bool add);

/* The first operation of a stream submitted after time_ns; CT_NONE if there is none. */
uint32_t ct_model_first_after(const struct ct_model *model, uint32_t stream, uint64_t time_ns);

/* The thread of this tid, once they are sorted by it; NULL if there is none. */
struct ct_thread_info *ct_model_thread(const struct ct_model *model, uint32_t tid);

/* Of a thread's calls, which do not overlap, the place of the first that ends after a time; call_count: none. */
uint32_t ct_model_first_ending(const struct ct_model *model, const struct ct_thread_info *thread,
			       uint64_t time_ns);

/* Operations of a stream submitted but not finished at a time. */
uint32_t ct_model_depth(const struct ct_model *model, uint32_t stream, uint64_t time_ns);

/* Name of an operation for people: demangled kernel, "copy D2H pageable 4194304 B", ... */
void ct_model_op_name(const struct ct_model *model, uint32_t op, char *ret, size_t size);

/* Does a filter leave out an operation? It does if it does its call, or that is not known. */
static inline bool ct_model_op_left_out(const struct ct_model *model, uint32_t op)
{
	uint32_t call = model->ops.at[op].call;

	return model->filtered && (call == CT_NONE || model->calls.at[call].left_out);
}

/* Make room for one more item of `bytes`. Returns 0 or -ENOMEM. */
int ct_grow(void *at, size_t count, size_t *room, size_t bytes);
#define CT_PUSH(array, value)                                                                      \
	(ct_grow(&(array)->at, (array)->count, &(array)->room, sizeof(*(array)->at))               \
		 ? -ENOMEM                                                                         \
		 : ((array)->at[(array)->count++] = (value), 0))

/* Internal step of ct_model_load(): link what has been loaded. */
int ct_join(struct ct_model *model);

#endif
