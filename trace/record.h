/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a cutrace trace file: what the traced process writes and the
 * analyzer reads. trace/FORMAT.md describes the same bytes in prose.
 *
 * Every record starts with a commit word and fills a whole number of 64-byte
 * slots. The word is stored last, with release ordering: a record whose word is
 * zero was never finished and nothing behind it in its chunk is read.
 *
 * All times are CLOCK_MONOTONIC nanoseconds, device times included. Integers are
 * in the byte order of the writing machine (struct ct_file_header.byte_order).
 */
#ifndef CT_TRACE_RECORD_H
#define CT_TRACE_RECORD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/control.h"
#include "trace/nvtx.h"
#include "trace/total.h"

#define CT_MAGIC "CUTRACE\n"
#define CT_TRACE_VERSION 1
#define CT_BYTE_ORDER 0x01020304u
#define CT_SLOT_BYTES 64u
#define CT_HEADER_BYTES 4096u
#define CT_CHUNK_UNIT 65536u           /* chunks are multiples of this and aligned to it */
#define CT_CHUNK_MAX (16 * CT_CHUNK_UNIT)
#define CT_CHUNK_MAGIC 0x4b4e4843u     /* "CHNK" */

#define CT_STREAM_NONE UINT64_MAX      /* the call names no stream */
#define CT_ID_NONE UINT32_MAX          /* CUPTI's "invalid" id, kept as it is */
#define CT_STACK_FRAMES_MAX 64         /* native ones of a stack */
#define CT_STACK_SCRIPTS_MAX 128       /* script frames of a stack */

/* A script frame in place of a return address: no address looks like it. id: of a SCRIPT record. */
#define CT_PC_SCRIPT(id) ((uint64_t)1 << 63 | (uint32_t)(id))
#define CT_PC_IS_SCRIPT(pc) ((pc) >> 32 == 0x80000000u)
#define CT_PC_SCRIPT_ID(pc) ((uint32_t)(pc))

enum ct_record_type {
	CT_RECORD_NONE = 0,
	CT_RECORD_THREAD = 1,   /* the records that follow in this chunk are of this thread */
	CT_RECORD_CALL = 2,
	CT_RECORD_DEVICE = 3,
	CT_RECORD_SYNC = 4,
	CT_RECORD_EVENT = 5,
	CT_RECORD_OVERHEAD = 6,
	CT_RECORD_STREAM = 7,
	CT_RECORD_CONTEXT = 8,
	CT_RECORD_GPU = 9,
	CT_RECORD_STRING = 10,
	CT_RECORD_STACK = 11,
	CT_RECORD_MODULE = 12,
	CT_RECORD_API = 13,
	CT_RECORD_NOTE = 14,
	CT_RECORD_SCRIPT = 15,
	CT_RECORD_TOTAL = 16,
	CT_RECORD_NVTX_RANGE = 17, /* one that has ended */
	CT_RECORD_NVTX_OPEN = 18,  /* one that has not, while begin_ns is not 0 */
	CT_RECORD_NVTX_NAME = 19,
	CT_RECORD_TYPES
};

/* The commit word: type in the low 8 bits, length in slots above them. */
#define CT_COMMIT(type, slots) ((uint32_t)(type) | (uint32_t)(slots) << 8)
#define CT_COMMIT_TYPE(word) ((word) & 0xffu)
#define CT_COMMIT_SLOTS(word) ((word) >> 8)

/*
 * What was not recorded, and why. One counter each in the file header; the
 * sentence is what the report prints after the number.
 */
#define CT_LOSSES(X)                                                                             \
	X(SPACE, "records dropped: no room in the trace file (disk full, limit, lost directory, or "    \
		"no descriptor to open it with)")                                                   \
	X(LATE, "calls after the trace was closed at program end")                                   \
	X(NESTED, "calls made from inside cutrace or a signal handler that interrupted it")          \
	X(STACKS, "call stacks not taken: no unwinder, or the stack table or the trace was full")    \
	X(STRINGS, "kernel names not kept: the name table, or the trace, had no room")                \
	X(CUPTI, "device records that CUPTI says it dropped")                                        \
	X(UNTIMED, "device records that CUPTI delivered without times")                              \
	X(FLUSH, "final flushes that did not finish in time: the last device records may be missing") \
	X(THREADS, "calls of threads for which there was no memory")                                 \
	X(CUT, "calls under way when the program's own profiler took CUPTI: the end was not seen") \
	X(SCRIPTS, "Python frames without a name: unreadable, or the frame table was full")          \
	X(KEPT, "records of names, stacks and totals dropped: no room, or half of CUTRACE_LIMIT used for such") \
	X(TOTALS, "calls that the whole run's totals do not count: no room for one more")            \
	X(RANGES, "NVTX ranges not kept: too many open at once, or no memory")                       \
	X(RANGE_NAMES, "NVTX ranges without a name: the name table was full")                        \
	X(FORGOTTEN, "device records that came many windows late, and may have been of one")

enum ct_loss {
#define X(name, text) CT_LOSS_##name,
	CT_LOSSES(X)
#undef X
	CT_LOSS_COUNT
};

/* How a traced process came to its end; 0 in the file means it was cut off. */
enum ct_finish {
	CT_FINISH_CUT_OFF = 0,
	CT_FINISH_EXIT = 1,     /* return from main, exit() or quick_exit() */
	CT_FINISH_FAST_EXIT = 2 /* _exit() or _Exit() */
};

/* At offset 0; the rest of the first CT_HEADER_BYTES is zero. */
struct ct_file_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	uint32_t header_bytes;
	uint32_t slot_bytes;
	uint32_t chunk_unit;
	uint32_t pid;
	uint64_t start_ns;
	uint64_t start_realtime_ns; /* CLOCK_REALTIME at start_ns, to date the run */
	char program[64];           /* base name of the executable, cut to 63 bytes */
	char tool_version[16];
	/* From here on the fields change while the program runs. */
	uint64_t claimed_bytes;     /* file size handed out to chunks so far, header included */
	uint64_t finish_ns;         /* 0 until the trace is closed */
	uint32_t finish;            /* enum ct_finish */
	uint32_t loss_count;        /* entries of lost[] that mean something */
	uint64_t lost[32];          /* by enum ct_loss */
	/* Of a flight recorder; all 0 in other files. */
	uint64_t limit_bytes;       /* it keeps the newest records within so many bytes; 0 = it is none */
	uint64_t kept_bytes;        /* of chunks that are never overwritten */
	uint64_t kept_from_ns;      /* the latest time of any record that was overwritten */
	uint64_t overwritten[32];   /* records, by enum ct_record_type */
	uint32_t mode;              /* enum ct_mode (apis.h) it began in: known if a note is lost */
	struct ct_control control;
};
static_assert(sizeof(struct ct_file_header) <= CT_HEADER_BYTES, "header fits its page");
static_assert(CT_LOSS_COUNT <= 32 && CT_RECORD_TYPES <= 32, "room for every counter");

/* The first slot of a chunk. */
struct ct_chunk_header {
	uint32_t magic;    /* CT_CHUNK_MAGIC, stored last */
	uint32_t bytes;    /* whole chunk, this slot included; a multiple of CT_CHUNK_UNIT */
	uint64_t sequence; /* order in which chunks were claimed, from 1; a new one when overwritten */
	uint64_t offset;   /* of this chunk in the file; 0 = an older writer */
	uint64_t reserved[5];
};
static_assert(sizeof(struct ct_chunk_header) == CT_SLOT_BYTES, "one slot");

/* Whose records follow, until the next THREAD record of the same chunk. */
struct ct_thread_record {
	uint32_t commit;
	uint32_t tid;
	uint64_t seen_ns;
	char name[16];     /* as the kernel has it; may be empty */
	uint64_t reserved[4];
};

enum ct_origin {
	CT_ORIGIN_PLT = 1,     /* a preloaded wrapper */
	CT_ORIGIN_RUNTIME = 2, /* CUPTI callback, runtime API */
	CT_ORIGIN_DRIVER = 3,  /* CUPTI callback, driver API with no runtime call around it */
	CT_ORIGIN_ENTRY = 4    /* a preloaded wrapper of the driver, no seen call around it */
};

#define CT_CALL_CUPTI_SEEN 0x1 /* a wrapper's call that CUPTI's callback saw as well */
#define CT_CALL_CAPTURING 0x2  /* the stream was being captured: no work was submitted */
#define CT_CALL_LATE_ENTER 0x4 /* enter_ns is when cutrace was loaded, inside the call */

/*
 * One CUDA call of the program, written when it returns. Calls that the runtime
 * makes of the driver inside this call are part of it and have no record.
 * Invariant: enter_ns <= leave_ns; calls of one thread never overlap.
 */
struct ct_call {
	uint32_t commit;
	uint16_t api;         /* id of an API record of the same file */
	int16_t error;        /* cudaError_t or CUresult as the program received it */
	uint64_t enter_ns;
	uint64_t leave_ns;
	uint64_t bytes;       /* requested, copied or filled; 0 where it has no meaning */
	uint64_t addr;        /* memory, function, event or graph the call is about; 0 if none */
	uint64_t stream;      /* handle as passed (0: default stream); CT_STREAM_NONE */
	uint32_t context;     /* CUPTI context id; 0 = unknown */
	uint32_t correlation; /* joins device, sync, event and overhead records; 0 = none */
	uint32_t stack;       /* id of a STACK record; 0 = not taken */
	uint8_t origin;       /* enum ct_origin */
	uint8_t copy;         /* cudaMemcpyKind as passed, for copies */
	uint16_t flags;       /* CT_CALL_* */
};
static_assert(sizeof(struct ct_call) == CT_SLOT_BYTES, "one slot");

enum ct_device_kind {
	CT_DEVICE_KERNEL = 1,
	CT_DEVICE_COPY = 2,
	CT_DEVICE_FILL = 3,
	CT_DEVICE_GRAPH = 4 /* a whole graph launch */
};

/* Kinds of memory in a copy or fill, after CUpti_ActivityMemoryKind. */
enum ct_memory {
	CT_MEMORY_UNKNOWN = 0,
	CT_MEMORY_PAGEABLE = 1,
	CT_MEMORY_PINNED = 2,
	CT_MEMORY_DEVICE = 3,
	CT_MEMORY_ARRAY = 4,
	CT_MEMORY_MANAGED = 5,
	CT_MEMORY_DEVICE_STATIC = 6,
	CT_MEMORY_MANAGED_STATIC = 7
};

/* Directions of a copy, after CUpti_ActivityMemcpyKind. */
enum ct_direction {
	CT_DIRECTION_UNKNOWN = 0,
	CT_DIRECTION_H2D = 1,
	CT_DIRECTION_D2H = 2,
	CT_DIRECTION_H2A = 3,
	CT_DIRECTION_A2H = 4,
	CT_DIRECTION_A2A = 5,
	CT_DIRECTION_A2D = 6,
	CT_DIRECTION_D2A = 7,
	CT_DIRECTION_D2D = 8,
	CT_DIRECTION_H2H = 9,
	CT_DIRECTION_P2P = 10
};

/* One operation of the device: a kernel, copy, fill or whole graph. */
struct ct_device_op {
	uint32_t commit;
	uint32_t correlation;
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t context;
	uint32_t stream; /* CUPTI stream id */
	uint32_t name;   /* STRING id of a kernel's mangled name; 0 = none */
	uint32_t graph;  /* graph id for a graph or one of its nodes; 0 = none */
	uint16_t device;
	uint8_t kind;    /* enum ct_device_kind */
	uint8_t channel; /* of a kernel: hardware queue, its number modulo 255 plus 1; 0 = unknown */
	uint32_t shared_bytes; /* of a kernel: static and dynamic shared memory of a block */
	union {
		struct {
			uint32_t grid_x;
			uint16_t grid_y, grid_z;
			uint16_t block_x, block_y, block_z;
			uint16_t registers; /* per thread */
		} kernel;
		struct {
			uint64_t bytes;
			uint8_t direction;          /* enum ct_direction */
			uint8_t source;             /* enum ct_memory */
			uint8_t target;             /* enum ct_memory; of a fill too */
			uint8_t async;              /* CUPTI marks it asynchronous */
			union {
				uint32_t value;     /* of a fill */
				/* Of a copy between devices: whose memory, and 1; 0 = not known. */
				struct {
					uint16_t source, target;
				} peer;
			};
		} copy;
	} u;
};
static_assert(sizeof(struct ct_device_op) == CT_SLOT_BYTES, "one slot");

enum ct_sync_kind {
	CT_SYNC_EVENT = 1,       /* the host waited for an event */
	CT_SYNC_STREAM_WAIT = 2, /* a stream was told to wait for an event */
	CT_SYNC_STREAM = 3,      /* the host waited for a stream */
	CT_SYNC_CONTEXT = 4      /* the host waited for a context */
};

/* An explicit synchronisation as CUPTI reports it. */
struct ct_sync {
	uint32_t commit;
	uint32_t correlation;
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t event_sync; /* joins the EVENT record that was waited for; 0 = unknown */
	uint32_t context;
	uint32_t stream;
	uint32_t event;
	uint8_t kind;        /* enum ct_sync_kind */
	uint8_t reserved8[3];
	uint64_t reserved[2];
};
static_assert(sizeof(struct ct_sync) == CT_SLOT_BYTES, "one slot");

/* An event was recorded into a stream. */
struct ct_event {
	uint32_t commit;
	uint32_t correlation;
	uint64_t event_sync;
	uint32_t context;
	uint32_t stream;
	uint32_t event;
	uint32_t reserved32;
	uint64_t reserved[4];
};
static_assert(sizeof(struct ct_event) == CT_SLOT_BYTES, "one slot");

enum ct_overhead_kind {
	CT_OVERHEAD_UNKNOWN = 0,
	CT_OVERHEAD_COMPILER = 1,
	CT_OVERHEAD_BUFFER_FLUSH = 2,
	CT_OVERHEAD_INSTRUMENTATION = 3,
	CT_OVERHEAD_RESOURCE = 4,
	CT_OVERHEAD_MODULE_LOADING = 5,
	CT_OVERHEAD_LAZY_LOADING = 6,
	CT_OVERHEAD_QUEUE_FULL = 7,
	CT_OVERHEAD_BUFFER_REQUEST = 8,
	CT_OVERHEAD_UVM_INIT = 9,
	CT_OVERHEAD_CUTRACE = 10 /* cutrace's own start inside a call of the program */
};

/* Time that a call spent on something other than its purpose. */
struct ct_overhead {
	uint32_t commit;
	uint32_t correlation; /* 0 = join by thread and time */
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t tid;         /* 0 = not known */
	uint32_t context;
	uint32_t stream;
	uint8_t kind;         /* enum ct_overhead_kind */
	uint8_t reserved8[3];
	uint64_t reserved[3];
};
static_assert(sizeof(struct ct_overhead) == CT_SLOT_BYTES, "one slot");

enum ct_stream_flag {
	CT_STREAM_FLAG_UNKNOWN = 0,
	CT_STREAM_FLAG_BLOCKING = 1,     /* ordered with the legacy default stream */
	CT_STREAM_FLAG_NON_BLOCKING = 2,
	CT_STREAM_FLAG_LEGACY = 3,       /* the legacy default (NULL) stream itself */
	CT_STREAM_FLAG_PER_THREAD = 4
};

/* A stream as CUPTI numbers it; the handle joins it to calls. */
struct ct_stream {
	uint32_t commit;
	uint32_t context;
	uint32_t stream;   /* CUPTI stream id */
	int32_t priority;
	uint64_t handle;   /* 0 = not known */
	uint64_t seen_ns;
	uint8_t flag;      /* enum ct_stream_flag */
	uint8_t destroyed; /* 1: the stream ends here */
	uint8_t reserved8[6];
	uint64_t reserved[3];
};
static_assert(sizeof(struct ct_stream) == CT_SLOT_BYTES, "one slot");

struct ct_context {
	uint32_t commit;
	uint32_t context;
	uint32_t device;
	uint32_t null_stream; /* CUPTI id of the legacy default stream; CT_ID_NONE */
	uint64_t seen_ns;
	uint8_t destroyed;
	uint8_t reserved8[7];
	uint64_t reserved[4];
};
static_assert(sizeof(struct ct_context) == CT_SLOT_BYTES, "one slot");

/* One GPU: what occupancy needs. */
struct ct_gpu {
	uint32_t commit;
	uint32_t device;
	uint64_t memory_bytes;
	uint32_t multiprocessors;
	uint32_t warps_per_multiprocessor;
	uint32_t registers_per_multiprocessor;
	uint32_t shared_per_multiprocessor;
	uint16_t capability_major;
	uint16_t capability_minor;
	uint32_t name;        /* STRING id */
	uint64_t reserved[3];
};
static_assert(sizeof(struct ct_gpu) == CT_SLOT_BYTES, "one slot");

/* The records below are of variable length: their bytes run on over the slots. */

struct ct_string {
	uint32_t commit;
	uint32_t id;     /* from 1 */
	uint32_t length; /* bytes, no terminator */
	char text[];
};
#define CT_STRING_MAX 8192u /* longer names are cut */

/*
 * What is known of a stack's Python frames, and why some or all of them are absent. The
 * text goes behind "the Python lines of N calls: "; NULL where nothing is missing.
 */
#define CT_SCRIPT_STATES(X)                                                                      \
	X(NONE, NULL) /* no interpreter was found, none was looked for, or an old trace */        \
	X(ALL, NULL)                                                                              \
	X(CUT, "frames outside the innermost 128 were not kept")                                  \
	X(NO_THREAD, "made by threads that have no Python state")                                 \
	X(NO_FRAMES, "made while no Python function ran on the thread")                           \
	X(PENDING, "made within a second of Python being loaded")                                 \
	X(OTHER, "the interpreter is not CPython")                                                \
	X(VERSION, "the interpreter is not CPython 3.9 to 3.13")                                  \
	X(FREE_THREADED, "the interpreter is a free-threaded build")                              \
	X(UNREADABLE, "the interpreter's frames could not be read")                               \
	X(ENDING, "made as the interpreter shut down, or after")

enum ct_script_state {
#define X(name, text) CT_SCRIPT_##name,
	CT_SCRIPT_STATES(X)
#undef X
	CT_SCRIPT_STATE_COUNT
};

struct ct_stack {
	uint32_t commit;
	uint32_t id;     /* from 1 */
	uint32_t count;  /* frames, innermost first */
	uint32_t script; /* enum ct_script_state */
	uint64_t pc[];   /* return addresses, and CT_PC_SCRIPT(id), id 0 = place not known */
};

/* A place in a script that stacks refer to, written once. */
struct ct_script {
	uint32_t commit;
	uint32_t id;              /* from 1 */
	uint32_t line;            /* 0 = none */
	uint16_t file_length;     /* bytes */
	uint16_t function_length; /* bytes */
	uint8_t language;         /* enum ct_language */
	uint8_t reserved8[7];
	char text[];              /* file as the interpreter names it, then function */
};

enum ct_language { CT_LANGUAGE_PYTHON = 1 };

/* A mapped executable or library; a later record replaces an earlier one at the same place. */
struct ct_module {
	uint32_t commit;
	uint32_t path_length;
	uint64_t bias;     /* run-time address minus ELF address */
	uint64_t start;
	uint64_t end;
	uint64_t seen_ns;
	uint32_t build_id_length; /* 0..32 */
	uint32_t reserved;
	uint8_t build_id[32];
	char path[];
};

/* An intercepted call: files carry their own numbering, names are what lasts. */
struct ct_api_record {
	uint32_t commit;
	uint16_t id;
	uint16_t name_length;
	uint32_t effects; /* enum ct_effect bits when it was written */
	char name[];
};

/* What a reader must know about the run; the code selects the sentence's role. */
enum ct_note_code {
	CT_NOTE_INFO = 0,
	CT_NOTE_NO_CUPTI = 1,      /* device times are absent; text says why */
	CT_NOTE_PARTIAL_CUPTI = 2, /* one kind of record is absent */
	CT_NOTE_NO_UNWINDER = 3,
	CT_NOTE_CLOCK_ERROR = 4,   /* value: bound in ns */
	CT_NOTE_CUPTI_VERSION = 5, /* value: cuptiGetVersion() */
	CT_NOTE_DRIVER_VERSION = 6, /* value: cuDriverGetVersion() */
	CT_NOTE_HOST = 7,          /* text: host name */
	CT_NOTE_PARENT = 8,        /* value: pid of the parent process */
	CT_NOTE_RANK = 9,          /* value: rank, from 0; text: the variable that said so */
	CT_NOTE_LOCAL_RANK = 10,   /* value: rank on its host; text: as above */
	CT_NOTE_WORLD_SIZE = 11,   /* value: number of ranks; text: as above */
	CT_NOTE_SHARED_GPU = 12,   /* other processes may use the GPU at the same time; text says why */
	CT_NOTE_YIELDED = 13,      /* seen_ns: no device times from then on; text: CUPTI function called */
	CT_NOTE_MODE = 14,         /* value: enum ct_mode (apis.h), in effect from seen_ns on */
	CT_NOTE_GPU_MEMORY = 15,   /* value: bytes that CUPTI sets aside in each context; text: of what */
	CT_NOTE_OWN_COST = 16,     /* value: ns that recording took; text: of how many calls, decimal */
	CT_NOTE_FIX = 17,          /* cutrace changed what the program does; text: the setting */
	CT_NOTE_NO_NVTX = 18       /* NVTX ranges are not recorded; text says why */
};

struct ct_note {
	uint32_t commit;
	uint16_t code;   /* enum ct_note_code */
	uint16_t length;
	uint64_t seen_ns;
	uint64_t value;
	char text[];
};

#endif
