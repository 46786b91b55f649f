/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory is in use, as the calls tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/memory.h"

static struct ct_context contexts[] = {
	{ .context = 1, .device = 0 },
	{ .context = 2, .device = 3 },
};
static struct ct_stream_info streams[] = { { .context = 1 }, { .context = 2, .device = 3 } };
static uint32_t stream = CT_NONE; /* that calls name, into streams */
static struct ct_model model;
static struct ct_memory_map *map;
static struct ct_memory_event events[8];
static size_t count;
static uint64_t now_ns;

static int note(void *arg, const struct ct_memory_event *event)
{
	(void)arg;
	assert_true(count < 8);
	events[count++] = *event;
	return 0;
}

/* A call that takes so long; the next begins 10 ns after it began. */
static void begin(const char *name, uint64_t address, uint64_t bytes, uint32_t context, uint64_t ns)
{
	enum ct_api api = ct_api_find(name);
	const struct ct_host_call call = {
		.name = name, .api = api, .effects = ct_apis[api].effects, .stream = stream,
		.raw = { .enter_ns = now_ns, .leave_ns = now_ns + ns, .addr = address,
			 .bytes = bytes, .context = context },
	};

	assert_int_not_equal(api, CT_API_NONE);
	now_ns += 10;
	assert_int_equal(ct_memory_take(map, &model, &call, note, NULL), 0);
}

/* A call by itself: what becomes of blocks by it is then in `events`. */
static void take(const char *name, uint64_t address, uint64_t bytes, uint32_t context)
{
	count = 0;
	begin(name, address, bytes, context, 5);
	assert_int_equal(ct_memory_finish(map, note, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	model.contexts.at = contexts;
	model.contexts.count = 2;
	model.streams.at = streams;
	model.streams.count = 2;
	now_ns = 100;
	return ct_memory_create(&map);
}

static int tear_down(void **state)
{
	(void)state;
	ct_memory_destroy(map);
	return 0;
}

static void test_sums_by_kind_and_device(void **state)
{
	(void)state;
	take("cudaMalloc", 0x1000, 10, 1);
	take("cudaMalloc", 0x2000, 20, 2);
	assert_int_equal(events[0].device, 3);
	assert_int_equal(events[0].now_bytes, 20);
	take("cudaMallocAsync", 0x3000, 5, 1);
	assert_int_equal(events[0].now_bytes, 15);
	stream = 1; /* of the other device, which is not current */
	take("cudaMallocAsync", 0x3500, 4, 1);
	stream = CT_NONE;
	assert_int_equal(events[0].device, 3);
	assert_int_equal(events[0].now_bytes, 24);
	take("cudaMallocHost", 0x4000, 7, 1);
	assert_int_equal(events[0].kind, CT_MEMORY_PINNED);
	assert_int_equal(events[0].device, CT_NONE);
	assert_int_equal(events[0].now_bytes, 7);
	take("cudaMallocManaged", 0x5000, 9, 1);
	assert_int_equal(events[0].kind, CT_MEMORY_MANAGED);
	take("cudaFreeAsync", 0x1000, 0, 1);
	assert_true(events[0].freed);
	assert_int_equal(events[0].bytes, 10);
	assert_int_equal(events[0].now_bytes, 5);
	assert_int_equal(ct_memory_unknown(map), 0);
}

static void test_unknown_frees_are_counted(void **state)
{
	(void)state;
	take("cudaFree", 0x1000, 0, 1);
	assert_int_equal(count, 0);
	take("cudaFree", 0, 0, 1); /* frees nothing */
	assert_int_equal(ct_memory_unknown(map), 1);
}

static void test_a_free_that_was_not_seen(void **state)
{
	(void)state;
	take("cudaMalloc", 0x1000, 10, 1);
	take("cudaMalloc", 0x1000, 30, 1);
	assert_int_equal(events[0].now_bytes, 30);
}

static void test_addresses_and_mappings_are_no_memory(void **state)
{
	(void)state;
	take("cuMemAddressReserve", 0x1000, 4096, 1);
	assert_int_equal(count, 0);
	take("cuMemCreate", 0x1000, 4096, 1);
	assert_int_equal(count, 1);
	take("cuMemMap", 0x1000, 4096, 1);
	take("cudaMalloc", 0x1000, 8, 1); /* no handle has this address's number */
	assert_int_equal(events[0].now_bytes, 4104);
	take("cuMemRelease", 0x1000, 0, 1);
	assert_int_equal(events[0].now_bytes, 8);
	assert_int_equal(ct_memory_unknown(map), 0);
}

static void test_a_reset_frees_the_context(void **state)
{
	(void)state;
	take("cudaMalloc", 0x1000, 10, 1);
	take("cudaMalloc", 0x2000, 20, 1);
	take("cudaMalloc", 0x3000, 40, 2);
	take("cudaDeviceReset", 0, 0, 1);
	assert_int_equal(count, 2);
	assert_int_equal(events[1].now_bytes, 0);
	take("cudaFree", 0x3000, 0, 2);
	assert_int_equal(count, 1);
}

/*
 * One thread waits for the other's lock to allocate, and gets the address that the other frees
 * meanwhile: it began first, and ends first.
 */
static void test_an_address_that_goes_from_call_to_call(void **state)
{
	(void)state;
	take("cudaMalloc", 0x1000, 10, 1);
	count = 0;
	begin("cudaMalloc", 0x1000, 30, 1, 50);
	begin("cudaFree", 0x1000, 0, 1, 60);
	assert_int_equal(ct_memory_finish(map, note, NULL), 0);
	assert_int_equal(count, 2);
	assert_true(events[0].freed && !events[1].freed);
	assert_true(events[0].time_ns < events[1].time_ns);
	assert_int_equal(events[1].now_bytes, 30);
	take("cudaFree", 0x1000, 0, 1);
	assert_int_equal(events[0].now_bytes, 0);
	assert_int_equal(ct_memory_unknown(map), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sums_by_kind_and_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_frees_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_free_that_was_not_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_addresses_and_mappings_are_no_memory, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_address_that_goes_from_call_to_call,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_reset_frees_the_context, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
