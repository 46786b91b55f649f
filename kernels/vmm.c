/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: what do the virtual-memory calls wait for?
 *
 * Memory is created, mapped, made accessible, cleared; then, behind a 20 ms kernel, a second
 * piece is mapped and the first is unmapped and released. Mapping waits for nothing. Whether
 * unmapping waits for the kernel is not documented: the program measures it. This is what
 * PyTorch's expandable segments do. Without a driver it exits with 77; the stand-in's driver
 * has no virtual memory, so there too.
 */
#define _POSIX_C_SOURCE 200809L

#include "driver.h"

#define PINNED 1
#define ON_DEVICE 1
#define READ_WRITE 3
#define CREATE_TYPES (uint64_t *, size_t, const void *, unsigned long long)

/* As cuda.h has them: CUmemLocation, CUmemAllocationProp, CUmemAccessDesc. */
struct location {
	int type, id;
};
struct properties {
	int type, handle_types;
	struct location location;
	void *win32;
	unsigned char rest[8];
};
struct access {
	struct location location;
	int flags;
};

static const struct properties properties = { .type = PINNED, .location = { ON_DEVICE, 0 } };
static size_t bytes = 2 * MIB;

static uint64_t map(uint64_t *ret_handle)
{
	struct access access = { { ON_DEVICE, 0 }, READ_WRITE };
	uint64_t address;

	CALL(cuMemCreate, CREATE_TYPES, ret_handle, bytes, &properties, 0);
	CALL(cuMemAddressReserve, (uint64_t *, size_t, size_t, uint64_t, unsigned long long), &address,
	     bytes, 0, 0, 0);
	CALL(cuMemMap, (uint64_t, size_t, size_t, uint64_t, unsigned long long), address, bytes, 0,
	     *ret_handle, 0);
	CALL(cuMemSetAccess, (uint64_t, size_t, const void *, size_t), address, bytes, &access, 1);
	return address;
}

int main(void)
{
	uint64_t first, second, first_handle, second_handle;
	long long start, took;
	int unmap_line;
	void *function;

	start_driver();
	if (!dlsym(driver, "cuMemCreate")) {
		fputs("skipped: this driver has no virtual memory\n", stderr);
		return 77;
	}
	function = load_spin();
	launch(function, 1000, NULL);
	first = map(&first_handle);
	CALL(cuMemsetD8_v2, (uint64_t, unsigned char, size_t), first, 1, bytes);
	CALL(cuCtxSynchronize, (void));

	launch(function, 20 * MS, NULL);
	second = map(&second_handle);
	start = now_ns();
	CALL_AT(unmap_line, cuMemUnmap, (uint64_t, size_t), first, bytes);
	took = now_ns() - start;
	CALL(cuMemRelease, (uint64_t), first_handle);
	CALL(cuMemAddressFree, (uint64_t, size_t), first, bytes);
	CALL(cuMemsetD8_v2, (uint64_t, unsigned char, size_t), second, 1, bytes);
	CALL(cuCtxSynchronize, (void));

	expect("calls cuMemCreate 2");
	expect("calls cuMemAddressReserve 2");
	expect("calls cuMemMap 2");
	expect("calls cuMemSetAccess 2");
	expect("calls cuMemUnmap 1");
	expect("calls cuMemRelease 1");
	expect("calls cuMemAddressFree 1");
	expect("device kernel 2");
	expect("device memset 2");
	expect("not_blocked cuMemCreate");
	expect("not_blocked cuMemMap");
	if (took > 10 * MS)
		expect_measured("blocked cuMemUnmap class=device_wait on=spin at=%s count=1 "
				"ns=%s", SITE(unmap_line), "10e6..40e6");
	else
		expect_measured("not_blocked cuMemUnmap at=%s", SITE(unmap_line));
	return done();
}
