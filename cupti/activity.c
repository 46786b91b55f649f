/* SPDX-License-Identifier: Apache-2.0 */
#include "cupti/activity.h"

#include <cupti.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cupti/convert.h"
#include "cupti/library.h"
#include "cupti/names.h"
#include "cupti/window.h"

#define BUFFER_BYTES (1u << 20)
#define POOL_BUFFERS 16 /* kept for reuse; more are unmapped again */

static int64_t offset_ns;
static const struct ct_cupti_host *host;
static void *pool[POOL_BUFFERS];
static uint32_t outstanding; /* buffers that CUPTI has */
static bool leaving;
static bool nodes; /* of graphs, not their launches */

static bool full_enabled;

static const struct {
	CUpti_ActivityKind kind;
	enum ct_when when;
	const char *loses; /* NULL: without it CUPTI is of no use */
} kinds[] = {
#define CT_KIND(name, when, loses) { CUPTI_ACTIVITY_KIND_##name, CT_WHEN_##when, loses },
#include "cupti/kinds.def"
#undef CT_KIND
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void *map_buffer(void)
{
	void *found = NULL;

	for (int i = 0; !found && i < POOL_BUFFERS; i++)
		if (__atomic_load_n(&pool[i], __ATOMIC_RELAXED))
			found = __atomic_exchange_n(&pool[i], NULL, __ATOMIC_ACQUIRE);
	if (!found)
		found = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return found == MAP_FAILED ? NULL : found;
}

/*
 * Called on the program's threads in the middle of a launch: a buffer from the pool
 * or, rarely, a new mapping. CUPTI before CUDA 12.9 crashes on a NULL buffer, but
 * by then the process is out of memory anyway.
 */
static void CUPTIAPI on_request(uint8_t **buffer, size_t *size, size_t *max_records)
{
	*buffer = __atomic_load_n(&leaving, __ATOMIC_RELAXED) ? malloc(BUFFER_BYTES) : map_buffer();
	if (*buffer)
		__atomic_fetch_add(&outstanding, 1, __ATOMIC_RELAXED);
	*size = *buffer ? BUFFER_BYTES : 0;
	*max_records = 0;
}

static void give_back(void *buffer)
{
	for (int i = 0; i < POOL_BUFFERS; i++) {
		void *empty = NULL;

		if (__atomic_compare_exchange_n(&pool[i], &empty, buffer, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	munmap(buffer, BUFFER_BYTES);
}

/* CUPTI marks a device record it could not time by zero times; end < start was seen too. */
static bool untimed(const struct ct_device_op *op)
{
	return op->start_ns == 0 || op->end_ns < op->start_ns;
}

void ct_activity_set_offset(int64_t ns)
{
	__atomic_store_n(&offset_ns, ns, __ATOMIC_RELAXED);
}

/* To our clock; 0 stays 0: no time. */
static void shift(uint64_t *start_ns, uint64_t *end_ns)
{
	int64_t ns = __atomic_load_n(&offset_ns, __ATOMIC_RELAXED);

	*start_ns -= *start_ns ? (uint64_t)ns : 0;
	*end_ns -= *end_ns ? (uint64_t)ns : 0;
}

static void to_our_clock(enum ct_record_type type, union ct_converted *record)
{
	if (type == CT_RECORD_DEVICE)
		shift(&record->op.start_ns, &record->op.end_ns);
	else if (type == CT_RECORD_SYNC)
		shift(&record->sync.start_ns, &record->sync.end_ns);
	else if (type == CT_RECORD_OVERHEAD)
		shift(&record->overhead.start_ns, &record->overhead.end_ns);
}

static enum ct_when when_of(CUpti_ActivityKind kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].when;
	return CT_WHEN_ALWAYS;
}

static uint32_t correlation_of(enum ct_record_type type, const union ct_converted *record)
{
	return type == CT_RECORD_EVENT ? record->event.correlation : record->op.correlation;
}

/* Is it of no call that was made in a window? Overheads may be of no call at all. */
static bool dropped(CUpti_ActivityKind kind, enum ct_record_type type,
		    const union ct_converted *record)
{
	enum ct_when when = when_of(kind);
	uint32_t correlation;

	if (type == CT_RECORD_OVERHEAD)
		return ct_windows_drop_time(record->overhead.start_ns, record->overhead.end_ns);
	correlation = correlation_of(type, record);
	if (!ct_windows_drop(when, correlation))
		return false;
	if (ct_windows_forgot(when, correlation))
		host->lose(CT_LOSS_FORGOTTEN, 1);
	return true;
}

static void store(const CUpti_Activity *activity)
{
	union ct_converted record;
	const char *name;
	enum ct_record_type type = ct_convert(activity, ct_cupti.version, &record, &name);

	if (type == CT_RECORD_NONE)
		return;
	to_our_clock(type, &record);
	if (dropped(activity->kind, type, &record))
		return;
	if (type == CT_RECORD_DEVICE) {
		record.op.name = name ? ct_names_intern(host, name) : 0;
		if (untimed(&record.op))
			host->lose(CT_LOSS_UNTIMED, 1);
	} else if (type == CT_RECORD_GPU) {
		record.gpu.name = name ? ct_names_intern(host, name) : 0;
	}
	host->put(type, &record);
}

/* On a thread of CUPTI's, or the one that flushes. */
static void CUPTIAPI on_complete(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size,
				 size_t valid)
{
	CUpti_Activity *activity = NULL;

	(void)context;
	(void)stream;
	(void)size;
	while (valid &&
	       ct_cupti.cuptiActivityGetNextRecord(buffer, valid, &activity) == CUPTI_SUCCESS)
		store(activity);
	if (!buffer)
		return;
	__atomic_fetch_sub(&outstanding, 1, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&leaving, __ATOMIC_RELAXED)) /* else ours or malloc's: the few are left */
		give_back(buffer);
}

void ct_activity_leave(void)
{
	__atomic_store_n(&leaving, true, __ATOMIC_RELAXED);
}

uint32_t ct_activity_outstanding(void)
{
	return __atomic_load_n(&outstanding, __ATOMIC_RELAXED);
}

/* CUPTI refuses this kind: say so, the first time. Returns 0, or -EIO where we need it. */
static int refused(size_t i)
{
	static bool said[KINDS];

	if (!kinds[i].loses)
		return -EIO;
	if (!said[i])
		host->note(CT_NOTE_PARTIAL_CUPTI, kinds[i].kind, "CUPTI here does not report %s",
			   kinds[i].loses);
	said[i] = true;
	return 0;
}

static int enable(enum ct_when when)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < KINDS; i++)
		if (kinds[i].when == when &&
		    !(nodes && kinds[i].kind == CUPTI_ACTIVITY_KIND_GRAPH_TRACE) &&
		    ct_cupti.cuptiActivityEnable(kinds[i].kind) != CUPTI_SUCCESS)
			r = refused(i);
	return r;
}

static void disable(enum ct_when when)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].when == when)
			ct_cupti.cuptiActivityDisable(kinds[i].kind);
}

int ct_activity_enable(const struct ct_cupti_host *to, bool graph_nodes, enum ct_mode mode)
{
	int r;

	host = to;
	nodes = graph_nodes;
	if (ct_cupti.cuptiActivityRegisterCallbacks(on_request, on_complete) != CUPTI_SUCCESS)
		return -EIO;
	r = enable(CT_WHEN_ALWAYS);
	if (r == 0)
		r = enable(CT_WHEN_LIGHT);
	full_enabled = mode == CT_MODE_FULL;
	if (r == 0 && full_enabled)
		r = enable(CT_WHEN_FULL);
	/* queries that find work unfinished are not waits; without this they flood the trace */
	if (ct_cupti.cuptiActivityEnableAllSyncRecords)
		ct_cupti.cuptiActivityEnableAllSyncRecords(0);
	return r;
}

int ct_activity_switch(enum ct_mode mode)
{
	int r = 0;

	ct_windows_switch(mode, host->now_ns());
	if (mode != CT_MODE_FULL || full_enabled)
		return 0;
	r = enable(CT_WHEN_FULL);
	full_enabled = r == 0;
	if (r < 0) {
		disable(CT_WHEN_FULL);
		ct_windows_switch(CT_MODE_LIGHT, host->now_ns());
	}
	return r;
}

void ct_activity_disable(void)
{
	disable(CT_WHEN_ALWAYS);
	disable(CT_WHEN_LIGHT);
	disable(CT_WHEN_FULL);
}
