/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How small traces become, and how fast that goes.
 *
 *   pack [STEPS | TRACE]
 *
 * Packs the file TRACE, or one like that of a training loop: in each of STEPS steps a thread
 * makes 200 calls that submit as many kernels and copies, with events and waits among them.
 * Gaps and durations of calls vary by a half and a third of themselves (log-normal), those
 * of kernels by 8 %, in steps of 32 ns: kernels as in tests/golden/queue_full, an H200's,
 * calls more (there 4 % and 20 %). Prints bytes a record before and after, and MB of records
 * a second for packing and for reading, on one core.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trace/pack.h"
#include "trace/writer.h"

enum { SUBMITS = 200, NAMES = 60 };

/* One place in the loop: it submits the same in every step. */
struct place {
	uint32_t name, grid, stack;
	uint64_t address;
	double device_ns;
};

struct loop {
	struct ct_file file;
	struct ct_writer host, cupti;
	struct place places[SUBMITS];
	struct ct_device_op ops[SUBMITS]; /* of a step: they are delivered together */
	uint64_t now_ns, device_ns;
	uint32_t correlation;
};

static double normal(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += drand48();
	return sum;
}

static uint64_t about(double median, double spread)
{
	return (uint64_t)(median * exp(spread * normal()));
}

static uint64_t ticks(uint64_t ns)
{
	return ns / 32 * 32;
}

static void plan(struct loop *loop)
{
	for (int i = 0; i < SUBMITS; i++)
		loop->places[i] = (struct place){
			.name = i % 20 == 19 ? 0 : 1 + (uint32_t)(drand48() * NAMES),
			.grid = 1 + (uint32_t)about(200, 1),
			.stack = 10 + (uint32_t)i,
			.address = 0x7f0000000000 + 512 * (uint64_t)(drand48() * 1e6),
			.device_ns = 2500 * exp(normal()),
		};
	loop->now_ns = loop->device_ns = 1000000000000;
}

static void call(struct loop *loop, int n)
{
	const struct place *place = &loop->places[n];
	struct ct_call call = { .api = place->name ? 3 : 7, .context = 1, .origin = 2 };

	loop->correlation += 1 + (drand48() < 0.25);
	loop->now_ns += about(2500, 0.5);
	call.enter_ns = loop->now_ns;
	loop->now_ns += about(3500, 0.33);
	call.leave_ns = loop->now_ns;
	call.correlation = loop->correlation;
	call.stack = place->stack;
	call.stream = n % 7 == 6 ? 0x55aa1230 : 0x55aa0010;
	call.addr = place->name ? 0x7f1200000000u + place->name * 0x340u : place->address;
	call.bytes = place->name ? 0 : place->grid * 4096ull;
	ct_writer_put(&loop->host, CT_RECORD_CALL, &call);
}

static void submit(struct loop *loop, int n)
{
	const struct place *place = &loop->places[n];
	struct ct_device_op *op = &loop->ops[n];
	uint64_t start = loop->now_ns + about(3000, 0.3), free = loop->device_ns + about(900, 0.3);

	*op = (struct ct_device_op){ .correlation = loop->correlation, .context = 1,
				     .stream = n % 7 == 6 ? 13 : 7, .name = place->name };
	op->start_ns = start > free ? start : free;
	op->end_ns = op->start_ns + ticks(about(place->device_ns, 0.08)) + 32;
	op->kind = place->name ? CT_DEVICE_KERNEL : CT_DEVICE_COPY;
	loop->device_ns = op->end_ns;
	if (place->name) {
		op->u.kernel.grid_x = place->grid;
		op->u.kernel.grid_y = op->u.kernel.grid_z = 1;
		op->u.kernel.block_x = place->name % 3 ? 256 : 128;
		op->u.kernel.block_y = op->u.kernel.block_z = 1;
		op->u.kernel.registers = (uint16_t)(16 + 2 * place->name);
		op->shared_bytes = place->name % 5 * 1024;
	} else {
		op->u.copy.bytes = place->grid * 4096ull;
		op->u.copy.direction = CT_DIRECTION_H2D;
	}
}

/* What CUPTI delivers of a step: its operations, and an event and a wait now and then. */
static void deliver(struct loop *loop, uint64_t step)
{
	for (int n = 0; n < SUBMITS; n++) {
		const struct ct_device_op *op = &loop->ops[n];
		struct ct_event event = { .correlation = op->correlation, .context = 1, .stream = 7,
					  .event_sync = step * 8 + (uint64_t)n / 25 };
		struct ct_sync sync = { .correlation = op->correlation, .context = 1, .stream = 7,
					.kind = CT_SYNC_STREAM };

		sync.end_ns = op->end_ns + about(5000, 0.3);
		sync.start_ns = sync.end_ns - about(9000, 0.3);
		ct_writer_put(&loop->cupti, CT_RECORD_DEVICE, op);
		if (n % 25 == 24)
			ct_writer_put(&loop->cupti, CT_RECORD_EVENT, &event);
		if (n % 50 == 49)
			ct_writer_put(&loop->cupti, CT_RECORD_SYNC, &sync);
	}
}

static int write_loop(const char *path, uint64_t steps)
{
	static struct loop loop;

	if (ct_file_create(&loop.file, path, "loop") < 0)
		return 1;
	plan(&loop);
	ct_writer_init(&loop.host, &loop.file, 1);
	ct_writer_init(&loop.cupti, &loop.file, 2);
	for (uint64_t step = 0; step < steps; step++) {
		for (int n = 0; n < SUBMITS; n++) {
			call(&loop, n);
			submit(&loop, n);
		}
		deliver(&loop, step);
	}
	ct_file_finish(&loop.file, CT_FINISH_EXIT);
	return 0;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Records and their bytes, and the seconds it took to read them. */
static double read_all(const char *path, uint64_t *ret_records, uint64_t *ret_bytes)
{
	double start = now_s();
	struct ct_reader *reader;
	struct ct_item item;

	*ret_records = *ret_bytes = 0;
	if (ct_reader_open(path, &reader) < 0)
		return 0;
	while (ct_reader_next(reader, &item) == 1) {
		++*ret_records;
		*ret_bytes += item.bytes;
	}
	ct_reader_close(reader);
	return now_s() - start;
}

static int measure(const char *path, const char *packed)
{
	uint64_t records, bytes, raw, small;
	struct ct_reader *reader;
	double pack_s, read_s;
	FILE *to = fopen(packed, "w");

	if (!to || ct_reader_open(path, &reader) < 0)
		return 1;
	raw = ct_reader_size(reader);
	read_all(path, &records, &bytes);
	pack_s = now_s();
	if (ct_pack_write(reader, to) < 0)
		return 1;
	pack_s = now_s() - pack_s;
	fseeko(to, 0, SEEK_END);
	small = (uint64_t)ftello(to);
	fclose(to);
	ct_reader_close(reader);
	read_s = read_all(packed, &records, &bytes);
	printf("%llu records of %.2f bytes, in the file %.2f, packed %.2f; packed at %.0f MB/s, "
	       "read at %.0f MB/s\n", (unsigned long long)records,
	       (double)bytes / (double)records, (double)raw / (double)records,
	       (double)small / (double)records, (double)bytes / 1e6 / pack_s,
	       (double)bytes / 1e6 / read_s);
	return 0;
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/cutrace-pack-XXXXXX", path[64], packed[64];
	uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 1500;
	int r;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/trace", folder);
	snprintf(packed, sizeof(packed), "%s/packed", folder);
	r = argc > 1 && !steps ? 0 : write_loop(path, steps);
	if (r == 0)
		r = measure(argc > 1 && !steps ? argv[1] : path, packed);
	unlink(path);
	unlink(packed);
	rmdir(folder);
	return r;
}
