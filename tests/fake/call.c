/* SPDX-License-Identifier: Apache-2.0 */
/* Entering and leaving API calls, and the one listener that may watch. */
#include "engine.h"

#include <stdatomic.h>
#include <stdlib.h>

static const struct fake_hooks *_Atomic listener;
static _Atomic uint32_t correlation_count;
static _Thread_local struct fake_call *current;

void fake_hooks(const struct fake_hooks *hooks)
{
	atomic_store(&listener, hooks);
}

const struct fake_hooks *fake_listener(void)
{
	return atomic_load_explicit(&listener, memory_order_acquire);
}

void fake_enter(struct fake_call *call)
{
	const struct fake_hooks *hooks = fake_listener();

	call->outer = current;
	call->correlation = current ? current->correlation :
				      atomic_fetch_add(&correlation_count, 1) + 1;
	current = call;
	if (hooks) {
		call->entered = true;
		hooks->enter(call);
	}
}

void fake_leave(struct fake_call *call, const void *result)
{
	const struct fake_hooks *hooks = fake_listener();

	if (hooks && call->entered)
		hooks->leave(call, result);
	current = call->outer;
}

struct fake_call *fake_current_call(void)
{
	return current;
}

/* Does the NULL stream mean the thread's own? True inside any _ptsz or _ptds twin. */
bool fake_per_thread(void)
{
	for (const struct fake_call *call = current; call; call = call->outer)
		if (call->per_thread)
			return true;
	return false;
}

uint32_t fake_correlation(void)
{
	return current ? current->correlation : 0;
}

uint64_t fake_setting(const char *name, uint64_t fallback)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 10) : fallback;
}
