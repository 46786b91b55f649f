/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/stack.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/dlsym.h"
#include "shim/modules.h"
#include "shim/python.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "shim/walk.h"
#include "trace/keep.h"

#define TABLE_SLOTS (1u << 16)
#define PROBES_MAX 64
#define SKIP_ROOM 16 /* frames taken beyond the limit, as ours will be dropped */

/*
 * Hash of every stack seen, 0 = free; the id is the index plus one. Lock-free:
 * whoever claims a slot writes the STACK record. Two stacks of one 64-bit hash
 * would be taken for one; at 65,536 stacks that is a chance of 1 in 10^10.
 */
static uint64_t *table;
static int (*backtrace_fn)(void **, int);
static bool wanted_stacks;

/*
 * RTLD_LOCAL matters: libunwind in the global scope would take over C++ exception
 * handling in every library loaded after it.
 */
static void *load_unwinder(void)
{
	void *lib = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
	char path[sizeof(ct_shim.library) + 32];
	char *slash;

	if (lib)
		return lib;
	strcpy(path, ct_shim.library);
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	strcpy(slash + 1, "libunwind.so.8"); /* installed beside us */
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

/*
 * The x87's control word, for programs with traps on: libunwind's getcontext stores its
 * environment with fnstenv, which masks all exceptions, and leaves it so.
 */
static uint16_t save_x87(void)
{
	uint16_t control = 0;

#if defined(__x86_64__)
	__asm__ volatile("fnstcw %0" : "=m"(control));
#endif
	return control;
}

static void restore_x87(uint16_t control)
{
#if defined(__x86_64__)
	__asm__ volatile("fldcw %0" : : "m"(control));
#else
	(void)control;
#endif
}

/* The first walk is slow, so it is made outside any call that we time. */
static void first_walk(void)
{
	uint16_t x87 = save_x87();
	void *frames[8];

	backtrace_fn(frames, 8);
	restore_x87(x87);
}

static bool is_of(const char *library, const char *name, const void *found)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
	bool same = handle && ct_dlsym(handle, name) == found;

	if (handle)
		dlclose(handle);
	return same;
}

/*
 * Has somebody put locks of his own before the C library's? libunwind's fast walk frees a
 * thread's cache, with a lock, in the last round of the thread's destructors (Gtrace.c), when
 * ThreadSanitizer has already left the thread and its lock crashes (thread_finalize() of
 * tsan_interceptors_posix.cpp).
 */
static bool locks_interposed(void)
{
	static const char lock[] = "pthread_mutex_lock";
	const void *found = ct_dlsym(RTLD_DEFAULT, lock);

	return !is_of("libc.so.6", lock, found) && !is_of("libpthread.so.0", lock, found);
}

/*
 * Why libunwind must not walk here; NULL: it may. Valgrind takes for an error how libunwind
 * tries whether an address can be read, and preloads parts of itself.
 */
static const char *why_not_libunwind(const void *unwinder)
{
	const char *preloaded = getenv("LD_PRELOAD");

	if (locks_interposed())
		return "locks are interposed (ThreadSanitizer?)";
	if (preloaded && strstr(preloaded, "/vgpreload_"))
		return "Valgrind runs";
	return unwinder ? NULL : "libunwind.so.8 not found; install libunwind8";
}

/* The function that walks: libunwind's if it is there and may be used, else the C library's. */
static void *find_backtrace(void)
{
	void *unwinder = load_unwinder(), *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	const char *why = why_not_libunwind(unwinder);

	if (!why)
		ct_walk_init(unwinder);
	if (!why && ct_dlsym(unwinder, "unw_backtrace"))
		return ct_dlsym(unwinder, "unw_backtrace");
	ct_shim_note(CT_NOTE_INFO, 0, "stacks by backtrace(), which is slower: %s",
		     why ? why : "an odd libunwind");
	return libc ? ct_dlsym(libc, "backtrace") : NULL;
}

void ct_stack_init(bool wanted)
{
	void *map;

	wanted_stacks = wanted;
	if (!wanted)
		return;
	*(void **)&backtrace_fn = find_backtrace();
	map = mmap(NULL, TABLE_SLOTS * sizeof(*table), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!backtrace_fn || map == MAP_FAILED) {
		ct_shim_note(CT_NOTE_NO_UNWINDER, 0, "no call stacks: %s",
			     backtrace_fn ? "no memory for their table"
					  : "no unwinder; install libunwind8");
		return;
	}
	table = map;
	first_walk();
}

static uint64_t hash(const uint64_t *pc, uint32_t n, enum ct_script_state script)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ n ^ (uint64_t)script << 32;

	for (uint32_t i = 0; i < n; i++) {
		h = (h ^ pc[i]) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h ? h : 1;
}

static void write_stack(struct ct_thread *thread, uint32_t id, const uint64_t *pc, uint32_t n,
			enum ct_script_state script)
{
	uint32_t bytes = (uint32_t)(sizeof(struct ct_stack) + n * sizeof(*pc));
	bool looked = ct_python_absence() != CT_SCRIPT_NONE;
	struct ct_stack *record;

	ct_modules_refresh();
	if (!looked)
		script = ct_python_absence();
	record = ct_keep_reserve(&thread->writer, bytes);
	if (!record)
		return;
	record->id = id;
	record->count = n;
	record->script = script;
	memcpy(record->pc, pc, n * sizeof(*pc));
	ct_writer_commit(record, CT_RECORD_STACK, bytes);
}

static uint32_t intern(struct ct_thread *thread, const uint64_t *pc, uint32_t n,
		       enum ct_script_state script)
{
	uint64_t h = hash(pc, n, script);

	for (uint32_t probe = 0; probe < PROBES_MAX; probe++) {
		uint32_t slot = (uint32_t)(h + probe) & (TABLE_SLOTS - 1);
		uint64_t seen = __atomic_load_n(&table[slot], __ATOMIC_RELAXED);

		if (seen == 0 &&
		    __atomic_compare_exchange_n(&table[slot], &seen, h, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			write_stack(thread, slot + 1, pc, n, script);
			return slot + 1;
		}
		if (seen == h)
			return slot + 1;
	}
	return 0;
}

/* Walk the stack and name it; the number of its native frames goes to *ret_frames. */
static uint32_t walk(struct ct_thread *thread, uint32_t *ret_frames)
{
	enum ct_script_state script;
	const uint64_t *pc;
	int first = 0, n = 0;
	uint32_t count;

	if (table)
		n = backtrace_fn((void **)thread->frames, CT_STACK_FRAMES_MAX + SKIP_ROOM);
	while (first < n && thread->frames[first] >= ct_shim.text_start &&
	       thread->frames[first] < ct_shim.text_end)
		first++;
	n -= first;
	if (n > CT_STACK_FRAMES_MAX)
		n = CT_STACK_FRAMES_MAX;
	*ret_frames = n > 0 ? (uint32_t)n : 0;
	if (n <= 0)
		return 0;
	count = ct_python_merge(thread, thread->frames + first, (uint32_t)n, &pc, &script);
	return intern(thread, pc, count, script);
}

/* A stack that the thread does not know yet, or none that could be known. */
__attribute__((noinline)) static uint32_t take_slowly(struct ct_thread *thread, uint64_t key,
						      const void *base)
{
	uint16_t x87 = save_x87();
	int saved = errno;
	uint32_t frames, id = walk(thread, &frames);

	if (id)
		ct_walk_learn(thread, key, base, id, frames);
	else
		ct_file_lose(&ct_shim.file, CT_LOSS_STACKS, 1);
	errno = saved;
	restore_x87(x87);
	return id;
}

/* Not inlined: the distance from this frame to the program's is what walk.c relies on. */
__attribute__((noinline)) uint32_t ct_stack_take(struct ct_thread *thread, uint64_t key)
{
	const void *base = __builtin_frame_address(0);
	uint32_t id;

	if (!wanted_stacks)
		return 0;
	/* one native stack runs any line of Python, so both have to be known */
	key ^= ct_python_follow(thread);
	id = ct_walk_recognise(thread, key, base);
	return __builtin_expect(id != 0, 1) ? id : take_slowly(thread, key, base);
}
