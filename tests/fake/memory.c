/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of everything that is not pageable host memory. Device memory is host
 * memory too, so kernels apart, copies and fills really happen.
 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#define DEVICE_BYTES (140ULL << 30)
#define SPARE_BYTES (1ULL << 30)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct fake_memory *table; /* sorted by base */
static size_t count, room;
static size_t used_bytes[FAKE_DEVICES_MOST];

/*
 * Freed blocks, kept because the host pays dearly for the first touch of fresh pages
 * and a device does not. A block freed in a stream may go to later allocations of that
 * stream at once, to others when the free was reached: as the real pools do.
 */
struct spare {
	struct spare *next;
	void *base;
	size_t size_bytes;
	uint32_t device;
	struct fake_dep freed;
};

static struct spare *spares;
static size_t spare_bytes;

/* Index of the first entry whose base lies above ptr. */
static size_t above(const void *ptr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((uintptr_t)table[middle].base <= (uintptr_t)ptr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool on_device(enum fake_memory_kind kind)
{
	return kind >= FAKE_DEVICE;
}

void fake_memory_add(struct fake_memory memory)
{
	pthread_mutex_lock(&mutex);
	if (count == room) {
		room = room ? 2 * room : 64;
		table = realloc(table, room * sizeof(*table));
		if (!table)
			abort();
	}
	size_t at = above(memory.base);
	memmove(table + at + 1, table + at, (count - at) * sizeof(*table));
	table[at] = memory;
	count++;
	if (on_device(memory.kind))
		used_bytes[memory.device] += memory.size_bytes;
	pthread_mutex_unlock(&mutex);
}

static struct fake_memory *find_locked(const void *ptr)
{
	size_t at = above(ptr);

	if (at == 0)
		return NULL;
	struct fake_memory *memory = &table[at - 1];
	size_t offset = (size_t)((uintptr_t)ptr - (uintptr_t)memory->base);
	return offset < memory->size_bytes || offset == 0 ? memory : NULL;
}

bool fake_memory_find(const void *ptr, struct fake_memory *ret_memory)
{
	pthread_mutex_lock(&mutex);
	const struct fake_memory *memory = find_locked(ptr);
	if (memory)
		*ret_memory = *memory;
	pthread_mutex_unlock(&mutex);
	return memory;
}

/* Only by the address that the allocation returned, as the real calls want it. */
bool fake_memory_remove(const void *ptr, struct fake_memory *ret_memory)
{
	pthread_mutex_lock(&mutex);
	struct fake_memory *memory = find_locked(ptr);
	bool found = memory && memory->base == ptr;
	if (found) {
		*ret_memory = *memory;
		if (on_device(memory->kind))
			used_bytes[memory->device] -= memory->size_bytes;
		count--;
		memmove(memory, memory + 1,
			(size_t)(table + count - memory) * sizeof(*table));
	}
	pthread_mutex_unlock(&mutex);
	return found;
}

/* Nothing of the device's is registered any more: its context has ended. */
void fake_memory_unregister(uint32_t device)
{
	size_t kept = 0;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < count; i++)
		if (table[i].kind != FAKE_REGISTERED || table[i].device != device)
			table[kept++] = table[i];
	count = kept;
	pthread_mutex_unlock(&mutex);
}

/* Returns whether the block was kept; if not, the caller frees it. */
bool fake_memory_spare(struct fake_memory memory, struct fake_dep freed)
{
	struct spare *spare = malloc(sizeof(*spare));

	pthread_mutex_lock(&mutex);
	bool kept = spare && spare_bytes + memory.size_bytes <= SPARE_BYTES;
	if (kept) {
		*spare = (struct spare){ spares, memory.base, memory.size_bytes, memory.device,
					  freed };
		spares = spare;
		spare_bytes += memory.size_bytes;
	}
	pthread_mutex_unlock(&mutex);
	if (!kept)
		free(spare);
	return kept;
}

static void *take_spare(const struct fake_memory *wanted)
{
	void *base = NULL;

	pthread_mutex_lock(&mutex);
	for (struct spare **at = &spares; *at; at = &(*at)->next) {
		struct spare *spare = *at;

		if (spare->size_bytes != wanted->size_bytes || spare->device != wanted->device ||
		    !(spare->freed.stream == wanted->stream || fake_reached(spare->freed)))
			continue;
		base = spare->base;
		*at = spare->next;
		spare_bytes -= wanted->size_bytes;
		free(spare);
		break;
	}
	pthread_mutex_unlock(&mutex);
	return base;
}

size_t fake_memory_total(void)
{
	const char *setting = getenv("FAKE_DEVICE_BYTES");

	return setting ? strtoull(setting, NULL, 10) : DEVICE_BYTES;
}

/* Like what is wanted, but for the address, which it is given. */
CUresult fake_memory_new(struct fake_memory wanted, void **ret_base)
{
	enum { ALIGN = 512 };
	size_t bytes = wanted.size_bytes;

	if (bytes == 0 || !ret_base)
		return CUDA_ERROR_INVALID_VALUE;
	if (on_device(wanted.kind) && bytes > fake_memory_total() - fake_memory_used(wanted.device))
		return CUDA_ERROR_OUT_OF_MEMORY;
	wanted.base = take_spare(&wanted);
	if (!wanted.base)
		wanted.base = aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
	if (!wanted.base)
		return CUDA_ERROR_OUT_OF_MEMORY;
	fake_memory_add(wanted);
	*ret_base = wanted.base;
	return CUDA_SUCCESS;
}

size_t fake_memory_used(uint32_t device)
{
	pthread_mutex_lock(&mutex);
	size_t used = used_bytes[device];
	pthread_mutex_unlock(&mutex);
	return used;
}

enum fake_memory_kind fake_memory_kind_of(const void *ptr, void **base, size_t *size_bytes)
{
	struct fake_memory memory = { .kind = FAKE_PAGEABLE };

	fake_memory_find(ptr, &memory);
	if (base)
		*base = memory.base;
	if (size_bytes)
		*size_bytes = memory.size_bytes;
	return memory.kind;
}

uint32_t fake_memory_device(const void *ptr)
{
	struct fake_memory memory = { .device = 0 };

	fake_memory_find(ptr, &memory);
	return memory.device;
}

/* A __device__ or __constant__ variable, on the current device. */
void *fake_symbol_memory(size_t size_bytes)
{
	void *base = NULL;

	fake_memory_new((struct fake_memory){ .size_bytes = size_bytes, .kind = FAKE_DEVICE,
					      .device = fake_device() }, &base);
	return base;
}
