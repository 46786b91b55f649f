/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/walk.h"

#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/shim.h"
#include "shim/thread.h"

#define SETS 256 /* times WAYS: a loop in Python calls from many lines */
#define WAYS 4
#define STACK_REACH (1u << 20) /* return addresses further out than this are not followed */

struct place {
	uint64_t pc;     /* a return address */
	uint64_t offset; /* where it lies, from our frame */
};

/* One known stack. */
struct known {
	uint64_t key;
	uint32_t stack;
	uint32_t count;
	uint32_t reach; /* bytes from our frame to behind the last word */
	struct place at[CT_STACK_FRAMES_MAX];
};

struct ct_walks {
	uintptr_t stack_low, stack_high; /* the thread's own stack; 0, 0 = unknown */
	struct known known[SETS][WAYS];
	uint32_t missed[SETS][WAYS]; /* the stacks that were last walked for want of a match */
	uint8_t next_missed[SETS];   /* of those, the one to replace */
	uint8_t next[SETS];          /* way to replace */
	unw_context_t context;
	unw_cursor_t cursor;
};

static int (*get_context)(unw_context_t *);
static int (*init_local)(unw_cursor_t *, unw_context_t *);
static int (*step)(unw_cursor_t *);
static int (*get_reg)(unw_cursor_t *, int, unw_word_t *);

void ct_walk_init(void *unwinder)
{
#if defined(__x86_64__)
	*(void **)&get_context = dlsym(unwinder, "_Ux86_64_getcontext");
	*(void **)&init_local = dlsym(unwinder, "_ULx86_64_init_local");
	*(void **)&step = dlsym(unwinder, "_ULx86_64_step");
	*(void **)&get_reg = get_context && init_local && step
				    ? dlsym(unwinder, "_ULx86_64_get_reg")
				    : NULL;
#else
	(void)unwinder;
#endif
}

static uint32_t set_of(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) % SETS;
}

static uint64_t differs(const struct place *place, const uint8_t *base)
{
	return *(const volatile uint64_t *)(const void *)(base + place->offset) ^ place->pc;
}

/* Mostly they all match: four at a time, and one branch. */
static bool matches(const struct known *known, const uint8_t *base)
{
	const struct place *at = known->at, *end = at + known->count;

	for (; end - at >= 4; at += 4)
		if (differs(&at[0], base) | differs(&at[1], base) | differs(&at[2], base) |
		    differs(&at[3], base))
			return false;
	for (; at < end; at++)
		if (differs(at, base))
			return false;
	return true;
}

static bool within(const struct ct_walks *walks, const void *base, uint32_t reach)
{
	return (uintptr_t)base >= walks->stack_low && (uintptr_t)base < walks->stack_high &&
	       walks->stack_high - (uintptr_t)base >= reach;
}

uint32_t ct_walk_recognise(struct ct_thread *thread, uint64_t key, const void *base)
{
	const struct known *set;

	if (!thread->walks)
		return 0;
	set = thread->walks->known[set_of(key)];
	for (int way = 0; way < WAYS; way++)
		if (set[way].key == key && set[way].count && within(thread->walks, base, set[way].reach) &&
		    matches(&set[way], base))
			return set[way].stack;
	return 0;
}

/* Where the calling thread's stack lies. Rarely called: for the main thread it reads a file. */
static void find_stack(struct ct_walks *walks)
{
	pthread_attr_t attr;
	size_t size;
	void *low;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &low, &size) == 0) {
		walks->stack_low = (uintptr_t)low;
		walks->stack_high = (uintptr_t)low + size;
	}
	pthread_attr_destroy(&attr);
}

static struct ct_walks *walks_of(struct ct_thread *thread)
{
	void *map;

	if (thread->walks)
		return thread->walks;
	map = mmap(NULL, sizeof(*thread->walks), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map != MAP_FAILED) {
		thread->walks = map;
		find_stack(thread->walks);
	}
	return thread->walks;
}

static bool ours(uint64_t pc)
{
	return pc >= ct_shim.text_start && pc < ct_shim.text_end;
}

/*
 * Walk with a cursor, which is slow but says where each frame lies. On x86-64 a frame's
 * stack pointer stands just behind the return address that leads into it.
 */
static void survey(struct ct_walks *walks, const uint8_t *base, struct known *ret)
{
	unw_word_t pc, sp;

	ret->count = 0;
	if (get_context(&walks->context) != 0 || init_local(&walks->cursor, &walks->context) < 0)
		return;
	while (step(&walks->cursor) > 0 && ret->count < CT_STACK_FRAMES_MAX) {
		if (get_reg(&walks->cursor, UNW_REG_IP, &pc) < 0 ||
		    get_reg(&walks->cursor, UNW_REG_SP, &sp) < 0 || pc == 0)
			return;
		if (ret->count == 0 && ours(pc))
			continue;
		sp -= sizeof(uint64_t);
		if (sp < (uintptr_t)base || sp - (uintptr_t)base > STACK_REACH ||
		    !within(walks, base, (uint32_t)(sp - (uintptr_t)base) + 8) ||
		    *(const uint64_t *)(uintptr_t)sp != pc) {
			ret->count = 0; /* not where it should be: a signal frame, say */
			return;
		}
		ret->at[ret->count++] = (struct place){ pc, sp - (uintptr_t)base };
		ret->reach = (uint32_t)(sp - (uintptr_t)base) + 8;
	}
}

/* It was surveyed before, in vain. */
static bool hopeless(const struct ct_walks *walks, uint32_t set, uint64_t key, uint32_t stack)
{
	for (int way = 0; way < WAYS; way++)
		if (walks->known[set][way].key == key && walks->known[set][way].stack == stack)
			return true;
	return false;
}

/* Was this stack walked a while ago? If not, it is from now on. */
static bool came_before(struct ct_walks *walks, uint32_t set, uint32_t stack)
{
	uint32_t *missed = walks->missed[set];

	for (int i = 0; i < WAYS; i++)
		if (missed[i] == stack) {
			missed[i] = 0;
			return true;
		}
	missed[walks->next_missed[set]++ % WAYS] = stack;
	return false;
}

void ct_walk_learn(struct ct_thread *thread, uint64_t key, const void *base, uint32_t stack,
		   uint32_t frames)
{
	struct ct_walks *walks = get_reg ? walks_of(thread) : NULL;
	uint32_t set = set_of(key);
	struct known *known;

	if (!walks || hopeless(walks, set, key, stack) || !came_before(walks, set, stack))
		return;
	known = &walks->known[set][walks->next[set]++ % WAYS];
	known->key = 0;
	survey(walks, base, known);
	if (known->count != frames)
		known->count = 0; /* the two walks disagree: never match */
	known->stack = stack;
	known->key = key;
}

void ct_walk_finish(struct ct_thread *thread)
{
	if (thread->walks)
		munmap(thread->walks, sizeof(*thread->walks));
	thread->walks = NULL;
}
