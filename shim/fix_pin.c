/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of pageable memory to the device that wait for nothing: their bytes are taken into blocks
 * of a page-locked pool, and copied from there, in the same stream. Larger copies go in pieces, all
 * blocks of which are there before the first is submitted; a stream has no order within a copy, and
 * if a piece is refused the program's own copy follows, of the same bytes to the same place.
 *
 * Whether memory is pageable is asked anew for every copy: it may have been registered
 * meanwhile. Copies for which the question would cost more than it can gain are left alone
 * (CT_PIN_LEAST_BYTES).
 */
#define __CUDA_API_VERSION_INTERNAL
#include "shim/fix_lend.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shim/real.h"

struct ct_pin_driver ct_pin_driver;
static pid_t pid; /* 0: not started */

/* Besides enum ct_pin_left: what is none of our business, and what is. */
#define NOT_MEANT CT_PIN_LEFTS
#define STAGES (CT_PIN_LEFTS + 1)

bool ct_pin_ours(void)
{
	return pid && pid == getpid();
}

struct ct_pin_own ct_pin_begin(void)
{
	struct ct_pin_own own = { ct_fix_hide(), CU_STREAM_CAPTURE_MODE_RELAXED };

	ct_pin_driver.exchange_mode(&own.mode);
	return own;
}

void ct_pin_end(struct ct_pin_own own)
{
	ct_pin_driver.exchange_mode(&own.mode);
	ct_fix_show(own.hidden);
}

/* Of pageable memory the driver knows nothing: all is 0, says the manual, and it is no error. */
static unsigned memory_type(const void *at, bool *ret_managed)
{
	CUpointer_attribute which[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
					CU_POINTER_ATTRIBUTE_IS_MANAGED };
	uint64_t type = 0, managed = 0; /* of which it writes a part */
	void *values[] = { &type, &managed };

	if (ct_pin_driver.attributes(2, which, values, (CUdeviceptr)at) != CUDA_SUCCESS)
		managed = 1; /* not known: neither of the two below */
	*ret_managed = managed;
	return (unsigned)type;
}

static bool pageable(const void *at)
{
	bool managed;

	return at && memory_type(at, &managed) == 0 && !managed;
}

static bool on_device(uint64_t at)
{
	bool managed;

	return memory_type((const void *)at, &managed) == CU_MEMORYTYPE_DEVICE && !managed;
}

/* Returns STAGES, NOT_MEANT, or an enum ct_pin_left. Asks in the order of what it costs. */
static unsigned judge(const struct ct_fix_copy *copy)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	const void *to = (const void *)copy->to;

	if (!pageable(copy->from))
		return copy->any_way && pageable(to) && on_device((uint64_t)copy->from)
			       ? CT_PIN_LEFT_TO_HOST
			       : NOT_MEANT;
	if (copy->any_way && pageable(to))
		return NOT_MEANT;
	if (copy->bytes < CT_PIN_LEAST_BYTES)
		return CT_PIN_LEFT_SMALL;
	if (!on_device(copy->to))
		return CT_PIN_LEFT_TARGET;
	if (copy->bytes > CT_PIN_MOST_BYTES)
		return CT_PIN_LEFT_LARGE;
	if (ct_pin_driver.capturing[copy->per_thread](copy->stream, &status) != CUDA_SUCCESS ||
	    status != CU_STREAM_CAPTURE_STATUS_NONE)
		return CT_PIN_LEFT_CAPTURE;
	return STAGES;
}

/* Returns blocks to stage the copy in, or NULL and what judge() returns. */
static struct ct_pool_block *take(const struct ct_fix_copy *copy, unsigned *ret_why)
{
	struct ct_pin_own own = ct_pin_begin();
	struct ct_pool_block *chain = NULL;
	enum ct_pin_left why;

	*ret_why = judge(copy);
	if (*ret_why == STAGES) {
		chain = ct_lend(copy->stream, copy->bytes, &why);
		*ret_why = why;
	}
	ct_pin_end(own);
	return chain;
}

static void give(const struct ct_fix_copy *copy, struct ct_pool_block *chain, bool used)
{
	struct ct_pin_own own = ct_pin_begin();

	ct_lend_back(chain, copy->stream, copy->per_thread, used);
	ct_pin_end(own);
}

/* Piece by piece: the device copies the first while the next are filled. Returns a CUresult. */
static int stage(const struct ct_fix_copy *copy, struct ct_pool_block *chain)
{
	int error = CUDA_SUCCESS, saved;
	size_t done = 0;

	for (struct ct_pool_block *block = chain; block && error == CUDA_SUCCESS;
	     block = block->next) {
		size_t bytes = copy->bytes - done;

		if (bytes > CT_POOL_BLOCK_BYTES)
			bytes = CT_POOL_BLOCK_BYTES;
		memcpy(block->at, (const char *)copy->from + done, bytes);
		error = copy->submit(copy->to + done, block->at, bytes, copy->stream);
		done += error == CUDA_SUCCESS ? bytes : 0;
	}
	saved = errno;
	give(copy, chain, done > 0);
	errno = saved;
	return error;
}

int ct_fix_copy(const struct ct_fix_copy *copy)
{
	unsigned why = CT_PIN_LEFT_SMALL;
	struct ct_pool_block *chain = NULL;
	int error, saved = errno;

	if (!copy->bytes || !copy->from || !ct_pin_ours())
		return copy->submit(copy->to, copy->from, copy->bytes, copy->stream);
	if (copy->any_way || copy->bytes >= CT_PIN_LEAST_BYTES)
		chain = take(copy, &why);
	errno = saved;
	if (chain && stage(copy, chain) == CUDA_SUCCESS) {
		ct_pin_count(&ct_fix_counts()->pin.staged, 1);
		ct_pin_count(&ct_fix_counts()->pin.staged_bytes, copy->bytes);
		return CUDA_SUCCESS;
	}
	error = copy->submit(copy->to, copy->from, copy->bytes, copy->stream);
	if (chain)
		why = CT_PIN_LEFT_FAILED;
	if (error == CUDA_SUCCESS && why < CT_PIN_LEFTS)
		ct_pin_count(&ct_fix_counts()->pin.left[why], 1);
	return error;
}

void ct_fix_other_copy(const void *to, const void *from)
{
	bool hidden, from_host, to_host;

	if (!ct_pin_ours())
		return;
	hidden = ct_fix_hide();
	from_host = pageable(from);
	to_host = pageable(to);
	ct_fix_show(hidden);
	if (from_host && !to_host)
		ct_pin_count(&ct_fix_counts()->pin.left[CT_PIN_LEFT_FORM], 1);
	else if (to_host && !from_host)
		ct_pin_count(&ct_fix_counts()->pin.left[CT_PIN_LEFT_TO_HOST], 1);
}

bool ct_fix_pin_start(void)
{
	const struct {
		const char *symbol;
		void *function;
	} wanted[] = {
		{ "cuPointerGetAttributes", &ct_pin_driver.attributes },
		{ "cuThreadExchangeStreamCaptureMode", &ct_pin_driver.exchange_mode },
		{ "cuStreamIsCapturing", &ct_pin_driver.capturing[0] },
		{ "cuStreamIsCapturing_ptsz", &ct_pin_driver.capturing[1] },
		{ "cuEventRecord", &ct_pin_driver.record[0] },
		{ "cuEventRecord_ptsz", &ct_pin_driver.record[1] },
		{ "cuStreamGetCtx", &ct_pin_driver.stream_context },
		{ "cuCtxGetCurrent", &ct_pin_driver.context_get },
		{ "cuCtxPushCurrent_v2", &ct_pin_driver.context_push },
		{ "cuCtxPopCurrent_v2", &ct_pin_driver.context_pop },
		{ "cuCtxGetDevice", &ct_pin_driver.context_device },
		{ "cuDeviceGetAttribute", &ct_pin_driver.device_attribute },
		{ "cuEventCreate", &ct_pin_driver.event_create },
		{ "cuEventQuery", &ct_pin_driver.event_query },
		{ "cuEventSynchronize", &ct_pin_driver.event_wait },
		{ "cuEventDestroy_v2", &ct_pin_driver.event_destroy },
		{ "cuMemHostRegister_v2", &ct_pin_driver.lock_pages },
		{ "cuMemHostUnregister", &ct_pin_driver.unlock_pages },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *found = ct_real_loaded(&ct_real_driver, wanted[i].symbol);

		if (!found)
			return false;
		*(void **)wanted[i].function = found;
	}
	pid = getpid();
	return true;
}
