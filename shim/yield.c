/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own profiler. One tool at a time can use CUPTI; these functions are the
 * first that any user of it calls. Under CUTRACE_CUPTI=yield, cutrace lets go of CUPTI
 * before the first such call of the program is passed on, or does not start it any more: of
 * two threads that start CUPTI and use it first, either waits for the other (cupti/session.c).
 *
 * None has more than six parameters and none takes a floating-point number, so six words
 * pass on whatever they are, in every version of CUPTI.
 */
#include "shim/yield.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "cupti/session.h"
#include "shim/entry.h"
#include "shim/hook.h"
#include "shim/real.h"
#include "shim/shim.h"
#include "shim/thread.h"

#define EXPORT __attribute__((visibility("default")))
#define NOT_INITIALIZED 15 /* CUPTI_ERROR_NOT_INITIALIZED */
#define WORDS uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f

#define FIRST_USES(X)                                                                              \
	X(cuptiSubscribe)                                                                          \
	X(cuptiSubscribe_v2)                                                                       \
	X(cuptiActivityRegisterCallbacks)                                                          \
	X(cuptiActivityRegisterCallbacks_v2)                                                       \
	X(cuptiActivityRegisterTimestampCallback)                                                  \
	X(cuptiActivityEnable)                                                                     \
	X(cuptiActivityEnable_v2)                                                                  \
	X(cuptiActivityEnableAndDump)                                                              \
	X(cuptiActivityEnableContext)                                                              \
	X(cuptiActivityEnableDriverApi)                                                            \
	X(cuptiActivityEnableRuntimeApi)                                                           \
	X(cuptiFinalize)

enum slot {
#define SLOT(name) SLOT_##name,
	FIRST_USES(SLOT)
};

#define DECLARE(name) EXPORT int name(WORDS);
FIRST_USES(DECLARE)

static struct ct_real_function functions[] = {
#define ROW(name) { .symbol = #name, .length = sizeof(#name) - 1, .wrapper = (void *)name },
	FIRST_USES(ROW)
	{ .symbol = NULL },
};

static const char *const libraries[] = { "libcupti.so.13", "libcupti.so.12", "libcupti.so", NULL };

struct ct_real_table ct_real_cupti = { .functions = functions, .libraries = libraries };

static const char *first_use; /* the function that the program called first; NULL: none */

const char *ct_yield_first_use(void)
{
	return __atomic_load_n(&first_use, __ATOMIC_ACQUIRE);
}

/*
 * In this order: the driver wrappers record, and only then CUPTI's callbacks open no more
 * calls. A call that both see has one record all the same (hook.h); one that neither saw
 * would be lost.
 */
static void before_silence(void)
{
	ct_entry_decide(CT_ENTRY_RECORDS);
	ct_hook_cupti_leaving();
}

static void let_go(struct ct_thread *thread, const char *function)
{
	int saved = errno;

	thread->in_tool = true;
	if (ct_cupti_yield(before_silence, ct_hook_cupti_gone))
		ct_shim_note(CT_NOTE_YIELDED, 0, "%s", function);
	thread->in_tool = false;
	errno = saved;
}

static void program_uses(const char *function)
{
	const char *nobody = NULL;
	struct ct_thread *thread = ct_thread_peek();

	if (thread && thread->in_tool)
		return; /* our own use */
	__atomic_compare_exchange_n(&first_use, &nobody, function, 0, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	if (!ct_shim_alive() || ct_shim.options.cupti == CT_CUPTI_ON)
		return;
	thread = ct_thread_self();
	if (thread)
		let_go(thread, function);
}

#define FIRST_USE(name)                                                                            \
	int name(WORDS)                                                                            \
	{                                                                                          \
		int (*real)(WORDS);                                                                \
                                                                                                   \
		*(void **)&real =                                                                  \
			ct_real(&ct_real_cupti, SLOT_##name, __builtin_return_address(0));         \
		if (!real)                                                                         \
			return NOT_INITIALIZED;                                                    \
		program_uses(#name);                                                               \
		return real(a, b, c, d, e, f);                                                     \
	}
FIRST_USES(FIRST_USE)
