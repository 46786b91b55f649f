/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A synthetic trace, as long as wanted, of a program that could have been: threads that
 * each drive two streams through steps of copies, launches, a graph, events, stream-ordered
 * memory and a synchronise, called from Python; now and then one allocates, and frees,
 * which stops the others. The same seed makes the same file.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/gen_trace.h"
#include "trace/apis.h"

/* xorshift64*: a repeatable number in [0, below). */
static uint32_t chance(struct maker *m, uint32_t below)
{
	m->seed ^= m->seed >> 12;
	m->seed ^= m->seed << 25;
	m->seed ^= m->seed >> 27;
	return (uint32_t)(((m->seed * 0x2545f4914f6cdd1dull) >> 32) * below >> 32);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A call that takes so long; it waits for the driver's lock first. Returns its correlation. */
static uint32_t call(struct maker *m, struct thread *t, enum ct_api api, uint32_t place,
		     struct ct_call what, uint64_t leave_ns)
{
	what.api = (uint16_t)api;
	what.enter_ns = t->now_ns;
	what.leave_ns = leave_ns;
	what.context = 1 + t->device;
	what.correlation = ++m->correlation;
	what.stack = 1 + (uint32_t)((t - m->threads) * 31 + place) % STACKS;
	what.origin = CT_ORIGIN_PLT;
	what.flags = CT_CALL_CUPTI_SEEN;
	ct_gen_put(m, t->lane, CT_RECORD_CALL, &what);
	m->calls++;
	t->now_ns = leave_ns + 500 + chance(m, 2000); /* the program's own code */
	return what.correlation;
}

/* When a short call returns: later if another thread has the lock. */
static uint64_t short_leave(struct maker *m, const struct thread *t)
{
	return later(t->now_ns, m->lock_ns) + 1500 + chance(m, 3000);
}

/* When a call that submits returns: once there is room in the stream's queue. */
static uint64_t submit_leave(struct maker *m, const struct thread *t, const struct stream *s)
{
	uint64_t leave_ns = short_leave(m, t);

	return s->free_ns > leave_ns + QUEUE_NS ? s->free_ns - QUEUE_NS : leave_ns;
}

/* An operation at the end of its stream, submitted by a call that is to be made now. */
static void submit(struct maker *m, struct stream *s, struct ct_device_op op, uint64_t submit_ns,
		   uint64_t ns)
{
	op.start_ns = later(submit_ns + 2000 + chance(m, 2000), s->free_ns + 900);
	op.end_ns = op.start_ns + ns;
	op.device = s->device;
	op.context = 1 + s->device;
	op.stream = s->id;
	op.correlation = m->correlation + 1;
	ct_gen_put(m, &m->lanes[CUPTI_THREAD], CT_RECORD_DEVICE, &op);
	s->free_ns = op.end_ns;
	m->ops++;
}

static void submit_kernel(struct maker *m, struct stream *s, uint32_t kernel, uint64_t submit_ns,
			  uint64_t more_ns)
{
	struct ct_device_op op = { .kind = CT_DEVICE_KERNEL, .name = 1 + kernel, .channel = 1 };

	op.u.kernel.grid_x = 1 + chance(m, 64);
	op.u.kernel.grid_y = op.u.kernel.grid_z = op.u.kernel.block_y = op.u.kernel.block_z = 1;
	op.u.kernel.block_x = 256;
	op.u.kernel.registers = 32;
	submit(m, s, op, submit_ns, 1000 + kernel * 100 + chance(m, 4000) + more_ns);
}

static void launch(struct maker *m, struct thread *t, struct stream *s, uint64_t more_ns)
{
	uint64_t leave_ns = submit_leave(m, t, s);
	uint32_t kernel = chance(m, KERNELS);

	submit_kernel(m, s, kernel, leave_ns - 1000, more_ns);
	call(m, t, CT_API_cudaLaunchKernel, kernel, (struct ct_call){ .addr = 0x400000 + kernel * 64,
	     .stream = s->id }, leave_ns);
}

static void copy(struct maker *m, struct thread *t, struct stream *s, bool pageable)
{
	struct ct_device_op op = { .kind = CT_DEVICE_COPY };
	uint64_t leave_ns = submit_leave(m, t, s), bytes = 4096u << chance(m, 6);

	op.u.copy.bytes = bytes;
	op.u.copy.direction = CT_DIRECTION_H2D;
	op.u.copy.source = pageable ? CT_MEMORY_PAGEABLE : CT_MEMORY_PINNED;
	op.u.copy.target = CT_MEMORY_DEVICE;
	op.u.copy.async = 1;
	submit(m, s, op, leave_ns - 1000, 1500 + bytes / 20);
	if (pageable)
		leave_ns = s->free_ns + 4000;
	call(m, t, CT_API_cudaMemcpyAsync, 60 + pageable, (struct ct_call){ .bytes = bytes,
	     .addr = 0x7f0000000000, .stream = s->id, .copy = 1 }, leave_ns);
}

/* A graph of as many kernels as make operations keep up with calls. */
static void graph(struct maker *m, struct thread *t, struct stream *s)
{
	uint64_t leave_ns = submit_leave(m, t, s) + 3000;
	uint64_t nodes = m->calls > m->ops ? m->calls - m->ops : 1;

	for (uint64_t n = 0; n < nodes && n < 64; n++)
		submit_kernel(m, s, (uint32_t)n % KERNELS, leave_ns - 1000, 0);
	call(m, t, CT_API_cudaGraphLaunch, 70, (struct ct_call){ .addr = 0x600000,
	     .stream = s->id }, leave_ns);
}

/* The second stream goes on when the first has come here. */
static void order(struct maker *m, struct thread *t)
{
	struct stream *from = &t->streams[0], *to = &t->streams[1];
	struct ct_event event = { .event_sync = ++m->event_sync, .context = 1 + t->device,
				  .stream = from->id, .event = from->id };
	struct ct_sync sync = { .kind = CT_SYNC_STREAM_WAIT, .event_sync = m->event_sync,
				.context = 1 + t->device, .stream = to->id, .event = from->id };

	event.correlation = call(m, t, CT_API_cudaEventRecord, 80, (struct ct_call){
				 .addr = 0x500000 + from->id, .stream = from->id }, short_leave(m, t));
	ct_gen_put(m, &m->lanes[CUPTI_THREAD], CT_RECORD_EVENT, &event);
	sync.start_ns = t->now_ns;
	sync.end_ns = t->now_ns + 500;
	sync.correlation = call(m, t, CT_API_cudaStreamWaitEvent, 81, (struct ct_call){
				.addr = 0x500000 + from->id, .stream = to->id }, short_leave(m, t));
	ct_gen_put(m, &m->lanes[CUPTI_THREAD], CT_RECORD_SYNC, &sync);
	to->free_ns = later(to->free_ns, from->free_ns);
}

static void memory(struct maker *m, struct thread *t, struct stream *s)
{
	uint64_t addr = 0x7f1000000000 + chance(m, 4096) * 0x10000ull;

	call(m, t, CT_API_cudaMallocAsync, 82, (struct ct_call){ .bytes = 65536, .addr = addr,
	     .stream = s->id }, short_leave(m, t));
	launch(m, t, s, 0);
	call(m, t, CT_API_cudaFreeAsync, 83, (struct ct_call){ .addr = addr, .stream = s->id },
	     short_leave(m, t));
}

static void synchronize(struct maker *m, struct thread *t, struct stream *s)
{
	struct ct_sync sync = { .kind = CT_SYNC_STREAM, .context = 1 + t->device,
				.stream = s->id, .event = CT_ID_NONE };

	sync.start_ns = t->now_ns;
	sync.end_ns = later(t->now_ns, s->free_ns) + 3000;
	sync.correlation = call(m, t, CT_API_cudaStreamSynchronize, 84,
				(struct ct_call){ .stream = s->id }, sync.end_ns + 1000);
	ct_gen_put(m, &m->lanes[CUPTI_THREAD], CT_RECORD_SYNC, &sync);
}

/* All threads go on from the same moment: whatever was under way before has ended. */
static void meet(struct maker *m)
{
	uint64_t now_ns = 0;

	for (uint32_t i = 0; i < m->thread_count; i++)
		now_ns = later(now_ns, m->threads[i].now_ns);
	for (uint32_t i = 0; i < m->thread_count; i++)
		m->threads[i].now_ns = now_ns + 20000;
}

/* The mistake to be found: a free in the loop, which waits for everything and stops the others. */
static void allocate(struct maker *m, struct thread *t)
{
	uint64_t addr = 0x7f2000000000 + t->streams[0].id * 0x1000000ull, enter_ns;

	meet(m);
	call(m, t, CT_API_cudaMalloc, 85, (struct ct_call){ .bytes = 1 << 20, .addr = addr,
	     .stream = CT_STREAM_NONE }, short_leave(m, t) + 20000);
	for (int i = 0; i < 4; i++)
		launch(m, t, &t->streams[i % STREAMS], 60000);
	enter_ns = t->now_ns;
	m->lock_ns = later(t->streams[0].free_ns, t->streams[1].free_ns) + 2000;
	call(m, t, CT_API_cudaFree, 86, (struct ct_call){ .addr = addr,
	     .stream = CT_STREAM_NONE }, m->lock_ns + 1000);
	for (uint32_t i = 0; i < m->thread_count; i++)
		if (&m->threads[i] != t)
			m->threads[i].now_ns = enter_ns + 3000;
}

/* The last of the run is of two devices: every other thread goes on with the second. */
static void choose_device(struct maker *m, struct thread *t)
{
	if (m->second_device && m->calls / 3 > m->wanted / 4)
		t->device = (uint32_t)(t - m->threads) % 2;
	for (int i = 0; i < STREAMS; i++)
		t->streams[i].device = t->device;
}

static void step(struct maker *m, struct thread *t)
{
	choose_device(m, t);
	copy(m, t, &t->streams[0], t->step % 32 == 7);
	for (int i = 0; i < 6; i++)
		launch(m, t, &t->streams[i % STREAMS], m->deep ? 20000 : 0);
	order(m, t);
	memory(m, t, &t->streams[1]);
	if (t->step % 128 == 5 && !m->deep)
		allocate(m, t);
	graph(m, t, &t->streams[1]);
	for (int i = 0; i < STREAMS && !m->deep; i++)
		synchronize(m, t, &t->streams[i]);
	t->step++;
}

static bool prepare(struct maker *m)
{
	m->file_bytes = CT_CHUNK_UNIT;
	for (uint32_t i = 0; i <= m->thread_count; i++) {
		m->lanes[i].tid = 1000 + i;
		m->lanes[i].chunk = malloc(CT_CHUNK_MAX);
		if (!m->lanes[i].chunk)
			return false;
	}
	for (uint32_t i = 0; i < m->thread_count; i++) {
		m->threads[i].lane = &m->lanes[i + 1];
		m->threads[i].now_ns = START_NS + 1000 * i;
		for (uint32_t s = 0; s < STREAMS; s++)
			m->threads[i].streams[s].id = 13 + i * STREAMS + s;
	}
	ct_gen_put_facts(m);
	return fseek(m->to, CT_CHUNK_UNIT, SEEK_SET) == 0;
}

/* The thread that is behind the others makes the next step. */
static void make_steps(struct maker *m)
{
	for (uint64_t steps = 1; m->calls < m->wanted; steps++) {
		struct thread *next = &m->threads[0];

		for (uint32_t i = 1; i < m->thread_count; i++)
			if (m->threads[i].now_ns < next->now_ns)
				next = &m->threads[i];
		step(m, next);
		if (m->lockstep && steps % m->thread_count == 0)
			meet(m);
	}
}

static int finish(struct maker *m)
{
	struct ct_file_header h = {
		.magic = CT_MAGIC, .version = CT_TRACE_VERSION, .byte_order = CT_BYTE_ORDER,
		.header_bytes = CT_HEADER_BYTES, .slot_bytes = CT_SLOT_BYTES,
		.chunk_unit = CT_CHUNK_UNIT, .pid = 4321 + m->rank, .start_ns = START_NS,
		.start_realtime_ns = 1700000000000000000u + m->late_ns, .program = "gen-trace",
		.tool_version = CT_VERSION, .finish = CT_FINISH_EXIT, .loss_count = CT_LOSS_COUNT,
	};

	for (uint32_t i = 0; i <= m->thread_count; i++) {
		if (m->lanes[i].used)
			ct_gen_write_chunk(m, &m->lanes[i]);
		h.finish_ns = later(h.finish_ns, i ? m->threads[i - 1].now_ns : START_NS);
		free(m->lanes[i].chunk);
	}
	h.claimed_bytes = m->file_bytes;
	rewind(m->to);
	fwrite(&h, sizeof(h), 1, m->to);
	return ferror(m->to) | fclose(m->to);
}

static int usage(void)
{
	fputs("usage: gen-trace [--calls N] [--threads N] [--seed N] [--lockstep] [--deep]\n"
	      "                 [--second-device] [--rank N --world N] [--late MS] DIRECTORY\n"
	      "Makes DIRECTORY and DIRECTORY/trace.cutrace, of about N calls (1000000) and as many\n"
	      "device operations. --lockstep: the threads (4) meet after every step.\n"
	      "--deep: nothing waits but for room in the launch queues.\n"
	      "--second-device: in the last quarter every other thread works on it; no context tells of it.\n"
	      "--rank, --world: it is that rank of so many. --late: it starts so much later.\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct maker m = { .seed = 1, .wanted = 1000000, .thread_count = 4 };
	const struct option options[] = {
		{ "calls", required_argument, NULL, 'c' }, { "threads", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' }, { "lockstep", no_argument, NULL, 'l' },
		{ "deep", no_argument, NULL, 'd' }, { "second-device", no_argument, NULL, '2' },
		{ "rank", required_argument, NULL, 'r' }, { "world", required_argument, NULL, 'w' },
		{ "late", required_argument, NULL, 'a' }, { 0 },
	};
	char path[4096];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			m.wanted = strtoull(optarg, NULL, 0);
		else if (option == 't')
			m.thread_count = (uint32_t)strtoul(optarg, NULL, 0);
		else if (option == 's')
			m.seed = strtoull(optarg, NULL, 0) + 1;
		else if (option == 'l')
			m.lockstep = true;
		else if (option == 'd')
			m.deep = true;
		else if (option == '2')
			m.second_device = true;
		else if (option == 'r')
			m.rank = (uint32_t)strtoul(optarg, NULL, 0);
		else if (option == 'w')
			m.world = (uint32_t)strtoul(optarg, NULL, 0);
		else if (option == 'a')
			m.late_ns = strtoull(optarg, NULL, 0) * 1000000;
		else
			return usage();
	}
	if (optind + 1 != argc || !m.thread_count || m.thread_count > THREADS_MAX ||
	    m.rank >= (m.world ? m.world : 1))
		return usage();
	mkdir(argv[optind], 0777);
	snprintf(path, sizeof(path), "%s/trace.cutrace", argv[optind]);
	m.to = fopen(path, "w");
	if (m.to && prepare(&m))
		make_steps(&m);
	if (!m.to || finish(&m)) {
		fprintf(stderr, "gen-trace: %s: %s\n", path, strerror(errno));
		return 1;
	}
	printf("%" PRIu64 " calls, %" PRIu64 " device operations, %" PRIu64 " bytes\n", m.calls, m.ops,
	       m.file_bytes);
	return 0;
}
