/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/python.h"

#include <errno.h>
#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/py_find.h"
#include "shim/py_script.h"
#include "shim/thread.h"

#define FAILURES_MAX 64 /* chains in a row that could not be read: the layout must be wrong */

/* What a thread keeps between following its frames and naming them. */
struct ct_python {
	struct ct_py_chain chain;
	struct ct_py_texts texts;
	uint64_t merged[CT_STACK_MERGED_MAX];
};

static bool wanted_frames;
static struct ct_py_found interpreter; /* the first that was found; one at most is used */
/* Of `interpreter`, which is complete before this changes; NONE = none found. */
static enum ct_script_state state;
static uint32_t failures;

static void set_state(enum ct_script_state to)
{
	__atomic_store_n(&state, to, __ATOMIC_RELEASE);
}

static enum ct_script_state get_state(void)
{
	return __atomic_load_n(&state, __ATOMIC_ACQUIRE);
}

void ct_python_init(bool wanted)
{
	wanted_frames = wanted;
}

void ct_python_consider(const struct dl_phdr_info *info)
{
	if (wanted_frames && get_state() == CT_SCRIPT_NONE && ct_py_find(info, &interpreter))
		set_state(interpreter.state);
}

/*
 * A program may close a library that embeds Python. RTLD_NODELETE keeps it mapped, as its
 * function is called and its types are compared with from now on.
 */
static bool stays_loaded(const char *path)
{
	void *lib;

	if (!*path)
		return true; /* the program itself */
	lib = dlopen(path, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
	if (!lib)
		return false;
	dlclose(lib);
	return true;
}

void ct_python_settle(void)
{
	if (get_state() != CT_SCRIPT_PENDING)
		return;
	if (!stays_loaded(interpreter.path))
		set_state(CT_SCRIPT_NONE); /* it is gone: the next one will be looked at */
	else
		set_state(ct_py_script_init() ? CT_SCRIPT_ALL : CT_SCRIPT_UNREADABLE);
}

static struct ct_python *python_of(struct ct_thread *thread)
{
	void *map;

	if (thread->python)
		return thread->python;
	map = mmap(NULL, sizeof(*thread->python), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map != MAP_FAILED)
		thread->python = map;
	return thread->python;
}

/* A thread's frames may be unreadable once; a layout that never fits is given up. */
static void count_failure(const struct ct_py_chain *chain)
{
	if (chain->state != CT_SCRIPT_UNREADABLE)
		__atomic_store_n(&failures, 0, __ATOMIC_RELAXED);
	else if (__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED) >= FAILURES_MAX)
		set_state(CT_SCRIPT_UNREADABLE);
}

static uint64_t reason(struct ct_py_chain *chain, enum ct_script_state why)
{
	chain->state = why;
	chain->count = 0;
	return chain->hash = ct_py_mix(1, why);
}

static uint64_t follow(struct ct_thread *thread, enum ct_script_state now)
{
	struct ct_py_chain *chain;
	void *self;

	if (!python_of(thread))
		return 0;
	chain = &thread->python->chain;
	if (now != CT_SCRIPT_ALL)
		return reason(chain, now);
	/*
	 * The interpreter's end frees the states of threads that are inside a call. Ours could
	 * be freed just after this: a thread would have to leave a call of the driver within
	 * the microsecond in which that begins.
	 */
	if (interpreter.py.ending())
		return reason(chain, CT_SCRIPT_ENDING);
	self = interpreter.py.thread_state();
	if (!self) /* a program may be linked with Python and never use it */
		return reason(chain, interpreter.py.started() ? CT_SCRIPT_NO_THREAD : CT_SCRIPT_NONE);
	ct_py_walk(&interpreter.py, (uint64_t)(uintptr_t)self, chain);
	if (chain->state == CT_SCRIPT_UNREADABLE ||
	    __atomic_load_n(&failures, __ATOMIC_RELAXED))
		count_failure(chain);
	return chain->hash;
}

uint64_t ct_python_follow(struct ct_thread *thread)
{
	enum ct_script_state now = get_state();
	uint64_t hash;
	int saved;

	if (now == CT_SCRIPT_NONE)
		return 0;
	saved = errno;
	hash = follow(thread, now);
	errno = saved;
	return hash;
}

/* Once a chain has been followed to a name, everything on the way was what it should be. */
static uint64_t pc_of(struct ct_thread *thread, uint32_t frame)
{
	struct ct_python *p = thread->python;
	uint32_t id = ct_py_script_id(thread, &interpreter.py, &p->chain.frames[frame], &p->texts);

	if (id)
		__atomic_store_n(&interpreter.py.trusted, true, __ATOMIC_RELAXED);
	return CT_PC_SCRIPT(id);
}

static bool evaluates(uint64_t pc)
{
	return pc > interpreter.py.eval_start && pc <= interpreter.py.eval_end;
}

uint32_t ct_python_merge(struct ct_thread *thread, const uint64_t *pc, uint32_t n,
			 const uint64_t **ret_pc, enum ct_script_state *ret_state)
{
	struct ct_python *p = thread->python;
	uint32_t used = 0, frame = 0;

	*ret_pc = pc;
	*ret_state = get_state();
	if (*ret_state != CT_SCRIPT_NONE)
		*ret_state = p ? p->chain.state : CT_SCRIPT_UNREADABLE; /* no memory */
	if (*ret_state == CT_SCRIPT_NONE || !p || !p->chain.count)
		return n;
	for (uint32_t i = 0; i < n; i++) {
		bool ran = evaluates(pc[i]) && frame < p->chain.count;

		if (!ran)
			p->merged[used++] = pc[i];
		while (ran) {
			ran = !p->chain.frames[frame].last && frame + 1 < p->chain.count;
			p->merged[used++] = pc_of(thread, frame++);
		}
	}
	while (frame < p->chain.count)
		p->merged[used++] = pc_of(thread, frame++);
	*ret_pc = p->merged;
	return used;
}

enum ct_script_state ct_python_absence(void)
{
	enum ct_script_state now = get_state();

	return now == CT_SCRIPT_ALL ? CT_SCRIPT_PENDING : now;
}

void ct_python_finish(struct ct_thread *thread)
{
	if (thread->python)
		munmap(thread->python, sizeof(*thread->python));
	thread->python = NULL;
}
